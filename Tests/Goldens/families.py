"""Writes the small random checkpoints of `families/`, whose pictures keep their shape, and what PyTorch computes for them.

    python Tests/Goldens/families.py [name ...]

See README.md in this folder for the versions and for what each file holds.
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

import family_data
from checkpoints import CLIP, randomize
from family_reference import FamilyReference, golden
from llava_reference import write_json

ROOT = pathlib.Path(__file__).resolve().parent / "families"
CELL = 28 * 28


def dump(folder: pathlib.Path, file: str, value: dict) -> None:
    (folder / file).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def save(model: torch.nn.Module, folder: pathlib.Path, seed: int, dtype: torch.dtype, **options) -> dict:
    """Saves random weights and returns config.json's content."""
    randomize(model, seed)
    model.to(dtype).save_pretrained(folder, **options)
    return json.loads((folder / "config.json").read_text())


def qwen_text(tokens: int, **other) -> dict:
    return dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, vocab_size=tokens,
                max_position_embeddings=512, rms_norm_eps=1e-6, rope_theta=1e6, use_sliding_window=False,
                sliding_window=512, max_window_layers=70, hidden_act="silu", attention_dropout=0.0,
                initializer_range=0.02, use_cache=True) | other


def qwen_ids(ids: dict[str, int]) -> dict:
    names = dict(vision_start_token_id="<|vision_start|>", vision_end_token_id="<|vision_end|>",
                 image_token_id="<|image_pad|>", video_token_id="<|video_pad|>", bos_token_id="<|endoftext|>",
                 eos_token_id="<|im_end|>")
    return {key: ids[token] for key, token in names.items()}


def qwen_generation(folder: pathlib.Path, ids: dict[str, int]) -> None:
    """As published: generation stops at either of two tokens."""
    dump(folder, "generation_config.json", dict(
        bos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], do_sample=True,
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], repetition_penalty=1.05, temperature=1e-6))


def qwen_pixels(folder: pathlib.Path, kind: str, limits: dict) -> None:
    dump(folder, "preprocessor_config.json", limits | dict(
        patch_size=14, temporal_patch_size=2, merge_size=2) | CLIP | dict(
        image_processor_type="Qwen2VLImageProcessor", processor_class=kind))


def set_chat(folder: pathlib.Path, template: str, inside: bool) -> None:
    """`inside` tokenizer_config.json as older folders, else as a file of its own, as transformers 5 saves it."""
    if inside:
        path = folder / "tokenizer_config.json"
        dump(folder, path.name, json.loads(path.read_text()) | dict(chat_template=template))
    else:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def qwen2_5_vl_flat(folder: pathlib.Path) -> str:
    """The layout as published: text keys at the top level of config.json, `rope_scaling`, the older tensor names."""
    ids = family_data.qwen_tokenizer(folder)
    tokens = max(ids.values()) + 1 + 11
    text = qwen_text(tokens, num_attention_heads=2, num_key_value_heads=1, torch_dtype="float32",
                     rope_scaling=dict(type="mrope", mrope_section=[2, 3, 3]))
    vision = dict(depth=3, hidden_act="silu", hidden_size=32, intermediate_size=44, num_heads=2, in_chans=3,
                  out_hidden_size=32, patch_size=14, spatial_merge_size=2, spatial_patch_size=14, window_size=56,
                  fullatt_block_indexes=[1], tokens_per_second=2, temporal_patch_size=2)
    flat = dict(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl",
                vision_token_id=ids["<|vision_pad|>"], tie_word_embeddings=True,
                transformers_version="4.41.2") | qwen_ids(ids) | text | dict(vision_config=vision)
    dump(folder, "config.json", flat)
    save(Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(folder)), folder, 21, torch.float32)
    dump(folder, "config.json", flat)
    qwen_generation(folder, ids)
    qwen_pixels(folder, "Qwen2_5_VLProcessor", dict(min_pixels=4 * CELL, max_pixels=36 * CELL))
    set_chat(folder, family_data.QWEN_CHAT, inside=True)
    return "qwen2.5-vl"


FAMILIES = {"qwen2.5-vl-flat": qwen2_5_vl_flat}


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    family_data.groups(ROOT)
    for name in names or FAMILIES:
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        template = FAMILIES[name](folder)
        reference = FamilyReference(folder, template)
        with torch.no_grad():
            write_json(folder / "golden.json", golden(reference))
        print(name, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
