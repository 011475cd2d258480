"""Answers of a LLaVA folder through transformers' `generate`: the peer of `misp-worker bench generate`.

Greedy, prompts of a picture's tokens and 32 more, as many tokens as asked whatever comes. The prompts' time, pictures
included, is that of an answer of one token; what further tokens take is the rest. Each number format stands for itself:
float32, what the folder holds, and bfloat16. Needs torch and transformers.

usage: generate.py MODEL [threads] [batch] [tokens] [repeats] [formats, with commas between them]
"""
import statistics
import sys
import time

import torch
import transformers
from transformers import LlavaForConditionalGeneration

model_folder, *rest = sys.argv[1:]
threads, batch, tokens, repeats = (int(x) for x in (rest + ["2", "1", "64", "3"][len(rest):])[:4])
formats = rest[4].split(",") if len(rest) > 4 else ["float32", "stored", "bfloat16"]
torch.set_num_threads(threads)
torch.manual_seed(0)
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
PROMPT = 32


def rounds(name):
    dtype = "auto" if name == "stored" else getattr(torch, name)
    model = LlavaForConditionalGeneration.from_pretrained(model_folder, dtype=dtype).eval()
    config = model.config
    size = 112 if config.vision_config.model_type == "dinov2" else config.vision_config.image_size
    image = [config.image_token_id] * config.image_seq_length
    ids = torch.tensor([image + [(1000 + 37 * i + 1000 * n) % 30000 for i in range(PROMPT)] for n in range(batch)])
    pixels = (2 * torch.rand(batch, 3, size, size) - 1).to(model.dtype)

    def answer(count):
        start = time.time()
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, do_sample=False,
            min_new_tokens=count, max_new_tokens=count, pad_token_id=0)
        assert out.shape == (batch, ids.shape[1] + count)
        return time.time() - start

    answer(2)
    prompts, rates = [], []
    for _ in range(repeats):
        first = answer(1)
        prompts.append(first)
        rates.append(batch * (tokens - 1) / (answer(tokens) - first))
    label = name if name != "stored" else f"as stored ({str(model.dtype).removeprefix('torch.')})"
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {threads} threads, {label}, "
          f"batch {batch}: prompts {statistics.median(prompts):.3f} s, then {statistics.median(rates):.1f} tokens/s",
          flush=True)


with torch.no_grad():
    for name in formats:
        rounds(name)
