"""Makes the sections of results.md from what runs left behind; needs no package.

    python docs/results.py demo reproduction easy-vqa arms

replaces the sections that are named. Start it in the repository's folder after the commands that the page names.
--demo, --reproduction and --easy-vqa say where their output is, --worker the program that compares evaluations.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

DEMO = "for seed in {seeds}; do launch/demo -n 2 --seed $seed --output runs/demo-$seed; done"
MODELS = [("eval-sft", "sft", "warm-up"), ("eval-more", "more", "further supervised training"),
          ("eval-dpo", "dpo", "DPO"), ("eval-mdpo", "mdpo", "mDPO, anchor"), ("eval-misp", "misp", "MISP-DPO, anchor"),
          ("eval-mined", "mined", "MISP-DPO on captions, mined negatives")]
PAIRS = [("eval-sft", name) for name in ("eval-more", "eval-dpo", "eval-mdpo", "eval-misp", "eval-mined")] + [
    (name, "eval-misp") for name in ("eval-more", "eval-dpo", "eval-mdpo")]
# Checkpoints of `more` and `misp` that are evaluated too; the empty one is the end.
STEPS = ["050", "100", "150", "200", "250", "300", ""]
MEASURES = ["accuracy", "accuracy (open)", "accuracy (yes/no)"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=["demo", "reproduction", "easy-vqa", "arms"])
    parser.add_argument("--demo", type=pathlib.Path, default=pathlib.Path("runs"), help="folder of demo-0, demo-1, …")
    parser.add_argument("--reproduction", type=pathlib.Path, default=pathlib.Path("runs/reproduction"))
    parser.add_argument("--easy-vqa", type=pathlib.Path, default=pathlib.Path("examples/easy-vqa/runs"))
    parser.add_argument("--worker", default=".build/release/misp-worker")
    return parser.parse_args()


def read(path: pathlib.Path) -> dict:
    if not path.exists():
        raise SystemExit(f"{path} is missing: run the commands that docs/results.md names first")
    return json.loads(path.read_text())


def machine(run: pathlib.Path) -> str:
    """Processor, kernel and ranks as a run's resolved configuration gives them."""
    path = run / "config.yaml"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run the commands that docs/results.md names first")
    lines = (line.strip().partition(": ") for line in path.read_text().splitlines())
    found = {key: value.strip("'\"") for key, _, value in lines if key in ("processor", "blas", "ranks")}
    kernel = found["blas"] if found["blas"].startswith(("AVX", "OpenBLAS")) else f"OpenBLAS {found['blas']}"
    return f"{found['processor']}, {kernel}, {found['ranks']} ranks"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# Arms that differ in what the last column says; the second is the one without it.
DEMO_PAIRS = [("DPO", "warm-up", "preference training on two answers"),
              ("random", "DPO", "pictures at random, 3 of 16"),
              ("mined", "random", "mined, not at random"), ("MISP-DPO", "mined", "drawn by importance, not uniformly"),
              ("MISP-DPO", "DPO", "all of it")]
DEMO_COUNTS = [("all", "mistakes"), ("false_yes", "false yes"), ("missed", "missed"), ("captions", "wrong captions")]


DEMO_READING = """What this says, and no more:

- Further training on preferences helps, whatever the arm: a fifth fewer mistakes.
- Pictures as negatives of descriptions make descriptions right more often than DPO alone does. Of the yes/no questions,
  which have no negatives, more things that are there are missed. All mistakes together, no arm differs from DPO by more
  than chance.
- Mined pictures are no better here than random ones, nor importance draws than uniform ones. In this world a random
  picture is wrong for a description already, and most differ from it in everything: there is little for mining to find.
  That says nothing of larger worlds. `launch/reproduce` has the other sources of negatives, and the anchor, beside
  these."""


def central_t(t: float, degrees: int) -> float:
    """P(|T| < t) for Student's t, by Simpson's rule over the density."""
    steps = 20_000
    norm = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    f = [norm * (1 + (t * i / steps) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(steps + 1)]
    return 2 * t / steps / 3 * (f[0] + f[-1] + 4 * sum(f[1:-1:2]) + 2 * sum(f[2:-1:2]))


def half_width(values: list[float]) -> float:
    """Half of the mean's 95 % interval, by Student's t."""
    n, mean = len(values), sum(values) / len(values)
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if central_t(middle, n - 1) < 0.95 else (low, middle)
    return high * math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)


