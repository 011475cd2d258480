"""The random numbers of Core/Support/KeyedRandom.swift, and what follows from them: the changed pictures of mDPO and
CHiP."""

import difflib
import math

import numpy as np
import torch
from PIL import Image

MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    z = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class KeyedRandom:
    """SplitMix64 over the FNV-1a hash of the keys."""

    def __init__(self, seed: int, *keys: str):
        state = 0xCBF29CE484222325 ^ mixed((seed + 0x9E3779B97F4A7C15) & MASK)
        for key in keys:
            for byte in key.encode() + b"\xff":
                state = ((state ^ byte) * 0x100000001B3) & MASK
        self.state = mixed(state)

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return mixed(self.state)

    def uniform(self) -> float:
        return ((self.next() >> 11) + 0.5) * 2.0**-53

    def below(self, bound: int) -> int:
        return self.next() * bound >> 64

    def permutation(self, count: int) -> list[int]:
        order = list(range(count))
        for i in range(count - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order

    def normal(self) -> float:
        radius = math.sqrt(-2 * math.log(self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())


def crop(picture: Image.Image, seed: int, group: str) -> Image.Image:
    """1–20 % of the area, aspect ratio log-uniform in 3/4…4/3."""
    random = KeyedRandom(seed, "crop", group)
    area, aspect = 0.01 + 0.19 * random.uniform(), math.exp(math.log(4 / 3) * (2 * random.uniform() - 1))
    x, y = random.uniform(), random.uniform()
    half_up = lambda value: math.floor(value + 0.5)
    side = lambda length, limit: min(max(half_up(length), 1), limit)
    pixels = area * picture.width * picture.height
    across, down = side(math.sqrt(pixels * aspect), picture.width), side(math.sqrt(pixels / aspect), picture.height)
    left, top = half_up(x * (picture.width - across)), half_up(y * (picture.height - down))
    return picture.crop((left, top, left + across, top + down))


def signal(step: int) -> float:
    """ᾱ of VCD's schedule."""
    betas = torch.sigmoid(torch.linspace(-6, 6, 1000, dtype=torch.float64)) * (0.5e-2 - 1e-5) + 1e-5
    return float((1 - betas).cumprod(0)[step])


def noised(pixels: torch.Tensor, seed: int, group: str, step: int = 500) -> torch.Tensor:
    random = KeyedRandom(seed, "noise", group)
    noise = torch.tensor(np.array([random.normal() for _ in range(pixels.numel())], dtype=np.float32)).view_as(pixels)
    return math.sqrt(signal(step)) * pixels + math.sqrt(1 - signal(step)) * noise


def substituted(a: list[int], b: list[int], shortest: int = 3) -> tuple[list[int], list[int]]:
    """Positions in a and b between difflib's matching blocks where both have something."""
    blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    result, ends = ([], []), (0, 0)
    for block in [x for x in blocks[:-1] if x.size >= shortest] + [blocks[-1]]:
        gaps = range(ends[0], block.a), range(ends[1], block.b)
        if gaps[0] and gaps[1]:
            for positions, gap in zip(result, gaps):
                positions.extend(gap)
        ends = (block.a + block.size, block.b + block.size)
    return result
