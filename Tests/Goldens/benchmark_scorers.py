"""Holds `misp-worker evaluate` to the benchmarks' own scorers, on their own question files with random answers.

    benchmark_scorers.py WORKER FOLDER [--sets 500] [--only pope,amber,...]

FOLDER holds checkouts of the public repositories: POPE (AoiDragon), AMBER (junyangwang0410), HallusionBench
(tianyi-lab), Hallucination (LisaAnne), CHAIR-metric-standalone (Maxlinn), pattern (clips), WildVision-Bench
(WildVision-AI). Needs nltk (without its data), numpy and tqdm.

MMVP and MMHal-Bench publish their questions elsewhere and are scored by GPT-4: for them the questions are made up too,
and the scripts' arithmetic stands here in their place.
"""

import argparse
import contextlib
import csv
import io
import json
import random
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

YES_NO = ["Yes", "No", "yes", "no", "Yes, there is.", "No, there is not.", "There is no such thing.", "Maybe", "",
          "The picture shows a dog. No cat.", "I cannot tell", "not at all", "Yes it is, no doubt", "Nothing"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--only", default="pope,hallusionbench,amber,mmvp,chair,mmhal,wildvision")
    options = parser.parse_args()
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            scorer = SCORERS[name](options.folder, Path(scratch))
            done, worst = 0, 0.0
            while done < scorer.sets(options.sets):
                count = min(20, scorer.sets(options.sets) - done)
                expected = run(scorer, options.worker, Path(scratch), name, done, count)
                worst = max(worst, expected)
                done += count
            print(f"{name}: {done} sets of answers, {scorer.questions} questions each; "
                  f"largest difference {worst:.2g} (allowed {scorer.tolerance:g})", flush=True)
            assert worst <= scorer.tolerance, name


def run(scorer, worker, scratch, name, first, count):
    """Scores some sets with one start of the program and returns the largest difference."""
    entries, expected = [], []
    for index in range(first, first + count):
        source, values = scorer.make(random.Random(index), index)
        entries.append({"kind": name, "name": f"set{index}", **source})
        expected.append(values)
    (scratch / "eval.yaml").write_text(json.dumps(
        {"output": str(scratch / "out"), "resamples": 0, "benchmarks": entries}))
    subprocess.run([worker, "evaluate", "--config", scratch / "eval.yaml"], check=True, stdout=subprocess.DEVNULL)
    results = json.loads((scratch / "out" / "results.json").read_text())["benchmarks"]
    worst = 0.0
    for result, values in zip(results, expected):
        ours = {m["name"]: m["value"] for m in result["measures"]}
        for key, value in values.items():
            difference = abs(ours[key] - value)
            assert difference == difference and difference <= scorer.tolerance, (result["name"], key, ours[key], value)
            worst = max(worst, difference)
    return worst


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


class Scorer:
    tolerance = 1e-12

    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch
        self.load()

    def sets(self, asked):
        return asked


class Pope(Scorer):
    def load(self):
        self.files = sorted((self.folder / "POPE/output/coco").glob("coco_pope_*.json"))
        self.rows = [[json.loads(line) for line in open(file)] for file in self.files]
        self.code = (self.folder / "POPE/evaluate.py").read_text()
        self.questions = len(self.rows[0])

    def make(self, rng, index):
        which = index % len(self.files)
        answers = [rng.choice(YES_NO) for _ in self.rows[which]]
        path = write_lines(self.scratch / f"{index}.jsonl", [
            {"question_id": row["question_id"], "answer": a} for row, a in zip(self.rows[which], answers)])
        code = self.code.replace("ans_file = ''", f"ans_file = {path!r}").replace(
            "label_file = ''", f"label_file = {str(self.files[which])!r}")
        space = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, space)
        return {"questions": str(self.files[which]), "answers": path}, {
            "accuracy": space["acc"], "precision": space["precision"], "recall": space["recall"], "f1": space["f1"],
            "yes_ratio": space["yes_ratio"]}


