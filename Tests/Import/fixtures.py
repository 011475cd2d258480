"""Pictures and data sets that the tests make: no file of others is needed."""

import json
import random
import struct
import zlib

import pyarrow
import pyarrow.parquet

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
PART = pyarrow.struct([("type", pyarrow.string()), ("text", pyarrow.string())])
MESSAGE = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.list_(PART))])
TURN = pyarrow.struct([("from", pyarrow.string()), ("value", pyarrow.string())])


def png(seed, side=2):
    """A picture of random pixels."""
    pixels = random.Random(seed)
    rows = b"".join(b"\0" + pixels.randbytes(3 * side) for _ in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0 a JPEG by its first bytes"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 a WebP likewise"


def image(seed, path="a.png"):
    return {"bytes": png(seed), "path": path}


def parquet(path, columns, types=None, rows_a_group=None):
    """A file of these columns; `types` for those that Arrow would not infer as data sets have them."""
    types = types or {}
    arrays = {name: pyarrow.array(values, type=types.get(name)) for name, values in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), path, row_group_size=rows_a_group)
    return path


def rlaif(path, count, start=0, side=2, rows_a_group=None):
    """As openbmb/RLAIF-V-Dataset, with every fifth row's picture one of the row before."""
    numbers = range(start, start + count)
    columns = {
        "ds_name": ["RLAIF-V"] * count,
        "image": [{"bytes": png(n - (n % 5 == 4), side), "path": None} for n in numbers],
        "question": [f"What is in picture {n}?" for n in numbers],
        "chosen": [f"A cat, number {n}." for n in numbers],
        "rejected": [f"A dog, number {n}." if n % 7 else f"A cat, number {n}." for n in numbers],
        "origin_dataset": ["COCO"] * count,
        "origin_split": ["{}"] * count,
        "idx": [str(n) for n in numbers],
        "image_path": [f"{n}.jpg" for n in numbers],
    }
    return parquet(path, columns, {"image": IMAGE}, rows_a_group)


def lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def listed(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=2, ensure_ascii=False)
    return path
