"""What the checkpoints of `families/` share: pictures of many shapes, groups, tokenizers and chat templates."""

import json
import pathlib

import small_data
import small_tokenizers

# By name the size. With cells of 28 x 28 pixels and the limits of the checkpoints (4 to 36 cells): an exact grid, cut
# windows, one row of cells, one column, less than half a cell, and more than the limit.
PICTURES = {
    "square": (84, 84), "small": (20, 20), "odd": (97, 71), "wide": (150, 61), "tall": (47, 139), "large": (300, 220),
    "tiny": (3, 5), "strip": (300, 20), "column": (17, 190), "exact": (112, 56),
}
# In place of the pictures of the other checkpoints, whose texts these groups share.
INSTEAD = {
    "rgb.png": "square", "grey.png": "small", "rgba.png": "odd", "wide.jpg": "wide", "tall.jpg": "tall",
    "lossy.webp": "large", "palette.png": "tiny", "grey-alpha.png": "strip", "lossless.webp": "column",
    "grey.jpg": "exact",
}


def groups(folder: pathlib.Path) -> None:
    """groups.jsonl and images/, RGB files: how other modes are read is the matter of other goldens."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for seed, (name, (width, height)) in enumerate(PICTURES.items()):
        small_data.scene(width, height, 20 + seed).save(folder / "images" / f"{name}.png", optimize=True)

    def renamed(value):
        if isinstance(value, dict):
            return {k: f"images/{INSTEAD[pathlib.Path(v).name]}.png" if k == "image" else renamed(v)
                    for k, v in value.items()}
        return [renamed(x) for x in value] if isinstance(value, list) else value

    lines = [json.dumps(renamed(row), ensure_ascii=False) for row in small_data.GROUPS]
    (folder / "groups.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def extend(folder: pathlib.Path, tokens: list[str], config: dict, qwen: bool) -> dict[str, int]:
    """The tokenizer of `small_tokenizers.bytelevel` without its `<image>` and with `tokens` behind its vocabulary, as
    real ones have theirs; returns the ids by content.

    `qwen`: NFC and the split pattern of Qwen2's tokenizer, which puts digits and line breaks apart. Else SmolLM2's.
    """
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    count = small_tokenizers.bytelevel(folder) - 1
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["added_tokens"].pop()
    if not qwen:
        # As in SmolLM2's: the line break that ends the last row of tiles and the one behind it are one token.
        tokenizer["model"]["vocab"]["ĊĊ"] = count
        tokenizer["model"]["merges"].append(["Ċ", "Ċ"])
        count += 1
    tokenizer["added_tokens"] += [small_tokenizers.added(token, count + i) for i, token in enumerate(tokens)]
    if qwen:
        tokenizer["normalizer"] = dict(type="NFC")
        bytelevel = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=False, use_regex=False)
        split = dict(type="Split", pattern=dict(Regex=PRETOKENIZE_REGEX), behavior="Isolated", invert=False)
        tokenizer["pre_tokenizer"] = dict(type="Sequence", pretokenizers=[split, bytelevel])
        tokenizer["decoder"] = bytelevel
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        dict(clean_up_tokenization_spaces=False, model_max_length=512) | config, indent=1) + "\n")
    return {row["content"]: row["id"] for row in tokenizer["added_tokens"]}


QWEN_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]


def qwen_tokenizer(folder: pathlib.Path) -> dict[str, int]:
    """`<image>` is no token of these models: in templates it stands for `<|image_pad|>`."""
    return extend(folder, QWEN_TOKENS, dict(
        tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        unk_token=None), qwen=True)


def smolvlm_tokenizer(folder: pathlib.Path) -> dict[str, int]:
    """In the order of SmolVLM-256M's: the end of an utterance is the last token of all, behind reserved ones."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    return extend(folder, ["<global-img>"] + tiles + ["<fake_token_around_image>", "<image>", "<|reserved_0|>",
                                                      "<end_of_utterance>"], dict(
        tokenizer_class="GPT2Tokenizer", bos_token="<|im_start|>", eos_token="<end_of_utterance>",
        pad_token="<|im_end|>", unk_token="<|endoftext|>"), qwen=False)


def interleave_tokenizer(folder: pathlib.Path) -> dict[str, int]:
    """`<image>` is the last id, as in llava-interleave-qwen-0.5b-hf."""
    return extend(folder, ["<image>"], dict(
        tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        unk_token=None), qwen=True)


# As Qwen2.5-VL and Qwen2-VL publish it.
QWEN_CHAT = """\
{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}\
{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}\
{% set image_count.value = image_count.value + 1 %}\
{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}\
{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>\
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

# As SmolVLM publishes it.
SMOLVLM_CHAT = """\
<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == \
'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}\
{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""

# Gives misp's `chatml`. The published llava-interleave has a blank in place of the first line break and none behind
# `<|im_end|>`.
CHATML_CHAT = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for content in message['content'] %}{% if content['type'] == 'image' %}<image>
{% else %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
