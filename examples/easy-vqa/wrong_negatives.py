"""How many negatives of a file of groups are wrong ones, by the labels of easy-VQA.

    python wrong_negatives.py PACKAGE GROUPS.jsonl [GROUPS.jsonl ...]

Prints for each file and kind of answer the shares of negatives for which the chosen answer is wrong, for which it is
right all the same, and which the question does not fit ("what color is the circle?" of a square).
"""

import argparse
import collections
import json
import pathlib
import re

import make_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("groups", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    pictures, _ = make_data.read(args.package / "data" / "train")
    for file in args.groups:
        counts = collections.defaultdict(collections.Counter)
        for group in map(json.loads, file.read_text().splitlines()):
            chosen = group["chosen"]
            for negative in group["negatives"]:
                picture = pictures.get(int(re.findall(r"(\d+)\.png$", negative["image"])[0]))
                answer = make_data.answer(group["prompt"], picture) if picture else None
                kind = chosen if chosen in ("yes", "no") else "word"
                counts[kind]["does not fit" if answer is None else "right" if answer == chosen else "wrong"] += 1
        for kind, found in sorted(counts.items()):
            total = sum(found.values())
            shares = ", ".join(f"{name} {found[name] / total:.2f}" for name in ("wrong", "right", "does not fit"))
            print(f"{file}: {kind}: {shares} of {total}")


if __name__ == "__main__":
    main()
