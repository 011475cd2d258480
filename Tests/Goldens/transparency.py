"""Pictures with transparent pixels, and what transformers' convert_to_rgb makes of them: laid over white.

    python Tests/Goldens/transparency.py           writes Tests/Goldens/transparency/ and transparency.json

Of the pictures of images.py too, which must be there. Needs what that script needs; transformers 5 or later.
"""

import io
import json
import pathlib
import sys
import zlib

sys.path.pop(0)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from transformers.image_transforms import convert_to_rgb  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.append(str(ROOT))

from images import png, saved  # noqa: E402


def files():
    random = np.random.default_rng(5)
    grey = lambda depth: random.integers(0, 2**depth, (7, 9, 1))
    for depth, key in ((1, 0), (1, 1), (2, 1), (4, 3), (8, 200), (16, 255)):
        samples = grey(depth)
        samples[2, 3:6] = key
        yield f"grey{depth}-key{key}.png", png(samples, depth, 0, False, None, key.to_bytes(2, "big"))
    for depth, key in ((8, (9, 120, 255)), (16, (9, 120, 255)), (16, (0x8009, 0x8078, 0x80FF))):
        samples = random.integers(0, 2**depth, (7, 9, 3))
        samples[1:4, 2:5] = key
        samples[5] = [k * 257 % 65536 if depth == 16 else k for k in key]
        data = b"".join(k.to_bytes(2, "big") for k in key)
        yield f"rgb{depth}-key{key[0]}.png", png(samples, depth, 2, False, None, data)
    yield "palette4-one.png", png(grey(4), 4, 3, False, random.bytes(48), b"\xff\xff\0\xff")
    yield "palette2-many-interlaced.png", png(grey(2), 2, 3, True, random.bytes(12), b"\x80\x01\xfe")
    # Every alpha over every one of 64 values.
    values, alphas = np.meshgrid(np.arange(0, 256, 4) + np.arange(64) % 4, np.arange(256))
    yield "greyalpha-all.png", png(np.stack([values, alphas], 2), 8, 4)
    color = random.integers(0, 256, (12, 10, 4)).astype(np.uint8)
    color[3:6, :, 3], color[6:9, :, 3] = 0, 255
    yield "rgba.webp", saved(color, "WEBP", lossless=True, exact=True)
    yield "rgba-lossy.webp", saved(color, "WEBP", quality=70)
    color[..., 3] = 255
    yield "opaque-rgba.png", saved(color, "PNG")
    frames = [Image.fromarray(np.roll(color, i, 0)) for i in range(2)]
    for frame in frames:
        frame.putalpha(Image.fromarray(random.integers(0, 256, (12, 10)).astype(np.uint8)))
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True, exact=True)
    yield "animated-rgba.webp", file.getvalue()


def entry(path):
    image = Image.open(path)
    white = convert_to_rgb(image, return_numpy=True)
    transparent = ("A" in image.getbands() or "transparency" in image.info) and bool(
        (np.array(image.convert("RGBA"))[..., 3] < 255).any())
    return {"file": str(path.relative_to(ROOT)), "white": zlib.crc32(np.ascontiguousarray(white).tobytes()),
            "drop": zlib.crc32(np.array(Image.open(path).convert("RGB")).tobytes()), "transparent": transparent}


if __name__ == "__main__":
    folder = ROOT / "transparency"
    folder.mkdir(exist_ok=True)
    for name, data in files():
        (folder / name).write_bytes(data)
    paths = sorted(folder.iterdir()) + sorted((ROOT / "images").iterdir())
    rows = ",\n".join(json.dumps(entry(path)) for path in paths)
    (ROOT / "transparency.json").write_text(f"[\n{rows}\n]\n")
