"""Greedy answers of a real checkpoint: misp-worker beside transformers' `generate`, token by token.

    python Tests/Goldens/real_generation.py .build/release/misp-worker MODEL IMAGES [--template chatml] [--tokens 64]

MODEL is a LLaVA folder, such as the one that examples/emoji makes, and IMAGES a folder of pictures. Twelve prompts of
uneven length with a picture each, float32 on both sides. transformers answers them in one batch, padded on the left,
and again one by one. Where tokens differ, prints how far apart the two tokens' logits are in transformers' own unpadded
pass; ends with status 1 if they are further apart than 1e-4 anywhere. Writes nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

import torch
import transformers

from llava_reference import TEMPLATES, Reference

NEAR = 1e-4
PROMPTS = [
    "What is this?", "Describe the picture in detail.", "Name what you see.", "List ten things that come to mind.",
    "Write a short story about what the picture shows, with a beginning, a middle and an end, for a child of six.",
    "Why?", "What colours are in the picture, and which of them covers the largest part of it?",
    "Explain to somebody who has never seen one what this is, what it is used for, and where it may be found.",
    "Is there a dog?", "Translate what you see into a list of five nouns and five verbs.",
    "The picture was sent without a word. What may the sender have wanted to say with it, and to whom? Give reasons.",
    "Count to thirty.",
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("worker")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--template", choices=sorted(TEMPLATES), default="chatml")
    parser.add_argument("--tokens", type=int, default=64)
    return parser.parse_args()


def pictures(folder: pathlib.Path) -> list[str]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    return [str(files[i * len(files) // len(PROMPTS)].resolve()) for i in range(len(PROMPTS))]


def own(args: argparse.Namespace, images: list[str]) -> list[list[int]]:
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        rows = [dict(id=str(i), prompt=p, image=image) for i, (p, image) in enumerate(zip(PROMPTS, images))]
        (scratch / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (scratch / "run.yaml").write_text(
            f"model: {{path: {args.model.resolve()}, prompt: {args.template}}}\ndata: {{train: questions.jsonl}}\n")
        subprocess.run(
            [os.path.abspath(args.worker), "generate", "--config", str(scratch / "run.yaml"), "--base", "--input",
             str(scratch / "questions.jsonl"), "--out", str(scratch / "answers.jsonl"), "--token-ids", "--max-tokens",
             str(args.tokens)], check=True, stderr=subprocess.DEVNULL)
        return [json.loads(line)["token_ids"] for line in (scratch / "answers.jsonl").read_text().splitlines()]


def theirs(reference: Reference, prompts: list[list[int]], images: list[str], tokens: int) -> list[list[int]]:
    """The answers to a batch, padded on the left; without the end-of-sequence token."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[reference.eos] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    out = reference.model.generate(
        input_ids=ids, attention_mask=mask, pixel_values=torch.cat([reference.pixels(i) for i in images]),
        do_sample=False, max_new_tokens=tokens, eos_token_id=reference.eos, pad_token_id=reference.eos)
    answers = [row.tolist() for row in out[:, longest:]]
    return [a[: a.index(reference.eos)] if reference.eos in a else a for a in answers]


def first_difference(a: list[int], b: list[int]) -> int | None:
    places = [i for i, (x, y) in enumerate(zip(a, b)) if x != y]
    return places[0] if places else None if len(a) == len(b) else min(len(a), len(b))


def report(name: str, reference: Reference, prompts, images, answers, expected) -> float:
    """Prints what differs from `expected`; returns the largest distance of two logits between which the choice
    differed."""
    worst = 0.0
    for i, (answer, other) in enumerate(zip(answers, expected)):
        place = first_difference(answer, other)
        if place is None:
            continue
        pair = [(x + [reference.eos])[place] for x in (answer, other)]
        logits = reference.logits(prompts[i], other[:place] + [reference.eos], images[i])[place]
        gap = abs(float(logits[pair[0]] - logits[pair[1]]))
        worst = max(worst, gap)
        print(f"  {name}, prompt {i}: token {place} is {pair[0]}, not {pair[1]}; their logits are {gap:.1e} apart")
    same = sum(a == b for a, b in zip(answers, expected))
    print(f"{name}: {same} of {len(prompts)} answers the same, {sum(map(len, expected))} tokens")
    return worst


def main() -> None:
    args = arguments()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    images = pictures(args.images)
    mine = own(args, images)
    with torch.no_grad():
        reference = Reference(args.model, args.template)
        prompts = [reference.prompt(p) for p in PROMPTS]
        print(f"transformers {transformers.__version__}, torch {torch.__version__}; "
              f"prompts of {min(map(len, prompts))} to {max(map(len, prompts))} tokens, "
              f"answers of {min(map(len, mine))} to {max(map(len, mine))}")
        single = [theirs(reference, [p], [i], args.tokens)[0] for p, i in zip(prompts, images)]
        batch = theirs(reference, prompts, images, args.tokens)
        gaps = []
        for prompt, answer, image in zip(prompts, single, images):
            top = reference.logits(prompt, answer + [reference.eos], image).topk(2).values
            gaps.append(float((top[:, 0] - top[:, 1]).min()))
        print(f"the closest two logits of any choice: {min(gaps):.1e} apart")
        worst = report("misp beside transformers, one by one", reference, prompts, images, mine, single)
        worst = max(worst, report("misp beside transformers, one batch", reference, prompts, images, mine, batch))
        report("transformers' batch beside one by one", reference, prompts, images, batch, single)
    if worst > NEAR:
        raise SystemExit(f"tokens differ where logits are {worst:.1e} apart")


if __name__ == "__main__":
    main()
