"""Files and folders of rows, their pictures, and what is refused by name."""

import base64
import json
import os
import unittest

import fixtures
from case import ImportCase, picture, tree
from fixtures import IMAGE, JPEG, WEBP, lines, listed, parquet, png

ROW = {"prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": "a.png"}


class PictureTests(ImportCase):
    def images(self, *values, options=()):
        groups = self.groups(lines(self.folder / "rows.jsonl", [{**ROW, "image": value} for value in values]), *options)
        return [group["image"] for group in groups]

    def test_the_content_decides_the_kind(self):
        for name, content in (("a.gif", png(1)), ("b.png", JPEG), ("c", WEBP)):
            (self.folder / name).write_bytes(content)
        self.assertEqual(
            self.images("a.gif", "b.png", "c"), [picture(png(1)), picture(JPEG, "jpg"), picture(WEBP, "webp")]
        )

    def test_a_content_is_written_once(self):
        for name in ("a.png", "b.png"):
            (self.folder / name).write_bytes(png(1))
        names = self.images("a.png", "b.png", str(self.folder / "b.png"))
        self.assertEqual(names, [picture(png(1))] * 3)
        self.assertEqual(os.listdir(self.out / "images"), [names[0].removeprefix("images/")])
        self.assertEqual(self.report["pictures"], {"files": 1, "bytes": len(png(1))})

    def test_what_is_no_picture_is_left_out_by_name(self):
        for name, content in (("a.png", png(1)), ("g.png", b"GIF89a.."), ("b.png", b"BM...."), ("e.png", b""),
                              ("t.png", b"<!DOCTYPE html>"), ("h.png", b"\0\0\0\x18ftypheic")):
            (self.folder / name).write_bytes(content)
        names = [f"{name}.png" for name in "agbethn"]
        self.images(*names, "https://a.b/c.png", None, 5, ["a.png"] * 2)
        self.assertEqual(self.reasons, {
            "a picture is GIF; PNG, JPEG and WebP are read": ["rows.jsonl:2"],
            "a picture is BMP; PNG, JPEG and WebP are read": ["rows.jsonl:3"],
            "a picture is empty": ["rows.jsonl:4"],
            "a picture is of no known format; PNG, JPEG and WebP are read": ["rows.jsonl:5"],
            "a picture is HEIC; PNG, JPEG and WebP are read": ["rows.jsonl:6"],
            "a picture's file does not exist": ["rows.jsonl:7 (n.png)"],
            "a picture is a URL; nothing is downloaded": ["rows.jsonl:8 (https://a.b/c.png)"],
            "a picture is missing": ["rows.jsonl:9"],
            "a picture is neither bytes nor a path": ["rows.jsonl:10"],
            "several pictures in one row": ["rows.jsonl:11"],
        })
        self.assertEqual(len(os.listdir(self.out / "images")), 1)

    def test_base64(self):
        coded = base64.b64encode(png(1, 20)).decode()
        names = self.images(coded, f"data:image/png;base64,{coded}", {"bytes": coded}, coded[:-3] + "!!!")
        self.assertEqual(names, [picture(png(1, 20))] * 3)
        self.assertEqual(self.reasons, {"a picture's base64 is damaged": ["rows.jsonl:4"]})

    def test_images_says_where_paths_start(self):
        (self.folder / "far").mkdir()
        (self.folder / "far" / "a.png").write_bytes(png(1))
        self.assertEqual(self.images("a.png", options=["--images", self.folder / "far"]), [picture(png(1))])
        self.assertIn("none of 1 rows", self.refusal(self.folder / "rows.jsonl", "--overwrite"))
        self.assertIn("--images nowhere", self.refusal(self.folder / "rows.jsonl", "--images", "nowhere"))

    def test_link_makes_links(self):
        (self.folder / "a.png").write_bytes(png(1))
        # What a killed import may leave.
        (self.out / ".import").mkdir(parents=True)
        (self.out / ".import" / "picture").symlink_to("nowhere")
        name, = self.images("a.png", options=["--link"])
        self.assertEqual(os.readlink(self.out / name), os.path.realpath(self.folder / "a.png"))


