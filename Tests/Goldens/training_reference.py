"""Short training runs in PyTorch and PEFT: the numbers a run with the same configuration must reproduce.

A group without a rejected response has no text term and one without negatives no image term; the means of a step are
over all of its groups, an absent term counting as 0. The reference is the model as it was before the first step.
"""

import copy
import math
import pathlib

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import softplus

import keyed_random
from llava_reference import Reference, number, summary

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SETTINGS = dict(betas=[0.9, 0.999], eps=1e-8, max_grad_norm=1.0, groups_per_step=2, shuffle=False)


def targets(part: str, modules: list[str]) -> str:
    """A pattern, since a bare `q_proj` would match the vision tower's modules too."""
    return rf".*{part}.*\.({'|'.join(modules)})"


def initial_adapter(reference: Reference, folder: pathlib.Path, seed: int,
                    pattern: str = targets("language_model", PROJECTIONS)) -> None:
    """r = 4, alpha = 8, by default on the language model alone; A ~ N(0, 1/fan_in) and B = 0, as a run starts."""
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                        target_modules=pattern)
    model = get_peft_model(copy.deepcopy(reference.model), config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_A" in name:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data.copy_(noise / math.sqrt(parameter.shape[1]))
    save_adapter(model, folder)


def save_adapter(model: PeftModel, folder: pathlib.Path) -> None:
    model.peft_config["default"].base_model_name_or_path = ".."
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


def load_adapter(reference: Reference, folder: pathlib.Path) -> PeftModel:
    return PeftModel.from_pretrained(copy.deepcopy(reference.model), folder, is_trainable=True).eval()


def terms(kind: str, beta: float, policy: dict, base: dict, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and text term of one group, from its log-probabilities."""
    zero = torch.zeros(())
    if kind == "sft":
        return zero, -policy["chosen"] / tokens
    h = {name: policy[name] - base[name] for name in policy}
    advantages = [beta * (h[name] - h["chosen"]) for name in h if name.startswith("negative")]
    image = softplus(torch.stack(advantages).logsumexp(0)) if kind == "misp" and advantages else zero
    text = softplus(-beta * (h["chosen"] - h["rejected"])) if "rejected" in h else zero
    return image, text


def changed_picture(reference: Reference, model, kind: str, beta: float,
                    group: dict) -> tuple[dict, dict, torch.Tensor]:
    """mDPO's or CHiP's loss of a group, which compares its picture with a crop of itself or with itself under noise.

    The published code of either: CHiP multiplies the log-probabilities of substituted tokens by 4 and weighs the
    difference of the responses' token-level divergences by 0.1.
    """
    sequences = {n: s for n, s in reference.sequences(group).items() if not n.startswith("negative")}
    prompt, chosen, image = sequences["chosen"]
    sequences["changed"] = (prompt, chosen, ("crop" if kind == "mdpo" else "noise", image, group["id"]))
    weights = {n: torch.ones(len(s[1])) for n, s in sequences.items()}
    if kind == "chip" and "rejected" in sequences:
        one_image = [t for i, t in enumerate(prompt) if t != reference.image_token or prompt[i - 1] != t]
        rejected = sequences["rejected"][1]
        places = keyed_random.substituted(one_image + rejected, one_image + chosen)
        for name, positions in (("rejected", places[0]), ("chosen", places[1]), ("changed", places[1])):
            for position in positions:
                weights[name][position - len(one_image)] = 4
    logps = lambda m: {n: (weights[n] * reference.token_log_probabilities(*s, model=m)).sum()
                       for n, s in sequences.items()}
    policy = logps(model)
    with torch.no_grad():
        base = logps(None)
    h = {n: policy[n] - base[n] for n in policy}
    if kind == "mdpo":
        image_loss, anchor = softplus(-beta * (h["chosen"] - h["changed"])), softplus(-beta * h["chosen"])
        text_loss = softplus(-beta * (h["chosen"] - h["rejected"])) if "rejected" in h else torch.zeros(())
        return policy, base, image_loss + text_loss + anchor
    margin = h["chosen"] - h["changed"]
    if "rejected" in h:
        kl = {}
        for name in ("chosen", "rejected"):
            with torch.no_grad():
                before = reference.logits(*sequences[name]).log_softmax(-1)
            now = reference.logits(*sequences[name], model=model).log_softmax(-1)
            kl[name] = (before.exp() * (before - now)).sum()
        margin = margin + h["chosen"] - h["rejected"] - 0.1 * (kl["rejected"] - kl["chosen"].detach())
    return policy, base, softplus(-beta * margin)


def run(reference: Reference, model, kind: str, beta: float, steps: int, learning_rate: float, weight_decay: float,
        schedule: str, warmup_ratio: float, negatives: int) -> dict:
    """Trains every parameter of `model` that requires a gradient, in place; returns the settings and a record of each
    step."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, betas=tuple(SETTINGS["betas"]), eps=SETTINGS["eps"],
                                  weight_decay=weight_decay, foreach=False)
    scheduler = transformers.get_scheduler(schedule, optimizer, math.ceil(steps * warmup_ratio), steps)
    groups, size, records = reference.groups(), SETTINGS["groups_per_step"], []
    for step in range(steps):
        batch = [groups[i % len(groups)] for i in range(step * size, (step + 1) * size)]
        images, texts, chosen, rewards = [], [], [], []
        for group in batch:
            if kind in ("mdpo", "chip"):
                policy, base, loss = changed_picture(reference, model, kind, beta, group)
                (loss / size).backward()
                images.append(loss.item())
                texts.append(0.0)
                chosen.append(policy["chosen"].item())
                rewards.append(beta * (policy["chosen"] - base["chosen"]).item())
                continue
            sequences = reference.sequences(group, negatives)
            if kind != "misp":
                sequences = {name: s for name, s in sequences.items() if not name.startswith("negative")}
            policy = {name: reference.log_probability(*s, model=model) for name, s in sequences.items()}
            with torch.no_grad():
                base = {name: reference.log_probability(*s) for name, s in sequences.items()}
            image, text = terms(kind, beta, policy, base, len(sequences["chosen"][1]))
            if (image + text).requires_grad:
                ((image + text) / size).backward()
            images.append(image.item())
            texts.append(text.item())
            chosen.append(policy["chosen"].item())
            rewards.append(beta * (policy["chosen"] - base["chosen"]).item())
        norm = torch.nn.utils.clip_grad_norm_(parameters, SETTINGS["max_grad_norm"])
        mean = lambda values: number(sum(values) / size)
        records.append({
            "step": step + 1, "loss": mean([a + b for a, b in zip(images, texts)]), "loss/image": mean(images),
            "loss/text": mean(texts), "grad_norm": number(norm), "learning_rate": number(scheduler.get_last_lr()[0]),
            "logps/chosen": mean(chosen), "rewards/chosen": mean(rewards),
            "groups": [dict(id=g["id"], image=number(a), text=number(b)) for g, a, b in zip(batch, images, texts)]})
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    settings = dict(kind=kind, beta=beta, text_weight=1.0, negatives=negatives, learning_rate=learning_rate,
                    weight_decay=weight_decay, schedule=schedule, warmup_ratio=warmup_ratio, steps=steps)
    return dict(settings=SETTINGS | settings, steps=records)


def vision_run(reference: Reference, folder: pathlib.Path) -> dict:
    """`misp` with the tower adapted too, from `adapter-vision-init/` to `adapter-vision-final/`. PEFT adapts the layers
    above the feature layer as well; nothing reaches them, so that AdamW passes them by, weight decay and all."""
    tower = targets("vision_tower", ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])
    initial_adapter(reference, folder / "adapter-vision-init", 12,
                    f"({targets('language_model', PROJECTIONS)}|{tower})")
    model = load_adapter(reference, folder / "adapter-vision-init")
    result = run(reference, model, "misp", 0.5, steps=4, learning_rate=1e-2, weight_decay=0.5, schedule="constant",
                 warmup_ratio=0.0, negatives=3)
    save_adapter(model, folder / "adapter-vision-final")
    return {"vision-lora": result}


