"""Rebuilds that kill themselves (SIGKILL) at named points, and at random.

`python -m tests.faults.killable_rebuild SEED KILLS`, of which are as many at random.
The parent has everything imported and forks one child after the other.
"""

import os
import random
import sys
import threading
from collections.abc import Callable

from commands.event_store import EventStore
from deploy.processes.common import PATIENCE_SECONDS
from deploy.processes.projector import rulesets
from deploy.settings import Settings
from projections import rebuild as rebuilding
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from tests.faults.killable import _die, _wrap

RANDOM_SECONDS = 0.4  # about as long as a rebuild of the test's log takes

POINTS: dict[str, Callable[[], None]] = {
    "when it has begun": lambda: _wrap(rebuilding._Making, "fill", before=True, after_passing=1),
    "after some documents": lambda: _wrap(RulesetStore, "fill", before=False, after_passing=1),
    "after the position": lambda: _wrap(RulesetStore, "write", before=False, after_passing=1),
    "before the check": lambda: _wrap(rebuilding, "compare", before=True, after_passing=1),
    "before the swap": lambda: _wrap(RulesetStore, "make_live", before=True, after_passing=1),
    "after the swap": lambda: _wrap(RulesetStore, "make_live", before=False, after_passing=1),
    "before the old one is cleared away": lambda: _wrap(RulesetStore, "delete", before=True, after_passing=1),
}


def main() -> None:
    chance = random.Random(int(sys.argv[1]))  # noqa: S311 - a test's
    names = [*POINTS, *("at random" for _ in range(int(sys.argv[2])))]
    for name in names:
        child = os.fork()
        if child == 0:
            _rebuild(name, chance.uniform(0, RANDOM_SECONDS))
        _, status = os.waitpid(child, 0)
        chance.random()  # the child's draws are not the parent's
        print(f"{name}: {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201 - the test reads it


def _rebuild(name: str, seconds: float) -> None:
    if name in POINTS:
        POINTS[name]()
    else:
        threading.Timer(seconds, _die).start()
    settings = Settings()
    rebuild(EventStore(settings.postgres_url, PATIENCE_SECONDS), rulesets(settings))
    os._exit(0)


if __name__ == "__main__":
    main()