class SourceTests(ImportCase):
    def test_a_folders_shards_in_order(self):
        data = self.folder / "data"
        data.mkdir()
        fixtures.rlaif(data / "train-00001-of-00002.parquet", 3, start=3)
        fixtures.rlaif(data / "train-00000-of-00002.parquet", 3)
        ids = [group["id"] for group in self.groups(data)]
        self.assertEqual(ids, [f"RLAIF-V-{n}" for n in range(1, 6)])
        fixtures.rlaif(data / "test-00000-of-00001.parquet", 3)
        self.assertIn("several splits: test (1), train (2)", self.refusal(data, "--overwrite"))

    def test_ids_by_source_and_row_where_the_data_repeats_them(self):
        for name in ("one", "two"):
            (self.folder / name).mkdir()
            fixtures.rlaif(self.folder / name / "a.parquet", 3)
        ids = [group["id"] for group in self.groups(self.folder / "one", self.folder / "two" / "a.parquet")]
        self.assertEqual(ids, ["RLAIF-V-1", "RLAIF-V-2", "a-2-2", "a-2-3"])

    def test_the_same_rows_in_every_kind_of_file(self):
        (self.folder / "a.png").write_bytes(png(1))
        rows = [{**ROW, "prompt": f"{'Löng ' * 9000 * n}What?", "id": f"g{n}"} for n in range(5)]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        made = [
            self.groups(path) for path in (
                lines(self.folder / "a.jsonl", rows), listed(self.folder / "b.json", rows),
                parquet(self.folder / "c.parquet", columns),
            )
        ]
        self.assertEqual(len(made[0]), 5)
        self.assertEqual(made[0], made[1])
        self.assertEqual(made[0], made[2])

    def test_elements_that_are_no_rows_are_left_out(self):
        (self.folder / "a.png").write_bytes(png(1))
        # More than is read at once.
        self.groups(listed(self.folder / "a.json", [ROW, *[1234567] * 20000]))
        self.assertEqual((self.report["rows_read"], set(self.reasons)), (20001, {"the row is no object"}))

    def test_lines_that_are_no_rows_are_left_out(self):
        (self.folder / "a.png").write_bytes(png(1))
        (self.folder / "a.jsonl").write_text(f"\ufeff{json.dumps(ROW)}\n\n[1]\n{{half\n{'[' * 100000}\n")
        self.assertEqual(self.group(self.folder / "a.jsonl")["id"], "a-1")
        self.assertEqual(self.reasons, {
            "the line is no object": ["a.jsonl:3"], "the line is not JSON": ["a.jsonl:4", "a.jsonl:5"],
        })

    def test_limit(self):
        path = fixtures.rlaif(self.folder / "a.parquet", 20)
        ids = [group["id"] for group in self.groups(path, "--limit", "3")]
        self.assertEqual(ids, [f"RLAIF-V-{n}" for n in (1, 2, 3)])
        self.assertEqual(self.report["rows_read"], 4)

    def test_what_cannot_be_read_is_refused_by_name(self):
        files = {
            "a.csv": "prompt,chosen\n", "empty": "", "object.json": '{\n  "prompt": "What?"\n}\n',
            "half.json": '[{"a": 1}, {"b"',
            "pointer.parquet": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "cut.parquet": "PAR1 cut",
            "none.json": "[]",
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        (self.folder / "none").mkdir()
        for name, words in [
            ("a.csv", "is no Parquet"), ("empty", "is empty"), ("object.json", "one JSON object over several lines"),
            ("half.json", "damaged after 1 rows"), ("pointer.parquet", "git lfs pull"), ("cut.parquet", "no Parquet"),
            ("nowhere", "No such file"), ("none", "holds no .parquet"), ("none.json", "columns: none"),
        ]:
            with self.subTest(name=name):
                errors = self.refusal(self.folder / name)
                self.assertIn(words, errors)
                self.assertIn(name, errors)
        self.assertFalse(self.out.exists())

    def test_unknown_columns_are_listed_with_known_layouts(self):
        path = parquet(self.folder / "a.parquet", {"ask": ["What?"], "photo": [fixtures.image(1)]}, {"photo": IMAGE})
        errors = self.refusal(path)
        for words in ("ask, photo", "RLAIF-V: image, question, chosen, rejected", "--map prompt=question"):
            self.assertIn(words, errors)
        self.assertIn("no such column", self.refusal(path, "--map", "prompt=ask", "chosen=none.a", "image=photo"))
        self.assertIn("add --map chosen=COLUMN", self.refusal(path, "--map", "prompt=ask", "image=photo"))
        self.assertIn("FIELD=PATH", self.refusal(path, "--map", "question=ask"))
        self.assertIn("twice", self.refusal(path, "--map", "prompt=ask", "prompt=ask"))

    def test_rows_that_two_layouts_explain_are_refused(self):
        without_rejected = {name: value for name, value in ROW.items() if name != "rejected"}
        path = lines(self.folder / "a.jsonl", [{**ROW, "images": ["a.png"]}])
        self.assertIn("several layouts (misp, TRL)", self.refusal(path))
        path = lines(self.folder / "c.jsonl", [{**without_rejected, "images": ["a.png"]}])
        self.assertIn("both image and images", self.refusal(path))
        row = {**ROW, "rejected_response": "A dog.", "messages": []}
        path = lines(self.folder / "b.jsonl", [row])
        self.assertIn("several layouts", self.refusal(path))


class FolderTests(ImportCase):
    def test_a_finished_import_is_not_made_again(self):
        path = fixtures.rlaif(self.folder / "a.parquet", 5)
        self.groups(path)
        before = tree(self.out)
        result = self.call(path)
        self.assertEqual((result.status, tree(self.out)), (0, before))
        self.assertIn("finished earlier", result.output)

    def test_what_others_wrote_is_not_replaced(self):
        path = fixtures.rlaif(self.folder / "a.parquet", 5)
        self.groups(path)
        self.assertIn("--overwrite", self.refusal(path, "--limit", "2"))
        (self.out / "import.json").unlink()
        self.assertIn("--overwrite", self.refusal(path))
        (self.out / "groups.jsonl").unlink()
        self.assertIn("holds images", self.refusal(path))
        (self.out / "images" / "mine.png").write_bytes(b"mine")
        self.assertEqual(len(self.groups(path, "--limit", "1")), 1)
        self.assertEqual({path.name for path in (self.out / "images").iterdir()},
                         {"mine.png", picture(png(1)).removeprefix("images/")})

    def test_nothing_is_left_where_no_row_is_a_group(self):
        path = lines(self.folder / "a.jsonl", [ROW, ROW])
        errors = self.refusal(path)
        self.assertIn("none of 2 rows became a group", errors)
        self.assertIn("a picture's file does not exist: a.jsonl:1 (a.png), a.jsonl:2 (a.png)", errors)
        self.assertFalse((self.out / "groups.jsonl").exists())


if __name__ == "__main__":
    unittest.main()
