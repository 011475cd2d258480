"""A row of each layout becomes the group that it means; what misp would refuse is left out, and counted."""

import json
import unittest

import fixtures
from case import ImportCase, picture
from fixtures import IMAGE, MESSAGE, TURN, image, lines, listed, parquet, png


class LayoutTests(ImportCase):
    def test_rlhf_v_has_its_texts_in_json(self):
        text = json.dumps({"question": "What?", "chosen": "A cät.", "rejected": "A dog."})
        columns = {
            "ds_name": ["RLHF-V"] * 3,
            "image": [image(1), image(2), image(3)],
            "text": [text, "no JSON", '["a list"]'],
            "origin_dataset": ["VQAv2"] * 3,
            "origin_split": ["{}"] * 3,
            "idx": [7, 8, 9],
            "image_path": ["7.jpg", "8.jpg", "9.jpg"],
        }
        group = self.group(parquet(self.folder / "a.parquet", columns, {"image": IMAGE}))
        self.assertEqual(
            group,
            {"id": "RLHF-V-7", "prompt": "What?", "chosen": "A cät.", "rejected": "A dog.", "image": picture(png(1))},
        )
        self.assertEqual(self.report["sources"][0]["layout"], "RLHF-V")
        self.assertEqual(self.reasons, {
            "text is not JSON": ["a.parquet:2"],
            "text is no JSON object of question, chosen and rejected": ["a.parquet:3"],
        })
        self.assertEqual((self.out / group["image"]).read_bytes(), png(1))

    def test_rlaif_v_rows_that_prefer_nothing_are_left_out(self):
        groups = self.groups(fixtures.rlaif(self.folder / "a.parquet", 10))
        self.assertEqual([group["id"] for group in groups], [f"RLAIF-V-{n}" for n in (1, 2, 3, 4, 5, 6, 8, 9)])
        self.assertEqual(self.reasons, {"chosen and rejected are the same": ["a.parquet:1", "a.parquet:8"]})
        # Row 4 shows the picture of row 3.
        self.assertEqual(groups[3]["image"], groups[2]["image"])
        self.assertEqual(self.report["pictures"]["files"], len(list((self.out / "images").iterdir())))
        self.assertEqual(self.report["pictures"]["files"], 6)

    def test_trl_rows_with_lists_of_parts(self):
        def by(role, *texts):
            return [{"role": role, "content": [{"type": kind, "text": text} for kind, text in texts]}]

        ask = by("user", ("image", None), ("text", "What?"))
        system = by("system", ("text", "Be brief."))
        two = by("user", ("text", "Look."), ("image", None), ("text", "What?"))
        turns = by("user", ("text", "Hi.")) + by("assistant", ("text", "Hi!")) + ask
        columns = {
            "images": [[image(1)], [image(2)], [image(3)], [image(4)], [image(5), image(6)], [image(7)]],
            "prompt": [ask, system + ask, two, turns, ask, by("user", ("image", None), ("image", None), ("text", "?"))],
            "chosen": [by("assistant", ("text", "A cat."))] * 6,
            "rejected": [by("assistant", ("text", "A dog."))] * 6,
        }
        types = {"images": pyarrow_list(IMAGE)} | {name: pyarrow_list(MESSAGE) for name in columns if name != "images"}
        groups = self.groups(parquet(self.folder / "train.parquet", columns, types))
        self.assertEqual(groups[0], {
            "id": "train-1", "prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": picture(png(1)),
        })
        self.assertEqual(groups[1]["prompt"], [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"},
        ])
        self.assertEqual(groups[2]["prompt"], [
            {"role": "user", "content": [
                {"type": "text", "text": "Look."}, {"type": "image"}, {"type": "text", "text": "What?"},
            ]},
        ])
        self.assertEqual(len(groups), 3)
        self.assertEqual(set(self.reasons), {
            "a conversation of several turns", "several pictures in one row", "several pictures in one prompt",
        })
        self.assertEqual(self.report["features"], {
            "with a prompt of several parts": 1, "with a system message": 1,
        })

    def test_trl_rows_whose_prompt_stands_in_both_answers(self):
        def told(answer, question="What?"):
            return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]

        (self.folder / "a.png").write_bytes(png(1))
        rows = [
            {"chosen": told("A cat."), "rejected": told("A dog."), "images": ["a.png"]},
            {"chosen": told("A cat."), "rejected": told("A dog.", "Why?"), "images": ["a.png"]},
        ]
        self.assertEqual(self.group(lines(self.folder / "rows.jsonl", rows))["prompt"], "What?")
        self.assertEqual(self.reasons, {"chosen and rejected answer different prompts": ["rows.jsonl:2"]})

    def test_swift_rejected_pictures_are_negatives(self):
        for seed, name in enumerate(("a.png", "b.png", "c.png")):
            (self.folder / name).write_bytes(png(seed))
        told = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "A cat."}]
        other = [told[0], {"role": "assistant", "content": "A dog."}]
        rows = [
            {"messages": told, "rejected_response": "A dog.", "images": ["a.png"]},
            {"messages": told, "rejected_messages": other, "images": ["a.png"], "rejected_images": ["a.png"]},
            {"messages": told, "images": ["a.png"], "rejected_images": ["b.png", "c.png"]},
            {"messages": told, "rejected_messages": told, "images": ["a.png"], "rejected_images": ["b.png"]},
            {"messages": told, "images": ["a.png"]},
            {"messages": told, "rejected_response": "A dog.", "images": ["a.png"], "videos": ["a.mp4"]},
        ]
        groups = self.groups(lines(self.folder / "rows.jsonl", rows))
        own = {"prompt": "What?", "chosen": "A cat.", "image": picture(png(0))}
        b, c = ({"image": picture(png(seed))} for seed in (1, 2))
        self.assertEqual(groups, [
            {"id": "rows-1", **own, "rejected": "A dog."},
            {"id": "rows-2", **own, "rejected": "A dog."},
            {"id": "rows-3", **own, "negatives": [b, c]},
            {"id": "rows-4", **own, "negatives": [b]},
        ])
        self.assertEqual(set(self.reasons), {
            "nothing is rejected: neither an answer nor a picture", "the row has videos",
        })

    def test_llama_factory_conversations(self):
        def by(name, text):
            return {"from": name, "value": text}

        columns = {
            "conversations": [[by("human", "<image>What?")], [by("human", "Why <image> so?")], [by("tool", "What?")]],
            "chosen": [by("gpt", "A cat.")] * 3,
            "rejected": [by("gpt", "A dog.")] * 3,
            "images": [[image(1)]] * 3,
        }
        types = {
            "conversations": pyarrow_list(TURN), "chosen": TURN, "rejected": TURN, "images": pyarrow_list(IMAGE),
        }
        group = self.group(parquet(self.folder / "rlhf-v.parquet", columns, types))
        self.assertEqual(group, {
            "id": "rlhf-v-1", "prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": picture(png(1)),
        })
        self.assertEqual(set(self.reasons), {"the picture stands amid the prompt's text", "a message by 'tool'"})

    def test_llama_factory_alpaca_joins_instruction_and_input(self):
        (self.folder / "a.png").write_bytes(png(1))
        row = {"instruction": "<image>What", "input": "is it?", "chosen": "A cat.", "rejected": "A dog."}
        row |= {"images": ["a.png"], "system": "Be brief."}
        group = self.group(listed(self.folder / "rows.json", [row]))
        self.assertEqual(group["prompt"][0], {"role": "system", "content": "Be brief."})
        self.assertEqual(group["prompt"][1], {"role": "user", "content": "What\nis it?"})

    def test_own_rows_keep_negatives_and_scores(self):
        for seed, name in enumerate(("a.png", "b.png", "c.png")):
            (self.folder / name).write_bytes(png(seed))
        row = {"id": 5, "prompt": "What?", "chosen": "A cat.", "image": "a.png", "source": "ours"}
        negatives = [{"image": "b.png", "score": 1.5, "probability": 0.5}, {"image": "c.png", "score": 1}]
        uneven = [{"image": "b.png", "score": 1.5}, {"image": "c.png"}]
        rows = [{**row, "negatives": negatives}, {**row, "negatives": uneven}, {**row, "negatives": []}]
        groups = self.groups(lines(self.folder / "rows.jsonl", rows))
        self.assertEqual(groups[0]["id"], "5")
        self.assertEqual(groups[0]["negatives"], [
            {"image": picture(png(1)), "score": 1.5}, {"image": picture(png(2)), "score": 1},
        ])
        # The id of an earlier row is not used twice.
        self.assertEqual(groups[1], {
            "id": "rows-3", "prompt": "What?", "chosen": "A cat.", "image": picture(png(0)),
        })
        self.assertEqual(self.reasons, {"only some negatives have a score": ["rows.jsonl:2"]})

    def test_map_reads_nested_fields_and_json_in_texts(self):
        columns = {
            "n": [1, 2],
            "photo": [{"raw": image(1)}, {"raw": image(2)}],
            "meta": [json.dumps({"ask": {"q": "What?"}, "a": ["A cat.", "A dog."]}), '{"ask": {}}'],
        }
        path = parquet(self.folder / "a.parquet", columns)
        maps = ["--map", "prompt=meta.ask.q", "chosen=meta.a.0"]
        maps += ["--map", "rejected=meta.a.1", "image=photo.raw", "id=n"]
        self.assertEqual(self.group(*maps, path), {
            "id": "1", "prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": picture(png(1)),
        })
        self.assertEqual(self.reasons, {"the prompt is missing": ["a.parquet:2"]})

    def test_map_keeps_columns_of_a_fields_own_name(self):
        (self.folder / "a.png").write_bytes(png(1))
        rows = [{"prompt": "What?", "chosen": "A cat.", "worse": "A dog.", "image": "a.png", "rejected": ""}]
        path = lines(self.folder / "rows.jsonl", rows)
        self.assertEqual(self.group(path, "--map", "rejected=worse")["rejected"], "A dog.")


