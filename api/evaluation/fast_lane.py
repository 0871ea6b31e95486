"""The hot routes, answered from the bytes that came in, where these are one whole and ordinary request.

Everything else goes the ordinary way, through FastAPI, which gives the same answer: both ask `Answers`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter

from starlette.middleware.cors import CORSMiddleware

from api.evaluation.answers import Answers
from api.evaluation.heads import HEAD_END, HEADS_KEPT, Head, Heads, RawHeaders, keep, lines
from api.evaluation.ofrep import ALL, ONE
from api.evaluation.original import EVALUATE
from api.http import new_request_id
from api.timings import Timing, Timings

STARTS = b"POST /ofrep/v1/evaluate/flags", b"GET /evaluate", b"POST /evaluate"
OFREP = re.compile(rb"POST /ofrep/v1/evaluate/flags(?:/([A-Za-z0-9._~-]{1,256}))? HTTP/1\.1")
ORIGINAL = re.compile(rb"(GET|POST) /evaluate(?:\?([!$-~]*))? HTTP/1\.1")  # all of ASCII but blank, " and #
LINE_END = b"\r\n"
LINES_KEPT = 16_384  # each with a flag's key; 4 MB at most
HEAD_BYTES = 4_096  # longer heads are rare, and not worth keeping
LENGTHS_KEPT = 4_096
STATUS_LINES = {int(each): f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
LENGTH = b"content-length: %d\r\n"
JSON = b"content-type: application/json\r\n"

Line = tuple[str, str, str, bytes]
"""Of a request: method, route, the flag (empty for all flags), and the query, which the original's have."""

Known = tuple[Line, Head]


class FastLane:
    """For one thread, that of the event loop. `middleware` is as the application has it."""

    def __init__(self, answers: Answers, timings: Timings, middleware: CORSMiddleware) -> None:
        self._answers = answers
        self._timings = timings
        self._heads = Heads(middleware)
        self._lines: dict[bytes, Line] = {}
        self._known: dict[bytes, Known] = {}
        self._shown: dict[tuple[str, str, int], Timing] = {}
        self._default_headers: RawHeaders = ()
        self._named = False  # whether the request that was answered last has an id of its client's
        self._begin: dict[int, bytes] = {}  # by status: the response's first line and the default headers

    def answer(self, data: bytes, default_headers: RawHeaders) -> bytes | None:
        """A whole response, or None for what is not for this lane; nothing has happened then."""
        if not data.startswith(STARTS):
            return None
        began = perf_counter()
        head, end, body = data.partition(HEAD_END)
        found = (self._known.get(head) or self._read(head)) if end else None
        if found is None or len(body) != found[1].length:
            return None
        (method, route, flag, query), asked = found
        if flag:
            status, headers, answer = self._answers.one(asked.key, flag, body, asked.request_id)
        elif route is ALL:
            status, headers, answer = self._answers.all(
                asked.key, body, asked.if_none_match, asked.request_id
            )
        else:
            status, headers, answer = self._answers.original(query, asked.request_id)
        self._named = bool(asked.request_id)
        if default_headers is not self._default_headers:
            self._default_headers, self._begin = default_headers, {}
        response = b"".join(
            (
                self._begin.get(status) or self._beginning(status),
                _described(headers, len(answer)) if headers else _content(len(answer)),
                asked.cors,
                b"x-request-id: ",
                asked.request_id or new_request_id(),
                HEAD_END,
                answer,
            )
        )
        self._timing(method, route, status).add(perf_counter() - began)
        return response

    def sent(self) -> None:
        """The kernel has the response that was given last."""
        if self._named:
            self._answers.answered()

    def _beginning(self, status: int) -> bytes:
        found = self._begin[status] = STATUS_LINES[status] + lines(self._default_headers)
        return found

    def _timing(self, method: str, route: str, status: int) -> Timing:
        found = self._shown.get((method, route, status))
        if found is None:
            found = self._shown[method, route, status] = self._timings.of(method, route, str(status))
        return found

    def _read(self, data: bytes) -> Known | None:
        """First line and headers apart: clients differ in the one more often than in the others."""
        line, _, rest = data.partition(LINE_END)
        asked = self._lines.get(line) or _read_line(line)
        if asked is None or len(data) > HEAD_BYTES or (head := self._heads.find(rest)) is None:
            return None
        if asked[1] is not EVALUATE:  # which has another user in each line
            keep(self._lines, line, asked, LINES_KEPT)
            keep(self._known, data, (asked, head), HEADS_KEPT)
        return asked, head


def _read_line(line: bytes) -> Line | None:
    if found := ORIGINAL.fullmatch(line):
        return found[1].decode(), EVALUATE, "", found[2] or b""
    if found := OFREP.fullmatch(line):
        return "POST", (ONE if found[1] else ALL), (found[1] or b"").decode(), b""
    return None


def _described(headers: Mapping[str, str], length: int) -> bytes:
    """The answer's own headers, and what is to be said about its body."""
    own = lines([(name.lower().encode(), value.encode()) for name, value in headers.items()])
    return own + (LENGTH % length if "Content-Type" in headers else _content(length))


@lru_cache(LENGTHS_KEPT)
def _content(length: int) -> bytes:
    return LENGTH % length + JSON if length else b""
