"""Texts of a row: strings, messages, and lists of messages, as trainers write them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from faults import LeftOut

IMAGE_MARK = "<image>"

# Tokens that place a picture in the families that misp reads; it refuses them in texts: the template places pictures.
PICTURE_TOKENS = re.compile(
    r"<image>|<\|(?:image_pad|video_pad|vision_start|vision_end|vision_pad)\|>"
    r"|<fake_token_around_image>|<global-img>|<row_\d_col_\d>"
)

ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}


@dataclass
class Question:
    """What is asked: the text parts of one message by the user, and what a system message before it says."""

    parts: list
    system: str | None = None
    # Parts before the picture.
    picture: int = 0

    def prompt(self):
        """The value of `prompt` in groups.jsonl: a text where it is one, else messages for the template to join."""
        if self.system is None and len(self.parts) == 1 and not self.picture:
            return self.parts[0]
        content = self.parts[0]
        if len(self.parts) > 1 or self.picture:
            content = [{"type": "text", "text": part} for part in self.parts]
        if self.picture:
            content.insert(self.picture, {"type": "image"})
        messages = [{"role": "user", "content": content}]
        if self.system is not None:
            messages.insert(0, {"role": "system", "content": self.system})
        return messages


@dataclass
class Message:
    role: str
    texts: list = field(default_factory=list)
    pictures: int = 0
    # Texts before the picture.
    before: int = 0


def checked(value, what):
    """A text that is to be learned from as it stands."""
    if value is None:
        raise LeftOut(f"{what} is missing")
    if not isinstance(value, str):
        raise LeftOut(f"{what} is {kind(value)}, not a text")
    if not value.strip():
        raise LeftOut(f"{what} is empty")
    found = PICTURE_TOKENS.search(value)
    if found:
        raise LeftOut(f"{what} holds {found[0]}, which stands for a picture")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise LeftOut(f"{what} is no Unicode text (half of a surrogate pair)") from None
    return value


def question(value):
    """A question: a text, or a list of messages, a system message and one by the user."""
    if isinstance(value, list):
        return asked([message(item) for item in value])
    if isinstance(value, dict):
        return asked([message(value)])
    return placed([value])


def asked(messages):
    """What a list of messages asks, without the answer."""
    system = None
    if messages and messages[0].role == "system":
        first, messages = messages[0], messages[1:]
        if len(first.texts) != 1 or first.pictures:
            raise LeftOut("the system message is not one text")
        # An empty one says nothing; templates write it as none.
        if not isinstance(first.texts[0], str) or first.texts[0].strip():
            system = checked(first.texts[0], "the system message")
    if not messages:
        raise LeftOut("the prompt is missing")
    if len(messages) != 1:
        raise LeftOut("a conversation of several turns")
    if messages[0].role != "user":
        raise LeftOut(f"the prompt is by '{messages[0].role}', not by the user")
    if messages[0].pictures > 1:
        raise LeftOut("several pictures in one prompt")
    return placed(messages[0].texts, messages[0].before, system)


def placed(parts, before=0, system=None):
    """A question of these parts, `before` of them before its picture, without the mark <image> at start or end."""
    if any(not isinstance(part, str) for part in parts):
        return Question([checked(part, "the prompt") for part in parts], system)
    marks = sum(part.count(IMAGE_MARK) for part in parts)
    if marks > 1:
        raise LeftOut("several pictures in one prompt")
    if marks and parts[0].lstrip().startswith(IMAGE_MARK):
        parts = [parts[0].lstrip()[len(IMAGE_MARK) :].lstrip()] + parts[1:]
    elif marks and parts[-1].rstrip().endswith(IMAGE_MARK):
        parts = parts[:-1] + [parts[-1].rstrip()[: -len(IMAGE_MARK)].rstrip()]
        before = len(parts)
    elif marks:
        raise LeftOut("the picture stands amid the prompt's text")
    before = sum(1 for part in parts[:before] if part.strip())
    parts = [part for part in parts if part.strip()]
    if not parts:
        raise LeftOut("the prompt is empty")
    return Question([checked(part, "the prompt") for part in parts], system, before)


def answer(value, what):
    """An answer: a text, a message, or a list of one message."""
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return checked(value, what)
    if len(value) != 1:
        raise LeftOut(f"{what} holds {'no' if not value else 'several'} messages")
    return said(message(value[0]), what)


def said(last, what):
    """The text of an answer's message."""
    if last.role != "assistant":
        raise LeftOut(f"{what} is by '{last.role}', not by the assistant")
    if len(last.texts) != 1 or last.pictures:
        raise LeftOut(f"{what} is not one text")
    return checked(last.texts[0], what)


def conversation(value, what):
    """Messages that end in an answer: what is asked, and the answer."""
    messages = [message(item) for item in listed(value, what)]
    if not messages:
        raise LeftOut(f"{what} is empty")
    return asked(messages[:-1]), said(messages[-1], what)


def message(value):
    """A message {"role", "content"}, or {"from", "value"}; a content is a text or a list of parts."""
    if not isinstance(value, dict):
        raise LeftOut(f"a message is {kind(value)}, not an object")
    name = value.get("role", value.get("from"))
    if not isinstance(name, str) or name not in ROLES:
        raise LeftOut(f"a message by '{str(name)[:40]}'")
    result = Message(ROLES[name])
    content = value.get("content", value.get("value"))
    if not isinstance(content, list):
        result.texts.append(content)
        return result
    for part in content:
        add(part, result)
    return result


def add(part, result):
    name = part.get("type") if isinstance(part, dict) else None
    if name == "text":
        result.texts.append(part.get("text"))
    elif name == "image":
        # The row's own column has the picture; one here would be a second.
        if any(part.get(key) is not None for key in ("image", "url", "path", "image_url")):
            raise LeftOut("a picture inside a message")
        result.pictures += 1
        result.before = len(result.texts)
    else:
        raise LeftOut(f"a part of type '{str(name)[:40]}' in a message")


def listed(value, what):
    if isinstance(value, list):
        return value
    if value is None:
        raise LeftOut(f"{what} is missing")
    raise LeftOut(f"{what} is {kind(value)}, not a list")


def parsed(value, what):
    """The object that a text holds as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise LeftOut(f"{what} is not JSON") from None


def kind(value):
    names = {dict: "an object", list: "a list", str: "a text", bytes: "bytes", bool: "true or false"}
    return names.get(type(value), "nothing" if value is None else "a number")
