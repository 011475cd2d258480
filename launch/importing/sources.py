"""Files of rows: Parquet, JSON lines, and JSON that is one list. Rows come one after another, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass

from faults import BadInput, LeftOut

# Rows of a Parquet file that are turned into Python's objects at once, with their pictures.
ROWS_AT_ONCE = 32
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.parquet")
# What stands before the first element of a list, and between two.
BEFORE, BETWEEN = re.compile(r"\s*\[?\s*"), re.compile(r"[\s,]*")
INSTALL = (
    "Parquet needs Python with pyarrow: python3 -m venv ~/misp-python && ~/misp-python/bin/pip install pyarrow, "
    "then MISP_PYTHON=~/misp-python/bin/python launch/import …"
)


@dataclass
class Source:
    path: str
    # What ids of rows without one begin with; no two sources have the same.
    name: str = ""

    @property
    def folder(self):
        return os.path.dirname(os.path.abspath(self.path))

    def identity(self):
        """What tells this file from another: its size, its beginning and its end, where Parquet has its index."""
        size = os.path.getsize(self.path)
        digest = hashlib.sha256()
        with open(self.path, "rb") as file:
            digest.update(file.read(1 << 16))
            file.seek(max(0, size - (1 << 16)))
            digest.update(file.read())
        return [self.name, size, digest.hexdigest()]


class ParquetSource(Source):
    def _open(self):
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise BadInput(f"{self.path}: {INSTALL}") from None
        try:
            # Column chunks are read piece by piece: pre-buffering would hold a row group's pictures at once.
            return pyarrow.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20)
        except (pyarrow.ArrowException, OSError) as error:
            raise BadInput(f"{self.path}: damaged, or no Parquet: {first_line(error)}") from None

    def columns(self):
        return list(self._open().schema_arrow.names)

    def total(self):
        return self._open().metadata.num_rows

    def rows(self, skip, columns):
        """Pairs of a row's number, from 1, and its columns, after the first `skip` rows."""
        import pyarrow

        file = self._open()
        names = None if any("." in name for name in columns) else columns
        number = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if number + count <= skip:
                number += count
                continue
            try:
                batches = file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=names, use_threads=False)
                for batch in batches:
                    if number + batch.num_rows <= skip:
                        number += batch.num_rows
                        continue
                    for row in batch.slice(max(0, skip - number)).to_pylist():
                        number = max(number, skip) + 1
                        yield number, row
            except (pyarrow.ArrowException, OSError) as error:
                raise BadInput(f"{self.path}: damaged in row group {group + 1}: {first_line(error)}") from None


class JSONSource(Source):
    """What its rows have is known when they have been read."""

    def columns(self):
        return columns_of(self)

    def total(self):
        return None


class LinesSource(JSONSource):
    def rows(self, skip, columns):
        """Numbers are those of lines; a line that is no object comes as the reason to leave it out."""
        number = 0
        with open(self.path, "rb") as file:
            for line in file:
                number += 1
                if number > skip and line.strip():
                    yield number, object_in(line)


class ListSource(JSONSource):
    def rows(self, skip, columns):
        number = 0
        for value in elements(self.path):
            number += 1
            if number > skip:
                yield number, value if isinstance(value, dict) else LeftOut("the row is no object")


def object_in(line):
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return LeftOut("the line is not JSON")
    return value if isinstance(value, dict) else LeftOut("the line is no object")


def columns_of(source):
    """The keys of the first rows: later ones may lack some, and may not bring others."""
    columns = {}
    for _, (_, row) in zip(range(100), source.rows(0, [])):
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
    return list(columns)


def elements(path):
    """The elements of a list that a JSON file is, decoded one by one."""
    decoder = json.JSONDecoder()
    incremental = codecs.getincrementaldecoder("utf-8-sig")()
    text, place, size, count = "", 0, 1 << 16, 0
    with open(path, "rb") as file:
        ended = False
        while True:
            start = (BETWEEN if count else BEFORE).match(text, place).end()
            if text[start : start + 1] == "]":
                return
            try:
                value, end = decoder.raw_decode(text, start)
                # What ends where the text ends may go on.
                if end == len(text) and not ended:
                    raise ValueError
            except (ValueError, RecursionError) as error:
                if ended:
                    raise BadInput(f"{path}: damaged after {count} rows: {first_line(error)}") from None
                # Twice as much each time, so that a long row costs no more than its length.
                piece = file.read(max(size, len(text) - start))
                ended = not piece
                try:
                    text = text[place:] + incremental.decode(piece, ended)
                except UnicodeDecodeError:
                    raise BadInput(f"{path}: is not UTF-8, after {count} rows") from None
                place = 0
                continue
            place = end
            count += 1
            yield value


def sources_of(paths):
    """The files that the arguments mean, in their order; those of a folder in the order of their names."""
    files = []
    for path in paths:
        files += files_in(path) if os.path.isdir(path) else [path]
    sources = [source_of(file) for file in files]
    for source in sources:
        source.name = os.path.splitext(os.path.basename(source.path))[0]
    names = [source.name for source in sources]
    for place, source in enumerate(sources):
        if names.count(source.name) > 1 or not source.name.isprintable():
            source.name = f"{source.name}-{place + 1}"
    if len({source.name for source in sources}) < len(sources):
        raise BadInput("two sources have the same name; rename one")
    return sources


def files_in(folder):
    names = sorted(os.listdir(folder))
    for ending in (".parquet", ".jsonl", ".json"):
        chosen = [name for name in names if name.endswith(ending) and not name.startswith(".")]
        if chosen:
            break
    else:
        below = next((name for name in names if os.path.isdir(os.path.join(folder, name))), None)
        hint = f"; name the folder that has them, such as {os.path.join(folder, below)}" if below else ""
        raise BadInput(f"{folder}: holds no .parquet, .jsonl or .json files{hint}")
    check_shards(folder, chosen)
    return [os.path.join(folder, name) for name in chosen]


def check_shards(folder, names):
    """A folder's shards are of one split, as held-out rows are not to be trained on."""
    splits = {}
    for name in names:
        match = SHARD.fullmatch(name)
        if match:
            splits.setdefault(match[1], []).append((int(match[2]), int(match[3])))
    if len(splits) > 1:
        found = ", ".join(f"{split} ({len(shards)})" for split, shards in splits.items())
        example = os.path.join(folder, next(iter(splits)))
        raise BadInput(f"{folder}: holds shards of several splits: {found}; name the files of one: {example}-*.parquet")
    for split, shards in splits.items():
        if len(shards) < shards[0][1]:
            print(f"import: {folder}: {len(shards)} of {shards[0][1]} shards of {split} are there", file=sys.stderr)


def source_of(path):
    """By the content."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    if start.startswith(b"PAR1"):
        return ParquetSource(path)
    if start.startswith(b"version https://git-lfs.github.com/spec"):
        raise BadInput(f"{path}: is a Git LFS pointer, not the data: run git lfs pull")
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return ListSource(path)
    if text.startswith(b"{"):
        first = start.split(b"\n", 1)
        if text.rstrip() == b"{" or first[0].strip() == b"{":
            raise BadInput(f"{path}: is one JSON object over several lines, neither a list nor JSON lines")
        return LinesSource(path)
    if not start:
        raise BadInput(f"{path}: is empty")
    raise BadInput(f"{path}: is no Parquet, no JSON list and no JSON lines")


def first_line(error):
    return str(error).strip().split("\n")[0][:200]
