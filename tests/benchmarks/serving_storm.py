"""Commands at a steady rate through the real command path, and the projector that carries them on.

`python -m tests.benchmarks.serving_storm POSTGRES_URL PROJECT FLAGS` gives commands until its standard input
ends, then prints each commit as [position, seconds], by the monotonic clock just before the INSERT.
"""

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from commands.event_store import Append, EventStore
from commands.handlers import Commands
from commands.models import ChangeTargeting
from domain.envelope import Recorded, Stamp
from tests.benchmarks.serving_flags import ENVIRONMENT, HALF, OFF, PATIENCE_SECONDS, World, targeting
from tests.benchmarks.serving_process import Child, Cores, child

COMMANDS_A_SECOND = 50
READY = b"ready\n"
PROJECTORS = {True: ("deploy.cli", "work", "projector"), False: ("tests.benchmarks.serving_deaf",)}
"""By whether NOTIFY reaches them."""


class Commit(NamedTuple):
    position: int
    seconds: float


class TimedStore(EventStore):
    """Remembers when each append began, and what position it led to."""

    def __init__(self, url: str) -> None:
        super().__init__(url, PATIENCE_SECONDS)
        self.commits: list[Commit] = []

    def append(self, appends: Sequence[Append], stamp: Stamp, **more: Any) -> list[Recorded]:
        began = time.monotonic()
        recorded = super().append(appends, stamp, **more)
        self.commits.append(Commit(recorded[-1].position, began))
        return recorded


@contextmanager
def projector(world: World, cores: Cores, logs: Path, *, notified: bool = True) -> Iterator[Child]:
    """The real process, or the same that no NOTIFY reaches."""
    name = "projector" if notified else "deaf projector"
    command = [sys.executable, "-m", *PROJECTORS[notified]]
    with child(name, command, cores.parts, logs, world.environment) as started:
        yield started


@contextmanager
def storm(world: World, cores: Cores, logs: Path) -> Iterator[list[Commit]]:
    """The commits are in the list that is yielded once the storm is over."""
    (project, flags), *_ = world.flags.items()
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.serving_storm",
        world.postgres_url,
        project,
        str(flags),
    ]
    commits: list[Commit] = []
    with child("commands", command, cores.parts, logs, stdout=subprocess.PIPE) as started:
        popen = started.popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        if popen.stdout.readline() != READY:
            raise started.failed("did not begin")
        yield commits
        popen.stdin.close()
        commits += (Commit(*each) for each in json.loads(popen.stdout.readline()))


def a_second(commits: Sequence[Commit]) -> float:
    return (len(commits) - 1) / (commits[-1].seconds - commits[0].seconds)


def main() -> None:
    url, project, flags = sys.argv[1:]
    store = TimedStore(url)
    commands = Commands(store)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    begin = time.monotonic()
    for number in count():
        due = begin + number / COMMANDS_A_SECOND
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            break
        commands.execute(_change(project, number % int(flags)), Stamp("benchmark", datetime.now(UTC)))
    json.dump(store.commits, sys.stdout)
    sys.stdout.write("\n")


def _change(project: str, number: int) -> ChangeTargeting:
    """Always to something new: the rule's name is the time."""
    wish = targeting(OFF, HALF)
    rules = tuple(rule.model_copy(update={"name": str(time.time_ns())}) for rule in wish.rules)
    wish = wish.model_copy(update={"rules": rules})
    return ChangeTargeting(project=project, flag=f"flag-{number}", environment=ENVIRONMENT, targeting=wish)


if __name__ == "__main__":
    main()
