"""Writes objectives.json: losses and their derivatives by log-probability, from torch's autograd in float64.

    python Tests/Goldens/objectives.py

A case holds the log-probabilities of a group's sequences under policy and reference, the settings and, where negatives
are drawn, the draw; then the terms of the loss and `coefficients`, d loss / d policy log-probability, one per sequence
(absent: 0). The image of mDPO's crop and of CHiP's noise is `negative0`; LPOI ranks `negative0` first. Inputs are
rounded before anything is computed from them.
"""

import json
import pathlib

import numpy as np
import torch

import keyed_random

OUT = pathlib.Path(__file__).resolve().parent / "objectives.json"
random = np.random.default_rng(2025)


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp x) at full precision; torch's own returns x from 20 up."""
    return torch.logaddexp(x, torch.zeros_like(x))


def number(value) -> float:
    return float(f"{float(value):.12g}") + 0.0


def inputs(negatives: int, rejected: bool = True, spread: float = 3.0) -> dict:
    """Policy and reference log-probabilities: the policy strays from the reference by about `spread`."""
    names = ["chosen"] + ["rejected"] * rejected + [f"negative{i}" for i in range(negatives)]
    reference = {name: round(float(random.uniform(-60, -5)), 3) for name in names}
    policy = {name: round(value + spread * float(random.standard_normal()), 3) for name, value in reference.items()}
    return dict(policy=policy, reference=reference)


def round_list(values, digits: int = 12) -> list[float]:
    return [float(f"{float(v):.{digits}g}") + 0.0 for v in values]


class Group:
    """Log-ratios h, advantages a and the pairwise terms of a case, differentiable by the policy's log-probabilities."""

    def __init__(self, case: dict):
        self.beta = case["beta"]
        self.policy = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in case["policy"].items()}
        self.h = {k: v - case["reference"][k] for k, v in self.policy.items()}
        pool = [k for k in self.h if k.startswith("negative")]
        self.a = torch.stack([self.beta * (self.h[k] - self.h["chosen"]) for k in pool]) if pool else None

    def text(self):
        return softplus(-self.beta * (self.h["chosen"] - self.h["rejected"]))

    def anchor(self):
        return softplus(-self.beta * self.h["chosen"])

    def image(self, logits=None):
        return softplus(torch.logsumexp(self.a if logits is None else logits, 0))


def finish(case: dict, group: Group, terms: dict, surrogate=None) -> dict:
    """Adds the terms, the loss (text and anchor term by their weights, 1 by default) and the coefficients.

    `surrogate` has the gradient where it is not the loss's own.
    """
    loss = sum(case.get(f"{name}_weight", 1.0) * value for name, value in terms.items())
    (loss if surrogate is None else surrogate).backward()
    case |= {f"loss/{name}": number(value) for name, value in terms.items()} | {"loss": number(loss)}
    case["coefficients"] = {k: number(v.grad) for k, v in group.policy.items() if v.grad is not None}
    return case


def misp(case: dict) -> dict:
    group = Group(case)
    terms = {}
    if group.a is not None:
        terms["image"] = group.image()
    if "rejected" in case["policy"] and case["text_weight"]:
        terms["text"] = group.text()
    if case["anchor_weight"]:
        terms["anchor"] = group.anchor()
    return finish(case, group, terms)


def misp_cases() -> list[dict]:
    shapes = [(1, True, 1.0, 0.0, 3), (2, True, 1.0, 0.0, 3), (3, True, 1.0, 0.0, 3), (3, False, 1.0, 0.0, 3),
              (0, True, 1.0, 0.0, 3), (4, True, 0.5, 0.0, 5), (6, True, 2.0, 0.0, 1), (3, True, 0.0, 0.0, 3),
              (3, True, 1.0, 0.3, 3), (2, False, 1.0, 1.0, 3), (3, True, 1.0, 0.0, 0), (3, True, 1.0, 0.0, 2e4)]
    return [misp(dict(beta=round(float(random.uniform(0.1, 1.0)), 2), text_weight=weight, anchor_weight=anchor)
                 | inputs(n, rejected, spread)) for n, rejected, weight, anchor, spread in shapes]


def given_advantages() -> list[dict]:
    """Image term alone as a function of the advantages, with the extremes."""
    rows = [[1, -2, 0.5], [0, 0, 0], [1e4, -1e4], [1e4, 1e4, 1e4], [-1e4, -1e4], [-700.0], [30.0], [-30.0, -31.0]]
    result = []
    for row in rows:
        a = torch.tensor(row, dtype=torch.float64, requires_grad=True)
        loss = softplus(torch.logsumexp(a, 0))
        loss.backward()
        result.append(dict(advantages=row, loss=number(loss), weights=round_list(a.grad)))
    return result


def proposal(scores: list[float], temperature: float, mix: float) -> list[float]:
    soft = torch.softmax(torch.tensor(scores, dtype=torch.float64) / temperature, 0)
    return round_list((1 - mix) * soft + mix / len(scores))


