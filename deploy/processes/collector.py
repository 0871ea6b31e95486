"""Keeps the garbage collector away from what a process holds for good.

A full collection looks at every object there is. Among those of 100,000 compiled flags that takes seconds, in
which nothing is answered, and finds nothing.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, perf_counter

NEVER = 1_000_000_000
LEISURE_SECONDS = 30.0  # between full collections; what waits for one is a few connections that broke
LONG_SECONDS = 0.005  # a full collection longer than this has looked at much that is here to stay


@contextmanager
def no_full_collection() -> Iterator[None]:
    """Young garbage is collected as ever; what is made in here is then never looked at again."""
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(young, middle, old)


def collect_at_leisure() -> Callable[[], None]:
    """From now on full collections are made only by the function that this returns, to be called whenever
    there is nothing better to do; it makes one now and then."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    due = 0.0

    def collect() -> None:
        nonlocal due
        if monotonic() >= due:
            gc.collect()
            gc.freeze()
            due = monotonic() + LEISURE_SECONDS

    return collect


def set_aside_survivors() -> None:
    """From now on, what survived a full collection that took long is not looked at by the next one."""
    began = 0.0

    def watch(phase: str, about: Mapping[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = perf_counter()
        elif about["generation"] == 2 and perf_counter() - began > LONG_SECONDS:
            gc.freeze()

    gc.callbacks.append(watch)
