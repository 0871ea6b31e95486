"""Clients that take their time are cut off, and hold up nobody while they are not."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2 as httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from deploy.embedded import free_port
from deploy.processes.patient_protocol import HEAD_BYTES, PatientProtocol
from tests.figures import tell

HEAD = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n"


class Hasty(PatientProtocol):
    head_seconds = 0.5
    body_seconds = 1.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=Hasty, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        yield client


def everything(client: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    received = b""
    while data := client.recv(65_536):
        received += data
    return received


def dribble(client: socket.socket, data: bytes) -> None:
    for byte in data:
        try:
            client.sendall(bytes([byte]))
        except OSError:
            return
        time.sleep(0.1)


@pytest.mark.parametrize("sent", [b"", b"\r", b"POST /echo HTT", HEAD])
def test_a_head_that_does_not_end_is_cut_off(port: int, sent: bytes) -> None:
    with connected(port) as client:
        client.sendall(sent)
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_a_byte_now_and_then_does_not_help(port: int) -> None:
    with connected(port) as client:
        dribbling = threading.Thread(target=dribble, args=(client, HEAD))
        dribbling.start()
        assert everything(client).startswith(b"HTTP/1.1 408 ")
        client.close()
        dribbling.join()


def test_nor_on_a_connection_that_was_of_use_before(port: int) -> None:
    with connected(port) as client:
        client.sendall(HEAD + b"\r\n1234")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"POST /ec")
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_end_is_cut_off(port: int) -> None:
    with connected(port) as client:
        client.sendall(HEAD + b"\r\n123")
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_headers_without_end_are_refused(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nx-a: " + b"a" * (HEAD_BYTES + 1))
        assert everything(client).startswith(b"HTTP/1.1 431 ")


def test_a_slow_but_steady_client_is_answered(port: int) -> None:
    with connected(port) as client:
        client.sendall(HEAD[:10])
        time.sleep(0.2)
        client.sendall(HEAD[10:] + b"\r\n12")
        time.sleep(0.6)
        client.sendall(b"34")
        assert client.recv(65_536).endswith(b"4")


def test_a_hundred_slow_clients_hold_up_nobody(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
    for client in slow:
        client.sendall(b"POST")
    answers = [httpx.post(f"http://127.0.0.1:{port}/echo", content=b"four").json() for _ in range(20)]
    assert answers == [4] * 20
    tell("clients that never end their headers", connected=len(slow), others_answered_meanwhile=len(answers))
    assert all(everything(client).startswith(b"HTTP/1.1 408 ") for client in slow)
    for client in slow:
        client.close()
