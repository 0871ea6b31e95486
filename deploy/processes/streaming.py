"""Serving answers that do not end by themselves: to clients that do not read, and when the server stops."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from deploy.processes.patient_protocol import PatientProtocol

UNREAD_SECONDS = 20.0  # a client may take this long to make room for more: a phone in a tunnel comes back


class ReadProtocol(PatientProtocol):
    """Cuts off who does not read. What is waiting for such a client is 64 KiB at most."""

    unread_seconds = UNREAD_SECONDS
    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._reads_again()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reads_again()
        super().connection_lost(exc)

    def _reads_again(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class Server(uvicorn.Server):
    """Calls `stopping` before it waits for open answers, so that those without an end are given one."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)
