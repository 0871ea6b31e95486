"""Many at once on one thing."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from commands.event_store import EventStore
from tests.faults.conftest import Database, Process, management
from tests.figures import tell

ROUNDS, CLIENTS = 10, 50
WRITERS, EACH = 8, 100


@pytest.fixture
def process(database: Database) -> Iterator[Process]:
    with management(database.url) as process:
        yield process


def test_of_50_clients_on_one_version_exactly_one_wins(process: Process) -> None:
    process.flag("checkout")
    statuses: Counter[int] = Counter()
    for round_ in range(ROUNDS):
        version = process.ask("GET", "/flags/checkout").headers["etag"]

        def write(client: int, version: str = version, round_: int = round_) -> int:
            body = {"owner": f"client {client} of round {round_}"}
            return process.ask("PATCH", "/flags/checkout", body, If_Match=version).status_code

        with ThreadPoolExecutor(CLIENTS) as pool:
            found = Counter(pool.map(write, range(CLIENTS)))
        assert found == {200: 1, 412: CLIENTS - 1}
        statuses += found
    tell(
        f"{CLIENTS} clients on one version, {ROUNDS} times",
        won=statuses[200],
        refused_412=statuses[412],
        other=sum(statuses.values()) - statuses[200] - statuses[412],
    )


def test_a_reader_that_tails_8_writers_misses_nothing(process: Process, store: EventStore) -> None:
    seen: list[int] = []
    stopping = threading.Event()

    def tail() -> None:
        position = store.head()
        while batch := store.read(after=position, limit=50) or not stopping.is_set():
            if isinstance(batch, list):
                position = batch[-1].position
                seen.extend(each.position for each in batch)

    before = store.head()
    tailing = threading.Thread(target=tail)
    tailing.start()
    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(lambda n: process.flag(f"flag-{n}").status_code, range(WRITERS * EACH)))
    stopping.set()
    tailing.join()
    written = [each.position for each in store.read(after=before, limit=10_000)]
    tell("8 writers and a tailing reader", written=len(written), missed=len(set(written) - set(seen)))
    assert set(made) == {201}
    assert seen == written
    assert len(written) == WRITERS * EACH
