"""Times launch/import and weighs its memory: rows of RLAIF-V's columns with pictures in them, made here.

python measure.py FOLDER [ROWS] [ROWS_A_GROUP]

Imports them once undisturbed, and once killed (SIGKILL) at half of the rows and given again; says whether both ended in
the same bytes.
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import fixtures

LAUNCHER = pathlib.Path(__file__).resolve().parents[2] / "launch" / "import"
# Random pixels, which no compression makes smaller: 128 · 128 · 3 bytes.
SIDE, SHARDS = 128, 4


def made(folder, rows, rows_a_group):
    """Their bytes on disk. Made by a process of its own, as a process's peak is also that of its children at first."""
    if os.fork():
        assert os.wait()[1] == 0
        return sum(file.stat().st_size for file in folder.iterdir())
    folder.mkdir(parents=True)
    for shard in range(SHARDS):
        count = rows // SHARDS
        name = folder / f"train-{shard:05}-of-{SHARDS:05}.parquet"
        fixtures.rlaif(name, count, shard * count, SIDE, rows_a_group)
    os._exit(0)


def start(source, out):
    environment = {**os.environ, "MISP_PYTHON": sys.executable}
    command = [LAUNCHER, source, "--out", out]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def finished(process):
    """Seconds since the call, and the peak of its memory in MiB."""
    began = time.monotonic()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return time.monotonic() - began, usage.ru_maxrss / 1024


def kill_half_way(process, out, rows):
    state = out / ".import" / "state.json"
    while True:
        time.sleep(0.02)
        try:
            read = json.loads(state.read_text())["counts"]["rows_read"]
        except (OSError, ValueError, KeyError):
            continue
        if read >= rows / 2:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return read


def digest(folder):
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def main():
    folder = pathlib.Path(sys.argv[1])
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    rows_a_group = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    size = made(folder / "rows", rows, rows_a_group)
    print(f"{rows} rows, {size / 2**20:.0f} MiB in {SHARDS} files, {rows_a_group} rows a row group")
    seconds, memory = finished(start(folder / "rows", folder / "once"))
    print(f"undisturbed: {seconds:.1f} s, {rows / seconds:.0f} rows/s, at most {memory:.0f} MiB")
    half = kill_half_way(start(folder / "rows", folder / "twice"), folder / "twice", rows)
    seconds, memory = finished(start(folder / "rows", folder / "twice"))
    print(f"killed after {half} rows, given again: {seconds:.1f} s, at most {memory:.0f} MiB")
    same = digest(folder / "once") == digest(folder / "twice")
    print("the same bytes" if same else "DIFFERENT BYTES")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
