"""Training data and test questions from easy-VQA (PyPI easy-vqa, MIT): coloured shapes and questions about them.

    python make_data.py PACKAGE OUT [--warm-up 600] [--groups 1200] [--captions 400] [--test 1000]
                                    [--negatives 8] [--seed 0]

PACKAGE is the folder `easy_vqa` of the unpacked wheel. Questions with a negation ("is there not a …") are left out.
Writes

    OUT/sft.jsonl         for --warm-up pictures: a caption, a question for a word, a question for yes or no
    OUT/groups.jsonl      --groups preference groups about other pictures
    OUT/captions.jsonl    captions of the first --captions pictures of groups.jsonl, without negatives: to be mined for
    OUT/questions.json    one question about each of the first --test test pictures, in the benchmark's own format
    OUT/train, OUT/test   links to the package's pictures

Questions for a word, questions with the answer yes and questions with the answer no are as even as the pictures allow.
A group's chosen response is the true answer, the rejected one another answer of its kind, and the negatives are
pictures for which the chosen answer is wrong.
"""

import argparse
import collections
import itertools
import json
import pathlib
import random
import re

CAPTION = "what is shown in the image?"
COLORS = ["black", "gray", "red", "green", "blue", "teal", "brown", "yellow"]
SHAPES = ["circle", "rectangle", "triangle"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--warm-up", type=int, default=600, help="pictures; three rows of sft.jsonl each")
    parser.add_argument("--groups", type=int, default=1200)
    parser.add_argument("--captions", type=int, default=400)
    parser.add_argument("--test", type=int, default=1000, help="test pictures; a question each")
    parser.add_argument("--negatives", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def read(part: pathlib.Path) -> tuple[dict[int, dict], dict[int, list]]:
    """By number: {color, shape} of the pictures for which questions tell both, and
    [question, answer] without negations."""
    pictures, questions = {}, {}
    for question, answer, number in json.loads((part / "questions.json").read_text()):
        if answer in COLORS:
            pictures.setdefault(number, {})["color"] = answer
        elif answer in SHAPES:
            pictures.setdefault(number, {})["shape"] = answer
        if not re.search(r"\b(not|no)\b", question):
            questions.setdefault(number, []).append([question, answer])
    return {number: known for number, known in sorted(pictures.items()) if len(known) == 2}, questions


def answer(question: str, picture: dict) -> str | None:
    """The right answer for another picture; None where the question does not fit it ("what color is the circle?")."""
    named = [word for word in re.findall(r"\w+", question) if word in COLORS + SHAPES]
    if question.startswith("what"):
        if not set(named) <= set(picture.values()):
            return None
        return picture["color" if "color" in question else "shape"]
    return "yes" if set(named) <= set(picture.values()) else "no"


def image(number: int) -> str:
    return f"train/{number}.png"


def caption(picture: dict) -> str:
    return f"a {picture['color']} {picture['shape']}"


def kind(row: list) -> str:
    return row[1] if row[1] in ("yes", "no") else "word"


class Picker:
    """Picks questions so that the kinds stay as even as the pictures allow."""

    def __init__(self, generator: random.Random):
        self.generator, self.count = generator, collections.Counter()

    def __call__(self, questions: list) -> list:
        least = min(map(kind, questions), key=lambda name: self.count[name])
        self.count[least] += 1
        return self.generator.choice([row for row in questions if kind(row) == least])


def warm_up(number: int, picture: dict, questions: list, pick: Picker) -> list[dict]:
    rows = [[CAPTION, caption(picture)]]
    for wants_word in (True, False):
        rows += [pick(asked) for asked in [[row for row in questions if (kind(row) == "word") == wants_word]] if asked]
    return [dict(id=f"{number}-{i}", prompt=question, chosen=answer, image=image(number))
            for i, (question, answer) in enumerate(rows)]


def group(number: int, row: list, pictures: dict, count: int, generator: random.Random) -> dict | None:
    question, chosen = row
    answers = next(answers for answers in (["yes", "no"], COLORS, SHAPES) if chosen in answers)
    others = list(pictures)
    generator.shuffle(others)
    wrong = (other for other in others if answer(question, pictures[other]) not in (chosen, None))
    negatives = [dict(image=image(other)) for other in itertools.islice(wrong, count)]
    if len(negatives) < count:
        return None
    rejected = generator.choice([word for word in answers if word != chosen])
    return dict(id=str(number), prompt=question, chosen=chosen, rejected=rejected, image=image(number),
                negatives=negatives)


def captioned(number: int, pictures: dict, generator: random.Random) -> dict:
    chosen = caption(pictures[number])
    rejected = generator.choice(sorted({caption(other) for other in pictures.values()} - {chosen}))
    return dict(id=str(number), prompt=CAPTION, chosen=chosen, rejected=rejected, image=image(number))


def write(path: pathlib.Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{path}: {len(rows)} lines")


def main() -> None:
    args = arguments()
    generator = random.Random(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        link = args.out / part
        link.unlink(missing_ok=True)
        link.symlink_to((args.package / "data" / part / "images").resolve())

    pictures, questions = read(args.package / "data/train")
    numbers = [number for number in pictures if number in questions]
    if len(numbers) < args.warm_up + args.groups:
        raise SystemExit(f"{args.warm_up} + {args.groups} pictures are asked for, and there are {len(numbers)}")
    pick = Picker(generator)
    first, rest = numbers[:args.warm_up], numbers[args.warm_up:]
    write(args.out / "sft.jsonl",
          [row for number in first for row in warm_up(number, pictures[number], questions[number], pick)])
    pool = {number: pictures[number] for number in rest}
    pick = Picker(generator)
    groups = (group(number, pick(questions[number]), pool, args.negatives, generator) for number in rest)
    kept = list(itertools.islice(filter(None, groups), args.groups))
    write(args.out / "groups.jsonl", kept)
    write(args.out / "captions.jsonl", [captioned(int(row["id"]), pool, generator) for row in kept[:args.captions]])

    _, asked = read(args.package / "data/test")
    # The same questions for any numbers of the others.
    pick = Picker(random.Random(args.seed))
    test = [[*pick(asked[number]), number] for number in sorted(asked)[:args.test]]
    (args.out / "questions.json").write_text(json.dumps(test) + "\n")
    print(f"{args.out}/questions.json: {len(test)} questions")


if __name__ == "__main__":
    main()
