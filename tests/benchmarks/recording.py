"""What recording costs an evaluation, in each mode.

`python -m tests.benchmarks.recording`: CPU time of `record_one` in this process, on one thread; the median of
many rounds. The spool is a real one on this machine's disk, and nothing is sent meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from statistics import median

from rich.console import Console
from rich.table import Table

from domain.recording import Recording, RecordingMode
from workers.evaluations import EvaluationRecorder, Tally

ROUNDS, EACH = 41, 5_000
SUBJECTS = 1_000
NOON = 1_793_793_600.0
POSITION = 1_207

Context = dict[str, str]


class Nowhere:
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        del batch
        return []


def tallies() -> list[Tally]:
    """Ten flags, of which each context asks for another."""
    return [Tally(("shop", "production", f"flag-{n}", "SPLIT", "on")) for n in range(10)]


def contexts(first: int, count: int) -> list[Context]:
    return [{"targetingKey": f"user-{first + n}", "country": "BR"} for n in range(count)]


def microseconds(mode: RecordingMode, asked: Callable[[int], list[Context]]) -> float:
    """The median over the rounds; `asked` gives the contexts of a round."""
    recorder = EvaluationRecorder(Nowhere(), records=mode)
    recording = Recording()
    found = []
    for number in range(ROUNDS):
        flags: Iterator[Tally] = cycle(tallies())
        work = list(zip(flags, asked(number), strict=False))
        began = time.process_time()
        for tally, context in work:
            recorder.record_one(tally, recording, context, POSITION, NOON)
        found.append((time.process_time() - began) / len(work))
        recorder.flush()
    assert not recorder.dropped_counts
    assert not recorder.dropped_records
    return median(found[1:]) * 1e6


def marked(asked: list[Context]) -> float:
    """Where clients name their requests, with what it takes to know which one was under way."""
    recorder, recording = EvaluationRecorder(Nowhere(), records="exposures"), Recording()
    found = []
    for _ in range(ROUNDS):
        work = [((tally,), context) for tally, context in zip(cycle(tallies()), asked, strict=False)]
        began = time.process_time()
        for tally, context in work:
            recorder.record_marked(b"request-1", tally, recording, context, POSITION, NOON)
            recorder.answered()
        found.append((time.process_time() - began) / len(work))
        recorder.flush()
    return median(found[1:]) * 1e6


def same(_: int) -> list[Context]:
    return contexts(0, SUBJECTS) * (EACH // SUBJECTS)


def new(number: int) -> list[Context]:
    return contexts(number * EACH, EACH)


def main() -> None:
    table = Table("mode", "µs", title="Recording one evaluation")
    table.add_row("none: counted", f"{microseconds('none', same):.2f}")
    table.add_row("exposures: counted, recorded lately", f"{microseconds('exposures', same):.2f}")
    table.add_row("the same, the request named by its client", f"{marked(same(0)):.2f}")
    table.add_row("exposures: counted, and recorded", f"{microseconds('exposures', new):.2f}")
    table.add_row("all: counted, and recorded", f"{microseconds('all', same):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
