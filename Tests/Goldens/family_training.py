"""Training runs and generated answers of the checkpoints of `families/`."""

import copy
import pathlib

import torch
from transformers import GenerationConfig

import training_reference
from checkpoints import adapted
from family_reference import FamilyReference
from llava_reference import number, summary, write_json
from training_reference import PROJECTIONS, targets

# Part of the model by its module's name, and the modules there that are adapted.
TOWERS = {
    "qwen2_5_vl": (r"visual\.blocks", ["qkv", "proj", "gate_proj", "up_proj", "down_proj"]),
    "qwen2_vl": (r"visual\.blocks", ["qkv", "proj", "fc1", "fc2"]),
    "smolvlm": ("vision_model", ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]),
    "idefics3": ("vision_model", ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]),
    "llava": ("vision_tower", ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]),
}


def patterns(kind: str) -> tuple[str, str]:
    """What LoRA adapts: of the language model, and of language model and tower. Merger or connector never."""
    language = targets("text_model" if kind in ("smolvlm", "idefics3") else "language_model", PROJECTIONS)
    return language, f"({language}|{targets(*TOWERS[kind])})"


LORA = dict(steps=4, learning_rate=1e-2, weight_decay=0.01, schedule="cosine", warmup_ratio=0.25, negatives=3)


def runs(reference: FamilyReference, folder: pathlib.Path, key_of) -> dict:
    """`misp`, `dpo` and `mdpo` from `adapter-init/`, `vision-lora` (misp) from `adapter-vision-init/`, and `full`."""
    language, both = patterns(reference.kind)
    training_reference.initial_adapter(reference, folder / "adapter-init", 11, language)
    training_reference.initial_adapter(reference, folder / "adapter-vision-init", 12, both)
    result = {}
    for name, kind, beta, start in (("misp", "misp", 0.5, "adapter"), ("dpo", "dpo", 0.1, "adapter"),
                                    ("mdpo", "mdpo", 0.1, "adapter"), ("vision-lora", "misp", 0.5, "adapter-vision")):
        model = training_reference.load_adapter(reference, folder / f"{start}-init").to(reference.model.dtype)
        result[name] = training_reference.run(reference, model, kind, beta, **LORA)
        if kind == "misp":
            training_reference.save_adapter(model, folder / f"{start}-final")
    full = copy.deepcopy(reference.model)
    # Weight decay stays 0 here: whether it spares biases and norms is a convention, not arithmetic.
    result["full"] = training_reference.run(reference, full, "sft", 0.1, steps=4, learning_rate=2e-3, weight_decay=0.0,
                                            schedule="constant", warmup_ratio=0.0, negatives=3)
    before = dict(reference.model.named_parameters())
    # SigLIP's key biases: see training_reference.runs. Qwen's towers turn their keys, where a bias has a gradient.
    result["full"]["final"] = {
        key_of(name): summary(p, 3) | dict(change=number((p - before[name]).double().norm()))
        for name, p in full.named_parameters() if "language_model" in name or not name.endswith("k_proj.bias")}
    return result


def chip(reference: FamilyReference, folder: pathlib.Path) -> dict:
    """`chip` from `adapter-init/`; its picture under noise has as many rows as the picture."""
    model = training_reference.load_adapter(reference, folder / "adapter-init").to(reference.model.dtype)
    return dict(chip=training_reference.run(reference, model, "chip", 0.1, **LORA))


def training(reference: FamilyReference, folder: pathlib.Path, key_of) -> None:
    write_json(folder / "training.json", runs(reference, folder, key_of))
    write_json(folder / "chip.json", chip(reference, folder))
    with torch.no_grad():
        write_json(folder / "adapted.json", adapted(reference, folder / "adapter-final"))
        write_json(folder / "adapted-vision.json", adapted(reference, folder / "adapter-vision-final"))


def generate(reference: FamilyReference, inputs: dict, penalty: float) -> list[list[int]]:
    """Greedy answers without the token that ended them; the folder's own generation_config.json says which do."""
    published = GenerationConfig.from_pretrained(reference.folder)
    ends = published.eos_token_id if isinstance(published.eos_token_id, list) else [published.eos_token_id]
    reference.model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=64, repetition_penalty=penalty, eos_token_id=ends,
        pad_token_id=published.pad_token_id, return_dict_in_generate=True, output_scores=True)
    out = reference.model.generate(**inputs)
    rows = out.sequences[:, inputs["input_ids"].shape[1]:].tolist()
    if len(rows) == 1:
        # Rounding must not decide between two tokens.
        best = torch.cat(out.scores).topk(2).values
        assert (best[:, 0] - best[:, 1]).min() > 1e-4, "choose another seed"
    return [row[:next((i for i, token in enumerate(row) if token in ends), len(row))] for row in rows]


def batched(reference: FamilyReference, prompts: list[list[int]], images: list[str]) -> dict:
    """One input for all prompts, filled up on the left."""
    single = [reference.model_inputs(prompt, image) for prompt, image in zip(prompts, images)]
    length = max(len(prompt) for prompt in prompts)

    def padded(key: str, value: int) -> torch.Tensor:
        return torch.cat([torch.nn.functional.pad(x[key], (length - x[key].shape[1], 0), value=value) for x in single])

    inputs = dict(input_ids=padded("input_ids", 0), attention_mask=padded("attention_mask", 0))
    pixels = [x["pixel_values"] for x in single]
    if reference.is_qwen:
        inputs |= dict(mm_token_type_ids=padded("mm_token_type_ids", 0),
                       image_grid_thw=torch.cat([x["image_grid_thw"] for x in single]))
    elif reference.kind != "llava":
        # Tiles of zeros are dropped again by the model.
        tiles = max(x.shape[1] for x in pixels)
        pixels = [torch.cat([x, x.new_zeros(1, tiles - x.shape[1], *x.shape[2:])], 1) for x in pixels]
    return inputs | dict(pixel_values=torch.cat(pixels))


def generation(reference: FamilyReference) -> dict:
    """Greedy, 64 tokens at the most, plain and with a repetition penalty; the last prompt is about no picture."""
    groups = reference.groups()
    cases = [(groups[i], groups[i]["image"]) for i in (1, 3, 4, 7)] + [(groups[5], None)]
    rows, prompts = [], []
    for group, image in cases:
        prompts.append(reference.check_prompt(group["prompt"], image))
        inputs = reference.model_inputs(prompts[-1], image)
        rows.append(dict(id=group["id"], prompt=group["prompt"], image=image, ids=prompts[-1],
                         greedy=generate(reference, inputs, 1.0)[0], penalized=generate(reference, inputs, 1.3)[0]))
    together = generate(reference, batched(reference, prompts[:4], [image for _, image in cases[:4]]), 1.0)
    assert together == [row["greedy"] for row in rows[:4]]
    return dict(groups=rows)
