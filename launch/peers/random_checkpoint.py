"""A checkpoint of a published shape with random bfloat16 weights, and preference groups with random pictures.

For measurements of time and memory where the published weights cannot be had: neither depends on the values.
Usage: random_checkpoint.py SHAPE OUTPUT [--layers 32] [--groups 4] [--negatives 3] [--pixels 336 336] [--tokens 24 64]
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForImageTextToText

GOLDENS = Path(__file__).resolve().parents[2] / "Tests" / "Goldens"
SHARD_BYTES = 2 << 30

# What the published configurations say beside the fields of the small checkpoints whose tokenizers are used here.
SHAPES = {
    "llava-1.5-7b": (
        "checkpoints/llama-clip-spm",
        {
            "image_seq_length": 576,
            "text_config": {
                "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
                "num_key_value_heads": 32, "head_dim": 128, "vocab_size": 32064, "max_position_embeddings": 4096,
            },
            "vision_config": {
                "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
                "image_size": 336, "patch_size": 14, "projection_dim": 768,
            },
        },
    ),
    "qwen2.5-vl-3b": (
        "families/qwen2.5-vl-flat",
        {
            "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 128000,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "vision_config": {
                "depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                "in_chans": 3, "out_hidden_size": 2048, "patch_size": 14, "spatial_merge_size": 2,
                "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
                "tokens_per_second": 2, "temporal_patch_size": 2,
            },
        },
    ),
    "smolvlm-256m": (
        "families/smolvlm-tiles",
        {
            "scale_factor": 4,
            "vocab_size": 49280,
            "text_config": {
                "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
                "num_key_value_heads": 3, "head_dim": 64, "vocab_size": 49280, "max_position_embeddings": 8192,
                "pixel_shuffle_factor": 4,
            },
            "vision_config": {
                "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
                "image_size": 512, "patch_size": 16, "max_image_size": {"longest_edge": 512},
                "size": {"longest_edge": 2048},
            },
        },
    ),
}


def merged(below: dict, above: dict) -> dict:
    """`below` with what `above` says, dictionaries within dictionaries too."""
    result = dict(below)
    for key, value in above.items():
        result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result


def write_processor(shape: str, source: Path, output: Path) -> None:
    """The small checkpoint's preprocessing at the published picture size."""
    settings = json.loads((source / "preprocessor_config.json").read_text())
    if shape == "llava-1.5-7b":
        settings["size"] = {"shortest_edge": 336}
        settings["crop_size"] = {"height": 336, "width": 336}
    elif shape == "qwen2.5-vl-3b":
        settings.update(min_pixels=3136, max_pixels=12845056)
    else:
        settings.update(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512})
    (output / "preprocessor_config.json").write_text(json.dumps(settings, indent=1))


def random_tensor(name: str, shape: torch.Size) -> torch.Tensor:
    """Normal with deviation 0.02; 1 for the weights of norms, 0 for biases."""
    if len(shape) == 1:
        return torch.zeros(shape, dtype=torch.bfloat16) if name.endswith("bias") else torch.ones(shape).bfloat16()
    return torch.empty(shape, dtype=torch.bfloat16).normal_(0, 0.02)


def write_weights(output: Path) -> int:
    """Shards of at most 2 GiB and their index. Returns the number of parameters."""
    config = AutoConfig.from_pretrained(output)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if getattr(config.get_text_config(), "tie_word_embeddings", False) or config.tie_word_embeddings:
        shapes.pop("lm_head.weight", None)
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}

    def flush() -> None:
        if shard:
            file = f"model-{len(set(places.values())) + 1:05d}.safetensors"
            save_file(shard, output / file)
            places.update({name: file for name in shard})
            shard.clear()

    for name, shape in shapes.items():
        shard[name] = random_tensor(name, shape)
        if sum(2 * tensor.numel() for tensor in shard.values()) >= SHARD_BYTES:
            flush()
    flush()
    (output / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return sum(shape.numel() for shape in shapes.values())


def write_groups(output: Path, arguments: argparse.Namespace) -> None:
    """Pictures of noise; texts of about as many tokens as asked for."""
    numbers = numpy.random.default_rng(0)
    tokenizer = Tokenizer.from_file(str(output / "tokenizer.json"))
    words = "the a red green cat dog house table on under is was big small old new with and of in".split()
    height, width = arguments.pixels

    def text(tokens: int) -> str:
        chosen = [str(numbers.choice(words))]
        while len(tokenizer.encode(" ".join(chosen), add_special_tokens=False).ids) < tokens:
            chosen.append(str(numbers.choice(words)))
        return " ".join(chosen)

    (output / "images").mkdir(exist_ok=True)
    with open(output / "groups.jsonl", "w") as file:
        for group in range(arguments.groups):
            names = [f"images/{group}-{index}.png" for index in range(arguments.negatives + 1)]
            for name in names:
                pixels = numbers.integers(0, 256, (height, width, 3), dtype=numpy.uint8)
                Image.fromarray(pixels).save(output / name)
            prompt, response = arguments.tokens
            row = {
                "id": f"g{group}", "prompt": text(prompt), "chosen": text(response), "rejected": text(response),
                "image": names[0], "negatives": [{"image": name} for name in names[1:]],
            }
            file.write(json.dumps(row) + "\n")


def main() -> None:
    """Writes folder and groups."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("output", type=Path)
    parser.add_argument("--layers", type=int, help="of the language model; as published unless given")
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--negatives", type=int, default=3)
    parser.add_argument("--pixels", type=int, nargs=2, default=[336, 336], help="height and width of a picture")
    parser.add_argument("--tokens", type=int, nargs=2, default=[24, 64], help="of a prompt and of a response, about")
    arguments = parser.parse_args()
    folder, changes = SHAPES[arguments.shape]
    source, output = GOLDENS / folder, arguments.output
    output.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        if (source / name).exists():
            shutil.copy(source / name, output / name)
    config = merged(json.loads((source / "config.json").read_text()), changes)
    if arguments.layers:
        config.get("text_config", config)["num_hidden_layers"] = arguments.layers
    (output / "config.json").write_text(json.dumps(config, indent=1))
    write_processor(arguments.shape, source, output)
    torch.manual_seed(0)
    write_groups(output, arguments)
    print(f"{output}: {write_weights(output):,} parameters, {arguments.groups} groups")


if __name__ == "__main__":
    main()