def paired(values: list[float], digits: int = 1) -> str:
    """Mean of differences, half of the 95 % interval, and p of the paired t test."""
    n, mean = len(values), sum(values) / len(values)
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    p = 1 - central_t(abs(mean) / error, n - 1) if error else float(mean == 0)
    p_text = f"p {p:.3f}" if p >= 0.001 else "p < 0.001"
    return f"{mean:+.{digits}f} ± {half_width(values):.{digits}f}, {p_text}"


def demo(folder: pathlib.Path) -> str:
    seeds = [seed for seed in range(1000) if (folder / f"demo-{seed}" / "results.json").exists()]
    if len(seeds) < 2 or seeds != list(range(len(seeds))):
        raise SystemExit(f"{folder} holds the demonstration's seeds {seeds}: run them from 0 on, two or more")
    results = [read(folder / f"demo-{seed}" / "results.json") for seed in seeds]
    n = len(seeds)
    names = [c["name"] for c in results[0]["columns"]]

    def column(result: dict, name: str) -> dict:
        return next(c for c in result["columns"] if c["name"] == name)

    counts = {key: {name: [column(r, name)[key]["wrong"] for r in results] for name in names} for key, _ in DEMO_COUNTS}
    asked = {key: results[0]["columns"][0][key]["asked"] for key, _ in DEMO_COUNTS}
    means = [[f"{title}, of {asked[key]}", *(f"{sum(counts[key][name]) / n:.1f}" for name in names)]
             for key, title in DEMO_COUNTS]
    rows = [[str(seed), *(str(counts["all"][name][seed]) for name in names)] for seed in seeds]
    pairs = [[f"{own} less {other}", what,
              *(paired([a - b for a, b in zip(counts[key][own], counts[key][other])]) for key, _ in DEMO_COUNTS)]
             for own, other, what in DEMO_PAIRS]
    seconds = [[name, f"{sum(column(r, name)['seconds'] for r in results) / n:.1f}"] for name in names]
    return f"""## The demonstration

```sh
{DEMO.format(seeds=" ".join(map(str, seeds)))}
```

{asked["all"]} questions about held-out pictures ({machine(folder / "demo-0/misp")}; other processors round otherwise,
and give other counts for the same seed). Means over {n} seeds:

""" + table(["", *names], means) + """

Less is better everywhere. Differences on the same seeds, with half of the 95 % interval and p of the paired t test over
the seeds (minus: fewer mistakes). Twenty tests: one of them is expected below 0.05 by chance.

""" + table(["", "in what they differ", *(title for _, title in DEMO_COUNTS)], pairs) + f"""

{DEMO_READING}

Mistakes by seed:

""" + table(["seed", *names], rows) + f"""

Seconds of training, means: {", ".join(f"{name} {value}" for name, value in seconds)}. Before the arms with mined
pictures come {sum(r["clip_seconds"] for r in results) / n:.0f} s of CLIP and
{sum(r["mining_seconds"] for r in results) / n:.0f} s of mining.
Two cores, which did other work besides.
"""


# Of results.json's measures, those that the page's tables have.
REPRODUCTION_MEASURES = ["POPE accuracy", "AMBER accuracy", "twins qAcc", "CHAIRi", "caption recall"]
MARK = "<!-- below: made by docs/results.py -->"
COPIED = ["picks", "scores-by-count", "scores-by-beta", "sampling"]