class Amber(Scorer):
    # The official scorer rounds to a tenth of a percent, takes F1 of rounded numbers, and adds up to 0.001 to
    # denominators.
    tolerance = 1.6e-3

    def load(self):
        self.data = self.folder / "AMBER/data"
        self.queries = json.loads((self.data / "query/query_discriminative.json").read_text())
        self.questions = len(self.queries)
        code = (self.folder / "AMBER/inference.py").read_text()
        # It takes word vectors from spacy for generative answers only.
        sys.modules.setdefault("spacy", types.ModuleType("spacy")).load = lambda name: None
        self.space = {"__name__": "amber"}
        exec(code, self.space)
        self.space["tqdm"] = lambda items: items

    def make(self, rng, index):
        words = rng.choices(["Yes", "No", "Unsure", "nothing"], weights=[4, 4, 1, 1], k=len(self.queries))
        path = str(self.scratch / f"{index}.json")
        Path(path).write_text(json.dumps([{"id": q["id"], "response": w} for q, w in zip(self.queries, words)]))
        self.space["args"] = args = types.SimpleNamespace(
            word_association=self.data / "relation.json", safe_words=self.data / "safe_words.txt",
            inference_data=path, annotation=self.data / "annotations.json", metrics=self.data / "metrics.txt",
            similarity_score=0.8, evaluation_type="d")
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            self.space["main"](args)
        values, part = {}, ""
        for line in text.getvalue().splitlines():
            if line.startswith("Descriminative"):
                part = ""
            elif ":" in line and "\t" not in line:
                part = {"Exsitence:": " (existence)"}.get(line.strip(), f" ({line.strip(': ').lower()})")
            elif "\t" in line:
                key, value = line.split(":")
                values[key.lower() + part] = float(value) / 100
        return {"questions": str(self.data / "query/query_discriminative.json"),
                "annotations": str(self.data / "annotations.json"), "answers": path}, values


class Hallusion(Scorer):
    def load(self):
        self.file = self.folder / "HallusionBench/HallusionBench.json"
        self.rows = json.loads(self.file.read_text())
        self.questions = len(self.rows)
        for name in ("openai", "prettytable"):
            sys.modules.setdefault(name, types.ModuleType(name))
        sys.modules["prettytable"].PrettyTable = None
        self.space = {"__name__": "hallusion"}
        exec((self.folder / "HallusionBench/utils.py").read_text(), self.space)

    def make(self, rng, index):
        skill = rng.random()
        rows, answers = [], []
        for row in self.rows:
            verdict = rng.choices(["0", "1", "2"], weights=[1 - skill, skill, 0.2])[0]
            truth = row["gt_answer"] == "1"
            said = {"1": truth, "0": not truth}.get(verdict)
            answers.append("I do not know" if said is None else rng.choice(
                ["Yes, it is.", "yes", "The answer is yes."] if said else ["No, it is not.", "no", "I say no!"]))
            rows.append({**row, "check": verdict, "same": rng.choice("01")})
        ids = ["/".join([r["category"], r["subcategory"], r["set_id"], r["figure_id"], r["question_id"]])
               for r in self.rows]
        path = write_lines(self.scratch / f"{index}.jsonl",
                           [{"id": i, "answer": a} for i, a in zip(ids, answers)])
        data = self.space["assign_correctness"](rows, correctness_entry="check")
        share = lambda stats: stats["correct"] / stats["total"]
        return {"questions": str(self.file), "answers": path}, {
            "aAcc": share(self.space["get_eval_all"](data, "check")),
            "fAcc": share(self.space["get_eval_fig"](data)),
            "qAcc": share(self.space["get_eval_pair_all"](data, "check")),
            "easy aAcc": share(self.space["get_eval_pair_easy"](data)),
            "hard aAcc": share(self.space["get_eval_pair_hard"](data))}


class Pairs(Scorer):
    questions = 300

    def load(self):
        self.file = self.scratch / "Questions.csv"
        rng = random.Random(0)
        self.truths = [rng.choice("ab") for _ in range(self.questions)]
        with open(self.file, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["Index", "Question", "Options", "Correct Answer"])
            for number, truth in enumerate(self.truths, 1):
                question = f'Is the "thing", number {number}, open?'
                out.writerow([number, question, "(a) Open wide (b) Closed", f"({truth})"])

    def make(self, rng, index):
        words = {"a": ["(a)", "a", "A.", "(a) Open wide", "It is open wide.", "(A)"],
                 "b": ["(b)", "b)", "B", "The answer is (b) Closed.", "closed"]}
        letters = [rng.choice("ab") for _ in self.truths]
        path = write_lines(self.scratch / f"{index}.jsonl", [
            {"id": str(number), "answer": rng.choice(words[letter])} for number, letter in enumerate(letters, 1)])
        right = [said == truth for said, truth in zip(letters, self.truths)]
        # As gpt_grader.py counts its yes and no.
        pairs = [right[i] and right[i + 1] for i in range(0, len(right), 2)]
        return {"questions": str(self.file), "answers": path}, {
            "pair accuracy": sum(pairs) / len(pairs), "accuracy": sum(right) / len(right)}