class TextTests(ImportCase):
    def test_texts_that_misp_refuses(self):
        for row, reason in [
            ({"prompt": " \n"}, "the prompt is empty"),
            ({"prompt": None}, "the prompt is missing"),
            ({"prompt": 5}, "the prompt is a number, not a text"),
            ({"chosen": ""}, "chosen is empty"),
            ({"rejected": " "}, "rejected is empty"),
            ({"rejected": "A cat."}, "chosen and rejected are the same"),
            ({"chosen": "In <image>."}, "chosen holds <image>, which stands for a picture"),
            ({"prompt": "<|image_pad|>What?"}, "the prompt holds <|image_pad|>, which stands for a picture"),
            ({"prompt": "<image><image>What?"}, "several pictures in one prompt"),
            ({"chosen": "half \ud800"}, "chosen is no Unicode text (half of a surrogate pair)"),
            ({"chosen": [{"role": "user", "content": "A cat."}]}, "chosen is by 'user', not by the assistant"),
            ({"prompt": [{"role": "user", "content": [{"type": "video"}]}]}, "a part of type 'video' in a message"),
            ({"negatives": [{"image": "good.png", "score": True}]}, "a negative's score is no finite number"),
        ]:
            with self.subTest(row=row):
                self.assertEqual(self.reason(row), reason)

    def test_marks_at_the_ends_of_a_prompt_are_removed(self):
        (self.folder / "a.png").write_bytes(png(1))
        behind = [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image"}]}]
        for prompt, kept in (("<image>\nWhat?", "What?"), ("What?\n<image>", behind), (" <image> What?", "What?")):
            with self.subTest(prompt=prompt):
                row = {"prompt": prompt, "chosen": "A cat.", "rejected": "A dog.", "image": "a.png"}
                self.assertEqual(self.group(lines(self.folder / "rows.jsonl", [row]))["prompt"], kept)

    def test_a_system_message_beside_the_messages_is_kept(self):
        (self.folder / "a.png").write_bytes(png(1))
        turns = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "A cat."}]
        row = {"messages": turns, "rejected_response": "A dog.", "images": ["a.png"], "system": "Be brief."}
        self.assertEqual(self.group(lines(self.folder / "rows.jsonl", [row]))["prompt"], [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"},
        ])

    def test_texts_are_kept_as_they_are(self):
        (self.folder / "a.png").write_bytes(png(1))
        row = {"prompt": " Wh\u2028at?\n", "chosen": " A\tcät 🐈.\n", "rejected": "A dog.", "image": "a.png"}
        group = self.group(lines(self.folder / "rows.jsonl", [row]))
        self.assertEqual((group["prompt"], group["chosen"]), (row["prompt"], row["chosen"]))


def pyarrow_list(kind):
    import pyarrow

    return pyarrow.list_(kind)


if __name__ == "__main__":
    unittest.main()
