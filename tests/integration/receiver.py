"""A receiver of webhooks on this machine, and one that does what no receiver should."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[int], int]
"""From the number of the request, counted from 0, to the status; called while the sender waits."""


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`got` is everything that arrived, `accepted` what was answered with 2xx, both in order."""

    answer: Answer = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    accepted: list[Got] = field(default_factory=list)
    at_once: int = 0
    at_once_most: int = 0
    url: str = ""

    def types(self) -> list[str]:
        return [each.content["type"] for each in self.accepted]

    def _receive(self, got: Got) -> int:
        number = len(self.got)
        self.got.append(got)
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            status = self.answer(number)
        finally:
            self.at_once -= 1
        if 200 <= status < 300:
            self.accepted.append(got)
        return status


@contextmanager
def receiving(answer: Answer = lambda _: 204, **headers: str) -> Iterator[Receiver]:
    receiver = Receiver(answer, headers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver._receive(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            with suppress(OSError):  # the sender may have given up
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def misbehaving(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that accepts connections and does that with each until it is cut off."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()
