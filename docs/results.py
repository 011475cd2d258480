"""Makes results.md from what runs left behind; needs no package.

    python docs/results.py > docs/results.md

Start it in the repository's folder after the commands that the page names. --demo and --easy-vqa say where their output is,
--worker the program that compares evaluations.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

DEMO = "for seed in 0 1 2 3; do launch/demo -n 2 --seed $seed --output runs/demo-$seed; done"
MODELS = [("eval-sft", "sft", "warm-up"), ("eval-more", "more", "further supervised training"), ("eval-dpo", "dpo", "DPO"),
          ("eval-mdpo", "mdpo", "mDPO"), ("eval-misp", "misp", "MISP-DPO"),
          ("eval-mined", "mined", "MISP-DPO on captions, mined negatives")]
PAIRS = [("eval-sft", name) for name in ("eval-more", "eval-dpo", "eval-mdpo", "eval-misp", "eval-mined")] + [
    (name, "eval-misp") for name in ("eval-more", "eval-dpo", "eval-mdpo")]
# Checkpoints of `more` and `misp` that are evaluated too; the empty one is the end.
STEPS = ["050", "100", "150", "200", "250", "300", ""]
MEASURES = ["accuracy", "accuracy (open)", "accuracy (yes/no)"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=pathlib.Path, default=pathlib.Path("runs"), help="folder of demo-0 to demo-3")
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


def demo(folder: pathlib.Path) -> str:
    rows = []
    for seed in range(4):
        result = read(folder / f"demo-{seed}" / "results.json")
        columns = result["columns"]
        ahead, behind = result["only_last_right"], result["only_last_wrong"]
        errors = (ahead - behind) / max(ahead + behind, 1) ** 0.5
        rows.append([str(seed), *(f"{c['all']['wrong']}" for c in columns), *(f"{c['accuracy']:.3f}" for c in columns),
                     f"{ahead} : {behind}", f"{errors:+.1f}"])
    asked = columns[0]["all"]["asked"]
    return f"""## The demonstration

```sh
{DEMO}
```

Mistakes in {asked} questions about held-out pictures, and accuracy of the yes/no questions among them
({machine(folder / "demo-0/misp")}). OpenBLAS in place of our own products rounds otherwise, and gives other counts for the same seed.

""" + table(["seed", *(f"{c['name']}, mistakes" for c in columns), *(f"{c['name']}, accuracy" for c in columns),
             "MISP-DPO alone right : DPO alone right", "in standard errors"], rows) + """

The last column is McNemar's: the difference of the two counts over the root of their sum. Within ±2, chance alone may do that.
"""


def measures(folder: pathlib.Path) -> dict:
    return {m["name"]: m for m in read(folder / "results.json")["benchmarks"][0]["measures"]}


def interval(m: dict) -> str:
    return f"{m['value']:.3f} ({m['low']:.3f} – {m['high']:.3f})"


def compare(worker: str, first: pathlib.Path, second: pathlib.Path) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "compare.json"
        subprocess.run([worker, "evaluate", "--compare", first, second, "--out", out], check=True, stdout=subprocess.DEVNULL)
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
    return [str(len(steps)), f"{steps[0]['loss']:.3f}", mean("loss"), mean("rewards/margins"), mean("rewards/accuracies"),
            mean("is/ess"), f"{minutes:.1f}"]


def curve(folder: pathlib.Path, worker: str) -> list[list[str]]:
    rows = []
    for step in STEPS:
        first, second = (folder / f"eval-{run}{step and '-'}{step}" for run in ("more", "misp"))
        found = compare(worker, first, second)["accuracy"]
        steps = int(step or len((folder / "misp/metrics.jsonl").read_text().splitlines()))
        rows.append([str(steps), str(8 * steps), f"{found['first']:.3f}", f"{found['second']:.3f}",
                     f"{found['second'] - found['first']:+.3f} ({found['low']:+.3f} – {found['high']:+.3f})", f"{found['p']:.4f}"])
    return rows


def easy_vqa(folder: pathlib.Path, worker: str) -> str:
    names = {evaluation: name for evaluation, _, name in MODELS}
    rows = [[name, *(interval(measures(folder / evaluation)[m]) for m in MEASURES)] for evaluation, _, name in MODELS]
    differences = []
    for first, second in PAIRS:
        found = compare(worker, folder / first, folder / second)
        cells = [f"{m['second'] - m['first']:+.3f} ({m['low']:+.3f} – {m['high']:+.3f}), p {m['p']:.4f}" for m in map(found.get, MEASURES)]
        differences.append([f"{names[second]} less {names[first]}", *cells])
    runs = [[name, *training(folder / run)] for _, run, name in MODELS]
    questions = read(folder / "eval-sft/results.json")["benchmarks"][0]["questions"]
    return f"""## easy-VQA

```sh
launch/walkthrough
launch/walkthrough examples/easy-vqa/README.md
```

(or their lines one by one: [examples/easy-vqa](../examples/easy-vqa) says how it was done this time)

A real LLaVA of 157 million parameters on coloured shapes ([examples/easy-vqa](../examples/easy-vqa)). {questions} questions, one
about each of as many pictures that no training saw; in brackets 95 % intervals by bootstrap over pictures. One seed
({machine(folder / "misp")}).

""" + table(["model", "all", "for a word", "yes or no"], rows) + """

Differences on the same questions, with paired intervals and p of a permutation test:

""" + table(["", "all", "for a word", "yes or no"], differences) + """

How soon: the same measure at checkpoints on the way, both with the learning rate on its way down over all 450 steps.

""" + table(["step", "groups seen", "further supervised training", "MISP-DPO", "difference", "p"],
             curve(folder, worker)) + """

The trainings. Rewards and effective negatives are means over the last tenth of the steps; minutes are those of the steps on
two cores, which may have done other work besides, without reading, mining and reference.

""" + table(["run", "steps", "loss of the first step", "loss at the end", "reward margin", "reward accuracy",
             "effective negatives", "minutes"], runs) + "\n"


def main() -> None:
    args = arguments()
    print("# Results\n\nMade by `python docs/results.py > docs/results.md` from what these commands leave behind. Nothing here is typed "
          "by hand, and\nnothing is left out because it came out badly.\n")
    print(demo(args.demo))
    print(easy_vqa(args.easy_vqa, args.worker), end="")


if __name__ == "__main__":
    main()
