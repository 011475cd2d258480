"""Writes layers.json: forward values and gradients of single layers, computed in float64 by transformers' modules.

    python Tests/Goldens/layers.py

A case holds inputs, weights (by their names in checkpoint files), `output` and, for a given `output_gradient` G, the
derivatives of Σ G·output by every input and weight. Tensors are {"shape", "data"}, row-major; activations are T tokens
× channels. Inputs and weights are rounded before anything is computed from them.
"""

import json
import pathlib

import numpy as np
import peft
import torch
from peft import LoraConfig
from transformers import CLIPVisionConfig, Dinov2Config, LlamaConfig, LlavaConfig
from transformers.models.clip.modeling_clip import CLIPEncoderLayer
from transformers.models.dinov2.modeling_dinov2 import Dinov2Layer
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaDecoderLayer, LlamaMLP, LlamaRMSNorm
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from checkpoints import newest
from keyed_random import KeyedRandom, mixed

OUT = pathlib.Path(__file__).resolve().parent / "layers.json"
random = np.random.default_rng(42)


def double_norm(self, x: torch.Tensor) -> torch.Tensor:
    """LlamaRMSNorm's formula without its narrowing to float32."""
    return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))


LlamaRMSNorm.forward = double_norm


def tensor(*shape: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.round(shift + scale * random.standard_normal(shape), 4)).requires_grad_()


def stored(x: torch.Tensor) -> dict:
    return dict(shape=list(x.shape), data=[float(f"{v:.9g}") + 0.0 for v in x.detach().reshape(-1).tolist()])


def randomize(module: torch.nn.Module) -> torch.nn.Module:
    module.double().eval()
    for name, parameter in module.named_parameters():
        near_one = parameter.dim() == 1 and not name.endswith("bias")
        scale = 0.2 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5
        parameter.data = tensor(*parameter.shape, scale=scale, shift=float(near_one)).detach()
    return module


def case(settings: dict, inputs: dict, weights: dict, output: torch.Tensor) -> dict:
    gradient = tensor(*output.shape).detach()
    (gradient * output).sum().backward()
    return dict(settings=settings, inputs={k: stored(v) for k, v in inputs.items()},
                weights={k: stored(v) for k, v in weights.items()}, output=stored(output),
                output_gradient=stored(gradient), input_gradients={k: stored(v.grad) for k, v in inputs.items()},
                weight_gradients={k: stored(v.grad) for k, v in weights.items()})


def of_module(settings: dict, module: torch.nn.Module, x: torch.Tensor, call) -> dict:
    randomize(module)
    output = call(module, x[None])
    output = output[0] if isinstance(output, tuple) else output
    layer = "vision_tower.layer."
    weights = {newest(layer + k).removeprefix(layer): v for k, v in module.named_parameters()}
    return case(settings, dict(x=x), weights, output[0])


