"""Runs launch/import until it has written a line, or put a file in its place, so many times, and then kills it.

python killed.py EVENTS ARGUMENTS...: before the event of that number, counted from 1. Prints how many there were if it
ends before.
"""

import os
import pathlib
import runpy
import signal
import sys

IMPORTING = pathlib.Path(__file__).resolve().parents[2] / "launch" / "importing"
sys.path.insert(0, str(IMPORTING))

import journal  # noqa: E402

last, happened = int(sys.argv[1]), 0


def counted(function):
    def call(*arguments):
        global happened
        happened += 1
        if happened == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return call


os.rename, os.replace = counted(os.rename), counted(os.replace)
journal.Journal.write = counted(journal.Journal.write)
sys.argv = ["import", *sys.argv[2:]]
try:
    runpy.run_path(str(IMPORTING), run_name="__main__")
finally:
    print(f"events: {happened}")
