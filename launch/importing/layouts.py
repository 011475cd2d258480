"""Column layouts of data sets, told apart by their columns, and how a row of each becomes a group."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import texts
from faults import BadInput, LeftOut
from texts import Question


@dataclass
class Draft:
    """A group whose pictures have not been read yet."""

    question: Question
    chosen: str
    rejected: str | None
    image: object
    # Pictures with their scores, or None.
    negatives: list = field(default_factory=list)
    id: str | None = None


@dataclass(frozen=True)
class Layout:
    name: str
    # All of these, and one of `either` if there are any, make a file of this layout.
    required: tuple
    either: tuple
    # What else is read, if it is there.
    optional: tuple
    read: object
    # With one of these it is another layout.
    without: tuple = ()

    def fits(self, columns):
        either = not self.either or bool(columns & set(self.either))
        return set(self.required) <= columns and either and not columns & set(self.without)

    def columns(self, there):
        known = self.required + self.either + self.optional
        return [name for name in there if name in known]

    def words(self):
        either = f", and {' or '.join(self.either)}" if self.either else ""
        return f"{', '.join(self.required)}{either}"


def rlhf_v(row):
    text = texts.parsed(row.get("text"), "text")
    if not isinstance(text, dict):
        raise LeftOut("text is no JSON object of question, chosen and rejected")
    draft = pair({**text, "image": row.get("image")})
    draft.id = identified(row)
    return draft


def pair(row):
    """A question and two answers about one picture."""
    return Draft(
        texts.question(row.get("question")),
        texts.answer(row.get("chosen"), "chosen"),
        texts.answer(row.get("rejected"), "rejected"),
        row.get("image"),
        id=identified(row),
    )


def trl(row):
    """`prompt` may be absent: chosen and rejected then hold it, before their answer."""
    if row.get("prompt") is not None:
        question = texts.question(row["prompt"])
        chosen, rejected = (texts.answer(row.get(name), name) for name in ("chosen", "rejected"))
    else:
        question, chosen = texts.conversation(row.get("chosen"), "chosen")
        other, rejected = texts.conversation(row.get("rejected"), "rejected")
        same(question, other)
    return Draft(question, chosen, rejected, row.get("images"), id=identified(row))


def swift(row):
    """Each rejected picture is a negative; of a rejected conversation the last message is the rejected answer."""
    without(row, "videos", "audios", "objects", "tools")
    question, chosen = texts.conversation(row.get("messages"), "messages")
    beside(question, row)
    rejected = None
    if row.get("rejected_messages") is not None:
        other, rejected = texts.conversation(row["rejected_messages"], "rejected_messages")
        beside(other, row)
        same(question, other)
    elif row.get("rejected_response") is not None:
        rejected = texts.answer(row["rejected_response"], "rejected_response")
    pictures = row.get("rejected_images") or []
    negatives = [(picture, None) for picture in (pictures if isinstance(pictures, list) else [pictures])]
    if rejected is None and not negatives:
        raise LeftOut("nothing is rejected: neither an answer nor a picture")
    return Draft(question, chosen, rejected, row.get("images"), negatives, identified(row))


def factory(row):
    """LLaMA-Factory's conversations, and its messages with chosen and rejected."""
    without(row, "videos", "audios", "tools")
    name = "conversations" if row.get("conversations") is not None else "messages"
    question = texts.question(texts.listed(row.get(name), name))
    beside(question, row)
    chosen, rejected = (texts.answer(row.get(name), name) for name in ("chosen", "rejected"))
    return Draft(question, chosen, rejected, row.get("images"), id=identified(row))


def alpaca(row):
    """LLaMA-Factory asks `instruction`, a line break and `input`."""
    without(row, "videos", "audios", "history")
    asked = "\n".join(row[name] for name in ("instruction", "input") if isinstance(row.get(name), str) and row[name])
    draft = pair({**row, "question": asked, "image": row.get("images")})
    beside(draft.question, row)
    return draft