def runs(reference: Reference, folder: pathlib.Path, key_of) -> dict:
    """The LoRA runs from `adapter-init/` (misp's result becomes `adapter-final/`) and one full fine-tuning run."""
    lora = dict(steps=4, learning_rate=1e-2, weight_decay=0.01, schedule="cosine", warmup_ratio=0.25, negatives=3)
    initial_adapter(reference, folder / "adapter-init", seed=11)
    result = {}
    for kind, beta in (("misp", 0.5), ("dpo", 0.1), ("sft", 0.1), ("mdpo", 0.1), ("chip", 0.1)):
        model = load_adapter(reference, folder / "adapter-init")
        result[kind] = run(reference, model, kind, beta, **lora)
        if kind == "misp":
            save_adapter(model, folder / "adapter-final")
    full = copy.deepcopy(reference.model)
    # Weight decay stays 0 here: whether it spares biases and norms is a convention, not arithmetic.
    result["full"] = run(reference, full, "sft", 0.1, steps=2, learning_rate=2e-3, weight_decay=0.0,
                         schedule="constant", warmup_ratio=0.0, negatives=3)
    before = dict(reference.model.named_parameters())
    # Without rotary angles key biases shift all scores of a query alike: their gradients are rounding, which AdamW
    # blows up to whole steps.
    result["full"]["final"] = {
        key_of(name): summary(p, 3) | dict(change=number((p - before[name]).double().norm()))
        for name, p in full.named_parameters() if "language_model" in name or not name.endswith("k_proj.bias")}
    return result
