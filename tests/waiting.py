"""For what is done by others, soon."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.01


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Raises AssertionError when it has not become so in time."""
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not become so in time"
        time.sleep(LOOK_SECONDS)