def native(row):
    """misp's own rows, whose pictures may stand in the row."""
    rejected = row.get("rejected")
    return Draft(
        question=texts.question(row.get("prompt")),
        chosen=texts.answer(row.get("chosen"), "chosen"),
        rejected=None if rejected is None else texts.answer(rejected, "rejected"),
        image=row.get("image"),
        negatives=scored(row.get("negatives") or []),
        id=identified(row),
    )


def scored(values):
    """Negatives as pictures, or as {image, score}; all of a row have a score, or none has."""
    negatives = []
    for value in texts.listed(values, "negatives"):
        score = None
        if isinstance(value, dict) and "image" in value:
            value, score = value["image"], value.get("score")
        number = isinstance(score, (int, float)) and not isinstance(score, bool) and math.isfinite(score)
        if score is not None and not number:
            raise LeftOut("a negative's score is no finite number")
        negatives.append((value, score))
    if len({score is None for _, score in negatives}) > 1:
        raise LeftOut("only some negatives have a score")
    return negatives


def beside(question, row):
    """A system message that stands beside the messages."""
    if row.get("system") and question.system is None:
        question.system = texts.checked(row["system"], "the system message")


def same(question, other):
    if question != other:
        raise LeftOut("chosen and rejected answer different prompts")


def without(row, *names):
    for name in names:
        if row.get(name):
            raise LeftOut(f"the row has {name}")


def identified(row):
    """`id`, or ds_name and idx, where they name the row; a repeated one is not used twice."""
    own, name = row.get("id"), None
    if own is None:
        own, name = row.get("idx"), row.get("ds_name")
    if isinstance(own, bool) or not isinstance(own, (str, int)) or not str(own).strip():
        return None
    own = f"{name}-{own}" if isinstance(name, str) and name.strip() else str(own)
    return own if own.isprintable() else None


IDS = ("id", "ds_name", "idx")
MEDIA = ("images", "videos", "audios")
KNOWN = (
    Layout("RLHF-V", ("ds_name", "image", "text"), (), IDS, rlhf_v),
    Layout("RLAIF-V", ("image", "question", "chosen", "rejected"), (), IDS, pair),
    Layout(
        "ms-swift",
        ("messages",),
        ("rejected_response", "rejected_messages", "rejected_images"),
        (*MEDIA, *IDS, "system", "objects", "tools"),
        swift,
    ),
    Layout(
        "LLaMA-Factory",
        ("chosen", "rejected"),
        ("conversations", "messages"),
        (*MEDIA, *IDS, "system", "tools"),
        factory,
    ),
    Layout(
        "LLaMA-Factory, Alpaca",
        ("instruction", "chosen", "rejected"),
        (),
        (*MEDIA, *IDS, "input", "system", "history"),
        alpaca,
    ),
    Layout("misp", ("prompt", "chosen", "image"), (), ("rejected", "negatives", *IDS), native),
    Layout(
        "TRL",
        ("chosen", "rejected", "images"),
        (),
        ("prompt", *IDS),
        trl,
        without=("conversations", "messages", "instruction"),
    ),
)


def layout_of(columns, place):
    """The one known layout that the columns make.

    Throws BadInput if there is none, or if rows could be read in more than one way.
    """
    there = set(columns)
    fitting = [layout for layout in KNOWN if layout.fits(there)]
    if len(fitting) == 1 and not {"image", "images"} <= there:
        return fitting[0]
    what = "no known layout has these columns"
    if fitting:
        what = f"these columns are those of several layouts ({', '.join(layout.name for layout in fitting)})"
        if len(fitting) == 1:
            what = "there are both image and images"
    known = "\n".join(f"  {layout.name}: {layout.words()}" for layout in KNOWN)
    raise BadInput(
        f"{place}: {what}: {', '.join(columns) or 'none'}\nknown layouts:\n{known}\n"
        "say which column is which, such as\n"
        "  --map prompt=question --map chosen=answer.good --map rejected=answer.bad --map image=picture"
    )
