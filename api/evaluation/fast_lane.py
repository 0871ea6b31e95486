"""The two hot routes, answered from the bytes that came in, where these are one whole and ordinary request.

Everything else goes the ordinary way, through FastAPI, which gives the same answer: both ask `Answers`.
Heads of requests are read by uvicorn's own parser, httptools. As a client's heads hardly differ from each
other, what was read is kept by the head's bytes.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message

from api.evaluation.access import presented_key
from api.evaluation.answers import Answers
from api.evaluation.ofrep import ALL, ONE
from api.http import REQUEST_ID, new_request_id
from api.strict_json import BODY_BYTES_AT_MOST
from api.timings import Timing, Timings

START = b"POST /ofrep/v1/evaluate/flags"
TARGET = re.compile(rb"/ofrep/v1/evaluate/flags(?:/([A-Za-z0-9._~-]+))?")
HEAD_END = b"\r\n\r\n"
HEAD_BYTES = 4_096  # longer heads are rare, and not worth keeping
HEADS_KEPT = 4_096  # 16 MB at most
ORDINARY_WAY = frozenset({"transfer-encoding", "expect", "upgrade", "x-http-method-override"})
STATUS_LINES = {int(each): f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
JSON = b"content-type: application/json\r\n"

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Head:
    """`flag` None asks for all. `request_id` is empty where the client gave none."""

    flag: str | None
    key: str
    length: int
    if_none_match: str
    request_id: bytes
    cors: bytes


class FastLane:
    """For one thread, that of the event loop. `middleware` is as the application has it."""

    def __init__(self, answers: Answers, timings: Timings, middleware: CORSMiddleware) -> None:
        self._answers = answers
        self._timings = timings
        self._middleware = middleware
        self._heads: dict[bytes, Head] = {}
        self._shown: dict[tuple[bool, int], Timing] = {}
        self._default_headers: RawHeaders = ()
        self._default = b""

    def answer(self, data: bytes, default_headers: RawHeaders) -> bytes | None:
        """A whole response, or None for what is not for this lane; nothing has happened then."""
        if not data.startswith(START):
            return None
        began = perf_counter()
        end = data.find(HEAD_END) + len(HEAD_END)
        head = self._heads.get(data[:end]) or self._read(data[:end])
        if head is None or len(data) != end + head.length:
            return None
        if head.flag is not None:
            status, headers, body = self._answers.one(head.key, head.flag, data[end:])
        else:
            status, headers, body = self._answers.all(head.key, data[end:], head.if_none_match)
        if default_headers is not self._default_headers:
            self._default_headers, self._default = default_headers, _lines(default_headers)
        response = b"".join(
            (
                STATUS_LINES[status],
                self._default,
                _own(headers) if headers else b"",
                b"content-length: %d\r\n" % len(body) + JSON if body else b"",
                head.cors,
                b"x-request-id: ",
                head.request_id or new_request_id(),
                HEAD_END,
                body,
            )
        )
        self._timing(head.flag is None, status).add(perf_counter() - began)
        return response

    def _timing(self, bulk: bool, status: int) -> Timing:
        found = self._shown.get((bulk, status))
        if found is None:
            found = self._shown[bulk, status] = self._timings.of("POST", ALL if bulk else ONE, str(status))
        return found

    def _read(self, data: bytes) -> Head | None:
        if not len(HEAD_END) < len(data) <= HEAD_BYTES or (head := self._head(data)) is None:
            return None
        if len(self._heads) >= HEADS_KEPT:
            self._heads.clear()
        self._heads[data] = head
        return head

    def _head(self, data: bytes) -> Head | None:
        """None for what is unusual in any way."""
        reader = _HeadReader()
        if not reader.reads(data) or not (target := TARGET.fullmatch(reader.url)):
            return None
        headers = Headers(raw=reader.headers)
        length = headers.get("content-length", "0")
        if not ORDINARY_WAY.isdisjoint(headers.keys()) or not length.isdigit():
            return None
        if int(length) > BODY_BYTES_AT_MOST:
            return None
        given = dict(reader.headers).get(b"x-request-id", b"")
        return Head(
            flag=target[1].decode() if target[1] else None,
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
        return _lines(message["headers"])


async def _nowhere(message: Message) -> None:
    pass


class _HeadReader:
    """Takes what httptools finds in a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def reads(self, data: bytes) -> bool:
        """Whether it is the head of an HTTP/1.1 request after which the connection stays open."""
        parser = HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            return False
        return (
            self.complete
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and bool(parser.should_keep_alive())
            and not parser.should_upgrade()
        )

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _own(headers: Mapping[str, str]) -> bytes:
    return _lines([(name.lower().encode(), value.encode()) for name, value in headers.items()])


def _lines(headers: RawHeaders) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers)
