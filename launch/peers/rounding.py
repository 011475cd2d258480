"""What bfloat16 products change: log-probabilities and gradients of misp beside those of PyTorch, for a LLaVA folder.

The yardstick is PyTorch in float32. Held to it are misp in float32 and in bfloat16, PyTorch under bfloat16 autocast,
and PyTorch with weights and adapter in bfloat16. The adapter has PEFT's form, rank 16 on the seven projections of the
language model, and random A and B, so that both have gradients.

log p      of every sequence of every group, summed over its response and the end of sequence
h          log p less that of the model without the adapter: what an objective sees
gradient   of the mean over groups of -log p(chosen)/tokens by every A and B: |g - g0|/|g0| (Euclidean) over all, and
           of the worst matrix. PyTorch's are added over groups in float32, so that the passes alone differ.

misp prints no gradient. The first AdamW step without clipping or decay moves a weight by −η·g/(|g| + ε), which is
read off the adapter before and after: with ε = 1 and u = (before − after)/η, g = u/(1 − |u|).

usage: rounding.py MODEL GROUPS [--prompt TEMPLATE] [--groups 16] [--worker PATH] [--threads 1] [--seed 0]
GROUPS are JSON lines in misp's own form; pictures are looked for from their folder. TEMPLATE is a built-in name of
LLaVA's or a text with <image> and {prompt}. Needs torch, transformers, peft, safetensors and Pillow.
"""
import argparse
import json
import logging
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoTokenizer, LlavaForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

logging.disable(logging.WARNING)
disable_progress_bar()
ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = {
    "llava-1.5": "USER: <image>\n{prompt} ASSISTANT:",
    "chatml": "<|im_start|>user\n<image>\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
}
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA, SCALE_OF_B = 16, 32, 0.01
RATE = 1000.0
# The greatest relative error of misp's float32 gradient at which the two still compute the same thing.
AGREEMENT = 1e-4


def refuse(message):
    print(f"rounding.py: {message}", file=sys.stderr)
    raise SystemExit(2)


def arguments():
    parser = argparse.ArgumentParser(usage="rounding.py MODEL GROUPS [options]")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("groups_file", metavar="GROUPS", type=pathlib.Path)
    parser.add_argument("--prompt", default="llava-1.5")
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--worker", type=pathlib.Path, default=ROOT / ".build/release/misp-worker")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the adapter")
    given = parser.parse_args()
    for file in (given.model / "config.json", given.groups_file, given.worker):
        if not file.is_file():
            refuse(f"there is no {file}")
    family = json.loads((given.model / "config.json").read_text()).get("model_type")
    if family != "llava":
        refuse(f"{given.model} is of the family {family}; only llava is known here")
    template = TEMPLATES.get(given.prompt, given.prompt)
    if "<image>" not in template or "{prompt}" not in template:
        refuse(f"--prompt {given.prompt} is none of {', '.join(TEMPLATES)}, and has no <image> and {{prompt}}")
    if given.groups < 1 or given.threads < 1:
        refuse("--groups and --threads are at least 1")
    return given


def read_groups(file, count):
    groups = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        group = json.loads(line)
        if not all(isinstance(group.get(key), str) for key in ("id", "prompt", "chosen", "image")):
            refuse(f"{file}:{number}: a group needs the texts id, prompt, chosen and image")
        groups.append(group)
        if len(groups) == count:
            break
    if not groups:
        refuse(f"{file} has no groups")
    return groups


