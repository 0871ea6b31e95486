"""The clock of the engine benchmark: what is compared takes turns, so that a slow second hits everybody."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from statistics import median
from time import perf_counter
from typing import NamedTuple

SAMPLE_SECONDS = 0.02  # long beside the clock's own cost, short beside whatever else the machine does

Run = Callable[[], None]
"""Asks as many questions as the caller says it asks."""


class Figure(NamedTuple):
    """Microseconds for one question, over all rounds."""

    median: float
    min: float
    max: float


def in_turn(runs: Mapping[str, Run], questions: int, rounds: int) -> dict[str, Figure]:
    """A B C A B C ...; each run asks `questions` questions, and is repeated to fill a sample."""
    with _no_collection():
        times = {name: _times_to_fill(run) for name, run in runs.items()}
        samples: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                samples[name].append(_seconds(run, times[name]) / questions * 1e6)
    return {name: Figure(median(each), min(each), max(each)) for name, each in samples.items()}


def _times_to_fill(run: Run) -> int:
    run()
    return max(1, ceil(SAMPLE_SECONDS / _seconds(run, 1)))


def _seconds(run: Run, times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        run()
    return (perf_counter() - start) / times


@contextmanager
def _no_collection() -> Iterator[None]:
    """As timeit does: whose turn a collection of everybody's garbage falls into is chance."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
