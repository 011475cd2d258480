"""One preference group through PyTorch as an expert would write it: the peer of `misp-worker bench step`.

LLaMA of SmolLM2-135M's shape with random weights and LoRA on the seven projections; image features and reference
log-probabilities count as computed beforehand; logits at response positions only. Needs torch, transformers and peft.

usage: step.py [threads] [repeats]
"""
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaModel

threads, repeats = (int(x) for x in (sys.argv[1:] + ["2", "5"][len(sys.argv) - 1 :])[:2])
torch.set_num_threads(threads)
torch.manual_seed(0)
IMAGE, PROMPT, RESPONSE, SEQUENCES, VOCABULARY, RANK = 256, 24, 64, 5, 49152, 16
config = LlamaConfig(
    hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
    vocab_size=VOCABULARY, rms_norm_eps=1e-5, max_position_embeddings=8192, use_cache=False,
)
model = get_peft_model(
    LlamaModel(config),
    LoraConfig(
        r=RANK, lora_alpha=2 * RANK,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    ),
)
head = model.get_input_embeddings().weight
length = IMAGE + PROMPT + RESPONSE
tokens = torch.randint(0, VOCABULARY, (SEQUENCES, length))
features = 0.1 * torch.randn(SEQUENCES, IMAGE, 576)
targets = tokens[:, -RESPONSE:]


def group():
    inputs = torch.nn.functional.embedding(tokens, head).detach()
    inputs[:, 4 : 4 + IMAGE] = features
    hidden = model(inputs_embeds=inputs).last_hidden_state[:, -RESPONSE - 1 : -1]
    logits = hidden @ head.detach().T
    logps = -torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    (0.1 * logps.view(SEQUENCES, RESPONSE).sum(1)).sum().backward()
    model.zero_grad()


def rate(side=1024, seconds=0.5):
    a, b = torch.randn(side, side), torch.randn(side, side)
    best, end = 0.0, time.time() + seconds
    while time.time() < end:
        start = time.time()
        a @ b
        best = max(best, 2 * side**3 / (time.time() - start))
    return best


group()
sgemm, times = rate(), []
for _ in range(repeats):
    start = time.time()
    group()
    times.append(time.time() - start)
print(f"PyTorch {torch.__version__}, {threads} threads: {statistics.median(times):.2f} s per group; "
      f"its 1024³ sgemm {sgemm / 1e9:.1f} GFLOP/s")
