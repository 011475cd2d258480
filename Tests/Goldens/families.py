"""Writes the small random checkpoints of `families/` and what PyTorch computes for them.

    python Tests/Goldens/families.py [name ...]

See README.md in this folder for the versions and for what each file holds.
"""

import json
import pathlib
import re
import shutil
import sys

import torch
import transformers
from safetensors import safe_open
from transformers import (Idefics3Config, Idefics3ForConditionalGeneration, LlavaConfig, LlavaForConditionalGeneration,
                          Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Config, Qwen2VLConfig,
                          Qwen2VLForConditionalGeneration, SiglipVisionConfig, SmolVLMConfig,
                          SmolVLMForConditionalGeneration)

import family_data
import family_training
from checkpoints import CLIP, as_saved, gradients, randomize
from family_reference import FamilyReference, golden
from llava_reference import write_json

ROOT = pathlib.Path(__file__).resolve().parent / "families"
CELL = 28 * 28


def dump(folder: pathlib.Path, file: str, value: dict) -> None:
    (folder / file).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def save(model: torch.nn.Module, folder: pathlib.Path, seed: int, dtype: torch.dtype, **options) -> None:
    randomize(model, seed)
    if model.config.tie_word_embeddings:
        # Else a token's own embedding outweighs all that the layers add to it, and an answer is one token repeated.
        model.get_input_embeddings().weight.data *= 0.2
    # So that no answer holds a placeholder: what that would mean is nobody's to say.
    for token in {model.config.image_token_id, getattr(model.config, "video_token_id", model.config.image_token_id)}:
        model.get_output_embeddings().weight.data[token] = 0
    model.to(dtype).save_pretrained(folder, **options)


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


def qwen2_5_vl_nested(folder: pathlib.Path) -> str:
    """As transformers 5 saves it, with the newer tensor names; an output head of its own."""
    ids = family_data.qwen_tokenizer(folder)
    text = qwen_text(max(ids.values()) + 1, num_attention_heads=4, num_key_value_heads=2,
                     rope_parameters=dict(rope_type="default", rope_theta=1e5, mrope_section=[2, 1, 1]))
    text.pop("rope_theta")
    vision = dict(depth=3, hidden_size=32, intermediate_size=40, num_heads=2, out_hidden_size=32, window_size=112,
                  fullatt_block_indexes=[1])
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **qwen_ids(ids))
    save(Qwen2_5_VLForConditionalGeneration(config), folder, 22, torch.bfloat16, save_original_format=False)
    qwen_generation(folder, ids)
    qwen_pixels(folder, "Qwen2_5_VLProcessor", dict(size=dict(shortest_edge=4 * CELL, longest_edge=36 * CELL)))
    set_chat(folder, family_data.QWEN_CHAT, inside=False)
    return "qwen2.5-vl"


def qwen2_vl(folder: pathlib.Path) -> str:
    """The layout as published: `hidden_size` of the tower is the width of its output."""
    ids = family_data.qwen_tokenizer(folder)
    text = qwen_text(max(ids.values()) + 1 + 3, num_attention_heads=2, num_key_value_heads=1, torch_dtype="float16",
                     rope_scaling=dict(type="mrope", mrope_section=[2, 3, 3]))
    vision = dict(depth=2, embed_dim=24, mlp_ratio=2, num_heads=2, in_chans=3, hidden_size=32, patch_size=14,
                  spatial_merge_size=2, spatial_patch_size=14, temporal_patch_size=2)
    flat = dict(architectures=["Qwen2VLForConditionalGeneration"], model_type="qwen2_vl",
                vision_token_id=ids["<|vision_pad|>"], tie_word_embeddings=True,
                transformers_version="4.41.2") | qwen_ids(ids) | text | dict(vision_config=vision)
    dump(folder, "config.json", flat)
    save(Qwen2VLForConditionalGeneration(Qwen2VLConfig.from_pretrained(folder)), folder, 33, torch.float16)
    dump(folder, "config.json", flat)
    qwen_generation(folder, ids)
    qwen_pixels(folder, "Qwen2VLProcessor", dict(min_pixels=4 * CELL, max_pixels=36 * CELL))
    set_chat(folder, family_data.QWEN_CHAT, inside=True)
    return "qwen2.5-vl"


def llama_text(tokens: int) -> dict:
    """`eos_token_id` is not the token that ends an utterance: that one stands in generation_config.json and in
    tokenizer_config.json, as published."""
    return dict(model_type="llama", hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, head_dim=8, vocab_size=tokens, max_position_embeddings=512, rms_norm_eps=1e-5,
                rope_theta=1e5, bos_token_id=1, eos_token_id=2, pad_token_id=2)


def smolvlm_files(folder: pathlib.Path, kind: str, ids: dict[str, int], side: int, rows: int, split: bool) -> None:
    """`rows`: the rows of a tile of `side` pixels."""
    dump(folder, "generation_config.json", dict(
        bos_token_id=1, eos_token_id=ids["<end_of_utterance>"], pad_token_id=2))
    dump(folder, "preprocessor_config.json", dict(
        do_convert_rgb=True, do_image_splitting=split, do_normalize=True, do_pad=True, do_rescale=True, do_resize=True,
        image_mean=[0.5] * 3, image_processor_type=f"{kind}ImageProcessor", image_std=[0.5] * 3,
        max_image_size=dict(longest_edge=side), processor_class=f"{kind}Processor", resample=1,
        rescale_factor=1 / 255, size=dict(longest_edge=4 * side)))
    dump(folder, "processor_config.json", dict(image_seq_len=rows, processor_class=f"{kind}Processor"))