def rotary(positions: list[int], head: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin (1, T, D) in float64; the two halves of a head rotate against each other."""
    frequency = theta ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.tensor(positions, dtype=torch.float64)[:, None] * frequency
    angle = torch.cat([angle, angle], -1)[None]
    return angle.cos(), angle.sin()


def mask(visible: np.ndarray) -> torch.Tensor:
    """0 where the query (row) sees the key (column), −∞ elsewhere: (1, 1, T, T)"""
    return torch.where(torch.from_numpy(visible), 0.0, -torch.inf).double()[None, None]


def llama(hidden: int, heads: int, key_value_heads: int, intermediate: int) -> LlamaConfig:
    config = LlamaConfig(hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=key_value_heads,
                         intermediate_size=intermediate, rms_norm_eps=1e-5)
    config._attn_implementation = "sdpa"
    return config


def attention(hidden: int, heads: int, key_value_heads: int, theta: float, positions: list[int], visible: np.ndarray,
              **note) -> dict:
    config = llama(hidden, heads, key_value_heads, 2 * hidden)
    settings = dict(heads=heads, key_value_heads=key_value_heads, rope_theta=theta, positions=positions) | note
    return of_module(settings, LlamaAttention(config, 0), tensor(len(positions), hidden), lambda m, x: m(
        x, position_embeddings=rotary(positions, hidden // heads, theta), attention_mask=mask(visible)))


def segments() -> dict:
    """A prefix of 3 tokens and two continuations, of 3 and of 2, that do not see each other; positions go on from 3."""
    visible = np.tril(np.ones((8, 8), bool))
    visible[6:, 3:6] = False
    return attention(8, 2, 1, 1e4, [0, 1, 2, 3, 4, 5, 3, 4], visible, segments=[3, 3, 2])


def decoder_layer() -> dict:
    positions = list(range(6))
    settings = dict(heads=2, key_value_heads=1, rope_theta=1e5, rms_norm_eps=1e-5, positions=positions)
    return of_module(settings, LlamaDecoderLayer(llama(16, 2, 1, 20), 0), tensor(6, 16), lambda m, x: m(
        x, position_embeddings=rotary(positions, 8, 1e5), attention_mask=mask(np.tril(np.ones((6, 6), bool)))))


def clip_layer() -> dict:
    config = CLIPVisionConfig(hidden_size=16, intermediate_size=20, num_attention_heads=2)
    config._attn_implementation = "sdpa"
    settings = dict(heads=2, activation=config.hidden_act, layer_norm_eps=config.layer_norm_eps)
    return of_module(settings, CLIPEncoderLayer(config), tensor(5, 16), lambda m, x: m(x, attention_mask=None))


def dinov2_layer() -> dict:
    config = Dinov2Config(hidden_size=16, mlp_ratio=1, num_attention_heads=2)
    config._attn_implementation = "sdpa"
    settings = dict(heads=2, activation=config.hidden_act, layer_norm_eps=config.layer_norm_eps)
    return of_module(settings, Dinov2Layer(config), tensor(5, 16), lambda m, x: m(x))


def projector() -> dict:
    config = LlavaConfig(text_config=llama(16, 2, 1, 20), vision_config=CLIPVisionConfig(hidden_size=12))
    return of_module(dict(activation="gelu"), LlavaMultiModalProjector(config), tensor(5, 12), lambda m, x: m(x))


def position_interpolation() -> dict:
    """DINOv2's position embeddings of a 5 × 5 grid (after the class token's, unchanged), resized to 3 × 3 and
    to 7 × 7."""
    result = {}
    for side in (3, 7):
        grid = tensor(25, 2)
        image = grid.T.reshape(1, 2, 5, 5)
        output = torch.nn.functional.interpolate(image, size=(side, side), mode="bicubic", align_corners=False)
        result[str(side)] = case(dict(source=5, target=side), dict(x=grid), {}, output.reshape(2, -1).T)
    return result


def token_log_probability() -> dict:
    """log softmax(x·Wᵀ)[target] per token."""
    x, weight, targets = tensor(6, 12), tensor(21, 12, scale=0.5), random.integers(0, 21, 6)
    logits = x @ weight.T
    output = logits.log_softmax(-1).gather(1, torch.from_numpy(targets)[:, None])[:, 0]
    return case(dict(targets=targets.tolist()), dict(x=x), {"lm_head.weight": weight}, output)


def low_rank_with_dropout() -> dict:
    """PEFT's LoRA layer, of whose input an element is left out where the 32 bits of its row's key and its column say
    so (Core/Kernels/DropoutMask.swift)."""
    rate, keys = 0.25, [(1 << 61) + 12345, 7, 0xFFFFFFFF, 1 << 40, 99]
    module = KeyedRandom(0, "a.module").next()

    def bits(key: int, column: int) -> int:
        x = (column * 0x9E3779B9 + key) & 0xFFFFFFFF
        x = ((x ^ x >> 16) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ x >> 15 ^ key >> 32) * 0x846CA68B) & 0xFFFFFFFF
        return x ^ x >> 16

    kept = [[bits(mixed(key ^ module), column) >= rate * 2**32 for column in range(12)] for key in keys]
    layer = peft.tuners.lora.Linear(torch.nn.Linear(12, 7), "default", LoraConfig(r=3, lora_alpha=5), r=3, lora_alpha=5)
    layer.lora_dropout["default"] = Fixed(torch.tensor(kept).double() / (1 - rate))
    randomize(layer).requires_grad_()
    names = {"base_layer.weight": "weight", "base_layer.bias": "bias", "lora_A.default.weight": "a",
             "lora_B.default.weight": "b"}
    x = tensor(5, 12)
    weights = {names[name]: value for name, value in layer.named_parameters()}
    return case(dict(rate=rate, keys=keys), dict(x=x), weights, layer(x))


class Fixed(torch.nn.Module):
    """In the place of a dropout, with factors that are given."""

    def __init__(self, factors: torch.Tensor):
        super().__init__()
        self.factors = factors

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factors


def main() -> None:
    norm = torch.nn.LayerNorm(12, eps=1e-6)
    result = {
        "RMSNorm": of_module(dict(eps=1e-5), LlamaRMSNorm(12, 1e-5), tensor(5, 12), lambda m, x: m(x)),
        "LayerNorm": of_module(dict(eps=1e-6), norm, tensor(5, 12, scale=2, shift=0.5), lambda m, x: m(x)),
        "SwiGLU": of_module({}, LlamaMLP(llama(12, 2, 1, 20)), tensor(5, 12), lambda m, x: m(x)),
        "LlamaAttention": attention(16, 4, 2, 1e4, list(range(5, 12)), np.tril(np.ones((7, 7), bool))),
        "LlamaAttention segments": segments(), "LlamaDecoderLayer": decoder_layer(), "CLIPEncoderLayer": clip_layer(),
        "Dinov2Layer": dinov2_layer(), "projector": projector(), "token log-probability": token_log_probability()}
    result |= {f"position interpolation {k}": v for k, v in position_interpolation().items()}
    result["LoRA with dropout"] = low_rank_with_dropout()
    rows = [f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in result.items()]
    OUT.write_text("{" + ",\n".join(rows) + "}\n")


if __name__ == "__main__":
    main()
