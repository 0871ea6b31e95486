"""HTTP for clients that may be slow, but not for ever: whoever takes too long to ask is cut off."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 5.0  # from the first byte, or the connection, to the end of the headers
BODY_SECONDS = 10.0  # from there to the end of the body: 1 MiB at 100 KiB a second
HEAD_BYTES = 65_536  # browsers and proxies stop well below
UNREAD_SECONDS = 20.0  # a client may take this long to make room for more: a phone in a tunnel comes back
KEEP_ALIVE_SECONDS = (
    75  # between requests; a balancer in front (nginx, AWS: 60) is to be the one that ends it
)

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    unread_seconds = UNREAD_SECONDS
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._deadline: asyncio.TimerHandle | None = None
        self._in_body = False
        self.in_message = False  # from a request's first byte to its last
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._reads_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """What waits for a client that does not read is 64 KiB at most, and not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._reads_again()
        super().resume_writing()

    def _reads_again(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def data_received(self, data: bytes) -> None:
        if not self._in_body:
            if self._deadline is None:
                self._wait_for_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_body and self._deadline is not None and self._head_bytes > HEAD_BYTES:
            self._cut(TOO_LARGE)

    def on_message_begin(self) -> None:
        self.in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._arm(self.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = self.in_message = False
        self._disarm()
        super().on_message_complete()

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._arm(self.head_seconds)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._cut, TOO_SLOW)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self, answer: bytes) -> None:
        """Tells why where no answer has begun, and hangs up."""
        self._disarm()
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(answer)
        self.transport.close()
