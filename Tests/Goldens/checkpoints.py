"""Writes the small random LLaVA checkpoints of `checkpoints/` and what PyTorch computes for them.

    python Tests/Goldens/checkpoints.py [name ...]

See README.md in this folder for the versions and for what each file holds.
"""

import json
import math
import pathlib
import re
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (CLIPVisionConfig, Dinov2Config, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration,
                          Qwen2Config, SiglipVisionConfig)

import small_data
import small_tokenizers
import training_reference
from llava_reference import TEMPLATES, Reference, number, samples, summary, write_json

ROOT = pathlib.Path(__file__).resolve().parent / "checkpoints"
CLIP = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


def text_config(vocabulary: int, **other) -> LlamaConfig:
    return LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=2, vocab_size=vocabulary, max_position_embeddings=256, **other)


def preprocessor(folder: pathlib.Path, kind: str, size: int, shortest: int, statistics: dict) -> None:
    config = dict(image_processor_type=kind, do_convert_rgb=True, do_resize=True, size=dict(shortest_edge=shortest),
                  resample=3, do_center_crop=True, crop_size=dict(height=size, width=size), do_rescale=True,
                  rescale_factor=1 / 255, do_normalize=True) | statistics
    (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=1) + "\n")


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Weights large enough for every part to matter: the library's own initial values leave the logits almost flat."""
    random = np.random.default_rng(seed)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.dim() == 0:
            continue
        noise = torch.from_numpy(random.standard_normal(parameter.shape)).float()
        if re.search(r"(norm|ln_q).*weight$", name) or "lambda1" in name:
            value = 1 + 0.2 * noise
        elif name.endswith("bias"):
            value = 0.1 * noise
        elif "embed" in name and "patch" not in name or "token" in name:
            value = 0.5 * noise
        else:
            value = noise / math.sqrt(parameter[0].numel())
        parameter.data.copy_(value)


def as_saved(name: str) -> str:
    """transformers 5: language model under the old prefix, vision tower without `vision_model`."""
    if name.startswith("lm_head"):
        return "language_model." + name
    return re.sub(r"^model\.", "", name).replace("language_model.", "language_model.model.")


def oldest(name: str) -> str:
    """Names as LLaVA-1.5 was published with."""
    return as_saved(name).replace("vision_tower.", "vision_tower.vision_model.")


DINOV2 = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value", "o_proj": "output.dense"}


def newest(name: str) -> str:
    """With the leading `model.`; transformers' modules call DINOv2's projections q_proj …, files never do."""
    return re.sub(r"(vision_tower\..*\.attention)\.(._proj)", lambda m: f"{m[1]}.{DINOV2[m[2]]}", name)


def rewrite(folder: pathlib.Path, model: torch.nn.Module, key_of, shards: int = 1) -> None:
    """Replaces model.safetensors by the same tensors under other names, in `shards` files with an index."""
    (folder / "model.safetensors").unlink()
    tied = {"lm_head.weight"} if model.config.text_config.tie_word_embeddings else set()
    tensors = {key_of(k): v.contiguous() for k, v in sorted(model.state_dict().items()) if k not in tied}
    keys, index = list(tensors), {}
    for shard in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {key: tensors[key] for key in keys[shard::shards]}
        save_file(part, folder / file, metadata=dict(format="pt"))
        index |= {key: file for key in part}
    if shards > 1:
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        text = json.dumps(dict(metadata=dict(total_size=size), weight_map=dict(sorted(index.items()))), indent=0)
        (folder / "model.safetensors.index.json").write_text(text + "\n")


def clip_model(vocabulary: int, strategy: str) -> LlavaForConditionalGeneration:
    vision = CLIPVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3,
                              image_size=28, patch_size=7, projection_dim=24)
    config = LlavaConfig(text_config=text_config(vocabulary), vision_config=vision, image_token_index=vocabulary - 2,
                         image_seq_length=16 + (strategy == "full"), vision_feature_layer=-2,
                         vision_feature_select_strategy=strategy)
    model = LlavaForConditionalGeneration(config)
    randomize(model, seed=1)
    return model


def llama_clip_spm(folder: pathlib.Path):
    model = clip_model(small_tokenizers.sentencepiece(folder), "default")
    model.save_pretrained(folder)
    preprocessor(folder, "CLIPImageProcessor", 28, 28, CLIP)
    return "llava-1.5", as_saved


def smol_dinov2_bytelevel(folder: pathlib.Path):
    tokens = small_tokenizers.bytelevel(folder)
    text = text_config(tokens + 25, tie_word_embeddings=True, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
                       rope_parameters=dict(rope_type="default", rope_theta=1e5))
    vision = Dinov2Config(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, mlp_ratio=2, image_size=70,
                          patch_size=14)
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=tokens - 1, image_seq_length=9,
                         vision_feature_layer=2, tie_word_embeddings=True)
    model = LlavaForConditionalGeneration(config)
    randomize(model, seed=2)
    model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    rewrite(folder, model, newest)
    preprocessor(folder, "BitImageProcessor", 42, 48, IMAGENET)
    return "chatml", newest


