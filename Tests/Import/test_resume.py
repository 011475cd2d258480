"""An import that was killed, wherever that was, goes on, and ends in the bytes of one that was not."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import fixtures
from case import IMPORTING, ROOT, ImportCase, tree
from fixtures import lines

import journal  # of launch/importing, whose folder `case` has added

KILLED = pathlib.Path(__file__).with_name("killed.py")


class ResumeTests(ImportCase):
    def setUp(self):
        super().setUp()
        fixtures.rlaif(self.folder / "a.parquet", 100, rows_a_group=33)
        rows = [{"question": "What?", "chosen": f"A {n}.", "rejected": "A dog.", "image": "p.png"} for n in range(70)]
        (self.folder / "p.png").write_bytes(fixtures.png(1000))
        rows[3]["image"] = "none.png"
        lines(self.folder / "b.jsonl", rows)
        self.sources = [self.folder / "a.parquet", self.folder / "b.jsonl"]
        self.groups(*self.sources)
        self.whole = tree(self.out)
        self.out = self.folder / "again"

    def killed(self, events):
        """Whether it was; else how many events there were."""
        command = [sys.executable, "-B", str(KILLED), str(events), *map(str, self.sources), "--out", str(self.out)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode == -signal.SIGKILL:
            return True, 0
        self.assertEqual(run.returncode, 0, run.stderr)
        return False, int(re.search(r"events: (\d+)", run.stdout)[1])

    def test_killed_again_and_again(self):
        kills = 0
        while self.killed(70)[0]:
            kills += 1
            self.assertFalse((self.out / "groups.jsonl").exists())
            # What a kill within a line leaves.
            with open(self.out / ".import" / "groups.jsonl", "ab") as file:
                file.write(b'{"id": "RLAIF-V')
            (self.out / ".import" / "picture").write_bytes(b"half")
            self.assertLess(kills, 20)
        self.assertGreater(kills, 3)
        self.assertEqual(tree(self.out), self.whole)

    def test_killed_at_the_end(self):
        _, events = self.killed(0)
        self.assertEqual(tree(self.out), self.whole)
        for before in range(4):
            with self.subTest(before=before):
                self.out = self.folder / f"again-{before}"
                self.assertTrue(self.killed(events - before)[0])
                self.assertEqual(self.call(*self.sources).status, 0)
                self.assertEqual(tree(self.out), self.whole)

    def test_a_state_counts_the_lines_that_are_there(self):
        self.assertTrue(self.killed(150)[0])
        state = self.out / ".import" / "state.json"
        count = json.loads(state.read_text())["bytes"]
        with open(self.out / ".import" / "groups.jsonl", "ab") as file:
            file.write(b"half a line")
        identity = json.loads(state.read_text())["identity"]
        again = journal.Journal(str(self.out), identity, False)
        again.save(0, 0, {})
        again.close()
        self.assertEqual(json.loads(state.read_text())["bytes"], count)

    def test_other_options_do_not_go_on(self):
        self.assertTrue(self.killed(150)[0])
        for arguments in (self.sources[:1], [*self.sources, "--limit", "2"]):
            self.assertIn("unfinished import", self.refusal(*arguments))
        self.assertEqual(self.call(*self.sources, "--overwrite").status, 0)
        self.assertEqual(tree(self.out), self.whole)

    def test_a_changed_source_does_not_go_on(self):
        self.assertTrue(self.killed(150)[0])
        with open(self.sources[1], "a") as file:
            file.write("\n")
        self.assertIn("unfinished import", self.refusal(*self.sources))

    def test_lines_that_got_lost_are_made_again(self):
        self.assertTrue(self.killed(150)[0])
        (self.out / ".import" / "groups.jsonl").write_bytes(b"")
        self.assertEqual(self.call(*self.sources).status, 0)
        self.assertEqual(tree(self.out), self.whole)

    def test_a_signal_ends_it_with_status_3(self):
        code = (
            "import sys, os, signal, runpy\n"
            f"sys.path.insert(0, {str(IMPORTING)!r})\n"
            "import journal\n"
            "write = journal.Journal.write\n"
            "def signalled(self, group):\n"
            "    write(self, group)\n"
            "    if group['id'] == 'RLAIF-V-40': os.kill(os.getpid(), signal.SIGTERM)\n"
            "journal.Journal.write = signalled\n"
            f"runpy.run_path({str(IMPORTING)!r}, run_name='__main__')\n"
        )
        command = [sys.executable, "-B", "-c", code, *map(str, self.sources), "--out", str(self.out)]
        run = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertIn("stopped after 41 rows", run.stderr)
        self.assertEqual(json.loads((self.out / ".import" / "state.json").read_text())["row"], 41)
        self.assertEqual(self.call(*self.sources).status, 0)
        self.assertEqual(tree(self.out), self.whole)

    def test_two_at_once_are_refused(self):
        import fcntl

        (self.out / ".import").mkdir(parents=True)
        with open(self.out / ".import" / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("another import is writing", self.refusal(*self.sources))


class LauncherTests(ImportCase):
    def launch(self, *arguments, **environment):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "MISP_PYTHON": sys.executable, **environment}
        command = [str(ROOT / "launch" / "import"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=environment)

    def test_from_any_folder(self):
        fixtures.rlaif(self.folder / "a.parquet", 5)
        run = self.launch("a.parquet", "--out", "out")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("4  groups written to out/groups.jsonl", run.stdout)
        self.assertEqual(run.stderr, "")
        self.assertEqual(len((self.out / "groups.jsonl").read_text().splitlines()), 4)

    def test_help_and_bad_options(self):
        self.assertIn("launch/import SOURCE... --out DIR", self.launch("a.parquet", "--help").stdout)
        for arguments in ([], ["a.parquet"], ["a.parquet", "--out"], ["a.parquet", "--out", "out", "--limit", "0"],
                          ["a.parquet", "--out", "out", "--nonsense"]):
            with self.subTest(arguments=arguments):
                run = self.launch(*arguments)
                self.assertEqual((run.returncode, len(run.stderr.splitlines())), (2, 1), run.stderr)

    def test_json_needs_no_pyarrow_and_parquet_says_how_to_have_it(self):
        (self.folder / "a.png").write_bytes(fixtures.png(1))
        row = {"prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": "a.png"}
        lines(self.folder / "a.jsonl", [row])
        # An interpreter of which the packages are not seen.
        bare = self.folder / "python"
        bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
        bare.chmod(0o755)
        self.assertEqual(self.launch("a.jsonl", "--out", "out", MISP_PYTHON=str(bare)).returncode, 0)
        fixtures.rlaif(self.folder / "a.parquet", 5)
        run = self.launch("a.parquet", "--out", "other", MISP_PYTHON=str(bare))
        self.assertEqual(run.returncode, 2)
        self.assertIn("pip install pyarrow", run.stderr)

    def test_no_python_is_said(self):
        run = self.launch("a.jsonl", "--out", "out", MISP_PYTHON="/nowhere/python")
        self.assertEqual((run.returncode, len(run.stderr.splitlines())), (2, 1), run.stderr)


if __name__ == "__main__":
    unittest.main()
