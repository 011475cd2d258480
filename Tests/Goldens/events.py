"""Writes events.json: the bytes of a small event file as TensorBoard's own classes make them."""

import io
import json
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1700000000.25


def main():
    output = io.BytesIO()
    writer = RecordWriter(output)
    writer.write(Event(wall_time=TIME, file_version="brain.Event:2").SerializeToString())
    writer.write(Event(wall_time=TIME, step=5, session_log=SessionLog(status=SessionLog.START)).SerializeToString())
    event = Event(wall_time=TIME, step=300)
    for name, value in [("loss", 0.69314718), ("rewards/margins", -1.5e-7)]:
        event.summary.value.add(tag=name, simple_value=value)
    writer.write(event.SerializeToString())
    path = Path(__file__).parent / "events.json"
    path.write_text(json.dumps({"time": TIME, "step": 4, "bytes": output.getvalue().hex()}) + "\n")


if __name__ == "__main__":
    main()
