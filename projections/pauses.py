"""How long work in a background thread lets the thread that answers go first."""

import time
from time import perf_counter

WORK_SECONDS = 0.001  # an answer waits at most this long, and then for the document that is worked on
REST_SECONDS = 0.000_05  # sleep(0) may come back before anybody else has woken up


class Pauses:
    """Called between the pieces of the work; now and then it gives the interpreter away."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = 0.0

    def __call__(self) -> None:
        if perf_counter() > self._until:
            time.sleep(REST_SECONDS)
            self._until = perf_counter() + WORK_SECONDS
