"""Writes autoencoder.json: 50 steps of the sparse autoencoder's training with torch, every difference written out.

    python Tests/Goldens/autoencoder.py
"""

import json
import math
import pathlib

import numpy as np
import torch
from keyed_random import KeyedRandom

OUT = pathlib.Path(__file__).resolve().parent / "autoencoder.json"
SEED, LATENTS, IMAGE, TEXT = 5, 8, 13, 10
SETTINGS = {"steps": 50, "prompts_per_step": 4, "candidates_per_prompt": 6, "learning_rate": 0.01, "weight_decay": 0.01,
            "sparsity": 0.05, "atom_length": 0.6, "sparsity_weight": 0.3, "latents": LATENTS, "seed": SEED,
            "duplicate_limit": 0.9}
random = np.random.default_rng(17)


def unit_rows(count: int, columns: int) -> np.ndarray:
    centres = random.standard_normal((4, columns))
    rows = centres[random.integers(0, 4, count)] + 0.4 * random.standard_normal((count, columns))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def initial(name: str) -> torch.Tensor:
    bound = math.sqrt(3 / (IMAGE * TEXT))
    values = np.zeros((LATENTS, IMAGE, TEXT), dtype=np.float32)
    for latent in range(LATENTS):
        for column in range(IMAGE):
            keyed = KeyedRandom(SEED, f"autoencoder.{name}", str(latent), str(column))
            values[latent, column] = [bound * (2 * keyed.uniform() - 1) for _ in range(TEXT)]
    return torch.tensor(values.reshape(LATENTS, -1), dtype=torch.float64)


def learning_rate(step: int) -> float:
    steps, peak = SETTINGS["steps"], SETTINGS["learning_rate"]
    warmup = max(math.ceil(0.05 * steps), 10)
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


images, texts = unit_rows(40, IMAGE), unit_rows(6, TEXT)
prompts = [{"id": f"g{i}", "positive": 3 * i, "text": (i + 2) % 6, "excluded": [3 * i + 1, 39]} for i in range(6)]


def admitted(prompt: dict, row: int) -> bool:
    cosine = float(images[row].astype(np.float64) @ images[prompt["positive"]].astype(np.float64))
    return row != prompt["positive"] and row not in prompt["excluded"] and cosine <= SETTINGS["duplicate_limit"]


def batch(step: int) -> torch.Tensor:
    differences = []
    for place in range(step * 4, step * 4 + 4):
        order = KeyedRandom(SEED, "autoencoder.order", str(place // 6)).permutation(6)
        prompt = prompts[order[place % 6]]
        keyed = KeyedRandom(SEED, "autoencoder.candidates", str(step), prompt["id"])
        rows = []
        while len(rows) < SETTINGS["candidates_per_prompt"]:
            row = keyed.below(len(images))
            if admitted(prompt, row):
                rows.append(row)
        for row in rows:
            delta = images[prompt["positive"]].astype(np.float64) - images[row].astype(np.float64)
            differences.append(np.outer(delta, texts[prompt["text"]].astype(np.float64)).ravel())
    return torch.tensor(np.array(differences))


def numbers(values, digits: int) -> list[float]:
    return [float(f"{float(v):.{digits}g}") for v in values]


encoder = torch.nn.Linear(IMAGE * TEXT, LATENTS, dtype=torch.float64)
decoder = torch.nn.Linear(LATENTS, IMAGE * TEXT, dtype=torch.float64)
rho, gamma = SETTINGS["sparsity"], SETTINGS["sparsity_weight"]
with torch.no_grad():
    encoder.weight.copy_(initial("encoder"))
    encoder.bias.fill_(float(np.float32(math.log(rho / (1 - rho)))))
    decoder.weight.copy_(initial("decoder").T)
    decoder.bias.zero_()
optimizer = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=0.01,
                              weight_decay=SETTINGS["weight_decay"])
steps = []
for step in range(SETTINGS["steps"]):
    with torch.no_grad():
        decoder.weight *= (SETTINGS["atom_length"] / decoder.weight.norm(dim=0)).clamp(max=1)
    d = batch(step)
    z = torch.sigmoid(encoder(d))
    mean = z.mean(0)
    penalty = (rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))).sum()
    reconstruction = (d - decoder(z)).square().sum(1).mean()
    loss = reconstruction + gamma * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.param_groups[0]["lr"] = learning_rate(step)
    optimizer.step()
    steps.append(numbers([v.detach() for v in (loss, reconstruction, penalty, mean.mean())], 9))

with torch.no_grad():
    decoder.weight *= (SETTINGS["atom_length"] / decoder.weight.norm(dim=0)).clamp(max=1)
OUT.write_text(json.dumps({
    "settings": SETTINGS,
    "images": [numbers(row, 9) for row in images], "texts": [numbers(row, 9) for row in texts], "prompts": prompts,
    "steps": steps,
    "final": {
        "encoder.weight": [numbers(row, 9) for row in encoder.weight.detach()],
        "encoder.bias": [numbers(encoder.bias.detach(), 9)],
        "decoder.weight_transposed": [numbers(row, 9) for row in decoder.weight.detach().T],
        "decoder.bias": [numbers(decoder.bias.detach(), 9)],
    },
}, separators=(",", ":")).replace("],[", "],\n[") + "\n")
