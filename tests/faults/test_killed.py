"""The management process is killed, again and again, while clients send each request until it is answered."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx2 as httpx

from commands.event_store import EventStore
from domain.events import KeyIssued, VariantAdded
from tests.faults.conftest import Database, Process, management, until
from tests.figures import tell

KILLS = 200
CLIENTS = 6
SECONDS = 300


def test_200_sigkills_lose_nothing_and_double_nothing(database: Database, store: EventStore) -> None:
    stopping = threading.Event()
    clients = [Client(number) for number in range(CLIENTS)]
    with killable(database) as (process, points):
        threads = [threading.Thread(target=each.work, args=(process, stopping)) for each in clients]
        for thread in threads:
            thread.start()
        until(lambda: sum(points.values()) >= KILLS, SECONDS)
        stopping.set()
        for thread in threads:
            thread.join()
    acknowledged = sum((each.acknowledged for each in clients), Counter())
    written = Counter(named(store))
    tell(
        f"management killed {sum(points.values())} times",
        points=dict(points),
        acknowledged=sum(acknowledged.values()),
        sent_again=sum(each.sent_again for each in clients),
        lost=sum((acknowledged - written).values()),
        doubled=sum((written - acknowledged).values()),
        other_5xx=sum(each.faults for each in clients),
    )
    assert written == acknowledged
    assert max(written.values()) == 1
    assert sum(each.faults for each in clients) == 0


def named(store: EventStore) -> Iterator[str]:
    """What the log has of the clients' commands."""
    position = 0
    while batch := store.read(after=position, limit=500):
        for each in batch:
            if isinstance(each.event, VariantAdded | KeyIssued):
                yield each.event.name
        position = batch[-1].position


class Client:
    """Adds variants to a flag of its own and issues keys; goes on only when it has an answer."""

    def __init__(self, number: int) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.sent_again = self.faults = 0
        self._name = f"client-{number}"
        self._sent = 0

    def work(self, process: Process, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._flag = f"{self._name}-{self._sent}"
            self._until_answered(lambda key: process.flag(self._flag, Idempotency_Key=key))
            for _ in range(20):
                if not stopping.is_set():
                    self._command(process)

    def _command(self, process: Process) -> None:
        name = f"{self._name}-{self._sent}"
        path, body = f"/flags/{self._flag}/variants/{name}", {"value": True}
        if self._sent % 2:
            self._until_answered(lambda key: process.ask("PUT", path, body, Idempotency_Key=key))
        else:
            new = {"name": name, "kind": "server"}
            keys = "/environments/production/keys"
            self._until_answered(lambda key: process.ask("POST", keys, new, Idempotency_Key=key))
        self.acknowledged[name] += 1

    def _until_answered(self, send: Any) -> None:
        self._sent += 1
        key = f"{self._name}/{self._sent}"
        while True:
            try:
                answer: httpx.Response = send(key)
            except httpx.TransportError:
                self.sent_again += 1
                time.sleep(0.02)
                continue
            if answer.status_code < 300:
                return
            assert answer.status_code >= 500, answer.text
            self.faults += answer.status_code != 503


@contextmanager
def killable(database: Database) -> Iterator[tuple[Process, Counter[str]]]:
    points: Counter[str] = Counter()
    with management(
        database.url, "tests.faults.killable", "1", str(KILLS), stdout=subprocess.PIPE
    ) as process:
        assert process.popen.stdout is not None
        counting = threading.Thread(target=_count, args=(process.popen.stdout, points))
        counting.start()
        try:
            yield process, points
        finally:
            process.popen.terminate()
            counting.join()
            process.popen.stdout.close()


def _count(lines: IO[bytes], points: Counter[str]) -> None:
    for line in lines:
        if line.startswith(b"killed "):
            points[line.decode().removeprefix("killed ").strip()] += 1
        else:
            sys.stderr.write(line.decode())
