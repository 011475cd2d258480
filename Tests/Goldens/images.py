"""Pictures in every format that misp reads, and what Pillow and transformers make of them.

    python Tests/Goldens/images.py                 writes Tests/Goldens/images/ and images.json
    python Tests/Goldens/images.py --large DIR     the same with many sizes up to 4000x3000, for
                                                   MISP_IMAGE_COMPARISON=DIR swift test --filter ImageGoldenTests

Needs pillow 13 or later (see RGBImage+Resize.swift), numpy, transformers and the
libturbojpeg shared library (for YCCK, 4:4:0 and 4:1:1).
"""

import argparse
import ctypes
import ctypes.util
import io
import itertools
import json
import pathlib
import random
import shutil
import struct
import sys
import zlib

# Scripts of this folder bear the names of modules that transformers imports.
sys.path.pop(0)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent


def pattern(width, height, channels=3):
    """The picture that ImageGoldenTests.swift makes by the same formula: all values, all frequencies."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return ((3 * x * x + 5 * y * y + 7 * x * y + 11 * x + 64 * c) // 8 % 256).astype(np.uint8)


def photo(width, height, channels=3, seed=0):
    """Something smooth with edges and grain, as photographs have."""
    rng = np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, :channels]
    base = 128 + 70 * np.sin(x / 9 + c) + 50 * np.cos(y / 7 - c) + 40 * ((x // 8 + y // 6) % 2)
    return np.clip(base + rng.normal(0, 8, (height, width, channels)), 0, 255).astype(np.uint8)


# PNG by hand: Pillow writes neither interlaced nor 16-bit colour nor packed grey.


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scanlines(samples, depth):
    """Rows of [H, W, C] integers, packed big-endian, filters None, Sub and Up in turn."""
    height, width, channels = samples.shape
    step = max(1, channels * depth // 8)
    previous, out = None, b""
    for y in range(height):
        flat = samples[y].reshape(-1)
        if depth == 16:
            row = flat.astype(">u2").tobytes()
        elif depth == 8:
            row = flat.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in flat)
            bits += "0" * (-len(bits) % 8)
            row = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        row = np.frombuffer(row, np.uint8)
        kind = y % 3 if previous is not None else 0
        if kind == 1:
            filtered = row - np.concatenate([np.zeros(step, np.uint8), row])[: len(row)]
        elif kind == 2:
            filtered = row - previous
        else:
            filtered = row
        out += bytes([kind]) + filtered.tobytes()
        previous = row
    return out


def png(samples, depth, color, interlaced=False, palette=None, transparency=None):
    height, width = samples.shape[:2]
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    data += chunk(b"gAMA", struct.pack(">I", 100000))
    if palette is not None:
        data += chunk(b"PLTE", palette)
    if transparency is not None:
        data += chunk(b"tRNS", transparency)
    if interlaced:
        raw = b""
        for y0, x0, dy, dx in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
                               (1, 0, 2, 1)]:
            part = samples[y0::dy, x0::dx]
            if part.size:
                raw += scanlines(part, depth)
    else:
        raw = scanlines(samples, depth)
    packed = zlib.compress(raw)
    half = len(packed) // 2
    return data + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + chunk(b"IEND", b"")


def png_files(width, height):
    rng = np.random.default_rng(width * 1000 + height)
    kinds = [("grey", 0, 1, (1, 2, 4, 8, 16)), ("rgb", 2, 3, (8, 16)), ("palette", 3, 1, (1, 2, 4, 8)),
             ("greyalpha", 4, 2, (8, 16)), ("rgba", 6, 4, (8, 16))]
    for name, color, channels, depths in kinds:
        for depth in depths:
            samples = rng.integers(0, 2**depth, (height, width, channels))
            if name == "grey" and depth == 16:
                samples = samples % 600
            # A palette with fewer entries than the samples can name.
            palette = rng.bytes(3 * max(1, 2**depth * 3 // 4)) if color == 3 else None
            for interlaced in (False, True):
                suffix = "-interlaced" if interlaced else ""
                yield f"{name}{depth}{suffix}.png", png(samples, depth, color, interlaced, palette)
    samples = rng.integers(0, 256, (height, width, 1))
    yield "palette8-transparent.png", png(samples, 8, 3, False, rng.bytes(768), bytes(range(256)))
    yield "grey8-transparent.png", png(samples, 8, 0, False, None, b"\0\x05")
    yield "rgb8-transparent.png", png(np.repeat(samples, 3, 2), 8, 2, False, None, b"\0\5\0\5\0\5")


class TurboJPEG:
    FORMATS = {3: 0, 4: 11}  # TJPF_RGB, TJPF_CMYK

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("turbojpeg"))
        self.library.tjInitCompress.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.library.tjInitCompress())

    def __call__(self, pixels, subsampling, progressive=False):
        height, width, channels = pixels.shape
        pixels = np.ascontiguousarray(pixels)
        buffer, size = ctypes.c_void_p(), ctypes.c_ulong()
        failed = self.library.tjCompress2(
            self.handle, pixels.ctypes.data_as(ctypes.c_void_p), width, 0, height, self.FORMATS[channels],
            ctypes.byref(buffer), ctypes.byref(size), subsampling, 80, 16384 if progressive else 0)
        assert not failed
        return ctypes.string_at(buffer.value, size.value)


def saved(pixels, kind, mode=None, **options):
    file = io.BytesIO()
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()) if mode else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg_files(width, height, seed=0):
    color, four, grey = (photo(width, height, c, seed) for c in (3, 4, 1))
    turbo = TurboJPEG()
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "grey.jpg", saved(grey, "JPEG")
    yield "grey-progressive.jpg", saved(grey, "JPEG", progressive=True)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"{name}.jpg", saved(color, "JPEG", subsampling=subsampling, quality=85)
        yield f"{name}-progressive.jpg", saved(color, "JPEG", subsampling=subsampling, quality=60, progressive=True)
    for name, subsampling in (("440", 4), ("411", 5)):
        yield f"{name}.jpg", turbo(color, subsampling)
    yield "rgb.jpg", saved(color, "JPEG", keep_rgb=True)
    yield "restart.jpg", saved(color, "JPEG", restart_marker_blocks=2)
    yield "rotated.jpg", saved(color, "JPEG", exif=exif, quality=30)
    yield "cmyk.jpg", saved(four, "JPEG", "CMYK")
    yield "ycck.jpg", turbo(four, 0)
    yield "ycck-420-progressive.jpg", turbo(four, 2, True)
    plain = saved(color, "JPEG")
    yield "trailing.jpg", plain + b"trailing bytes"
    yield "stray.jpg", plain[:-2] + b"\x12\x34\x56" + plain[-2:]


def webp_files(width, height, seed=0):
    color, alpha = photo(width, height, 3, seed), photo(width, height, 4, seed)
    yield "lossy.webp", saved(color, "WEBP", quality=75)
    yield "lossy-alpha.webp", saved(alpha, "WEBP", quality=60)
    yield "lossless.webp", saved(color, "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True)
    frames = [Image.fromarray(photo(width, height, 4, seed + i)) for i in (1, 2)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=100, quality=50)
    yield "animated.webp", file.getvalue()
    yield "offset.webp", offset_animation(width, height, color)


def offset_animation(width, height, color):
    """One frame smaller than its canvas, two pixels in from the top left."""
    still = saved(color, "WEBP", quality=75)
    assert still[12:16] == b"VP8 "
    u24 = lambda value: struct.pack("<I", value)[:3]
    piece = lambda kind, data: kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    body = piece(b"VP8X", bytes([2, 0, 0, 0]) + u24(width + 4) + u24(height + 2))
    body += piece(b"ANIM", b"\xff\x80\x40\xff\0\0")
    body += piece(b"ANMF", u24(1) + u24(1) + u24(width - 1) + u24(height - 1) + u24(100) + b"\0" + still[12:])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def samples(array, count=24):
    """Evenly spread values of the flattened array."""
    flat = np.asarray(array).reshape(-1)
    return [float(f"{flat[i * (len(flat) - 1) // (count - 1)]:.9g}") for i in range(count)]


def decoded(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def entry(name, data):
    rgb = decoded(data)
    cuts, size = [], len(data)
    places = {0, 2, 8, 11, 20, 30, size // 4, size // 2, size * 3 // 4, size - 20, size - 2}
    for cut in [] if rgb.size > 10_000 else sorted(places):
        try:
            decoded(data[:cut])
        except Exception:
            cuts.append(cut)
    height, width = rgb.shape[:2]
    return {"file": name, "width": width, "height": height, "crc": zlib.crc32(rgb.tobytes()),
            "samples": samples(rgb), "refused_at": cuts}


MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
CONFIGURATIONS = {
    "llava-1.5": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 336},
                  "crop_size": {"height": 336, "width": 336}, "do_center_crop": True, "do_convert_rgb": True,
                  "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": MEAN, "image_std": STD,
                  "resample": 3, "rescale_factor": 0.00392156862745098},
    "clip-old": {"feature_extractor_type": "CLIPFeatureExtractor", "size": 64, "crop_size": 64, "resample": 3,
                 "image_mean": MEAN, "image_std": STD},
    "clip-defaults": {"image_processor_type": "CLIPImageProcessorFast"},
    "dinov2": {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256},
               "crop_size": {"height": 224, "width": 224}, "image_mean": [0.485, 0.456, 0.406],
               "image_std": [0.229, 0.224, 0.225], "resample": 3},
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 96, "width": 80}, "resample": 3},
    "vit": {"image_processor_type": "ViTImageProcessor", "size": 56},
    "deit": {"image_processor_type": "DeiTImageProcessor", "size": {"height": 64, "width": 64}, "crop_size": 40},
    "crop-larger": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 31},
                    "crop_size": {"height": 50, "width": 45}, "resample": 1, "do_normalize": False},
    "no-resize": {"image_processor_type": "CLIPImageProcessor", "do_resize": False, "crop_size": [33, 70],
                  "image_mean": 0.25, "image_std": 0.5},
    "no-rescale": {"image_processor_type": "ViTImageProcessor", "size": [37, 41], "resample": 0, "do_rescale": False,
                   "image_mean": [100, 110, 120], "image_std": [50, 60, 70]},
    "box": {"image_processor_type": "ViTImageProcessor", "size": 30, "resample": 4, "do_normalize": False,
            "rescale_factor": 0.5},
    "hamming": {"image_processor_type": "ViTImageProcessor", "size": 30, "resample": 5, "do_normalize": False,
                "do_rescale": False},
    "lanczos": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 61, "width": 64}, "resample": 1},
}


def processor(configuration):
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    classes = {"CLIP": CLIPImageProcessorPil, "Bit": BitImageProcessorPil, "DeiT": DeiTImageProcessorPil,
               "Siglip": SiglipImageProcessorPil, "ViT": ViTImageProcessorPil}
    fields = dict(configuration)
    kind = fields.pop("image_processor_type", None) or fields.pop("feature_extractor_type")
    for suffix in ("Fast", "ImageProcessor", "FeatureExtractor"):
        kind = kind.removesuffix(suffix)
    return classes[kind](**fields)


def processed(sizes, names=CONFIGURATIONS):
    for width, height in sizes:
        image = Image.fromarray(pattern(width, height))
        for name in names:
            configuration = CONFIGURATIONS[name]
            exact = processor(configuration | {"do_rescale": False, "do_normalize": False})
            full = processor(configuration)
            bytes_ = np.asarray(exact(images=image)["pixel_values"][0])
            values = np.asarray(full(images=image)["pixel_values"][0])
            assert bytes_.dtype == np.uint8
            yield {"configuration": name, "image": [width, height], "shape": list(values.shape),
                   "crc": zlib.crc32(bytes_.tobytes()), "samples": samples(values.astype(np.float32))}


def write(folder, files, sizes, names=CONFIGURATIONS):
    shutil.rmtree(folder / "images", ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    decodings = []
    for name, data in files:
        (folder / "images" / name).write_bytes(data)
        decodings.append(entry(name, data))
    golden = {"configurations": CONFIGURATIONS, "decoded": decodings, "processed": list(processed(sizes, names))}
    lines = ["{"]
    for key in ("configurations", "decoded", "processed"):
        items = golden[key]
        opening, closing = "{}" if key == "configurations" else "[]"
        if key == "configurations":
            rows = [f'"{k}": {json.dumps(v)}' for k, v in items.items()]
        else:
            rows = map(json.dumps, items)
        lines.append(f'"{key}": {opening}\n' + ",\n".join(rows) + f"\n{closing}" + ("" if key == "processed" else ","))
    (folder / "images.json").write_text("\n".join(lines + ["}"]) + "\n")


def small_files():
    for width, height in ((17, 13),):
        yield from png_files(width, height)
    for make, sizes in ((jpeg_files, ((35, 21),)), (webp_files, ((35, 21),))):
        for width, height in sizes:
            yield from make(width, height)
    for width, height in ((1, 1), (1, 7), (8, 1)):
        pixels = photo(width, height)
        yield f"{width}x{height}.png", saved(pixels, "PNG")
        yield f"{width}x{height}.jpg", saved(pixels, "JPEG")
        yield f"{width}x{height}.webp", saved(pixels, "WEBP")


def large_files():
    random.seed(0)
    sizes = [(4000, 3000), (1920, 1080), (640, 480), (333, 500), (2047, 511)]
    sizes += [(random.randint(1, 700), random.randint(1, 700)) for _ in range(14)]
    sizes += [(w, h) for w in range(1, 19, 3) for h in range(1, 19, 4)]
    for i, (width, height) in enumerate(sizes):
        for make, some in ((jpeg_files, 8), (webp_files, 1)):
            for name, data in itertools.islice(make(width, height, i), some if width * height > 1_000_000 else None):
                yield f"{width}x{height}-{name}", data
        if width * height < 20_000:
            for name, data in png_files(width, height):
                yield f"{width}x{height}-{name}", data
        else:
            yield f"{width}x{height}.png", saved(photo(width, height, 3, i), "PNG", compress_level=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", metavar="DIR", type=pathlib.Path)
    large = parser.parse_args().large
    if large:
        random.seed(1)
        sizes = [(4000, 3000), (3000, 4000), (336, 336), (1, 500), (336, 4000)]
        sizes += [(random.randint(1, 900), random.randint(1, 900)) for _ in range(40)]
        write(large, large_files(), sizes)
    else:
        sizes = [(1, 1), (1, 7), (31, 31), (30, 47), (64, 48), (97, 40), (336, 336), (400, 301), (37, 640)]
        write(ROOT, small_files(), sizes)