class Sequences:
    """Token ids and pixels of groups, as misp makes them (docs/data.md)."""

    def __init__(self, folder, template, images):
        self.template, self.images, self.cache = TEMPLATES.get(template, template), images, {}
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        config = json.loads((folder / "config.json").read_text())
        self.image_token = config.get("image_token_index", config.get("image_token_id"))
        vision, strategy = config["vision_config"], config.get("vision_feature_select_strategy", "default")
        self.patch = vision["patch_size"]
        self.keeps_class_token = strategy == "full" and "siglip" not in vision["model_type"]

    def pixels(self, image):
        """(1, 3, S, S)"""
        if image not in self.cache:
            picture = Image.open(self.images / image).convert("RGB")
            self.cache[image] = self.processor(picture, return_tensors="pt").pixel_values.float()
        return self.cache[image]

    def prompt(self, text, image):
        height, width = self.pixels(image).shape[-2:]
        rows = (height // self.patch) * (width // self.patch) + self.keeps_class_token
        ids = self.tokenizer.encode(self.template.replace("{prompt}", text), add_special_tokens=True)
        if ids.count(self.image_token) != 1:
            refuse(f"the rendered prompt has {ids.count(self.image_token)} placeholders of a picture, not one")
        return [t for i in ids for t in ([i] * rows if i == self.image_token else [i])]

    def response(self, text):
        ids, end = self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id
        return ids if ids[-1:] == [end] else ids + [end]

    def of(self, group):
        """Name of a sequence → prompt, response, picture."""
        chosen = self.response(group["chosen"])
        texts = {"chosen": (chosen, group["image"])}
        if group.get("rejected") is not None:
            texts["rejected"] = (self.response(group["rejected"]), group["image"])
        for i, negative in enumerate(group.get("negatives") or []):
            texts[f"negative{i}"] = (chosen, negative["image"])
        return {name: (self.prompt(group["prompt"], image), ids, image) for name, (ids, image) in texts.items()}


def matrix_name(key):
    """`layers.0.self_attn.q_proj.lora_A` out of PEFT's key, a parameter's name, or an older key."""
    return re.sub(r"(\.default)?\.weight$", "", re.sub(r"^.*?(?=\blayers\.)", "", key))


def write_adapter(model_folder, folder, seed):
    pattern = rf".*language_model.*\.({'|'.join(PROJECTIONS)})"
    base = LlavaForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(
        r=RANK, lora_alpha=ALPHA, bias="none", task_type="CAUSAL_LM", target_modules=pattern))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_" in name:
            scale = 1 / math.sqrt(parameter.shape[1]) if "lora_A" in name else SCALE_OF_B
            parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)


class Peer:
    """PyTorch with the adapter, in one precision: float32, autocast or bfloat16."""

    def __init__(self, given, adapter, precision):
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        base = LlavaForConditionalGeneration.from_pretrained(given.model, dtype=dtype)
        self.model = PeftModel.from_pretrained(base, adapter, is_trainable=True, autocast_adapter_dtype=False).eval()
        self.parameters = {matrix_name(n): p for n, p in self.model.named_parameters() if p.requires_grad}
        for parameter in self.parameters.values():
            parameter.data = parameter.data.to(dtype)
        self.dtype, self.autocasts = dtype, precision == "autocast"

    def log_probability(self, prompt, response, pixels):
        ids = torch.tensor([prompt + response])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocasts):
            logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids),
                                pixel_values=pixels.to(self.dtype), logits_to_keep=len(response) + 1).logits
        tokens = logits[0, :-1].float().log_softmax(-1).gather(1, torch.tensor(response)[:, None])
        return tokens.sum()

    @torch.no_grad()
    def scores(self, sequences, groups):
        """(group, sequence) → log p and h."""
        result = {}
        for group in groups:
            for name, (prompt, response, image) in sequences.of(group).items():
                pixels = sequences.pixels(image)
                policy = self.log_probability(prompt, response, pixels)
                with self.model.disable_adapter():
                    reference = self.log_probability(prompt, response, pixels)
                result[group["id"], name] = (float(policy), float(policy) - float(reference))
        return result

    def gradient(self, sequences, groups):
        sums = {name: torch.zeros(p.shape) for name, p in self.parameters.items()}
        for group in groups:
            prompt, response, image = sequences.of(group)["chosen"]
            value = self.log_probability(prompt, response, sequences.pixels(image))
            (-value / (len(response) * len(groups))).backward()
            for name, parameter in self.parameters.items():
                sums[name] += parameter.grad.float()
                parameter.grad = None
        return {name: g.double() for name, g in sums.items()}


