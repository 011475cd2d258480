"""Counts of an import, and what people see of them."""

from __future__ import annotations

import sys
import time

# Rows that are named for each reason.
NAMED = 5


class Tally:
    """Plain numbers and lists, which the state keeps as JSON."""

    def __init__(self, counts=None):
        counts = counts or {}
        self.read = counts.get("rows_read", 0)
        self.groups = counts.get("groups", 0)
        self.bytes = counts.get("picture_bytes", 0)
        self.features = counts.get("features", {})
        # By reason: how many rows, and the first of them.
        self.left_out = counts.get("left_out", {})
        # By source: rows read and groups written.
        self.sources = counts.get("sources", [])

    def counts(self):
        return {
            "rows_read": self.read,
            "groups": self.groups,
            "picture_bytes": self.bytes,
            "features": self.features,
            "left_out": self.left_out,
            "sources": self.sources,
        }

    def leave_out(self, reason, row):
        entry = self.left_out.setdefault(reason.reason, {"rows": 0, "first": []})
        entry["rows"] += 1
        if len(entry["first"]) < NAMED:
            entry["first"].append(f"{row} ({reason.detail})" if reason.detail else row)

    def add(self, feature):
        self.features[feature] = self.features.get(feature, 0) + 1

    def reach(self, source):
        while len(self.sources) <= source:
            self.sources.append([0, 0])

    def count_row(self, source, written):
        self.read += 1
        self.groups += written
        self.sources[source][0] += 1
        self.sources[source][1] += written

    def reasons(self):
        """The most frequent one first."""
        return sorted(self.left_out.items(), key=lambda item: (-item[1]["rows"], item[0]))

    def table(self, pictures, out):
        lines = [
            f"{self.read:>9}  rows read",
            f"{self.groups:>9}  groups written to {out}/groups.jsonl",
        ]
        lines += [f"{count:>9}    {feature}" for feature, count in sorted(self.features.items())]
        lines.append(f"{pictures:>9}  pictures in {out}/images, {size(self.bytes)}")
        lines.append(f"{self.read - self.groups:>9}  rows left out")
        for reason, entry in self.reasons():
            more = ", …" if entry["rows"] > len(entry["first"]) else ""
            lines.append(f"{entry['rows']:>9}    {reason}: {', '.join(entry['first'])}{more}")
        return "\n".join(lines)


def size(count):
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024


class Progress:
    """A line on a terminal that says how far the import is, twice a second; elsewhere nothing."""

    def __init__(self, total, done):
        self.total, self.first = total, done
        self.shown = sys.stderr.isatty()
        self.start = self.last = time.monotonic()

    def show(self, tally, source):
        now = time.monotonic()
        if not self.shown or now < self.last + 0.5:
            return
        self.last = now
        rate = (tally.read - self.first) / (now - self.start)
        of = f" of {self.total} ({100 * tally.read // max(1, self.total)} %)" if self.total else ""
        self._line(f"{source}: {tally.read}{of} rows, {tally.groups} groups, {rate:.0f} rows/s")

    def end(self):
        if self.shown:
            self._line("")

    @staticmethod
    def _line(text):
        sys.stderr.write(f"\r\033[K{text[:200]}")
        sys.stderr.flush()