def qwen2_siglip(folder: pathlib.Path):
    """Biases on q, k and v; no class token; two feature layers side by side; a picture squeezed to a square."""
    tokens = small_tokenizers.bytelevel(folder)
    text = Qwen2Config(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=2, vocab_size=tokens, max_position_embeddings=256, bos_token_id=1,
                       eos_token_id=2, rope_parameters=dict(rope_type="default", rope_theta=1e6))
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3,
                                image_size=28, patch_size=7)
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=tokens - 1, image_seq_length=16,
                         vision_feature_layer=[1, -1], vision_feature_select_strategy="full")
    model = LlavaForConditionalGeneration(config)
    randomize(model, seed=3)
    model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    preprocessor(folder, "SiglipImageProcessor", 28, 28, dict(image_mean=[0.5] * 3, image_std=[0.5] * 3))
    path = folder / "preprocessor_config.json"
    processor = json.loads(path.read_text()) | dict(size=dict(height=28, width=28), do_center_crop=False)
    processor.pop("crop_size")
    path.write_text(json.dumps(processor, indent=1) + "\n")
    return "chatml", as_saved


def llama_clip_sharded(folder: pathlib.Path):
    model = clip_model(small_tokenizers.sentencepiece(folder), "full").to(torch.float16)
    model.save_pretrained(folder)
    rewrite(folder, model, oldest, shards=3)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["torch_dtype"] = config.pop("dtype")
    config["ignore_index"] = -100
    config["text_config"]["rope_theta"] = config["text_config"].pop("rope_parameters")["rope_theta"]
    config["text_config"]["torch_dtype"] = "float16"
    for key in ("head_dim", "dtype"):
        config["text_config"].pop(key, None)
    path.write_text(json.dumps(config, indent=2) + "\n")
    preprocessor(folder, "CLIPImageProcessor", 28, 28, CLIP)
    return "llava-1.5", oldest


VARIANTS = {"llama-clip-spm": llama_clip_spm, "smol-dinov2-bytelevel": smol_dinov2_bytelevel,
            "qwen2-siglip": qwen2_siglip, "llama-clip-sharded": llama_clip_sharded}


def golden(reference: Reference, template: str) -> dict:
    groups, images = [], {}
    for group in reference.groups():
        sequences = reference.sequences(group)
        row = dict(id=group["id"], prompt=sequences["chosen"][0])
        row |= {name: sequences[name][1] for name in ("chosen", "rejected") if name in sequences}
        row["logps"] = {name: number(reference.log_probability(*s)) for name, s in sequences.items()}
        groups.append(row)
        for _, _, image in sequences.values():
            pixels = reference.pixels(image)
            features = torch.stack(reference.model.get_image_features(pixel_values=pixels).pooler_output)[0]
            images[image] = dict(pixels=summary(pixels[0], 8), features=summary(features, 8))
    name, (prompt, response, image) = "chosen", reference.sequences(reference.groups()[0])["chosen"]
    logits = reference.logits(prompt, response, image)
    rows = [dict(token=t, samples=samples(logits[t], 8)) for t in (0, len(response) - 1)]
    return dict(template=TEMPLATES[template], template_name=template, image_token_id=reference.image_token,
                image_tokens=reference.image_tokens, eos_token_id=reference.eos, groups=groups,
                images=dict(sorted(images.items())), logits=dict(group=groups[0]["id"], sequence=name, rows=rows))


def gradients(reference: Reference, key_of, group_index: int = 1) -> dict:
    """d(Σ c·logp)/d(every tensor); a tensor that takes no part has `null` (layers behind the selected one).

    Those by the vision tower's key biases are 0: they shift all scores of a query alike. What autograd
    leaves there is rounding.
    """
    group = reference.groups()[group_index]
    sequences = reference.sequences(group)
    coefficients = {name: round(math.cos(1.0 + 1.7 * i), 3) for i, name in enumerate(sequences)}
    reference.model.zero_grad()
    for name, sequence in sequences.items():
        (coefficients[name] * reference.log_probability(*sequence)).backward()
    tensors = {}
    for name, p in reference.model.named_parameters():
        exact = p.grad is not None and re.search(r"vision_(tower|model)\..*k_proj\.bias$", name)
        tensors[key_of(name)] = None if p.grad is None else summary(torch.zeros_like(p) if exact else p.grad, 3)
    reference.model.zero_grad()
    return dict(group=group["id"], coefficients=coefficients, tensors=tensors)


def adapted(reference: Reference, adapter: pathlib.Path) -> dict:
    model = training_reference.load_adapter(reference, adapter)
    return {group["id"]: {name: number(reference.log_probability(*s, model=model))
                          for name, s in reference.sequences(group).items()} for group in reference.groups()}


def old_adapter(source: pathlib.Path, target: pathlib.Path) -> None:
    """The same adapter under the names PEFT wrote before transformers 4.52."""
    target.mkdir()
    shutil.copy(source / "adapter_config.json", target)
    tensors = {key.replace("model.model.language_model.", "model.language_model.model."): value
               for key, value in load_file(source / "adapter_model.safetensors").items()}
    save_file(tensors, target / "adapter_model.safetensors", metadata=dict(format="pt"))


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in names or VARIANTS:
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        template, key_of = VARIANTS[name](folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        small_data.groups(folder)
        reference = Reference(folder, template)
        with torch.no_grad():
            write_json(folder / "golden.json", golden(reference, template))
        if name == "llama-clip-sharded":
            old_adapter(ROOT / "llama-clip-spm" / "adapter-final", folder / "adapter-old-names")
            with torch.no_grad():
                new_names = ROOT / "llama-clip-spm" / "adapter-final"
                write_json(folder / "adapted.json", adapted(reference, new_names))
            continue
        write_json(folder / "gradients.json", gradients(reference, key_of))
        write_json(folder / "training.json", training_reference.runs(reference, folder, key_of))
        with torch.no_grad():
            write_json(folder / "adapted.json", adapted(reference, folder / "adapter-final"))
        if name == "llama-clip-spm":
            write_json(folder / "vision-lora.json", training_reference.vision_run(reference, folder))
        print(name, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
