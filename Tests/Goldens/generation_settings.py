"""Writes generation_settings.json: the tokens that transformers' `generate` gives under a generation_config.json.

    python Tests/Goldens/generation_settings.py

By checkpoint a list of settings, each with the answers to the first prompts of its groups. Nothing but the settings is
given to `generate`; all are greedy, since draws are another generator's. A stop token at the end is left out.
"""

import json
import pathlib

import torch
import transformers
from transformers import GenerationConfig

from llava_reference import Reference

ROOT = pathlib.Path(__file__).resolve().parent
PROMPTS = 2


def settings(reference: Reference, greedy: list[int], length: int) -> list[dict]:
    """`greedy` is the first prompt's plain answer, `length` its prompt's."""
    ends = [reference.eos, greedy[5]]
    return [
        dict(repetition_penalty=1.2, max_new_tokens=24),
        dict(repetition_penalty=0.7, max_new_tokens=12),
        dict(no_repeat_ngram_size=2, max_new_tokens=24),
        dict(no_repeat_ngram_size=1, max_new_tokens=12),
        dict(suppress_tokens=sorted(set(greedy[:9])), max_new_tokens=16),
        dict(begin_suppress_tokens=[greedy[0]], max_new_tokens=12),
        dict(eos_token_id=ends, max_new_tokens=20),
        dict(eos_token_id=ends, min_new_tokens=12, max_new_tokens=20),
        dict(eos_token_id=ends, min_length=length + 9, max_new_tokens=20),
        dict(eos_token_id=ends, min_length=length + 14, min_new_tokens=2, max_new_tokens=20),
        dict(max_length=length + 11),
        dict(max_length=length + 3, max_new_tokens=7),
        dict(temperature=0.3, top_k=3, top_p=0.5, typical_p=0.4, max_new_tokens=8),
        dict(repetition_penalty=1.3, no_repeat_ngram_size=3, suppress_tokens=[greedy[1]],
             begin_suppress_tokens=[greedy[0]], eos_token_id=ends, min_new_tokens=6, max_new_tokens=24),
    ]


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    result = {}
    for name in ["llama-clip-spm", "qwen2-siglip"]:
        folder = ROOT / "checkpoints" / name
        reference = Reference(folder, json.loads((folder / "golden.json").read_text())["template_name"])
        groups = reference.groups()[:PROMPTS]
        prompts = [reference.prompt(group["prompt"]) for group in groups]

        def answers(one: dict) -> list[list[int]]:
            full = dict(eos_token_id=reference.eos, pad_token_id=reference.eos) | one
            reference.model.generation_config = GenerationConfig(**full)
            ends = full["eos_token_id"] if isinstance(full["eos_token_id"], list) else [full["eos_token_id"]]
            rows = []
            for group, prompt in zip(groups, prompts):
                ids = torch.tensor([prompt])
                out = reference.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids),
                                               pixel_values=reference.pixels(group["image"]))
                tokens = out[0, len(prompt):].tolist()
                rows.append(tokens[:-1] if tokens[-1] in ends else tokens)
            return rows

        with torch.no_grad():
            greedy = answers(dict(max_new_tokens=12))[0]
            result[name] = [dict(settings=one, answers=answers(one))
                            for one in settings(reference, greedy, max(map(len, prompts)))]
    lines = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"
                       for name, rows in result.items())
    (ROOT / "generation_settings.json").write_text("{" + lines + "}\n")


if __name__ == "__main__":
    main()
