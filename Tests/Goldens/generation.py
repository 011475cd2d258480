"""Writes generation.json beside each checkpoint: the tokens that transformers' `generate` gives for its prompts.

    python Tests/Goldens/generation.py

Greedy, 64 tokens at the most, plain and with a repetition penalty; the end-of-sequence token, where one comes, is left
out. `warped` holds what temperature, top-k and top-p leave of the first position's distribution.
"""

import json
import pathlib

import torch
import transformers
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from llava_reference import Reference, number, write_json

ROOT = pathlib.Path(__file__).resolve().parent / "checkpoints"
SETTINGS = [(0.7, 0, 1.0), (1.3, 5, 1.0), (1.0, 0, 0.8), (0.6, 12, 0.9)]


def answer(reference: Reference, prompt: list[int], image: str, penalty: float) -> list[int]:
    ids = torch.tensor([prompt])
    out = reference.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=reference.pixels(image), do_sample=False,
        max_new_tokens=64, repetition_penalty=penalty, eos_token_id=reference.eos, pad_token_id=reference.eos)
    tokens = out[0, len(prompt):].tolist()
    return tokens[:-1] if tokens[-1] == reference.eos else tokens


def warped(logits: torch.Tensor) -> list[dict]:
    result = []
    for temperature, top_k, top_p in SETTINGS:
        values = TemperatureLogitsWarper(temperature)(None, logits[None])
        if top_k:
            values = TopKLogitsWarper(top_k)(None, values)
        if top_p < 1:
            values = TopPLogitsWarper(top_p)(None, values)
        p = values[0].softmax(-1)
        kept = {str(i): number(p[i]) for i in p.nonzero()[:, 0].tolist() if p[i] > 1e-6}
        result.append(dict(temperature=temperature, top_k=top_k, top_p=top_p, probabilities=kept))
    return result


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for folder in sorted(p.parent for p in ROOT.glob("*/config.json")):
        template = json.loads((folder / "golden.json").read_text())["template_name"]
        reference = Reference(folder, template)
        with torch.no_grad():
            rows = []
            for group in reference.groups():
                prompt = reference.prompt(group["prompt"])
                rows.append(dict(id=group["id"], prompt=group["prompt"], image=group["image"],
                                 greedy=answer(reference, prompt, group["image"], 1.0),
                                 penalized=answer(reference, prompt, group["image"], 1.3)))
            first = reference.groups()[0]
            logits = reference.logits(reference.prompt(first["prompt"]), [reference.eos], first["image"])[0]
            write_json(folder / "generation.json",
                       dict(groups=rows, logits=[number(x) for x in logits.tolist()], warped=warped(logits)))


if __name__ == "__main__":
    main()
