"""launch/import: what the command line asks for. The help is the head of launch/import."""

from __future__ import annotations

import argparse
import sys

from faults import BadInput
from run import Import


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise BadInput(f"{message}; see --help")


def count(text):
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wants a number from 1, not '{text}'")
    return int(text)


def options():
    parser = Parser(prog="import", add_help=False, allow_abbrev=False)
    parser.add_argument("source", nargs="*")
    parser.add_argument("--out", required=True)
    parser.add_argument("--map", nargs="+", action="extend", default=[])
    parser.add_argument("--images")
    parser.add_argument("--link", action="store_true")
    parser.add_argument("--limit", type=count)
    parser.add_argument("--overwrite", action="store_true")
    given = parser.parse_intermixed_args()
    # What follows --map and maps nothing is a source.
    given.source += [item for item in given.map if "=" not in item]
    given.map = [item for item in given.map if "=" in item]
    if not given.source:
        parser.error("say what to read")
    return given


def main():
    try:
        return Import(options()).run()
    except BadInput as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print(f"import: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
