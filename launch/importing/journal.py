"""The output folder, and how far an import has come, so that one that was killed can go on.

Lines go to .import/groups.jsonl, and then the state says how many of its bytes count. What a killed import wrote after
its last state is cut off and made again: pictures are named by their content, so they become the same files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil

import pictures
from faults import BadInput

GROUPS, REPORT, WORK = "groups.jsonl", "import.json", ".import"
REMEDY = "choose another --out, or --overwrite"


class Journal:
    def __init__(self, out, identity, overwrite):
        self.out, self.identity, self.lock = out, identity, None
        self.work = os.path.join(out, WORK)
        self.part = os.path.join(self.work, GROUPS)
        self.state_file = os.path.join(self.work, "state.json")
        self.report_file = os.path.join(self.work, REPORT)
        self.file, self.finished = None, False
        # What has been written: digests of ids, and names of pictures.
        self.ids, self.pictures = set(), set()
        os.makedirs(out, exist_ok=True)
        try:
            self._open(overwrite)
        except BadInput:
            self.close()
            raise

    def _open(self, overwrite):
        if overwrite or os.path.isdir(self.work):
            self._lock()
        if overwrite:
            self._clear()
        elif self._is_finished():
            self.finished = True
            return self.close()
        self._lock()
        self.state = self._state()
        self.file = open(self.part, "ab")
        if self.state:
            self.file.truncate(self.state["bytes"])
            self.file.seek(0, os.SEEK_END)
            self._recall()
        else:
            self.file.truncate(0)
            self.state = {"identity": self.identity, "bytes": 0, "source": 0, "row": 0, "counts": {}}

    def _is_finished(self):
        """Whether this import has ended. What is not this import's is not replaced."""
        if os.path.exists(self.report_file) and read_json(self.report_file).get("identity") == self.identity:
            self._complete()
        report, groups, images = (os.path.join(self.out, name) for name in (REPORT, GROUPS, "images"))
        if os.path.exists(report) and os.path.exists(groups) and read_json(report).get("identity") == self.identity:
            shutil.rmtree(self.work, ignore_errors=True)
            return True
        if os.path.exists(report) or os.path.exists(groups):
            raise BadInput(f"{self.out}: holds another import, or groups of another program; {REMEDY}")
        if os.path.isdir(images) and not os.path.exists(self.work):
            raise BadInput(f"{self.out}: holds images of something else; {REMEDY}")
        return False

    def _lock(self):
        """Held until the program ends; taken a second time it is the same."""
        if self.lock:
            return
        os.makedirs(self.work, exist_ok=True)
        self.lock = open(os.path.join(self.work, "lock"), "a")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(f"{self.out}: another import is writing there") from None

    def _clear(self):
        """Removes what imports write, and nothing else."""
        ours = [os.path.join(self.out, name) for name in (GROUPS, REPORT)]
        for name in [self.report_file, self.state_file, self.part, *ours]:
            if os.path.exists(name):
                os.remove(name)
        folder = os.path.join(self.out, "images")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if pictures.NAME.fullmatch(name):
                os.remove(os.path.join(folder, name))

    def _state(self):
        """None for a new import, and where lines that count are not there (a machine that lost power)."""
        if not os.path.exists(self.state_file):
            return None
        state = read_json(self.state_file)
        if state.get("identity") != self.identity:
            raise BadInput(
                f"{self.out}: holds an unfinished import of other sources or options; --overwrite starts again"
            )
        there = os.path.getsize(self.part) if os.path.exists(self.part) else 0
        return state if there >= state["bytes"] else None

    def _recall(self):
        with open(self.part, "rb") as file:
            for line in file:
                group = json.loads(line)
                self.note(group)

    def note(self, group):
        """Keeps what later rows are compared with."""
        self.ids.add(digest(group["id"]))
        self.pictures.update(picture["image"] for picture in [group, *group.get("negatives", [])])

    def has(self, name):
        """Whether a group has this id (of two ids whose digests agree, the second is taken for a repeated one)."""
        return digest(name) in self.ids

    def write(self, group):
        self.file.write((json.dumps(group, ensure_ascii=False, allow_nan=False) + "\n").encode())
        self.note(group)

    def save(self, source, row, counts):
        """All before this row of this source counts from now on."""
        self.file.flush()
        self.state.update(bytes=self.file.tell(), source=source, row=row, counts=counts)
        write_whole(self.state_file, self.work, self.state)

    def finish(self, report):
        """Puts the files in their places. A kill amid it leaves the report in .import: the next start does the rest."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        write_whole(self.report_file, self.work, {"identity": self.identity, **report}, durable=True)
        self._complete()

    def _complete(self):
        if os.path.exists(self.part):
            os.replace(self.part, os.path.join(self.out, GROUPS))
        os.replace(self.report_file, os.path.join(self.out, REPORT))
        self.remove()

    def close(self):
        for file in (self.file, self.lock):
            if file:
                file.close()

    def remove(self):
        shutil.rmtree(self.work)


def digest(text):
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"{path}: damaged; --overwrite starts again")
    return value


def write_whole(path, work, value, durable=False):
    temporary = os.path.join(work, "new.json")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())
    os.replace(temporary, path)
