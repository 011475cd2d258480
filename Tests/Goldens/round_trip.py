"""Trains with misp-worker and reads the results with stock PEFT and transformers.

    python Tests/Goldens/round_trip.py .build/release/misp-worker

For each checkpoint of checkpoints/ with an adapter, and for each of families/: a short LoRA run from fresh adapters,
with families/ on the vision tower too. PEFT loads the run's adapter and must give the log-probabilities that `score`
gives. The exported folder, in shards and loaded without PEFT, must give the same logits as base and adapter together,
and an export in bfloat16 must load as such with those weights rounded. Ends with status 1 at the first difference.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from family_reference import FamilyReference
from llava_reference import Reference

ROOT = pathlib.Path(__file__).resolve().parent
TOLERANCE = 2e-4


def worker(program: str, *arguments: str) -> None:
    subprocess.run([program, *arguments], check=True, stderr=subprocess.DEVNULL)


def largest(*differences: torch.Tensor) -> float:
    return max(float(d.abs().max()) for d in differences)


def check(program: str, folder: pathlib.Path, scratch: pathlib.Path) -> None:
    is_family = folder.parent.name == "families"
    data, kind = (folder.parent, FamilyReference) if is_family else (folder, Reference)
    template = json.loads((folder / "golden.json").read_text())["template_name"]
    config = scratch / "run.yaml"
    config.write_text(f"""
model: {{path: {folder}, prompt: {template}}}
data: {{train: {data / 'groups.jsonl'}, images: {data}, transparency: drop}}
output: run
trainable: {{vision: {'lora' if is_family else 'frozen'}}}
lora: {{r: 3, alpha: 12}}
optimizer: {{learning_rate: 1.0e-2, groups_per_step: 4, steps: 3, warmup_ratio: 0, schedule: constant}}
""")
    worker(program, "train", "--config", str(config))
    worker(program, "score", "--config", str(config), "--set", "model.adapter=run/adapter",
           "--out", str(scratch / "scores"))
    worker(program, "export", "--config", str(config), "--out", str(scratch / "merged"), "--shard-size", "40KB")
    worker(program, "export", "--config", str(config), "--out", str(scratch / "halves"), "--dtype", "bfloat16")
    assert len(list((scratch / "merged").glob("model-*-of-*.safetensors"))) > 1

    reference = kind(folder, template)
    plain = {g["id"]: {n: float(reference.log_probability(*s)) for n, s in reference.sequences(g).items()}
             for g in reference.groups()}
    model = PeftModel.from_pretrained(reference.model, scratch / "run" / "adapter").eval()
    scores = {row["id"]: row["policy"] for row in map(json.loads, (scratch / "scores").read_text().splitlines())}
    errors, moved = [], []
    for group in reference.groups():
        for name, sequence in reference.sequences(group).items():
            value = float(reference.log_probability(*sequence, model=model))
            errors.append(abs(value - scores[group["id"]][name]))
            moved.append(abs(value - plain[group["id"]][name]))
    assert max(moved) > 0.1, "the adapter changes nothing"
    merged = kind(scratch / "merged", template)
    # The pictures lie beside the groups.
    merged.folder, merged.data = folder, data
    logits = [merged.logits(*s) - reference.logits(*s, model=model)
              for g in reference.groups() for s in reference.sequences(g).values()]
    halves = AutoModelForImageTextToText.from_pretrained(scratch / "halves").state_dict()
    for name, tensor in merged.model.state_dict().items():
        assert torch.equal(halves[name], tensor.bfloat16()), name
    print(f"{folder.name}: log-probabilities within {max(errors):.1e} of PEFT's, having moved by up to "
          f"{max(moved):.2f}; logits of the export within {largest(*logits):.1e}")
    assert max(errors) < TOLERANCE and largest(*logits) < TOLERANCE


def main(program: str) -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with torch.no_grad():
        for folder in sorted(p.parent for p in ROOT.glob("*/*/adapter-init")):
            with tempfile.TemporaryDirectory() as scratch:
                check(os.path.abspath(program), folder, pathlib.Path(scratch))


if __name__ == "__main__":
    main(sys.argv[1])