def reproduction(folder: pathlib.Path) -> str:
    result = read(folder / "results.json")
    seeds, arms = result["seeds"], {arm["key"]: arm for arm in result["arms"]}
    if len(seeds) < 2:
        raise SystemExit(f"{folder} has one seed: intervals take two or more")
    figures = pathlib.Path("docs/results")
    figures.mkdir(exist_ok=True)
    for name in COPIED:
        (figures / f"{name}.svg").write_text((folder / "figures" / f"{name}.svg").read_text())

    def score(values: list) -> str:
        return "–" if not values or None in values else f"{sum(values) / len(values):.3f} ± {half_width(values):.3f}"

    def name_in(arm: dict, part: str) -> str:
        if part == "negatives":
            return arm["negatives"]
        return "importance" if part == "draws" and arm["key"] == "misp" else arm["name"]

    def full_name(key: str) -> str:
        arm = arms[key]
        if "objectives" in arm["tables"]:
            return arm["name"]
        return f"MISP-DPO, {arm['name']}" if "draws" in arm["tables"] else f"{arm['name']} negatives, first 3"

    def arm_table(part: str, first: str) -> str:
        rows = [[name_in(arm, part), *(score(arm["measures"][m]) for m in REPRODUCTION_MEASURES)]
                for arm in arms.values() if part in arm["tables"]]
        return table([first, *REPRODUCTION_MEASURES], rows)

    def difference(pair: dict, measure: str) -> str:
        found = pair["measures"].get(measure)
        return paired(found["differences"], 3) if found else "–"

    pairs = [[f"{full_name(p['arm'])} less {full_name(p['beside'])}", p["difference"],
              *(difference(p, m) for m in REPRODUCTION_MEASURES)] for p in result["pairs"]]
    mean = lambda values: sum(values) / len(values)
    costs = []
    for arm in arms.values():
        if "objectives" in arm["tables"] and arm["seconds"]:
            pope = "POPE accuracy"
            gains = [100 * (a - b) for a, b in zip(arm["measures"][pope], arms["warmup"]["measures"][pope])]
            seconds = mean(arm["seconds"]) + arm["preparation_seconds"]
            costs.append([arm["name"], f"{1000 * mean(arm['seconds_per_group']):.2f}", f"{mean(arm['seconds']):.1f}",
                          f"{arm['preparation_seconds']:.1f}", f"{mean(gains):+.1f} ± {half_width(gains):.1f}",
                          f"{mean(gains) / seconds * 60:+.0f}"])
    page = pathlib.Path("docs/results.md").read_text()
    # What people wrote stays: the section up to the mark.
    written = page[page.index("## The paper in miniature"):page.index(MARK)]
    return written + MARK + f"""

From {len(seeds)} seeds ({machine(folder / "seed-0/misp")}) by `python docs/results.py reproduction`. Values are means
over the seeds, with half of their 95 % intervals (Student's t). CHAIRi is the share of named shapes and colours that
are not there: less is better. For all else more is better. "Twins" are two pictures that differ in one thing; qAcc
counts questions answered right about both.

### Table 1: objectives

{arm_table("objectives", "objective")}

### What each thing adds

Differences on the same seeds, with p of the paired t test. Of {len(pairs) * len(REPRODUCTION_MEASURES)} tests about
{round(0.05 * len(pairs) * len(REPRODUCTION_MEASURES))} are expected below 0.05 by chance.

{table(["", "what differs", *REPRODUCTION_MEASURES], pairs)}

### Table 2: where negatives come from

The first three of each source, no anchor.

{arm_table("negatives", "negatives")}

### Figure 2: what is mined, and how many

![Map of mined and of random negatives](results/picks.svg)

The gallery of seed 0 by t-SNE of its CLIP embeddings. Filled: mined negatives. Rings: as many random draws. A mark's
area grows with the number of prompts.

![Scores by the number of negatives](results/scores-by-count.svg)

Scores by K, drawn by importance from a pool of 16.

### Figure 4: β

![Scores by β](results/scores-by-beta.svg)

### Sampling

The same pools of 16 negatives, three drawn in different ways. `published` is the formula as the paper prints it.

{arm_table("draws", "draw")}

![Bias, noise and effective sample size of each draw](results/sampling.svg)

The gradient of the image loss on K drawn negatives beside that on all 16, on the trained MISP-DPO of seed 0. Error,
bias and noise are shares of the exact gradient's norm.

### Costs

{table(["", "ms a group", "training, s", "CLIP and mining, s", "points of POPE accuracy", "points a minute"], costs)}

Points are over the warm-up. "Points a minute" counts training, CLIP and mining; a CLIP that is there already costs
nothing (here {mean(result["clip_seconds"]):.1f} s). These trainings last a second; on a real model a step takes seconds
and mining a small share of the whole.
"""


def measures(folder: pathlib.Path) -> dict:
    return {m["name"]: m for m in read(folder / "results.json")["benchmarks"][0]["measures"]}


def interval(m: dict) -> str:
    return f"{m['value']:.3f} ({m['low']:.3f} – {m['high']:.3f})"


