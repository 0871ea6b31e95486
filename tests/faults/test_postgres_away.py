"""PostgreSQL hangs, dies and comes back while the management API is asked on and on."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from commands.event_store import EventStore
from tests.faults.conftest import Database, Process, management, until
from tests.figures import tell

PROMISED_SECONDS = 2.0  # to say 503, and to work again
NOTICED_SECONDS = 3 * PROMISED_SECONDS  # this machine may be busy with something else; a hang is not
ASKING = 16


@pytest.fixture
def process(database: Database) -> Iterator[Process]:
    with management(database.url) as process:
        process.flag("first")
        yield process


def asked(process: Process, number: int) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    if number % 2:
        answer = process.flag(f"while-away-{time.monotonic_ns()}-{number}")
    else:
        answer = process.ask("GET", "/flags/first")
    return answer, time.monotonic() - began


@pytest.mark.parametrize(
    ("what", "leave", "come_back"),
    [
        (
            "hangs",
            lambda database: database.signal(signal.SIGSTOP),
            lambda database: database.signal(signal.SIGCONT),
        ),
        ("was killed", Database.kill, Database.start),
    ],
)
def test_without_postgresql_it_says_so_soon_and_works_again_soon(
    process: Process,
    database: Database,
    what: str,
    leave: Callable[[Database], None],
    come_back: Callable[[Database], None],
) -> None:
    leave(database)
    try:
        with ThreadPoolExecutor(ASKING) as pool:
            answers = list(pool.map(lambda number: asked(process, number), range(3 * ASKING)))
    finally:
        come_back(database)
    back = until(lambda: process.flag(f"back-{time.monotonic_ns()}").status_code == 201, NOTICED_SECONDS)
    slowest = max(seconds for _, seconds in answers)
    tell(
        f"PostgreSQL {what}",
        asked=len(answers),
        answered_503=sum(answer.status_code == 503 for answer, _ in answers),
        other_5xx=sum(answer.status_code >= 500 and answer.status_code != 503 for answer, _ in answers),
        slowest_refusal=f"{slowest:.2f} s",
        works_again_after=f"{back:.2f} s",
    )
    assert {answer.status_code for answer, _ in answers} == {503}
    assert {answer.headers["retry-after"] for answer, _ in answers} == {"1"}
    assert slowest < NOTICED_SECONDS


def test_what_was_acknowledged_around_a_crash_is_there_once(
    process: Process, database: Database, store: EventStore
) -> None:
    acknowledged: list[str] = []

    def write(number: int) -> None:
        key = f"flag-{number}"
        while process.flag(key, Idempotency_Key=key).status_code != 201:
            time.sleep(0.05)
        acknowledged.append(key)

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, number) for number in range(300)]
        for _ in range(3):
            time.sleep(0.4)
            database.kill()
            database.start()
        for each in writing:
            each.result()
    created = [each.stream.key for each in store.load_kind("flag", "default") if each.version == 1]
    lost, doubled = set(acknowledged) - set(created), len(created) - len(set(created))
    tell("PostgreSQL killed 3 times in 300 writes", lost=len(lost), doubled=doubled)
    assert sorted(acknowledged) == sorted(key for key in created if key.startswith("flag-"))
