"""Pictures: told by their content, named by it, and written once for each content."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass

from faults import LeftOut

READ = {"png": "PNG", "jpg": "JPEG", "webp": "WebP"}

# What misp does not read, so that a row can say what it has; (place, bytes, name).
OTHERS = (
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\x01\0", "ICO"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG"),
)

NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|webp)")
# The first characters of PNG, JPEG, WebP and GIF in base64.
BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD")


def extension(content):
    """By the content: of PNG, JPEG and WebP the first bytes decide, in misp too."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if not content:
        raise LeftOut("a picture is empty")
    for place, start, name in OTHERS:
        if content[place : place + len(start)] == start:
            raise LeftOut(f"a picture is {name}; PNG, JPEG and WebP are read")
    raise LeftOut("a picture is of no known format; PNG, JPEG and WebP are read")


@dataclass
class Picture:
    name: str
    content: bytes
    # The file that it comes from, if it is one.
    path: str | None = None


class Pictures:
    """The folder images/ of the output."""

    def __init__(self, out, work, root=None, link=False):
        self.folder = os.path.join(out, "images")
        self.temporary = os.path.join(work, "picture")
        self.root = root
        self.link = link
        os.makedirs(self.folder, exist_ok=True)

    def read(self, value, folder):
        """A picture as data sets have it: bytes, {bytes, path}, a path, base64, or a list of one of these."""
        if isinstance(value, list):
            if len(value) > 1:
                raise LeftOut("several pictures in one row")
            value = value[0] if value else None
        path = None
        if isinstance(value, dict):
            value = next((value[key] for key in ("bytes", "path") if value.get(key) is not None), None)
        if isinstance(value, str):
            content, path = self._referred(value, folder)
        else:
            content = value
        if content is None:
            raise LeftOut("a picture is missing")
        if not isinstance(content, (bytes, bytearray)):
            raise LeftOut("a picture is neither bytes nor a path")
        name = f"{hashlib.sha256(content).hexdigest()[:32]}.{extension(content)}"
        return Picture(name, content, path)

    def _referred(self, text, folder):
        """Content, and path where it is a file's."""
        if not text.strip():
            raise LeftOut("a picture's path is empty")
        if text.startswith("data:"):
            kind, _, rest = text.partition(",")
            if not kind.endswith(";base64"):
                raise LeftOut("a picture is a data: URI that is not base64")
            return decoded(rest), None
        if len(text) > 255 and text.startswith(BASE64_STARTS):
            return decoded(text), None
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
            raise LeftOut("a picture is a URL; nothing is downloaded", text[:200])
        path = os.path.join(self.root or folder, text)
        try:
            with open(path, "rb") as file:
                return file.read(), os.path.realpath(path)
        except (FileNotFoundError, NotADirectoryError):
            raise LeftOut("a picture's file does not exist", text[:200]) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            raise LeftOut(f"a picture's file cannot be read ({reason})", text[:200]) from None

    def write(self, picture):
        """Writes it, unless a file of this content is there; the file appears whole."""
        target = os.path.join(self.folder, picture.name)
        try:
            if os.stat(target).st_size == len(picture.content):
                return
        except FileNotFoundError:
            pass
        if os.path.lexists(self.temporary):
            os.remove(self.temporary)
        if self.link and picture.path:
            os.symlink(picture.path, self.temporary)
        else:
            with open(self.temporary, "wb") as file:
                file.write(picture.content)
        os.rename(self.temporary, target)


def decoded(text):
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise LeftOut("a picture's base64 is damaged") from None
