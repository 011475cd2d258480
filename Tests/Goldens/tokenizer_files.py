"""Writes tokenizer_files.json: what transformers' AutoTokenizer makes of the files of a tokenizer put together.

    python Tests/Goldens/tokenizer_files.py

A variant is a set of files beside the tokenizer.json of checkpoints/llama-clip-spm (`null` for no such file;
`tokenizer.json` holds members that replace its own). `cases` holds texts with their ids, without and with the special
tokens that the tokenizer adds, `eos` the end-of-sequence id.
"""

import json
import os
import pathlib
import shutil
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent
SOURCE = ROOT / "checkpoints" / "llama-clip-spm"
TEXTS = ["a <extra> b <new>x </s> c", "<extra><new>", "  <extra>  red<new> apple", "an<extra>b", "A red apple.</s>",
         "<image> <s> <EXTRA> <pad>"]


def token(content: str, **flags) -> dict:
    return dict(content=content, lstrip=False, normalized=False, rstrip=False, single_word=False, special=True) | flags


def typed(content: str, **flags) -> dict:
    return {"__type": "AddedToken"} | token(content, **flags)


def config(**keys) -> dict:
    return {"tokenizer_config.json": keys}


def variants() -> dict[str, dict]:
    both = {"338": token("<extra>"), "339": token("<new>", special=False, normalized=True)}
    added = {"added_tokens.json": {"<extra>": 339, "<new>": 338}}
    other = config(eos_token="<new>", added_tokens_decoder={"338": token("<new>")})
    return {
        "as it stands": {},
        "no configuration": {"tokenizer_config.json": None},
        "in added_tokens_decoder": config(added_tokens_decoder=both),
        "lstrip": config(added_tokens_decoder={"338": token("<extra>", lstrip=True)}),
        "rstrip": config(added_tokens_decoder={"338": token("<extra>", rstrip=True)}),
        "both sides": config(added_tokens_decoder={"338": token("<extra>", rstrip=True, lstrip=True, special=False)}),
        "single_word": config(added_tokens_decoder={"338": token("<extra>", single_word=True)}),
        "normalized": config(added_tokens_decoder={"338": token("<extra>", normalized=True, special=False)}),
        "flags left out": config(added_tokens_decoder={"338": {"content": "<extra>"}}),
        "other flags than tokenizer.json": config(added_tokens_decoder={"2": token("</s>", lstrip=True, rstrip=True)}),
        "in added_tokens.json": added,
        "added_tokens.json and special": added | config(additional_special_tokens=["<new>"]),
        "the map names": added | {"special_tokens_map.json": {"eos_token": token("<new>", lstrip=True)}},
        "the map adds": {"special_tokens_map.json": {
            "additional_special_tokens": ["<new>", "<extra>"], "eos_token": "</s>"}},
        "the map is not read": other | {"special_tokens_map.json": {"eos_token": "<extra>"}},
        "added_tokens.json is not read": other | {"added_tokens.json": {"<extra>": 7}},
        "extra_special_tokens": config(extra_special_tokens=["<new>", "<extra>"]),
        "named extra tokens": config(extra_special_tokens={"one": "<new>", "two_token": "<extra>"}),
        "typed extra tokens": config(additional_special_tokens=["<new>", typed("<extra>", lstrip=True)]),
        "a token of the model's own": config(audio_token="<new>", video_token=typed("<extra>", rstrip=True)),
        "a new pad token": config(pad_token="<new>"),
        "a new end": config(eos_token="<extra>"),
        "flags that change nothing": config(add_bos_token=False, add_eos_token=True, add_prefix_space=False,
                                            legacy=True, tokenizer_class="LlamaTokenizerFast",
                                            clean_up_tokenization_spaces=True),
        "an end and no post-processor": config(add_bos_token=True, add_eos_token=True)
        | {"tokenizer.json": {"post_processor": None}},
        "truncation and padding": {"tokenizer.json": {
            "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                        "pad_type_id": 0, "pad_token": "<unk>"}}},
    }


def main() -> None:
    transformers.logging.set_verbosity_error()
    results = []
    for name, files in variants().items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            for file in ["tokenizer.json", "tokenizer_config.json", "config.json"]:
                shutil.copy(SOURCE / file, folder)
            for file, content in files.items():
                path = folder / file
                if content is None:
                    path.unlink()
                else:
                    old = json.loads(path.read_text()) if path.exists() else {}
                    path.write_text(json.dumps(old | content))
            tokenizer = AutoTokenizer.from_pretrained(folder)
            cases = [[text, tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer(text)["input_ids"]]
                     for text in TEXTS]
        results.append(dict(name=name, files=files, eos=tokenizer.eos_token_id, cases=cases))
    lines = ",\n".join(json.dumps(result, separators=(",", ":")) for result in results)
    (ROOT / "tokenizer_files.json").write_text(f"[{lines}]\n")


if __name__ == "__main__":
    main()
