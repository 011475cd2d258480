"""Writes families/pixels.json: what the Pillow image processors make of pictures of many sizes.

    python Tests/Goldens/family_pixels.py

The test makes the same pictures: the byte of channel c at (x, y) of the picture with the place s in its list is
(7x + 13y + (xy ^ (x >> 2)) + 31c + 17s) & 255.
"""

import pathlib

import numpy as np
from PIL import Image
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from family_reference import sha256
from llava_reference import write_json

# By name the limits in pixels, or the longest side, the side of a tile and whether tiles are cut.
QWEN = {"qwen": (3136, 200704, 460), "qwen-small": (784, 20000, 40)}
TILES = {"smolvlm-split": (512, 128, True, 230), "smolvlm-whole": (512, 128, False, 230),
         "smolvlm-published": (2048, 512, True, 6), "smolvlm-one-tile": (128, 128, True, 20),
         "smolvlm-uneven": (300, 128, True, 34), "smolvlm-whole-uneven": (300, 98, False, 20)}
# Single pixels and rows, exact grids, and halves of a cell of 28, which round to even.
EDGES = [(1, 1), (1, 2), (2, 1), (3, 5), (1, 150), (150, 1), (28, 28), (56, 56), (14, 14), (42, 42), (70, 42),
         (98, 70), (13, 15), (448, 448), (449, 448), (128, 128), (512, 512), (512, 128), (1200, 700), (700, 1200),
         (1200, 40), (40, 1200)]


def picture(width: int, height: int, place: int) -> Image.Image:
    y, x, c = np.ogrid[:height, :width, :3]
    return Image.fromarray(((7 * x + 13 * y + ((x * y) ^ (x >> 2)) + 31 * c + 17 * place) & 255).astype(np.uint8))


def sizes(count: int, seed: int) -> list[tuple[int, int]]:
    """The edge cases, then 10 to 300 pixels a side, every fortieth larger."""
    random = np.random.default_rng(seed)
    result = EDGES[:count // 2]
    while len(result) < count:
        limit = 1200 if len(result) % 40 == 0 else 300
        result = result + [tuple(int(side) for side in random.integers(10, limit + 1, 2))]
    return result


def main() -> None:
    settings, cases = {}, {}
    for seed, (name, (smallest, largest, count)) in enumerate(QWEN.items()):
        settings[name] = dict(min_pixels=smallest, max_pixels=largest)
        process = Qwen2VLImageProcessorPil(min_pixels=smallest, max_pixels=largest)
        cases[name] = []
        for place, (width, height) in enumerate(sizes(count, seed)):
            out = process(picture(width, height, place), return_tensors="pt")
            cases[name].append([width, height, *out["image_grid_thw"][0, 1:].tolist(), sha256(out["pixel_values"])])
    for seed, (name, (longest, tile, split, count)) in enumerate(TILES.items()):
        settings[name] = dict(longest_edge=longest, tile=tile, split=split)
        options = dict(size=dict(longest_edge=longest), max_image_size=dict(longest_edge=tile),
                       do_image_splitting=split, return_row_col_info=True)
        process, twin = SmolVLMImageProcessorPil(**options), Idefics3ImageProcessorPil(**options)
        cases[name] = []
        for place, (width, height) in enumerate(sizes(count, 10 + seed)):
            out = process(picture(width, height, place), return_tensors="pt")
            digest = sha256(out["pixel_values"])
            if place < 20:
                assert digest == sha256(twin(picture(width, height, place), return_tensors="pt")["pixel_values"])
            cases[name].append([width, height, int(out["rows"][0][0]), int(out["cols"][0][0]), digest])
    write_json(pathlib.Path(__file__).resolve().parent / "families" / "pixels.json", dict(settings=settings) | cases)


if __name__ == "__main__":
    main()
