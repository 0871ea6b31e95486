"""A management process that kills itself (SIGKILL) at named points, and is there again a moment later.

`python -m tests.faults.killable SEED KILLS`: the parent has everything imported and forks one child after the
other; each child serves until it reaches its point. After that many kills the last child serves on.
"""

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from commands import event_store
from commands.event_store import EventStore
from commands.unit_of_work import UnitOfWork
from deploy.processes.http import serve
from deploy.processes.management import build
from deploy.settings import MANAGEMENT_PORT, Settings

LIVES_REQUESTS = 12  # at most so many times is the point passed before it kills
LIVES_SECONDS = 0.4


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(owner: Any, name: str, *, before: bool, after_passing: int) -> None:
    """Kills when the point is reached for the nth time."""
    inner: Callable[..., Any] = getattr(owner, name)
    left = [after_passing]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if before and left[0] <= 0:
            _die()
        found = inner(*args, **kwargs)
        if left[0] <= 0:
            _die()
        return found

    setattr(owner, name, wrapped)


POINTS: dict[str, Callable[[int], None]] = {
    "before the log is read": lambda n: _wrap(EventStore, "load", before=True, after_passing=n),
    "after the key was looked up": lambda n: _wrap(EventStore, "outcome", before=False, after_passing=n),
    "when all is decided": lambda n: _wrap(UnitOfWork, "commit", before=True, after_passing=n),
    "inside the transaction": lambda n: _wrap(
        event_store._Recorder,
        "_fetch_ids_after_insert_events",
        before=True,
        after_passing=n,
    ),
    "after COMMIT, before the answer": lambda n: _wrap(EventStore, "append", before=False, after_passing=n),
    "at random": lambda n: threading.Timer(random.uniform(0.05, LIVES_SECONDS), _die).start(),  # noqa: S311
}


def main() -> None:
    seed, kills = int(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)  # noqa: S311 - a test's
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names = list(POINTS)
    for kill in range(kills):
        point = names[kill % len(names)]
        child = _fork(point, chance.randint(1, LIVES_REQUESTS))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"{point}: {status}"
        print(f"killed {point}", flush=True)  # noqa: T201 - the test reads it
    child = _fork(None, 0)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    os.waitpid(child, 0)


def _fork(point: str | None, after_passing: int) -> int:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if point is not None:
            POINTS[point](after_passing)
        settings = Settings(console=False)
        serve(build(settings), settings, MANAGEMENT_PORT)
        os._exit(0)
    return child


if __name__ == "__main__":
    main()
