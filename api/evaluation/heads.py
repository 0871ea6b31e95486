"""Heads of requests, all but their first lines: read by uvicorn's own parser, httptools.

As a client's heads hardly differ from each other, what was read is kept by the head's bytes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message

from api.evaluation.access import presented_key
from api.http import REQUEST_ID
from api.strict_json import BODY_BYTES_AT_MOST

HEAD_END = b"\r\n\r\n"
HEADS_KEPT = 4_096  # 16 MB at most
ORDINARY_WAY = frozenset({"transfer-encoding", "expect", "upgrade", "x-http-method-override"})

RawHeaders = Sequence[tuple[bytes, bytes]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Head:
    """What follows the first line. `request_id` is empty where the client gave none."""

    key: str
    length: int
    if_none_match: str
    request_id: bytes
    cors: bytes


class Heads:
    """For one thread. `middleware` is as the application has it."""

    def __init__(self, middleware: CORSMiddleware) -> None:
        self._middleware = middleware
        self._kept: dict[bytes, Head] = {}

    def find(self, data: bytes) -> Head | None:
        """None for what is unusual in any way."""
        if (found := self._kept.get(data)) is None and (found := self._read(data)) is not None:
            keep(self._kept, data, found, HEADS_KEPT)
        return found

    def _read(self, data: bytes) -> Head | None:
        reader = _Reader()
        if not reader.reads(data):
            return None
        headers = Headers(raw=reader.headers)
        length = headers.get("content-length", "0")
        if not ORDINARY_WAY.isdisjoint(headers.keys()) or not length.isdigit():
            return None
        if int(length) > BODY_BYTES_AT_MOST:
            return None
        given = dict(reader.headers).get(b"x-request-id", b"")
        return Head(
            key=presented_key(headers),
            length=int(length),
            if_none_match=headers.get("if-none-match", ""),
            request_id=given if REQUEST_ID.fullmatch(given) else b"",
            cors=self._cors(headers),
        )

    def _cors(self, headers: Headers) -> bytes:
        """What the middleware adds to an answer to that request: it is asked itself."""
        message: Message = {"type": "http.response.start", "headers": []}
        asking = self._middleware.send(message, _nowhere, headers)
        with suppress(StopIteration):
            asking.send(None)  # nothing in it waits
        return lines(message["headers"])


async def _nowhere(message: Message) -> None:
    pass


class _Reader:
    """Takes what httptools finds in a head."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._parser: HttpRequestParser | None = None
        self._stays_open = False

    def reads(self, data: bytes) -> bool:
        """Whether it is the head of a request after which the connection stays open."""
        self._parser = HttpRequestParser(self)
        try:
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b%b" % (data, HEAD_END))
        except (HttpParserError, HttpParserUpgrade):
            return False
        finally:
            self._parser = None  # a cycle otherwise, which only the collector could undo
        return self._stays_open

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Asked here, as the parser forgets it at the end of a request, which one without a body is at."""
        if (parser := self._parser) is not None:
            self._stays_open = bool(parser.should_keep_alive()) and not parser.should_upgrade()


def keep(kept: dict[bytes, T], name: bytes, found: T, at_most: int) -> None:
    if len(kept) >= at_most:
        kept.clear()
    kept[name] = found


def lines(headers: RawHeaders) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers)
