"""Writes optimization.json: torch's AdamW and gradient clipping in float32, and transformers' learning-rate schedules.

    python Tests/Goldens/optimization.py
"""

import json
import math
import pathlib

import numpy as np
import torch
import transformers

OUT = pathlib.Path(__file__).resolve().parent / "optimization.json"
random = np.random.default_rng(7)


def numbers(values) -> list[float]:
    return [float(f"{float(v):.9g}") for v in values]


def adamw(learning_rate: float, betas: tuple, eps: float, weight_decay: float, scale: float, steps: int = 5) -> dict:
    """Parameters after each step, from given gradients; some of them 0, some tiny beside `eps`."""
    parameter = torch.nn.Parameter(torch.tensor(numbers(random.standard_normal(6)), dtype=torch.float32))
    optimizer = torch.optim.AdamW([parameter], lr=learning_rate, betas=betas, eps=eps, weight_decay=weight_decay,
                                  foreach=False)
    initial, gradients, after = numbers(parameter.detach()), [], []
    for step in range(steps):
        gradient = scale * random.standard_normal(6) * np.array([1, 1, 1e-3, 0, 1e-9, step == 2])
        gradients.append(numbers(np.float32(gradient)))
        parameter.grad = torch.tensor(gradients[-1], dtype=torch.float32)
        optimizer.step()
        after.append(numbers(parameter.detach()))
    return dict(learning_rate=learning_rate, betas=betas, eps=eps, weight_decay=weight_decay, initial=initial,
                gradients=gradients, parameters=after)


def schedule(name: str, total: int, ratio: float) -> dict:
    """Learning rate used in step 1, 2, … `total` for a base rate of 1; warm-up steps are ceil(total · ratio)."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    warmup = math.ceil(total * ratio)
    scheduler = transformers.get_scheduler(name, optimizer, warmup, total)
    rates = []
    for _ in range(total):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return dict(schedule=name, steps=total, warmup_ratio=ratio, warmup_steps=warmup, rates=numbers(rates))


def clip(sizes: list[int], scale: float, limit: float) -> dict:
    tensors = [torch.nn.Parameter(torch.zeros(n)) for n in sizes]
    for t in tensors:
        t.grad = torch.tensor(numbers(np.float32(scale * random.standard_normal(len(t)))), dtype=torch.float32)
    before = [numbers(t.grad) for t in tensors]
    norm = torch.nn.utils.clip_grad_norm_(tensors, limit)
    return dict(max_grad_norm=limit, gradients=before, norm=numbers([norm])[0],
                clipped=[numbers(t.grad) for t in tensors])


def main() -> None:
    result = dict(
        adamw=[adamw(1e-2, (0.9, 0.999), 1e-8, 0.0, 1.0), adamw(1e-2, (0.9, 0.999), 1e-8, 0.1, 10.0),
               adamw(0.5, (0.8, 0.95), 1e-6, 0.01, 1e-4), adamw(0.0, (0.9, 0.999), 1e-8, 0.1, 1.0)],
        schedules=[schedule(name, total, ratio)
                   for name in ("cosine", "linear", "constant_with_warmup", "constant")
                   for total, ratio in [(1, 0.0), (1, 0.1), (4, 0.25), (7, 0.0), (10, 0.1), (11, 0.3), (5, 1.0)]],
        clipping=[clip([3, 2], 1.0, 1.0), clip([4], 0.01, 1.0), clip([1, 1, 3], 100.0, 0.5), clip([2, 2], 0.0, 1.0)])
    rows = [f"{json.dumps(key)}:[\n" + ",\n".join(json.dumps(x, separators=(",", ":")) for x in value) + "\n]"
            for key, value in result.items()]
    OUT.write_text("{" + ",\n".join(rows) + "}\n")


if __name__ == "__main__":
    main()
