"""What the tests of launch/import share: a folder, the command in this process, and its output read back."""

import contextlib
import hashlib
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMPORTING = ROOT / "launch" / "importing"
sys.path.insert(0, str(IMPORTING))
spec = importlib.util.spec_from_file_location("command", IMPORTING / "__main__.py")
command = importlib.util.module_from_spec(spec)
spec.loader.exec_module(command)


class Result:
    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors


class ImportCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.out = self.folder / "out"

    def call(self, *arguments):
        """The command with these arguments, and --out."""
        output, errors, before = io.StringIO(), io.StringIO(), sys.argv
        sys.argv = ["import", *map(str, arguments), "--out", str(self.out)]
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                status = command.main()
        finally:
            sys.argv = before
        return Result(status, output.getvalue(), errors.getvalue())

    def groups(self, *arguments):
        """The groups that an import writes, and with `self.reasons` why rows were left out."""
        result = self.call(*arguments, "--overwrite")
        self.assertEqual(result.status, 0, result.errors)
        report = json.loads((self.out / "import.json").read_text())
        self.reasons = {entry["reason"]: entry["first"] for entry in report["left_out"]}
        self.report = report
        return [json.loads(line) for line in (self.out / "groups.jsonl").read_bytes().splitlines()]

    def group(self, *arguments):
        groups = self.groups(*arguments)
        self.assertEqual(len(groups), 1, self.reasons)
        return groups[0]

    def refusal(self, *arguments):
        result = self.call(*arguments)
        self.assertEqual(result.status, 2, result.output)
        self.assertTrue(result.errors.startswith("import: "), result.errors)
        return result.errors

    def reason(self, row):
        """Why a row of misp's own keys is left out, beside one that is not."""
        import fixtures

        good = {"prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": "good.png"}
        (self.folder / "good.png").write_bytes(fixtures.png(0))
        self.group(fixtures.lines(self.folder / "rows.jsonl", [good, {**good, **row}]))
        self.assertEqual(len(self.reasons), 1)
        return next(iter(self.reasons))


def picture(content, kind="png"):
    return f"images/{hashlib.sha256(content).hexdigest()[:32]}.{kind}"


def tree(folder):
    """Every file of a folder with its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
