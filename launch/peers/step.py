"""The preference group of `misp-worker bench step` through PyTorch: an expert's way, and TRL's.

A LLaVA of SmolLM2-135M's shape with random weights, LoRA of rank 16 on the seven projections; 5 sequences of 256 image,
24 prompt and 64 response tokens. Image features count as computed beforehand in both ways.

expert  reference log-probabilities computed beforehand, logits at response positions only, each layer compiled by
        torch.compile (needs a C++ compiler), float32 products by MKL or oneDNN, whichever is faster here
trl     as TRL's DPOTrainer does by default: logits at all positions, and the reference's in the same step by the same
        model with its adapters switched off

float32   throughout
autocast  weights in float32, products in bfloat16 as torch.autocast chooses them
bfloat16  weights, adapters and all between them in bfloat16

Log-probabilities are those of logits in float32 in all of them.

usage: step.py FOLDER [--way expert|trl] [--precision float32|autocast|bfloat16] [--threads N] [--repeats N]
       step.py FOLDER --write       writes the model to FOLDER, where it and misp-worker then read it
Needs torch, transformers and peft.
"""
import argparse
import logging
import statistics
import time
import warnings

warnings.filterwarnings("ignore")
import torch
from peft import LoraConfig, get_peft_model
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

logging.disable(logging.WARNING)
disable_progress_bar()
IMAGE, PROMPT, RESPONSE, NEGATIVES, RANK = 256, 24, 64, 3, 16
parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--write", action="store_true")
parser.add_argument("--way", choices=["expert", "trl"], default="expert")
parser.add_argument("--precision", choices=["float32", "autocast", "bfloat16"], default="float32")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repeats", type=int, default=3)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)

if arguments.write:
    text = LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        vocab_size=49152, rms_norm_eps=1e-5, rope_theta=1e5, max_position_embeddings=8192, tie_word_embeddings=True,
    )
    vision = CLIPVisionConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1, image_size=28, patch_size=14)
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=3, vision_feature_layer=0, tie_word_embeddings=True)
    LlavaForConditionalGeneration(config).save_pretrained(arguments.folder)
    raise SystemExit

dtype = torch.bfloat16 if arguments.precision == "bfloat16" else torch.float32
model = LlavaForConditionalGeneration.from_pretrained(arguments.folder, dtype=dtype).model.language_model
head = model.get_input_embeddings().weight.detach()
modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=modules)
model = get_peft_model(model, lora, autocast_adapter_dtype=False)


@torch.library.custom_op("step::product", mutates_args=())
def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x·weightᵀ by oneDNN. On processors of AMD, MKL leaves AVX-512 unused, and PyTorch asks it for float32."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")


def keep(ctx, inputs, output):
    ctx.save_for_backward(inputs[1])


product.register_fake(lambda x, weight: x.new_empty(*x.shape[:-1], weight.shape[0]))
product.register_autograd(lambda ctx, dy: (product(dy.contiguous(), ctx.saved_tensors[0].T), None), setup_context=keep)


class Frozen(torch.nn.Linear):
    """A linear layer without bias whose weights get no gradient."""

    def forward(self, x):
        return product(x, self.weight)


def seconds_of(function, repeats=10):
    def once():
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return min(once() for _ in range(repeats))


def is_faster_by_onednn():
    x, weight = torch.randn(len(seeds) * (IMAGE + PROMPT + RESPONSE), 576), torch.randn(1536, 576)
    return seconds_of(lambda: product(x, weight)) < seconds_of(lambda: x @ weight.T)


def response(seed):
    return torch.tensor([100 + (i * 37 + seed) % 30_000 for i in range(RESPONSE)])


def sequence(image, seed):
    numbers = torch.arange(IMAGE * 576, dtype=torch.float64)
    inputs = head[torch.cat([torch.full((IMAGE + PROMPT,), 5), response(seed)])].clone()
    inputs[4 : 4 + IMAGE] = (0.1 * torch.sin(0.37 * numbers + image)).to(dtype).view(IMAGE, 576)
    return inputs


seeds = [0, 7] + [0] * NEGATIVES
inputs = torch.stack([sequence(max(0, i - 1), seed) for i, seed in enumerate(seeds)])
targets = torch.stack([response(seed) for seed in seeds])
linear = torch.nn.functional.linear
if arguments.way == "expert":
    inputs = inputs[:, :-1].contiguous()
    if arguments.precision == "float32" and is_faster_by_onednn():
        linear = product
        for module in model.modules():
            if type(module) is torch.nn.Linear and not module.weight.requires_grad:
                module.__class__ = Frozen
    for layer in model.base_model.model.layers:
        layer.compile(dynamic=False)


def log_probabilities():
    hidden = model(inputs_embeds=inputs, use_cache=False).last_hidden_state
    if arguments.way == "trl":
        logits = linear(hidden, head)[:, :-1].float()
        labels = torch.cat([torch.zeros(len(seeds), logits.shape[1] - RESPONSE, dtype=torch.long), targets], 1)
        tokens = logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
        return tokens[:, -RESPONSE:].sum(1)
    logits = linear(hidden[:, -RESPONSE:].flatten(0, 1), head)
    return -torch.nn.functional.cross_entropy(
        logits.float(), targets.flatten(), reduction="none").view(len(seeds), RESPONSE).sum(1)


autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "autocast")


def group():
    with autocast:
        policy = log_probabilities()
    if arguments.way == "trl":
        with torch.no_grad(), autocast, model.disable_adapter():
            log_probabilities()
    (0.1 * policy).sum().backward()
    model.zero_grad()
    return policy.detach()


def rate(side=1024, seconds=0.5):
    number = torch.float32 if arguments.precision == "float32" else torch.bfloat16
    a, b = torch.randn(side, side, dtype=number), torch.randn(side, side, dtype=number)
    best, end = 0.0, time.time() + seconds
    while time.time() < end:
        best = max(best, 2 * side**3 / seconds_of(lambda: linear(a, b), repeats=1))
    return best


values = group()
products, times = rate(), []
for _ in range(arguments.repeats):
    start = time.time()
    group()
    times.append(time.time() - start)
by = " by oneDNN" if linear is product else ""
print(f"PyTorch {torch.__version__}, {arguments.way}, {arguments.precision}{by}, threads {arguments.threads}: "
      f"{statistics.median(times):.2f} s per group; its 1024³ products {products / 1e9:.1f} GFLOP/s")
print("log-probabilities", " ".join(f"{value:.4f}" for value in values.tolist()))
