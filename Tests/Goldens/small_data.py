"""Ten small pictures in the formats and modes met in real sets, and eight preference groups over them."""

import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw


def scene(width: int, height: int, seed: int) -> Image.Image:
    """A colour gradient with a few shapes: it compresses well, and every pixel of a row differs."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    corner = random.uniform(0, 255, (4, 3))
    u, v = (x / max(width - 1, 1))[..., None], (y / max(height - 1, 1))[..., None]
    pixels = (1 - u) * (1 - v) * corner[0] + u * (1 - v) * corner[1] + (1 - u) * v * corner[2] + u * v * corner[3]
    picture = Image.fromarray(pixels.round().astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(picture)
    for kind in range(3):
        x0, y0 = (int(random.integers(0, max(1, side * 2 // 3))) for side in (width, height))
        x1, y1 = x0 + int(random.integers(4, width // 2 + 4)), y0 + int(random.integers(4, height // 2 + 4))
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        (draw.ellipse if kind % 2 else draw.rectangle)([x0, y0, x1, y1], fill=colour)
    return picture


def pictures(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    alpha = Image.fromarray(np.linspace(0, 255, 40 * 28).reshape(28, 40).astype(np.uint8), "L")
    rgba = scene(40, 28, 2)
    rgba.putalpha(alpha)
    scene(31, 31, 0).save(folder / "rgb.png")
    scene(33, 29, 1).convert("L").save(folder / "grey.png")
    rgba.save(folder / "rgba.png")
    scene(37, 37, 3).quantize(16).save(folder / "palette.png")
    rgba.convert("LA").save(folder / "grey-alpha.png")
    scene(61, 45, 4).save(folder / "wide.jpg", quality=88)
    scene(30, 53, 5).save(folder / "tall.jpg", quality=70, progressive=True, subsampling="4:4:4")
    scene(48, 36, 6).convert("L").save(folder / "grey.jpg", quality=90)
    scene(45, 27, 7).save(folder / "lossy.webp", quality=80)
    scene(19, 23, 8).save(folder / "lossless.webp", lossless=True)


def group(name: str, prompt: str, chosen: str, rejected: str | None, image: str, negatives: list, scores=True) -> dict:
    row = dict(id=name, prompt=prompt, chosen=chosen)
    if rejected is not None:
        row["rejected"] = rejected
    row["image"] = f"images/{image}"
    if negatives is not None:
        row["negatives"] = [
            dict(image=f"images/{file}") | (dict(score=round(1.9 - 0.37 * i, 2)) if scores else {})
            for i, file in enumerate(negatives)]
    return row


GROUPS = [
    group("three", "What is on the table?", "A red apple.", "A green pear.", "rgb.png",
          ["grey.png", "rgba.png", "wide.jpg"]),
    group("four", "Describe the image.", "The picture shows a small blue bird in the tree, and a wall.", "Nothing.",
          "wide.jpg", ["tall.jpg", "lossy.webp", "palette.png", "rgb.png"]),
    group("no-rejected", "How many birds are there?", "There are 2 birds.", None, "tall.jpg", ["grey-alpha.png"]),
    group("no-negatives", "Which colour is it?", "It is yellow.", "It is  red, isn't it?", "lossy.webp", None),
    group("unicode", "Où est le café ? 東京 🍎", "À gauche — naïve 😀 tôt.", "右側 2024年です。", "rgba.png",
          ["lossless.webp", "grey.jpg"], scores=False),
    group("one-negative", "Which?\nAnswer briefly.", "Red", "Green and 1234 more shapes", "palette.png", ["rgb.png"]),
    group("long", "What is shown in the picture? Name the shapes, their colours and where each of them is.",
          "A yellow square on the left, a round shape on the right, and a grey wall\nbehind both.",
          "The image shows nothing but a grey wall.", "grey.jpg", ["grey.png", "lossless.webp", "lossy.webp"]),
    group("same-start", "Which colour is the square?", "The colour of the square is green.",
          "The colour of the square is red.", "grey-alpha.png", ["rgba.png", "tall.jpg", "grey.png", "grey.jpg"]),
]


def groups(folder: pathlib.Path) -> None:
    pictures(folder / "images")
    lines = [json.dumps(row, ensure_ascii=False) for row in GROUPS]
    (folder / "groups.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
