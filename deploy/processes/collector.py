"""Keeps the garbage collector away from what a process holds for good.

A full collection looks at every object there is. Among those of 100,000 compiled flags that takes seconds, in
which nothing is answered, and finds nothing.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

NEVER = 1_000_000_000
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
