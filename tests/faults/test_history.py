"""Whatever is killed, every answer is the evaluation of the log up to the position that it names."""

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles

import pytest

from commands.event_store import EventStore
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from tests.conftest import open_directory
from tests.faults.askers import Askers
from tests.faults.conftest import until
from tests.faults.history import Findings, PureLog, check
from tests.faults.killed_parts import Parts
from tests.faults.random_commands import RandomCommands
from tests.figures import tell

KILLS = 200
TURN_SECONDS = 0.38
COMMANDS_PER_SECOND = 25
BOUND_SECONDS = 30.0  # 3 to 5 mostly; 11 when Redis lost everything twice while projectors were killed
START_SECONDS = 60
ENOUGH_ANSWERS = 5_000
ALL_READ = 1_000_000
SHOWN = 5


@pytest.fixture
def store(postgres_url: str) -> Iterator[EventStore]:
    set_up_postgres(Settings(postgres_url=postgres_url))
    store = EventStore(postgres_url, patience_seconds=30)
    yield store
    store.close()


@pytest.fixture
def parts(store: EventStore) -> Iterator[Parts]:
    directory = open_directory()
    parts = Parts(directory, store.url, random.Random())  # noqa: S311 - a test's
    try:
        yield parts
    finally:
        parts.close()
        shutil.rmtree(directory)


def test_every_answer_is_the_log_up_to_its_position(store: EventStore, parts: Parts) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - a test's
    parts.chance.seed(seed)
    commands = RandomCommands(store, random.Random(seed), COMMANDS_PER_SECOND)  # noqa: S311
    commands.begin()
    askers = Askers(commands, parts.evaluators, seed)
    with meanwhile(askers.run):
        until(lambda: caught_up(store, parts, askers), START_SECONDS)
        with meanwhile(commands.go_on):
            kill_at_random(parts)
        until(lambda: caught_up(store, parts, askers), BOUND_SECONDS)
    log = PureLog(store.read(after=0, limit=ALL_READ))
    found = check(log, askers.answers, askers.troubles, parts.killed_at, BOUND_SECONDS)
    tell_figures(found, parts, commands, askers)
    listed = "\n\n".join(found.faults[:SHOWN])
    assert not found.faults, f"seed {seed}, {len(found.faults)} faults, the first of them:\n{listed}"
    assert sum(found.checked.values()) > ENOUGH_ANSWERS
    assert set(found.checked) == {200, 400, 401, 404}
    assert set(found.reasons) == {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"}


def caught_up(store: EventStore, parts: Parts, askers: Askers) -> bool:
    head = store.head()
    return all(askers.served.get(each.number) == head for each in parts.evaluators)


def kill_at_random(parts: Parts) -> None:
    """At a pace that does not wait for anybody to be back."""
    due = time.monotonic()
    while parts.kills < KILLS:
        due += TURN_SECONDS
        time.sleep(max(0.0, due - time.monotonic()))
        parts.turn()
    parts.calm()


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Fails with what the work failed with."""
    stopping, problems = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            work(stopping)
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    for problem in problems:
        raise problem


def tell_figures(found: Findings, parts: Parts, commands: RandomCommands, askers: Askers) -> None:
    cuts = quantiles(found.staleness, n=100)
    tell(
        f"{parts.kills} kills while answers were held against the log",
        **{what.replace(" ", "_"): times for what, times in parts.done.items()},
        commands=commands.given,
        answers=sum(found.checked.values()),
        of_them_304=askers.unchanged,
        distinct_positions=len(found.positions),
        wrong=len(found.wrong),
        back=len(found.back),
        without_answer_though_there=len(found.unexplained),
        without_answer_while_away=len(askers.troubles) - len(found.unexplained),
        staleness_p50=f"{cuts[49]:.2f} s",
        p99=f"{cuts[98]:.2f} s",
        most=f"{max(found.staleness):.2f} s",
    )
