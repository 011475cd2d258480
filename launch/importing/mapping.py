"""--map FIELD=PATH: which column, or which place in one, a field of a group comes from."""

from __future__ import annotations

import texts
from faults import BadInput, LeftOut
from layouts import Draft, Layout, identified, scored

FIELDS = ("id", "prompt", "system", "chosen", "rejected", "image", "negatives")


def mapping_of(options):
    """The options' paths by field; BadInput for what is none."""
    paths = {}
    for option in options:
        name, sign, path = option.partition("=")
        if not sign or not path or name not in FIELDS:
            raise BadInput(f"--map wants FIELD=PATH, and FIELD is one of {', '.join(FIELDS)}, not '{option}'")
        if name in paths:
            raise BadInput(f"--map {name}=… is given twice")
        paths[name] = path
    return paths


def mapped_layout(paths, columns, place):
    """A layout that reads rows by these paths; fields without one have their own names."""
    paths = dict(paths)
    for name in FIELDS:
        if name not in paths and name in columns:
            paths[name] = name
    for name in ("prompt", "chosen", "image"):
        if name not in paths:
            raise BadInput(f"{place}: has no column {name}: add --map {name}=COLUMN; there are {', '.join(columns)}")
    for name, path in paths.items():
        if first(path, columns) not in columns:
            raise BadInput(f"{place}: --map {name}={path}: there is no such column; there are {', '.join(columns)}")
    used = {name: [first(path, columns), *rest(path, columns)] for name, path in paths.items()}
    names = tuple(sorted({path[0] for path in used.values()}))
    return Layout("--map", names, (), (), lambda row: draft(row, used))


def first(path, columns):
    """The column of a path; a column's own name may have dots."""
    return path if path in columns else path.split(".")[0]


def rest(path, columns):
    return [] if path in columns else path.split(".")[1:]


def draft(row, paths):
    values = {name: value(row, path) for name, path in paths.items()}
    question = texts.question(values["prompt"])
    if values.get("system"):
        if question.system is not None:
            raise LeftOut("two system messages")
        question.system = texts.checked(values["system"], "the system message")
    rejected = None
    if "rejected" in paths:
        rejected = texts.answer(values["rejected"], "rejected")
    return Draft(
        question=question,
        chosen=texts.answer(values["chosen"], "chosen"),
        rejected=rejected,
        image=values["image"],
        negatives=scored(values.get("negatives") or []),
        id=identified({"id": values.get("id")}),
    )


def value(row, path):
    """What stands at a path: keys of objects and places of lists, in texts that hold JSON too; None where nothing is.

    The end of a path is taken as it is: a text stays one.
    """
    here = row.get(path[0])
    for step in path[1:]:
        here = texts.parsed(here, path[0])
        if isinstance(here, dict):
            here = here.get(step)
        elif isinstance(here, list) and step.isdigit():
            here = here[int(step)] if int(step) < len(here) else None
        else:
            return None
    return here