def misp(given, scratch, adapter, precision, count):
    """Log-probabilities and gradient of misp, as `Peer` gives them."""
    run, config = scratch / f"run-{precision}", scratch / f"{precision}.yaml"
    # JSON is YAML.
    config.write_text(json.dumps({
        "model": {"path": str(given.model.resolve()), "adapter": str(adapter), "prompt": given.prompt},
        "data": {"train": str(scratch / "groups.jsonl"), "images": str(given.groups_file.resolve().parent),
                 "transparency": "drop", "shuffle": False},
        "output": str(run), "objective": {"kind": "sft"}, "lora": {"r": RANK, "alpha": ALPHA},
        "optimizer": {"learning_rate": RATE, "eps": 1, "weight_decay": 0, "max_grad_norm": 0,
                      "schedule": "constant", "steps": 1, "groups_per_step": count},
        "compute": {"precision": precision, "threads": given.threads}, "cache": {"enabled": False}}))

    def worker(*words):
        done = subprocess.run([given.worker.resolve(), *words, "--config", config], capture_output=True, text=True)
        if done.returncode:
            refuse(f"misp-worker {words[0]} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")

    out = scratch / f"{precision}.jsonl"
    worker("score", "--out", out)
    scores = {}
    for row in map(json.loads, out.read_text().splitlines()):
        for name, value in row["policy"].items():
            scores[row["id"], name] = (value, value - row["reference"][name])
    worker("train")
    before, after = ({matrix_name(k): t.double() for k, t in load_file(f / "adapter_model.safetensors").items()}
                     for f in (adapter, run / "adapter"))
    if before.keys() != after.keys():
        refuse(f"misp's adapter has other matrices: {sorted(before.keys() ^ after.keys())[:4]}")
    moves = {name: (before[name] - after[name]) / RATE for name in before}
    return scores, {name: u / (1 - u.abs()) for name, u in moves.items()}


def difference(values, others, part):
    """The greatest, and the root of the mean square."""
    if values.keys() != others.keys():
        refuse(f"misp and PyTorch have other sequences: {sorted(values.keys() ^ others.keys())[:4]}")
    gaps = [values[key][part] - others[key][part] for key in values]
    return max(map(abs, gaps)), math.sqrt(sum(g * g for g in gaps) / len(gaps))


def errors(gradient, exact):
    """‖g − g₀‖/‖g₀‖ over all matrices, and the greatest of a matrix."""
    gaps = {name: float((gradient[name] - exact[name]).norm()) for name in exact}
    norms = {name: float(exact[name].norm()) for name in exact}
    return math.hypot(*gaps.values()) / math.hypot(*norms.values()), max(gaps[n] / norms[n] for n in exact)


def report(ways, count):
    scores, gradient = ways["PyTorch, float32"]
    mean = [sum(abs(v[part]) for v in scores.values()) / len(scores) for part in (0, 1)]
    print(f"{count} groups, {len(scores)} sequences; mean |log p| {mean[0]:.3f}, mean |h| {mean[1]:.4f}; "
          f"norm of the gradient {math.hypot(*(float(g.norm()) for g in gradient.values())):.3g}; "
          f"PyTorch {torch.__version__}\n")
    print("| against PyTorch in float32 | log p: max | rms | h: max | rms | gradient: all | worst matrix |")
    print("|---|---|---|---|---|---|---|")
    for way, (values, g) in ways.items():
        if way != "PyTorch, float32":
            numbers = difference(values, scores, 0) + difference(values, scores, 1) + errors(g, gradient)
            print(f"| {way} | " + " | ".join(f"{x:.2g}" for x in numbers) + " |")
    off = errors(ways["misp, float32"][1], gradient)[0]
    if not off < AGREEMENT:
        refuse(f"misp's gradient in float32 is off by {off:.2g}: this table compares different things")


def main():
    given = arguments()
    torch.set_num_threads(given.threads)
    groups = read_groups(given.groups_file, given.groups)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name).resolve()
        adapter = scratch / "adapter"
        write_adapter(given.model, adapter, given.seed)
        (scratch / "groups.jsonl").write_text("".join(json.dumps(g) + "\n" for g in groups), encoding="utf-8")
        sequences, ways = Sequences(given.model, given.prompt, given.groups_file.resolve().parent), {}
        for precision in ("float32", "bfloat16"):
            print(f"misp, {precision} …", file=sys.stderr)
            ways[f"misp, {precision}"] = misp(given, scratch, adapter, precision, len(groups))
        for precision, label in (("float32", "float32"), ("autocast", "autocast"), ("bfloat16", "bfloat16 weights")):
            print(f"PyTorch, {label} …", file=sys.stderr)
            peer = Peer(given, adapter, precision)
            ways[f"PyTorch, {label}"] = (peer.scores(sequences, groups), peer.gradient(sequences, groups))
        report(ways, len(groups))


if __name__ == "__main__":
    main()
