"""One import: rows of the sources, one after another, into groups and pictures."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys

from faults import BadInput, LeftOut
from journal import Journal
from layouts import layout_of
from mapping import mapped_layout, mapping_of
from pictures import Pictures
from sources import ROWS_AT_ONCE, sources_of
from tally import Progress, Tally

# Changes when the same sources would become other files.
VERSION = 1
STOPPED = 3


class Import:
    def __init__(self, options):
        self.options = options
        if options.images and not os.path.isdir(options.images):
            raise BadInput(f"--images {options.images}: is no folder")
        self.paths = mapping_of(options.map)
        self.sources = sources_of(options.source)
        self.layouts = [self._layout(source) for source in self.sources]
        self.stopped = False

    def _layout(self, source):
        columns = source.columns()
        return mapped_layout(self.paths, columns, source.path) if self.paths else layout_of(columns, source.path)

    def _identity(self):
        """Of everything that decides the output's bytes."""
        parts = {
            "version": VERSION,
            "sources": [source.identity() for source in self.sources],
            "map": self.paths,
            "limit": self.options.limit,
            "images": self.options.images and os.path.realpath(self.options.images),
            "link": self.options.link,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def run(self):
        """The exit status."""
        out = self.options.out
        self.journal = Journal(out, self._identity(), self.options.overwrite)
        if self.journal.finished:
            print(f"{out}: this import was finished earlier; --overwrite makes it again")
            return 0
        self.tally = Tally(self.journal.state["counts"])
        self.pictures = Pictures(out, self.journal.work, self.options.images, self.options.link)
        totals = [source.total() for source in self.sources]
        self.progress = Progress(None if None in totals else sum(totals), self.tally.read)
        before = {name: signal.signal(name, self._stop) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._read()
            self.progress.end()
            return self._stopped() if self.stopped else self._finish()
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
            self.journal.close()

    def _stopped(self):
        print(f"import: stopped after {self.tally.read} rows; the same command goes on from there", file=sys.stderr)
        return STOPPED

    def _stop(self, *_):
        self.stopped = True

    @property
    def _is_enough(self):
        return self.options.limit is not None and self.tally.groups >= self.options.limit

    def _read(self):
        state = self.journal.state
        for place in range(state["source"], len(self.sources)):
            if not self._read_source(place, state["row"] if place == state["source"] else 0):
                return
            self.journal.save(place + 1, 0, self.tally.counts())

    def _read_source(self, place, skip):
        """Whether the source was read to its end. What is done is saved, at the latest after `ROWS_AT_ONCE` rows."""
        source, layout = self.sources[place], self.layouts[place]
        self.tally.reach(place)
        done, unsaved = skip, 0
        for number, row in source.rows(skip, layout.columns(source.columns())):
            if self._is_enough or self.stopped:
                self.journal.save(place, done, self.tally.counts())
                return False
            self._take(place, number, row)
            done, unsaved = number, unsaved + 1
            if unsaved == ROWS_AT_ONCE:
                self.journal.save(place, done, self.tally.counts())
                self.progress.show(self.tally, source.name)
                unsaved = 0
        return True

    def _take(self, place, number, row):
        """Makes a group of a row, or counts why not. Pictures are written when the row is known to be a group."""
        source = self.sources[place]
        try:
            if isinstance(row, LeftOut):
                raise row
            group, read = self._group(source, number, self.layouts[place].read(row))
        except LeftOut as reason:
            self.tally.leave_out(reason, f"{os.path.basename(source.path)}:{number}")
            self.tally.count_row(place, 0)
            return
        for picture in read:
            if f"images/{picture.name}" not in self.journal.pictures:
                self.pictures.write(picture)
                self.journal.pictures.add(f"images/{picture.name}")
                self.tally.bytes += len(picture.content)
        self.journal.write(group)
        self.tally.count_row(place, 1)
        self._note(group)

    def _group(self, source, number, draft):
        image = self.pictures.read(draft.image, source.folder)
        negatives = []
        for value, score in draft.negatives:
            picture = self.pictures.read(value, source.folder)
            # The picture itself, as ms-swift wants it beside rejected_messages, is no negative.
            if picture.name != image.name:
                negatives.append((picture, score))
        rejected = draft.rejected
        if rejected == draft.chosen:
            # Equal answers cancel out; a negative is still compared.
            if not negatives:
                raise LeftOut("chosen and rejected are the same")
            rejected = None
        group = {"id": self._id(source, number, draft.id), "prompt": draft.question.prompt(), "chosen": draft.chosen}
        if rejected is not None:
            group["rejected"] = rejected
        group["image"] = f"images/{image.name}"
        if negatives:
            group["negatives"] = [
                {"image": f"images/{picture.name}", **({} if score is None else {"score": score})}
                for picture, score in negatives
            ]
        return group, [image, *(picture for picture, _ in negatives)]

    def _id(self, source, number, own):
        """The data's own id unless an earlier row has it, else by source and row."""
        if own is not None and not self.journal.has(own):
            return own
        name = f"{source.name}-{number}"
        while self.journal.has(name):
            name += "+"
        return name

    def _note(self, group):
        if "rejected" not in group:
            self.tally.add("without rejected")
        if "negatives" in group:
            self.tally.add("with negatives")
        if isinstance(group["prompt"], list):
            system = group["prompt"][0]["role"] == "system"
            self.tally.add("with a system message" if system else "with a prompt of several parts")

    def _finish(self):
        out, tally, count = self.options.out, self.tally, len(self.journal.pictures)
        if not tally.groups:
            self.journal.remove()
            raise BadInput(f"none of {tally.read} rows became a group\n{tally.table(count, out)}")
        self.journal.finish(
            {
                "sources": [
                    {"path": source.path, "layout": layout.name, "rows": rows, "groups": groups}
                    for source, layout, (rows, groups) in zip(self.sources, self.layouts, tally.sources)
                ],
                "rows_read": tally.read,
                "groups": tally.groups,
                "features": dict(sorted(tally.features.items())),
                "pictures": {"files": count, "bytes": tally.bytes},
                "rows_left_out": tally.read - tally.groups,
                "left_out": [{"reason": reason, **entry} for reason, entry in tally.reasons()],
            }
        )
        for source, layout in zip(self.sources, self.layouts):
            print(f"{source.path}: {layout.name}")
        print(tally.table(count, out))
        print(f"in run.yaml:  data: {{train: {out}/groups.jsonl, images: {out}}}")
        return 0