def proposals() -> list[dict]:
    result = []
    for n, temperature, mix in [(1, 1, 0.1), (3, 1, 0.1), (4, 0.2, 0.0), (6, 5, 0.3), (5, 1, 1.0)]:
        scores = round_list(random.uniform(0, 2, n), 4)
        q = proposal(scores, temperature, mix)
        result.append(dict(scores=scores, temperature=temperature, uniform_mix=mix, q=q))
    return result


def gumbel_top_k(log_q: np.ndarray, gumbel: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    """Indices by falling key, and log π of each: π = 1 − exp(−exp(log q − κ)), κ the (k+1)-th largest key."""
    keys = log_q + gumbel
    order = np.argsort(-keys, kind="stable")
    if k == len(keys):
        return order.tolist(), [0.0] * k
    kappa = keys[order[k]]
    return order[:k].tolist(), round_list(np.log(-np.expm1(-np.exp(log_q[order[:k]] - kappa))))


def draw_case(mode: str, n: int, k: int, own_proposal: bool = False) -> dict:
    case = dict(beta=round(float(random.uniform(0.2, 0.9)), 2), text_weight=0.0, anchor_weight=0.0) | inputs(n, False)
    group = Group(case)
    q = proposal(random.uniform(0, 2, n).tolist(), 1.0, 0.1)
    if own_proposal:  # q = p
        q = round_list(torch.softmax(group.a.detach(), 0), 15)
    draw = dict(mode=mode, count=k)
    log_q = np.log(np.array(q))
    if mode == "subset":
        draw["indices"] = list(range(min(k, n)))
        correction = np.zeros(min(k, n))
    elif mode == "uniform":
        draw["indices"] = random.permutation(n)[:k].tolist()
        correction = np.full(k, np.log(n / k))
    elif mode == "importance":
        gumbel = np.array(round_list(random.gumbel(size=n), 6))
        draw["indices"], log_pi = gumbel_top_k(log_q, gumbel, k)
        draw |= dict(q=q, gumbel=gumbel.tolist(), log_pi=log_pi)
        correction = -np.array(log_pi)
    else:
        draw["indices"] = random.choice(n, size=k, p=np.array(q) / sum(q)).tolist()
        draw["q"] = q
        correction = -np.log(k * np.array(q)[draw["indices"]])
    case["draw"] = draw
    index = torch.tensor(draw["indices"])
    drawn, Z = group.a[index], group.a.exp().sum()
    q_drawn = torch.tensor(q, dtype=torch.float64)[index]
    if mode == "two_pass":  # exact loss; the gradient from K draws
        weight = (drawn.exp() / (len(index) * q_drawn * (1 + Z))).detach()
        return finish(case, group, dict(image=group.image()), surrogate=(weight * drawn).sum())
    if mode == "published":  # loss of the draw without correction; the printed gradient
        weight = (torch.sigmoid(torch.logsumexp(drawn, 0)) * drawn.exp() / q_drawn).detach()
        return finish(case, group, dict(image=group.image(drawn)), surrogate=(weight * drawn).sum())
    draw["log_weights"] = round_list(correction)
    logits = drawn + torch.tensor(correction)
    case["ess"] = number(torch.exp(2 * torch.logsumexp(logits, 0) - torch.logsumexp(2 * logits, 0)))
    return finish(case, group, dict(image=group.image(logits)))


def draw_cases() -> list[dict]:
    shapes = [(1, 1), (3, 2), (3, 3), (5, 3), (6, 1), (6, 4)]
    modes = ("subset", "uniform", "importance", "replacement", "two_pass", "published")
    cases = [draw_case(mode, n, k) for mode in modes for n, k in shapes]
    cases += [draw_case("subset", 2, 3)]
    return cases + [draw_case(mode, n, k, True) for mode in ("replacement", "two_pass") for n, k in [(3, 2), (6, 4)]]


def pairwise(kind: str, beta: float) -> dict:
    negatives = 0 if kind in ("dpo", "sft") else 3 if kind == "sdpo" else 1
    case = dict(beta=beta) | inputs(negatives, kind not in ("sft", "sdpo"))
    group = Group(case)
    if kind == "sft":
        case["tokens"] = int(random.integers(1, 40))
        return finish(case, group, dict(sft=-group.policy["chosen"] / case["tokens"]))
    if kind == "dpo":
        return finish(case, group, dict(text=group.text()))
    if kind == "sdpo":
        return finish(case, group, dict(image=group.image()))
    return finish(case, group, dict(text=group.text(), image=group.image(), anchor=group.anchor()))


def chip(beta: float, gamma: float) -> dict:
    """CHiP from summed log-probabilities and KL(π_ref‖π_θ) of the two responses; KL of the chosen is detached."""
    case = dict(beta=beta, kl_weight=gamma) | inputs(1)
    case["kl"] = dict(chosen=round(float(random.uniform(0, 4)), 3), rejected=round(float(random.uniform(0, 4)), 3))
    group = Group(case)
    kl = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in case["kl"].items()}
    h = group.h
    margin = (h["chosen"] - h["rejected"]) + (h["chosen"] - h["negative0"])
    margin = margin - gamma * (kl["rejected"] - kl["chosen"].detach())
    case = finish(case, group, dict(joint=softplus(-beta * margin)))
    case["kl_coefficients"] = dict(chosen=0.0, rejected=number(kl["rejected"].grad))
    return case


