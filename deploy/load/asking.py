"""The same few requests, over and over, on connections that stay open.

A client of our own, since those for Python take several times what an evaluation takes: this one sends bytes
made beforehand and reads no more of an answer than its status and where it ends.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import NamedTuple
from urllib.parse import urlsplit

from deploy.load.verdict import Answered
from deploy.told import Told

PORTS = {"http": 80, "https": 443}
GOOD = "200"
ANSWER_SECONDS = 10.0  # one that takes longer counts as broken
AGAIN_SECONDS = 0.5  # after a connection broke
SUBJECTS = 1_000
HEADER_END = b"\r\n\r\n"
LENGTH = b"content-length:"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Target(NamedTuple):
    scheme: str
    host: str
    port: int
    prefix: str  # of every path, where an ingress has one

    async def connect(self) -> Connection:
        context = ssl.create_default_context() if self.scheme == "https" else None
        return await asyncio.open_connection(self.host, self.port, ssl=context)


def target_of(url: str) -> Target:
    """Raises Told."""
    found = urlsplit(url)
    if found.scheme not in PORTS or not found.hostname:
        raise Told(f"{url!r} is no address of an evaluation API: it looks like http://127.0.0.1:8081")
    return Target(found.scheme, found.hostname, found.port or PORTS[found.scheme], found.path.rstrip("/"))


def evaluations(target: Target, flag: str, key: str) -> list[bytes]:
    """Requests for one flag, each of another subject."""
    contexts = ({"context": {"targetingKey": f"load-{number}"}} for number in range(SUBJECTS))
    return [_request(target, flag, key, json.dumps(each).encode()) for each in contexts]


def _request(target: Target, flag: str, key: str, body: bytes) -> bytes:
    head = (
        f"POST {target.prefix}/ofrep/v1/evaluate/flags/{flag} HTTP/1.1\r\n"
        f"Host: {target.host}:{target.port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(
    target: Target, requests: Sequence[bytes], goes_on: Callable[[], bool], answered: Answered
) -> None:
    """One request after the other for as long as `goes_on`; a connection that breaks is made anew."""
    connection: Connection | None = None
    for request in cycle(requests):
        if not goes_on():
            break
        began = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = connection or await target.connect()
                status = await _exchange(connection, request)
        except (OSError, EOFError, ValueError) as problem:  # TimeoutError is an OSError
            status = f"broken: {type(problem).__name__}"
            _close(connection)
            connection = None
        answered.took(status, time.perf_counter() - began)
        if connection is None:
            await asyncio.sleep(AGAIN_SECONDS)
    _close(connection)


async def _exchange(connection: Connection, request: bytes) -> str:
    """The status. Raises ValueError for what is no answer of an evaluation API."""
    reader, writer = connection
    writer.write(request)
    head = (await reader.readuntil(HEADER_END)).lower()
    begin = head.index(LENGTH) + len(LENGTH)
    await reader.readexactly(int(head[begin : head.index(b"\r", begin)]))
    return head[9:12].decode()  # http/1.1 200


def _close(connection: Connection | None) -> None:
    if connection:
        connection[1].close()
