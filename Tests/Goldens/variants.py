"""Writes variants.json: what transformers and PEFT compute for the checkpoints of `checkpoints/` under other settings.

    python Tests/Goldens/variants.py

Sliding windows: a checkpoint with some keys of its `text_config` changed. Adapters: LoRA over a checkpoint, with
adapter_config.json as PEFT saves it and values that the tests make again (`keyed_random.py`).
"""

import json
import pathlib
import shutil
import tempfile

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from keyed_random import KeyedRandom
from llava_reference import Reference, number, write_json

ROOT = pathlib.Path(__file__).resolve().parent
PROJECTIONS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"

WINDOWS = [
    ("llama-clip-spm", dict(model_type="mistral", sliding_window=5)),
    ("llama-clip-spm", dict(model_type="mistral", sliding_window=21)),
    ("llama-clip-spm", dict(model_type="mistral", sliding_window=1)),
    ("qwen2-siglip", dict(use_sliding_window=True, sliding_window=6, max_window_layers=1, layer_types=None)),
    ("qwen2-siglip", dict(use_sliding_window=True, sliding_window=9, max_window_layers=0, layer_types=None)),
    ("qwen2-siglip", dict(use_sliding_window=True, sliding_window=4,
                          layer_types=["sliding_attention", "full_attention"])),
]

ADAPTERS = [
    ("rslora", dict(use_rslora=True)),
    ("patterns", dict(rank_pattern={r"layers\.1\.self_attn\.q_proj": 3, "down_proj": 6,
                                    r"language_model\..*\.v_proj": 2},
                      alpha_pattern={r"^model\.language_model\.layers\.0\.mlp\.(gate|up)_proj": 20, "o_proj": 1})),
    ("rslora with patterns", dict(use_rslora=True, rank_pattern={"q_proj": 9},
                                  alpha_pattern={"layers.1.mlp.up_proj": 5})),
    ("one layer", dict(target_modules=r".*language_model.*layers\.1\..*\.(q_proj|v_proj)")),
    ("some modules", dict(target_modules=r".*language_model.*(layers\.0\.mlp\.up_proj|layers\.1\.self_attn\.o_proj)",
                          init_lora_weights="gaussian")),
    ("excluded", dict(exclude_modules=r".*layers\.0\.mlp.*", init_lora_weights="orthogonal", lora_dropout=0.1)),
]


def log_probabilities(reference: Reference, model=None) -> dict:
    return {group["id"]: {name: number(reference.log_probability(*sequence, model=model))
                          for name, sequence in reference.sequences(group).items()}
            for group in reference.groups()}


def template(checkpoint: str) -> str:
    return json.loads((ROOT / "checkpoints" / checkpoint / "golden.json").read_text())["template_name"]


def copied(checkpoint: str, into: str) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(ROOT / "checkpoints" / checkpoint, into, dirs_exist_ok=True))


def window(checkpoint: str, settings: dict) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = copied(checkpoint, temporary)
        config = json.loads((folder / "config.json").read_text())
        text = config["text_config"]
        text |= settings
        config["text_config"] = {key: value for key, value in text.items() if value is not None or key not in settings}
        (folder / "config.json").write_text(json.dumps(config))
        reference = Reference(folder, template(checkpoint))
        prompt, _, image = reference.sequences(reference.groups()[0])["chosen"]
        with torch.no_grad():
            # Without its cache, which keeps all keys where the window is 1.
            tokens = reference.model.generate(
                input_ids=torch.tensor([prompt]), pixel_values=reference.pixels(image), do_sample=False,
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long), max_new_tokens=24, eos_token_id=None,
                use_cache=False)
            return dict(checkpoint=checkpoint, settings=settings, logps=log_probabilities(reference),
                        generated=tokens[0, len(prompt):].tolist())


def adapter(name: str, settings: dict, checkpoint: str = "llama-clip-spm") -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        reference = Reference(ROOT / "checkpoints" / checkpoint, template(checkpoint))
        usual = dict(r=4, lora_alpha=8, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
        config = LoraConfig(**{**usual, **settings})
        folder = pathlib.Path(temporary)
        get_peft_model(reference.model, config).save_pretrained(folder)
        shapes = {}
        tensors = load_file(folder / "adapter_model.safetensors")
        for key, tensor in tensors.items():
            random = KeyedRandom(9, key)
            values = np.array([0.1 * random.normal() for _ in range(tensor.numel())])
            tensors[key] = torch.from_numpy(values).float().reshape(tensor.shape)
            shapes[key] = list(tensor.shape)
        save_file(tensors, folder / "adapter_model.safetensors")
        saved = json.loads((folder / "adapter_config.json").read_text()) | dict(base_model_name_or_path="..")
        (folder / "adapter_config.json").write_text(json.dumps(saved))
        fresh = Reference(ROOT / "checkpoints" / checkpoint, template(checkpoint))
        model = PeftModel.from_pretrained(fresh.model, folder).eval()
        with torch.no_grad():
            return dict(name=name, checkpoint=checkpoint, config=saved, shapes=dict(sorted(shapes.items())),
                        logps=log_probabilities(fresh, model))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_json(ROOT / "variants.json", dict(windows=[window(*one) for one in WINDOWS],
                                            adapters=[adapter(*one) for one in ADAPTERS]))