def lpoi(beta: float, negatives: int, rejected: bool, text: float, anchor: float, spread: float) -> dict:
    """LPOI as its trainer has it: each picture's score against its own and all below it, text loss, anchor."""
    case = dict(beta=beta, text_weight=text, anchor_weight=anchor) | inputs(negatives, rejected, spread)
    group = Group(case)
    scores = [beta * group.h[name] for name in ["chosen"] + [f"negative{i}" for i in range(negatives)]]
    terms = {}
    if negatives:
        places = [torch.logsumexp(torch.stack(scores[k:]), 0) - scores[k] for k in range(negatives)]
        terms["image"] = torch.stack(places).sum()
    if rejected and text:
        terms["text"] = group.text()
    if anchor:
        terms["anchor"] = group.anchor()
    return finish(case, group, terms)


def lpoi_cases() -> list[dict]:
    shapes = [(1, True, 1.0, 1.0, 3), (2, True, 1.0, 1.0, 3), (4, True, 1.0, 1.0, 3), (4, False, 1.0, 1.0, 3),
              (0, True, 1.0, 1.0, 3), (3, True, 0.0, 0.0, 3), (6, True, 0.5, 0.2, 20), (4, True, 1.0, 1.0, 0),
              (3, True, 1.0, 1.0, 2e4)]
    return [lpoi(beta, *shape) for shape in shapes for beta in (0.1, 0.7)]


def token_kl(tokens: int, vocabulary: int) -> dict:
    """Σ_t KL(π_ref‖π_θ) of a response from both models' logits, and its derivative by the policy's logits."""
    draw = lambda: [round_list(row, 5) for row in 2 * random.standard_normal((tokens, vocabulary))]
    case = dict(policy_logits=draw(), reference_logits=draw())
    policy = torch.tensor(case["policy_logits"], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor(case["reference_logits"], dtype=torch.float64).log_softmax(-1)
    kl = (reference.exp() * (reference - policy.log_softmax(-1))).sum()
    kl.backward()
    return case | dict(kl=number(kl), gradient=[round_list(row) for row in policy.grad])


def substitutions() -> list[dict]:
    """What difflib leaves unmatched on both sides, in sequences of few different tokens."""
    result = []
    for _ in range(60):
        size = int(random.integers(2, 7))
        a = random.integers(0, size, int(random.integers(0, 30))).tolist()
        b = list(a)
        for _ in range(int(random.integers(0, 6))):  # edits, so that long runs match
            place = int(random.integers(0, len(b) + 1))
            other = random.integers(0, size, int(random.integers(0, 4))).tolist()
            b[place : place + int(random.integers(0, 4))] = other
        for shortest in (1, 3):
            marked = keyed_random.substituted(a, b, shortest)
            result.append(dict(a=a, b=b, shortest=shortest, marked_a=marked[0], marked_b=marked[1]))
    return result


def noises() -> list[dict]:
    """Diffusion noise on given pixels."""
    pixels = torch.linspace(-2, 2, 12, dtype=torch.float32)
    return [dict(seed=seed, group=group, step=step, signal=number(keyed_random.signal(step)), pixels=round_list(pixels),
                 noised=round_list(keyed_random.noised(pixels, seed, group, step), 9))
            for seed, group, step in [(0, "g", 500), (3, "größer", 500), (3, "g", 0), (3, "g", 999)]]


def main() -> None:
    result = dict(advantages=given_advantages(), proposals=proposals(), misp=misp_cases(), draws=draw_cases())
    for kind in ("dpo", "sft", "mdpo", "sdpo"):
        betas = [0.1, 0.5, 1.0] * 3
        result[kind] = [pairwise(kind, beta) for beta in betas]
    result["chip"] = [chip(beta, gamma) for beta in (0.1, 0.5, 1.0) for gamma in (0.0, 0.1, 0.5)]
    result["token_kl"] = [token_kl(1, 3), token_kl(3, 5)]
    result |= dict(substitutions=substitutions(), noises=noises())
    result["lpoi"] = lpoi_cases()
    rows = [f"{json.dumps(key)}:[\n" + ",\n".join(json.dumps(x, separators=(",", ":")) for x in value) + "\n]"
            for key, value in result.items()]
    OUT.write_text("{" + ",\n".join(rows) + "}\n")


if __name__ == "__main__":
    main()