class Chair(Scorer):
    questions = 200

    def load(self):
        import nltk
        from nltk.tokenize.destructive import NLTKWordTokenizer

        tokenizer = NLTKWordTokenizer()
        # nltk's own division into sentences needs a download; these captions have no abbreviations.
        nltk.word_tokenize = lambda text: [
            token for sentence in re.split(r"(?<=[.!?])\s+", text) for token in tokenizer.tokenize(sentence)]
        code = (self.folder / "pattern/pattern/text/en/inflect.py").read_text()
        start, end = code.index("singular_rules = ["), code.index("#### VERB CONJUGATION")
        inflect = {"re": re, "NOUN": "NN", "plural_prepositions": {"in", "of", "by", "to", "at"}}
        exec(code[start:end], inflect)
        english = types.ModuleType("pattern.en")
        english.singularize = self.singularize = inflect["singularize"]
        sys.modules["pattern"], sys.modules["pattern.en"] = types.ModuleType("pattern"), english
        self.space = {"__name__": "chair"}
        exec((self.folder / "CHAIR-metric-standalone/chair.py").read_text(), self.space)
        self.space["tqdm"] = types.SimpleNamespace(trange=range)
        self.synonyms = self.folder / "Hallucination/data/synonyms.txt"
        lines = [line.strip().split(", ") for line in self.synonyms.read_text().splitlines() if line.strip()]
        self.names = [line[0] for line in lines]
        plain = [word.strip() for line in lines for word in line]
        self.vocabulary = plain + [self.plural(w) for w in plain if w != "oxen"] + [
            "baby bird", "adult elephants", "passenger train", "bow tie", "toilet seat", "wine glass", "wine glasses",
            "home plate", "train tracks", "women", "firemen", "policemen", "grandchildren", "seat", "bus", "buses",
            "the", "a", "red", "two", "of", "with", "and", "on", "table,", "dog's", "dogs'", "cat;", "(horse)", "cars.",
            "kitchen", "Person", "PIZZA!", "children's", "don't", "half-open", "\"boat\"", "mice", "calves", "knives"]
        words = Path("/usr/share/dict/words")
        if words.exists():
            self.vocabulary += [w for w in words.read_text().split() if w.isascii()]
        rng = random.Random(1)
        annotations = self.scratch / "coco"
        annotations.mkdir()
        for split in ("train", "val"):
            half = range(0, self.questions) if split == "val" else []
            (annotations / f"instances_{split}2014.json").write_text(json.dumps({
                "info": {}, "licenses": [], "type": "", "images": [],
                "categories": [{"id": i, "name": n} for i, n in enumerate(self.names)],
                "annotations": [{"image_id": i, "category_id": rng.randrange(len(self.names))}
                                for i in half for _ in range(rng.randrange(5))]}))
            (annotations / f"captions_{split}2014.json").write_text(json.dumps({
                "info": {}, "licenses": [], "images": [],
                "annotations": [{"image_id": i, "caption": self.caption(rng)} for i in half for _ in range(2)]}))
        self.annotations = annotations
        with contextlib.redirect_stdout(io.StringIO()):
            self.official = self.space["CHAIR"](str(annotations))
        self.file = write_lines(self.scratch / "questions.jsonl",
                                [{"image_id": i, "image": f"{i}.jpg"} for i in range(self.questions)])

    @staticmethod
    def plural(word):
        if re.search(r"(s|x|ch|sh)$", word):
            return word + "es"
        if re.search(r"[^aeiou]y$", word):
            return word[:-1] + "ies"
        return word + "s"

    def caption(self, rng):
        return " ".join(rng.choice(self.vocabulary) for _ in range(rng.randrange(3, 25))) + rng.choice(["", ".", " ."])

    def make(self, rng, index):
        path = write_lines(self.scratch / f"{index}.jsonl",
                           [{"image_id": i, "caption": self.caption(rng)} for i in range(self.questions)])
        overall = self.official.compute_chair(path, "image_id", "caption")["overall_metrics"]
        return {"questions": self.file, "answers": path,
                "annotations": [str(self.annotations / "instances_val2014.json"),
                                str(self.annotations / "captions_val2014.json"), str(self.synonyms)]}, {
            "CHAIRs": overall["CHAIRs"], "CHAIRi": overall["CHAIRi"], "recall": overall["Recall"]}


