"""The two hot routes, answered from the bytes that came in, where these are one whole and ordinary request.

Everything else goes the ordinary way, through FastAPI, which gives the same answer: both ask `Answers`.
Heads of requests are read by uvicorn's own parser, httptools. As a client's heads hardly differ from each
other, what was read is kept by the head's bytes.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from typing import TypeVar

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
FIRST_LINE = re.compile(rb"POST /ofrep/v1/evaluate/flags(?:/([A-Za-z0-9._~-]{1,256}))? HTTP/1\.1")
LINE_END = b"\r\n"
LINES_KEPT = 16_384  # each with a flag's key; 4 MB at most
HEAD_END = b"\r\n\r\n"
HEAD_BYTES = 4_096  # longer heads are rare, and not worth keeping
LENGTHS_KEPT = 4_096
HEADS_KEPT = 4_096  # 16 MB at most
ORDINARY_WAY = frozenset({"transfer-encoding", "expect", "upgrade", "x-http-method-override"})
STATUS_LINES = {int(each): f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
CONTENT = b"content-length: %d\r\ncontent-type: application/json\r\n"

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Head:
    """What follows the first line. `request_id` is empty where the client gave none."""

    key: str
    length: int
    if_none_match: str
    request_id: bytes
    cors: bytes


Known = tuple[str, Head]
T = TypeVar("T")


class FastLane:
    """For one thread, that of the event loop. `middleware` is as the application has it."""

    def __init__(self, answers: Answers, timings: Timings, middleware: CORSMiddleware) -> None:
        self._answers = answers
        self._timings = timings
        self._middleware = middleware
        self._flags: dict[bytes, str] = {}  # by first line; empty for all flags
        self._heads: dict[bytes, Head] = {}
        self._known: dict[bytes, Known] = {}
        self._shown: dict[tuple[bool, int], Timing] = {}
        self._default_headers: RawHeaders = ()
        self._named = False  # whether the request that was answered last has an id of its client's
        self._begin: dict[int, bytes] = {}  # by status: the response's first line and the default headers

    def answer(self, data: bytes, default_headers: RawHeaders) -> bytes | None:
        """A whole response, or None for what is not for this lane; nothing has happened then."""
        if not data.startswith(START):
            return None
        began = perf_counter()
        head, end, body = data.partition(HEAD_END)
        found = (self._known.get(head) or self._read_head(head)) if end else None
        if found is None or len(body) != found[1].length:
            return None
        flag, asked = found
        if flag:
            status, headers, answer = self._answers.one(asked.key, flag, body, asked.request_id)
        else:
            status, headers, answer = self._answers.all(
                asked.key, body, asked.if_none_match, asked.request_id
            )
        self._named = bool(asked.request_id)
        if default_headers is not self._default_headers:
            self._default_headers, self._begin = default_headers, {}
        response = b"".join(
            (
                self._begin.get(status) or self._beginning(status),
                _lines(_own(headers)) if headers else b"",
                _content(len(answer)),
                asked.cors,
                b"x-request-id: ",
                asked.request_id or new_request_id(),
                HEAD_END,
                answer,
            )
        )
        self._timing(not flag, status).add(perf_counter() - began)
        return response

    def sent(self) -> None:
        """The kernel has the response that was given last."""
        if self._named:
            self._answers.answered()

    def _beginning(self, status: int) -> bytes:
        found = self._begin[status] = STATUS_LINES[status] + _lines(self._default_headers)
        return found

    def _timing(self, bulk: bool, status: int) -> Timing:
        found = self._shown.get((bulk, status))
        if found is None:
            found = self._shown[bulk, status] = self._timings.of("POST", ALL if bulk else ONE, str(status))
        return found

    def _read_head(self, data: bytes) -> Known | None:
        """First line and headers apart: clients differ in the one more often than in the others."""
        line, _, rest = data.partition(LINE_END)
        flag = self._flags.get(line)
        if flag is None and (flag := _read_line(line)) is None:
            return None
        if len(data) > HEAD_BYTES or (head := self._heads.get(rest) or self._head(rest)) is None:
            return None
        _keep(self._flags, line, flag, LINES_KEPT)
        _keep(self._heads, rest, head, HEADS_KEPT)
        _keep(self._known, data, (flag, head), HEADS_KEPT)
        return flag, head

    def _head(self, data: bytes) -> Head | None:
        """None for what is unusual in any way."""
        reader = _HeadReader()
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
        return _lines(message["headers"])


async def _nowhere(message: Message) -> None:
    pass


def _read_line(line: bytes) -> str | None:
    found = FIRST_LINE.fullmatch(line)
    return None if found is None else (found[1] or b"").decode()


def _keep(kept: dict[bytes, T], name: bytes, found: T, at_most: int) -> None:
    if len(kept) >= at_most:
        kept.clear()
    kept[name] = found


@lru_cache(LENGTHS_KEPT)
def _content(length: int) -> bytes:
    return CONTENT % length if length else b""


class _HeadReader:
    """Takes what httptools finds in a head."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def reads(self, data: bytes) -> bool:
        """Whether it is the head of a request after which the connection stays open."""
        parser = HttpRequestParser(self)
        try:
            parser.feed_data(b"%b HTTP/1.1\r\n%b%b" % (START, data, HEAD_END))
        except (HttpParserError, HttpParserUpgrade):
            return False
        return self.complete and bool(parser.should_keep_alive()) and not parser.should_upgrade()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _own(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _lines(headers: RawHeaders) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers)
