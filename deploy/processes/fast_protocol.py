"""HTTP in which whole and ordinary requests to the hot routes are answered at once, without a task."""

import asyncio
from typing import Any, Protocol

from deploy.processes.patient_protocol import KEEP_ALIVE_SECONDS, PatientProtocol


class Lane(Protocol):
    def answer(self, data: bytes, default_headers: Any) -> bytes | None:
        """A whole response, or None for what is to go the ordinary way."""

    def sent(self) -> None:
        """The kernel has the response, or, where the client does not read, the transport."""


class FastProtocol(PatientProtocol):
    """Whatever is not one whole request, on a connection with nothing else under way, is uvicorn's."""

    keep_alive_seconds: float = KEEP_ALIVE_SECONDS

    def __init__(self, *arguments: Any, lane: Lane, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lane = lane
        self._answered = False
        self._idle: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._is_between() and (answer := self._lane.answer(data, self.server_state.default_headers)):
            self.transport.write(answer)  # at once, where nothing waits to be sent before it
            self._lane.sent()
            self.server_state.total_requests += 1
            self._answered = True
            if self._deadline is not None or self.timeout_keep_alive_task is not None:
                self._disarm()
                self._unset_keepalive_if_required()
            if self._idle is None:
                self._idle = self.loop.call_later(self.keep_alive_seconds, self._close_if_idle)
            return
        super().data_received(data)

    def _is_between(self) -> bool:
        """Between requests, all of them answered, and the answers not waiting for the client to read them."""
        cycle = self.cycle
        if self.in_message or self.flow.write_paused:
            return False
        return cycle is None or (cycle.response_complete and not self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def _close_if_idle(self) -> None:
        """One timer for a connection, not one for each request: it is closed within twice the time."""
        self._idle = None
        if self.transport.is_closing() or self.timeout_keep_alive_task is not None:
            return
        if self._is_between() and not self._answered:
            self.transport.close()
            return
        self._answered = False
        self._idle = self.loop.call_later(self.keep_alive_seconds, self._close_if_idle)