class MMHal(Scorer):
    questions = 96

    def load(self):
        kinds = ["attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other"]
        self.file = self.scratch / "response_template.json"
        self.records = [{"question_type": kinds[i % 8], "image_id": f"{i}", "image_src": f"https://x/y/{i}.jpg",
                         "question": f"What is {i}?", "gt_answer": "It.", "model_answer": ""} for i in range(96)]
        self.file.write_text(json.dumps(self.records))

    def make(self, rng, index):
        # Replies without one rating, which the official script counts as 0, are an error for the program.
        texts = [f"Fine.\n\nRating: {rng.randrange(7)}, very good" for _ in self.records]
        ratings = self.scratch / f"{index}.ratings.json"
        ratings.write_text(json.dumps([{"choices": [{"message": {"content": text}}]} for text in texts]))
        answers = write_lines(self.scratch / f"{index}.jsonl",
                              [{"id": f"{i + 1}", "answer": "x"} for i in range(96)])
        scores = []
        for text in texts:
            found = [s for s in range(7) if f"rating: {s}" in text.lower()]
            scores.append(found[0] if len(found) == 1 else 0)
        values = {"score": sum(scores) / 96, "hallucination rate": sum(s < 3 for s in scores) / 96}
        for kind in {r["question_type"] for r in self.records}:
            own = [s for s, r in zip(scores, self.records) if r["question_type"] == kind]
            values[f"score ({kind})"] = sum(own) / len(own)
        return {"questions": str(self.file), "answers": answers, "ratings": str(ratings)}, values


class WildVision(Scorer):
    """The judgements are real: those of the repository's leaderboard in which every game has a verdict."""
    questions = 500

    def load(self):
        root = self.folder / "WildVision-Bench"
        self.judgements = [
            path for path in sorted((root / "data/vision_bench_0617/model_judgements").glob("*/*.jsonl"))
            if all(game["score"] in ("A=B", "A>B", "A>>B", "B>A", "B>>A")
                   for line in open(path) for game in json.loads(line)["games"])]
        code = (root / "show_results.py").read_text()
        function = code[code.index("def get_reward_from_judgement"):code.index("def run_elo_simulation")]
        import numpy
        rows = types.SimpleNamespace()
        rows.DataFrame = types.SimpleNamespace(from_dict=lambda data, orient: types.SimpleNamespace(
            iterrows=lambda: data.items()))
        self.space = {"np": numpy, "pd": rows}
        exec(function, self.space)

    def sets(self, asked):
        return len(self.judgements)

    def make(self, rng, index):
        rows = [json.loads(line) for line in open(self.judgements[index])]
        questions = write_lines(self.scratch / f"{index}.q", [
            {"question_id": r["question_id"], "instruction": "?", "image": "x.jpg"} for r in rows])
        answers = write_lines(self.scratch / f"{index}.a", [
            {"question_id": r["question_id"], "output": "x"} for r in rows])
        with contextlib.redirect_stdout(io.StringIO()):
            info = self.space["get_reward_from_judgement"]({"m": {r["question_id"]: r for r in rows}})["m"]
        games = sum(info["vote_type_counts"].values())
        return {"questions": questions, "answers": answers, "ratings": str(self.judgements[index])}, {
            "reward": info["reward"], "win rate": info["win_rate"], "win or tie rate": info["win_or_tie_rate"],
            **{name: count / games for name, count in info["vote_type_counts"].items()}}


SCORERS = {"pope": Pope, "amber": Amber, "hallusionbench": Hallusion, "mmvp": Pairs, "chair": Chair, "mmhal": MMHal,
           "wildvision": WildVision}

if __name__ == "__main__":
    main()