def compare(worker: str, first: pathlib.Path, second: pathlib.Path) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "compare.json"
        command = [worker, "evaluate", "--compare", first, second, "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {m["name"]: m for m in json.loads(out.read_text())[0]["measures"]}


def training(folder: pathlib.Path) -> list[str]:
    path = folder / "metrics.jsonl"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run the commands that docs/results.md names first")
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    last = steps[-max(1, len(steps) // 10):]

    def mean(key: str) -> str:
        values = [step[key] for step in last if step.get(key) is not None]
        return f"{sum(values) / len(values):.3f}" if values else "–"

    minutes = sum(step["time/step"] for step in steps) / 60
    return [str(len(steps)), f"{steps[0]['loss']:.3f}", mean("loss"), mean("rewards/margins"),
            mean("rewards/accuracies"),
            mean("is/ess"), f"{minutes:.1f}"]


def curve(folder: pathlib.Path, worker: str) -> list[list[str]]:
    rows = []
    for step in STEPS:
        first, second = (folder / f"eval-{run}{step and '-'}{step}" for run in ("more", "misp"))
        found = compare(worker, first, second)["accuracy"]
        steps = int(step or len((folder / "misp/metrics.jsonl").read_text().splitlines()))
        rows.append([str(steps), str(8 * steps), f"{found['first']:.3f}", f"{found['second']:.3f}",
                     f"{found['second'] - found['first']:+.3f} ({found['low']:+.3f} – {found['high']:+.3f})",
                     f"{found['p']:.4f}"])
    return rows


def easy_vqa(folder: pathlib.Path, worker: str) -> str:
    names = {evaluation: name for evaluation, _, name in MODELS}
    rows = [[name, *(interval(measures(folder / evaluation)[m]) for m in MEASURES)] for evaluation, _, name in MODELS]
    differences = []
    for first, second in PAIRS:
        found = compare(worker, folder / first, folder / second)
        cells = [f"{m['second'] - m['first']:+.3f} ({m['low']:+.3f} – {m['high']:+.3f}), p {m['p']:.4f}"
                 for m in map(found.get, MEASURES)]
        differences.append([f"{names[second]} less {names[first]}", *cells])
    runs = [[name, *training(folder / run)] for _, run, name in MODELS]
    questions = read(folder / "eval-sft/results.json")["benchmarks"][0]["questions"]
    return f"""## easy-VQA

```sh
launch/walkthrough
launch/walkthrough examples/easy-vqa/README.md
```

(or their lines one by one: [examples/easy-vqa](../examples/easy-vqa) says how it was done this time)

A real LLaVA of 157 million parameters on coloured shapes ([examples/easy-vqa](../examples/easy-vqa)). {questions}
questions, one about each of as many pictures that no training saw; in brackets 95 % intervals by bootstrap over
pictures. One seed ({machine(folder / "misp")}).

""" + table(["model", "all", "for a word", "yes or no"], rows) + """

Differences on the same questions, with paired intervals and p of a permutation test:

""" + table(["", "all", "for a word", "yes or no"], differences) + """

How soon: the same measure at checkpoints on the way, both with the learning rate on its way down over all 450 steps.

""" + table(["step", "groups seen", "further supervised training", "MISP-DPO, anchor", "difference", "p"],
             curve(folder, worker)) + """

The trainings. Rewards and effective negatives are means over the last tenth of the steps; minutes are those of the
steps on two cores, which may have done other work besides, without reading, mining and reference.

""" + table(["run", "steps", "loss of the first step", "loss at the end", "reward margin", "reward accuracy",
             "effective negatives", "minutes"], runs) + "\n"


# Of examples/easy-vqa/compare, in the order of its table.
ARMS = {"warmup": "warm-up", "sft": "further supervised training", "dpo": "DPO", "dpo-anchor": "DPO, anchor",
        "mdpo": "mDPO, anchor", "chip": "CHiP", "known": "known negatives", "known-anchor": "known negatives, anchor",
        "known-anchor-bfloat16": "known negatives, anchor, bfloat16",
        "random-anchor": "random negatives, anchor", "mined-anchor": "mined negatives, uniform, anchor",
        "misp": "mined negatives, importance", "misp-anchor": "mined negatives, importance, anchor",
        "misp-anchor-bfloat16": "mined negatives, importance, anchor, bfloat16"}
ARM_PAIRS = [("dpo-anchor", "dpo", "the anchor, without pictures"),
             ("known-anchor", "known", "the anchor, with pictures"),
             ("known-anchor", "dpo-anchor", "three pictures known to be wrong"),
             ("random-anchor", "dpo-anchor", "three random pictures"),
             ("misp-anchor", "dpo-anchor", "three mined pictures"),
             ("mined-anchor", "random-anchor", "mined, not at random"),
             ("misp-anchor", "mined-anchor", "drawn by importance, not uniformly"),
             ("misp-anchor", "known-anchor", "mined, not known from labels"),
             ("misp-anchor", "sft", "MISP-DPO, not supervised training"),
             ("known-anchor-bfloat16", "known-anchor", "products in bfloat16"),
             ("misp-anchor-bfloat16", "misp-anchor", "products in bfloat16")]


def arm_results(folder: pathlib.Path) -> dict:
    """What was measured, by seed and arm: in `folder`, and in earlier runs, of which arms.json keeps the numbers."""
    kept = pathlib.Path("examples/easy-vqa/arms.json")
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for place in sorted(folder.glob("compare/seed-*/eval-*")):
        seed, arm = place.parent.name.removeprefix("seed-"), place.name.removeprefix("eval-")
        if not (place / "results.json").exists():
            continue
        steps = [json.loads(line) for line in (place.parent / arm / "metrics.jsonl").read_text().splitlines()]
        found.setdefault(seed, {})[arm] = dict(
            {name: m["value"] for name, m in measures(place).items()}, steps=len(steps),
            # Of the median step: a run may have been halted in between.
            seconds=round(statistics.median(step["time/step"] for step in steps) * len(steps), 1),
            machine=machine(place.parent / arm))
    kept.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return found


def arms(folder: pathlib.Path) -> str:
    found = arm_results(folder)
    seeds = sorted(found, key=int)

    def values(arm: str, name: str) -> list[float]:
        return [found[seed][arm][name] for seed in seeds if arm in found[seed]]

    def text(numbers: list[float], digits: int = 3) -> str:
        mean = sum(numbers) / len(numbers)
        return f"{mean:.{digits}f} ± {half_width(numbers):.{digits}f}" if len(numbers) > 1 else f"{mean:.{digits}f}"

    present = [arm for arm in ARMS if values(arm, "seconds")]
    rows = []
    for arm in present:
        minutes = [seconds / 60 for seconds in values(arm, "seconds")]
        rows.append([ARMS[arm], str(len(minutes)), *(text(values(arm, name)) for name in MEASURES),
                     f"{sum(minutes) / len(minutes):.1f}"])
    pairs = []
    for own, other, what in ARM_PAIRS:
        both = [seed for seed in seeds if own in found[seed] and other in found[seed]]
        if both:
            cells = [[found[seed][own][name] - found[seed][other][name] for seed in both] for name in MEASURES]
            pairs.append([f"{ARMS[own]} less {ARMS[other]}", what,
                          *(paired(cell, 3) if len(cell) > 1 else f"{cell[0]:+.3f}" for cell in cells)])
    machines = "; ".join(sorted({arm["machine"] for seed in found.values() for arm in seed.values()}))
    few = "Of one seed there is no interval." if len(seeds) == 1 else "Intervals are 95 % over seeds (Student's t)."
    return f"""## easy-VQA: what each thing adds

```sh
examples/easy-vqa/compare --seeds "{' '.join(seeds)}"
```

The same model, groups and questions as below, one epoch (150 steps of 8 groups) from each seed's own warm-up. Share of
right answers to 1,000 questions. {few} Minutes are those of the steps ({machines}),
beside other work. [Why mined negatives help little here](../examples/easy-vqa/README.md#what-each-thing-adds): for most
of those of a "no", "no" is the right answer too.

""" + table(["trained with", "seeds", "all", "for a word", "yes or no", "minutes"], rows) + """

Each row differs in what the second column says:

""" + table(["", "what differs", "all", "for a word", "yes or no"], pairs) + "\n"


def main() -> None:
    args = arguments()
    page = pathlib.Path(__file__).with_name("results.md")
    text = page.read_text()
    for part in args.parts:
        made = {"demo": lambda: demo(args.demo), "reproduction": lambda: reproduction(args.reproduction),
                "easy-vqa": lambda: easy_vqa(args.easy_vqa, args.worker), "arms": lambda: arms(args.easy_vqa)}[part]()
        title = made.split("\n")[0]
        before, found, rest = text.partition(title + "\n")
        if not found:
            raise SystemExit(f"{page} has no section '{title}'")
        _, heading, after = rest.partition("\n## ")
        text = before + made.rstrip("\n") + "\n" + heading + after
    page.write_text(text)


if __name__ == "__main__":
    main()
