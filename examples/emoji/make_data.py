"""Preference groups from the Noto colour emoji, their CLDR names and their Unicode subgroups.

    python make_data.py OUT [--negatives 4] [--eval-share 0.1] [--seed 0]

Writes OUT/images/*.png, OUT/train.jsonl and OUT/eval.jsonl. chosen is the picture's own name, rejected the name
of another picture of the same subgroup, and the negatives are other pictures, those of the same subgroup first.
Pictures of eval.jsonl never occur in train.jsonl, not even as negatives. README.md in this folder names the
Debian packages that are read.
"""

import argparse
import io
import json
import pathlib
import random
import re
import xml.etree.ElementTree as ElementTree

from fontTools.ttLib import TTFont
from PIL import Image

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
NAMES = "/usr/share/unicode/cldr/common"
LIST = "/usr/share/unicode/emoji/emoji-test.txt"
PROMPTS = ["What is shown in the picture?", "What does this picture show?", "Name what you see.", "What is this?"]
VARIATION_SELECTOR = 0xFE0F


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--eval-share", type=float, default=0.1)
    parser.add_argument("--side", type=int, default=136, help="pixels of the square, white canvas")
    parser.add_argument("--skip-groups", nargs="*", default=["Symbols", "Flags", "Component"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--font", default=FONT)
    parser.add_argument("--names", default=NAMES, help="CLDR's `common` folder")
    parser.add_argument("--list", default=LIST, help="emoji-test.txt")
    return parser.parse_args()


class EmojiFont:
    """Bitmaps of a CBDT font by sequence of code points; sequences of several are ligatures of its GSUB table."""

    def __init__(self, path: str):
        font = TTFont(path)
        self.characters, self.bitmaps = font.getBestCmap(), font["CBDT"].strikeData[0]
        self.ligatures = {}
        for lookup in font["GSUB"].table.LookupList.Lookup:
            for table in lookup.SubTable:
                table = getattr(table, "ExtSubTable", table)
                for first, rows in getattr(table, "ligatures", {}).items():
                    self.ligatures |= {(first, *row.Component): row.LigGlyph for row in rows}

    def picture(self, codepoints: list[int]) -> Image.Image | None:
        glyphs = tuple(self.characters.get(c) for c in codepoints if c != VARIATION_SELECTOR)
        glyph = glyphs[0] if len(glyphs) == 1 else self.ligatures.get(glyphs)
        return Image.open(io.BytesIO(self.bitmaps[glyph].imageData)) if glyph in self.bitmaps else None


def spoken_names(folder: str) -> dict[str, str]:
    names = {}
    for part in ("annotations", "annotationsDerived"):
        for entry in ElementTree.parse(f"{folder}/{part}/en.xml").iter("annotation"):
            if entry.get("type") == "tts":
                names[entry.get("cp").replace(chr(VARIATION_SELECTOR), "")] = entry.text
    return names


def emoji(args: argparse.Namespace) -> list[dict]:
    """{codepoints, group, subgroup, name} of every fully qualified emoji without a skin tone,
    outside the skipped groups."""
    names, rows, group, subgroup = spoken_names(args.names), [], "", ""
    for line in pathlib.Path(args.list).read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"# (sub)?group: (.*)", line):
            group, subgroup = (group, heading[2]) if heading[1] else (heading[2], "")
        elif "; fully-qualified" in line and group not in args.skip_groups:
            codepoints = [int(code, 16) for code in line.split(";")[0].split()]
            text = "".join(chr(c) for c in codepoints if c != VARIATION_SELECTOR)
            if text in names and not any(0x1F3FB <= c <= 0x1F3FF for c in codepoints):
                rows.append(dict(codepoints=codepoints, group=group, subgroup=subgroup, name=names[text]))
    return rows


def sentence(name: str) -> str:
    """"man: beard" → "The picture shows a man with beard."; plural-looking names get no article."""
    person, _, trait = name.partition(": ")
    name = f"{person} with {trait}" if trait else name
    last = re.split(r" (?:with|of|in|on|and|showing|fluttering)\b", person)[0].split()[-1].lower()
    plural = last.endswith("s") and not last.endswith(("ss", "us"))
    article = "" if plural else "an " if name[0].lower() in "aeiou" else "a "
    return f"The picture shows {article}{name}."


def save_pictures(rows: list[dict], args: argparse.Namespace) -> list[dict]:
    """Every bitmap in the middle of a white square; rows without a bitmap are dropped."""
    font, kept = EmojiFont(args.font), []
    (args.out / "images").mkdir(parents=True, exist_ok=True)
    for row in rows:
        picture = font.picture(row["codepoints"])
        if picture is None:
            continue
        picture = picture.convert("RGBA")
        canvas = Image.new("RGBA", (args.side, args.side), "white")
        canvas.alpha_composite(picture, ((args.side - picture.width) // 2, (args.side - picture.height) // 2))
        image = "images/" + "-".join(f"{c:04x}" for c in row["codepoints"]) + ".png"
        canvas.convert("RGB").save(args.out / image)
        kept.append(row | dict(image=image))
    return kept


def groups(rows: list[dict], pool: list[dict], count: int, generator: random.Random) -> list[dict]:
    """One group for each of `rows`, its negatives and rejected name drawn from `pool`."""
    result = []
    for row in rows:
        others = [other for other in pool if other["name"] != row["name"]]
        generator.shuffle(others)
        others.sort(key=lambda other: (other["subgroup"] != row["subgroup"], other["group"] != row["group"]))
        near = [other for other in others if other["subgroup"] == row["subgroup"]] or others
        result.append(dict(
            id=pathlib.Path(row["image"]).stem, prompt=generator.choice(PROMPTS), chosen=sentence(row["name"]),
            rejected=sentence(generator.choice(near)["name"]), image=row["image"],
            negatives=[dict(image=other["image"]) for other in others[:count]]))
    return result


def main() -> None:
    args = arguments()
    generator = random.Random(args.seed)
    rows = save_pictures(emoji(args), args)
    generator.shuffle(rows)
    held_out = round(len(rows) * args.eval_share)
    for name, part, pool in (("train", rows[held_out:], rows[held_out:]), ("eval", rows[:held_out], rows)):
        lines = [json.dumps(group, ensure_ascii=False) for group in groups(part, pool, args.negatives, generator)]
        (args.out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{args.out}/{name}.jsonl: {len(lines)} groups")


if __name__ == "__main__":
    main()
