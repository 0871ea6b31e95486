"""The answer to COMMIT gets lost on the way: the events are stored, and nobody knows."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from commands.event_store import EventStore
from domain.envelope import flag_stream
from tests.faults.conftest import Database, Process, management
from tests.figures import tell

CHUNK = 65_536


class Wire:
    """Between the management process and PostgreSQL. Once armed, it lets the next COMMIT through, waits for
    the answer to it, and hangs up instead of passing it on."""

    def __init__(self, port: int) -> None:
        self.armed = threading.Event()
        self.cut = 0
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            hang_up = threading.Event()
            up = threading.Thread(target=self._up, args=(client, server, hang_up), daemon=True)
            up.start()
            self._down(client, server, hang_up)
            up.join()

    def _up(self, client: socket.socket, server: socket.socket, hang_up: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(CHUNK):
                if b"COMMIT" in data and self.armed.is_set():
                    self.armed.clear()
                    hang_up.set()
                server.sendall(data)
        _close(client, server)

    def _down(self, client: socket.socket, server: socket.socket, hang_up: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                if hang_up.is_set():
                    self.cut += b"COMMIT" in data
                    break
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(database: Database) -> Iterator[Wire]:
    wire = Wire(database.port)
    yield wire
    wire.close()


@pytest.fixture
def process(database: Database, wire: Wire) -> Iterator[Process]:
    with management(database.url.replace(f":{database.port}/", f":{wire.port}/")) as process:
        yield process


def test_a_lost_answer_to_commit_is_a_503_and_then_the_first_answer(
    process: Process, store: EventStore, wire: Wire
) -> None:
    statuses = []
    for number in range(20):
        key = f"flag-{number}"
        wire.armed.set()
        lost = process.flag(key, Idempotency_Key=key)
        again = process.flag(key, Idempotency_Key=key)
        statuses += [lost.status_code, again.status_code]
        assert (lost.status_code, again.status_code) == (503, 201), (lost.text, again.text)
        assert again.json()["version"] == 1
        assert len(store.load(flag_stream("default", key))) == 1
    tell(
        "COMMIT answered, and the answer lost",
        times=wire.cut,
        false_conflicts=statuses.count(409),
        lost_or_doubled=0,
    )
    assert wire.cut == 20


def test_without_a_key_it_is_never_taken_for_a_conflict(
    process: Process, store: EventStore, wire: Wire
) -> None:
    process.flag("checkout")
    wire.armed.set()
    answer = process.ask("POST", "/flags/checkout/environments/production/on", If_Match='"1"')
    assert answer.status_code == 503
    assert "whether" in answer.json()["detail"] or "nothing is known" in answer.json()["detail"]
    assert len(store.load(flag_stream("default", "checkout"))) == 2
