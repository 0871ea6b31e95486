"""Connections on which the fast lane answers are ended, and protected, as all others are."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from deploy.embedded import free_port
from deploy.processes.fast_protocol import FastProtocol
from tests.waiting import eventually

FAST = b"POST /fast HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = b"POST /large HTTP/1.1\r\nhost: x\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
LARGE_BYTES = 4 * 1024 * 1024


class Lane:
    """`reader` is a client whose answer is looked for when the lane is told that it was sent."""

    def __init__(self) -> None:
        self.reader: socket.socket | None = None
        self.readable: list[bool] = []

    def answer(self, data: bytes, default_headers: Any) -> bytes | None:
        return {FAST: ANSWER, LARGE: ANSWER[:-4] + b"\r\nx-large: " + b"a" * LARGE_BYTES + b"\r\n\r\n"}.get(
            data
        )

    def was_told(self, times: int) -> bool:
        return len(self.readable) >= times

    def sent(self) -> None:
        if self.reader is not None:
            poll = select.poll()  # select() takes no file whose number is over 1,023
            poll.register(self.reader, select.POLLIN)
            self.readable.append(bool(poll.poll(0)))


class Hasty(FastProtocol):
    head_seconds = 0.4
    keep_alive_seconds = 0.3


@pytest.fixture(scope="module")
def lane() -> Lane:
    return Lane()


@pytest.fixture(scope="module")
def server(lane: Lane) -> Iterator[uvicorn.Server]:
    app = FastAPI()

    @app.get("/slow")
    @app.post("/fast")
    @app.post("/large")
    async def slow() -> str:
        return "the ordinary way"

    protocol: Any = partial(Hasty, lane=lane)
    config = uvicorn.Config(
        app, port=free_port(), http=protocol, log_level="error", lifespan="off", timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(server: uvicorn.Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.config.port), timeout=10) as client:
        yield client


def ask(client: socket.socket, sent: bytes) -> bytes:
    client.sendall(sent)
    return client.recv(65_536)


def test_a_connection_that_is_used_stays(client: socket.socket) -> None:
    for _ in range(8):
        assert ask(client, FAST) == ANSWER
        time.sleep(0.12)


def test_one_that_is_not_used_any_more_is_ended(client: socket.socket) -> None:
    assert ask(client, FAST) == ANSWER
    began = time.monotonic()
    assert client.recv(1) == b""
    assert 0.25 < time.monotonic() - began < 5


def test_who_begins_another_request_and_does_not_end_it_is_cut_off(client: socket.socket) -> None:
    assert ask(client, FAST) == ANSWER
    assert ask(client, FAST[:10]).startswith(b"HTTP/1.1 408 ")


def test_after_an_ordinary_request_its_own_rule_for_idle_connections_holds(client: socket.socket) -> None:
    assert ask(client, FAST) == ANSWER
    assert ask(client, SLOW).endswith(b'"the ordinary way"')
    time.sleep(0.8)
    assert ask(client, FAST) == ANSWER
    assert client.recv(1) == b""


def test_who_does_not_read_gets_no_more_from_the_lane(client: socket.socket) -> None:
    client.sendall(LARGE)
    time.sleep(0.2)
    client.sendall(FAST)
    time.sleep(0.2)
    received = b""
    while not received.endswith(b'"the ordinary way"'):
        data = client.recv(1_000_000)
        assert data, received[-200:]
        received += data
    assert len(received) > LARGE_BYTES


def test_the_lane_is_told_when_the_client_can_read_the_answer(lane: Lane, client: socket.socket) -> None:
    """Not when it waits in the process, where it would be lost if that were killed."""
    lane.reader, lane.readable = client, []
    for asked in range(1, 21):
        client.sendall(FAST)
        eventually(partial(lane.was_told, asked))
        assert client.recv(65_536) == ANSWER
    lane.reader = None
    assert lane.readable == [True] * 20


def test_the_server_counts_requests_of_both_ways(server: uvicorn.Server, client: socket.socket) -> None:
    before = server.server_state.total_requests
    ask(client, FAST)
    ask(client, SLOW)
    assert server.server_state.total_requests == before + 2


def test_a_server_that_stops_ends_idle_connections_at_once(client: socket.socket) -> None:
    app = FastAPI()
    protocol: Any = partial(Hasty, lane=Lane())
    server = uvicorn.Server(
        uvicorn.Config(app, port=free_port(), http=protocol, lifespan="off", log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with socket.create_connection(("127.0.0.1", server.config.port), timeout=10) as other:
        assert ask(other, FAST) == ANSWER
        server.should_exit = True
        assert other.recv(1) == b""
    thread.join(5)
    assert not thread.is_alive()


def test_clients_that_are_gone_before_their_answer_disturb_nobody(
    server: uvicorn.Server, client: socket.socket
) -> None:
    for _ in range(50):
        other = socket.create_connection(("127.0.0.1", server.config.port))
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        other.sendall(FAST)
        other.close()
    assert ask(client, FAST) == ANSWER
    give_up = time.monotonic() + 10
    while len(server.server_state.connections) > 1:
        assert time.monotonic() < give_up, "connections are held whose clients are gone"
        time.sleep(0.02)
