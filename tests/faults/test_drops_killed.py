"""Killed at any line between dropping and being forgotten, a process's drops are told once, and exactly."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from domain.recording import AS_INSTALLED
from tests.figures import tell
from workers.evaluations import EvaluationRecorder, Tally
from workers.received import Evaluations, last_told, newest

NOON = 1_793_793_600.0
LINES_AT_LEAST = 200  # or it is not killed where it matters
KILLED_IN = ("drops.py", "spool.py", "flusher.py", "outgoing.py", "adopted.py", "sender.py")  # of workers/


class Kept:
    """A queue in a file, which outlives who sends to it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.touch()

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        with self._file.open("ab") as messages:
            messages.write(b"".join(each + b"\n" for each in batch))
        return []

    def bodies(self) -> list[Evaluations]:
        lines = self._file.read_bytes().splitlines()
        return [Evaluations.model_validate_json(line, strict=True) for line in lines]

    def counted(self) -> int:
        rows = newest(row for body in self.bodies() for row in body.count_rows() if row.flag)
        return sum(sum(row.counts.values()) for row in rows)

    def recorded(self) -> int:
        return len({record.event_id for body in self.bodies() for record in body.records})

    def told(self) -> tuple[int, int]:
        found = last_told(told for body in self.bodies() for told in body.drops())
        return sum(each.counts for each in found), sum(each.records for each in found)


def begin(queue: Kept, spool: Path) -> EvaluationRecorder:
    recorder = EvaluationRecorder(queue, spool_dir=spool, records="all", max_counters=1, uncertain_seconds=0)
    recorder.flusher.adopt()
    return recorder


def ask(recorder: EvaluationRecorder, name: str, flag: str) -> None:
    tally = Tally(("shop", "production", flag, "SPLIT", "on"))
    context = {"targetingKey": "u"}
    recorder.record_marked(name.encode(), [tally], AS_INSTALLED, context, 7, NOON)


def serve(recorder: EvaluationRecorder, name: str) -> None:
    """Three of which one has room."""
    for flag in ("f", "no room", "no room"):
        ask(recorder, name, flag)
        recorder.answered()


def killed(queue: Kept, spool: Path, line: int) -> bool:
    """Whether a process that sends what it and another left came to that many lines."""
    if pid := os.fork():
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        recorder = begin(queue, spool)
        serve(recorder, "second")
        ask(recorder, "under way", "no room")  # its drop is told now, and may be taken back
        sys.settrace(killing_at(line))
        for _ in range(3):
            recorder.flush()
        sys.settrace(None)
        os._exit(0)
    finally:
        os._exit(1)


def killing_at(line: int) -> Any:
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if Path(frame.f_code.co_filename).name not in KILLED_IN:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_killed_at_any_line_drops_are_told_exactly(tmp_path: Path) -> None:
    line, going = 0, True
    while going:
        queue, spool = Kept(tmp_path / f"{line}.queue"), tmp_path / f"{line}.spool"
        first = begin(queue, spool)
        serve(first, "first")
        os.close(first._home._lock)  # as the kernel does it
        going = killed(queue, spool, line)
        third = begin(queue, spool)
        ask(third, "under way", "no room")  # the client had no answer
        third.answered()
        assert all(third.flush() for _ in range(3))
        told = queue.told()
        assert (queue.counted() + told[0], queue.recorded() + told[1]) == (7, 7), f"killed at line {line}"
        assert told == (third.dropped_counts, third.dropped_records)
        third.stop()
        line += 1
    tell("Drops told by a process killed at each of its lines", lines=line - 1, difference=0)
    assert line > LINES_AT_LEAST