def smolvlm_tiles(folder: pathlib.Path) -> str:
    """The layout as published: keys that mean nothing, and a picture of up to 4 x 4 tiles and the whole."""
    ids = family_data.smolvlm_tokenizer(folder)
    tokens = max(ids.values()) + 1
    text = llama_text(tokens) | dict(is_llama_config=True, pixel_shuffle_factor=2, qk_layer_norms=False,
                                     rope_interleaved=False, use_resampler=False, torch_dtype="float32")
    vision = dict(hidden_size=32, image_size=32, intermediate_size=48, max_image_size=dict(longest_edge=32),
                  model_type="smolvlm_vision", num_attention_heads=2, num_hidden_layers=3, patch_size=8,
                  size=dict(longest_edge=128), tie_word_embeddings=False, use_base_siglip=True)
    published = dict(architectures=["SmolVLMForConditionalGeneration"], image_token_id=ids["<image>"],
                     model_type="smolvlm", pad_token_id=2, scale_factor=2, text_config=text,
                     tie_word_embeddings=False, torch_dtype="float32", transformers_version="4.46.0", use_cache=True,
                     vision_config=vision, vocab_size=tokens)
    dump(folder, "config.json", published)
    save(SmolVLMForConditionalGeneration(SmolVLMConfig.from_pretrained(folder)), folder, 59, torch.float32)
    dump(folder, "config.json", published)
    smolvlm_files(folder, "SmolVLM", ids, side=32, rows=4, split=True)
    set_chat(folder, family_data.SMOLVLM_CHAT, inside=True)
    return "smolvlm"


def idefics3_whole(folder: pathlib.Path) -> str:
    """One square per picture, which the patches do not fill: the last two of 50 pixels are seen by none."""
    ids = family_data.smolvlm_tokenizer(folder)
    text = llama_text(max(ids.values()) + 1 + 5)
    text["rope_parameters"] = dict(rope_type="default", rope_theta=text.pop("rope_theta"))
    vision = dict(hidden_size=32, image_size=50, intermediate_size=48, num_attention_heads=2, num_hidden_layers=2,
                  patch_size=8)
    config = Idefics3Config(text_config=text, vision_config=vision, scale_factor=3, image_token_id=ids["<image>"],
                            tie_word_embeddings=True, pad_token_id=2)
    save(Idefics3ForConditionalGeneration(config), folder, 52, torch.bfloat16)
    smolvlm_files(folder, "Idefics3", ids, side=50, rows=4, split=False)
    set_chat(folder, family_data.SMOLVLM_CHAT, inside=False)
    return "smolvlm"


def llava_interleave(folder: pathlib.Path) -> str:
    """The shape of llava-interleave-qwen-0.5b-hf: SigLIP without its pooling head, on a side that is no multiple of
    the patch, the output of its last layer, as many key heads as heads."""
    ids = family_data.interleave_tokenizer(folder)
    text = Qwen2Config(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=4, vocab_size=ids["<image>"] + 1 + 9, max_position_embeddings=512,
                       bos_token_id=0, eos_token_id=2, rope_parameters=dict(rope_type="default", rope_theta=1e6),
                       max_window_layers=21, tie_word_embeddings=True)
    vision = SiglipVisionConfig(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2,
                                image_size=30, patch_size=7, vision_use_head=False)
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=ids["<image>"], image_seq_length=16,
                         vision_feature_layer=-1, vision_feature_select_strategy="full", tie_word_embeddings=True)
    save(LlavaForConditionalGeneration(config), folder, 33, torch.bfloat16)
    dump(folder, "generation_config.json", dict(bos_token_id=0, eos_token_id=2, pad_token_id=0))
    dump(folder, "preprocessor_config.json", dict(
        do_convert_rgb=None, do_normalize=True, do_rescale=True, do_resize=True, image_mean=[0.5] * 3,
        image_processor_type="SiglipImageProcessor", image_std=[0.5] * 3, processor_class="LlavaProcessor", resample=3,
        rescale_factor=1 / 255, size=dict(height=30, width=30)))
    dump(folder, "processor_config.json", dict(image_token="<image>", patch_size=7, processor_class="LlavaProcessor",
                                               vision_feature_select_strategy="full"))
    set_chat(folder, family_data.CHATML_CHAT, inside=False)
    return "chatml"


FAMILIES = {
    "qwen2.5-vl-flat": qwen2_5_vl_flat, "qwen2.5-vl-nested": qwen2_5_vl_nested, "qwen2-vl": qwen2_vl,
    "smolvlm-tiles": smolvlm_tiles, "idefics3-whole": idefics3_whole, "llava-interleave": llava_interleave,
}


def key_of(family: str):
    """The name in the checkpoint of a parameter of the model."""
    if family == "llava-interleave":
        return as_saved
    if family in ("qwen2.5-vl-flat", "qwen2-vl"):
        return lambda name: re.sub(r"^model\.(visual\.)", r"\1", name).replace("model.language_model.", "model.")
    return lambda name: name


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
            write_json(folder / "generation.json", family_training.generation(reference))
        name_of = key_of(name)
        with safe_open(folder / "model.safetensors", "pt") as file:
            assert {name_of(key) for key, _ in reference.model.named_parameters()} == set(file.keys())
        write_json(folder / "gradients.json", gradients(reference, name_of))
        family_training.training(reference, folder, name_of)
        (folder / "model.safetensors").chmod(0o644)
        print(name, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
