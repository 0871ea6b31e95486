"""Pages that follow the log: one look at its head for the process, and a word to every page when it moves."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from api.console.client import Door
from api.console.sessions import Sessions

LOOK_SECONDS = 0.25  # one query of an indexed column; what others change shows within half a second
CALM_SECONDS = 0.5  # a page reads itself again no more often than this, however busy the log is

log = logging.getLogger(__name__)

Refresh = Callable[[int], Awaitable[None]]
"""Reads a page again, up to that position of the log."""


class Follower:
    """Of one page."""

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = refresh
        self._wanted = asyncio.Event()
        self._head = 0
        self._task = asyncio.create_task(self._run())

    def moved(self, head: int) -> None:
        self._head = head
        self._wanted.set()

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        """What moves while it reads is read afterwards, once."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._refresh(self._head)
            except Exception:
                log.exception("a page could not be read again")
            await asyncio.sleep(CALM_SECONDS)


class Live:
    """Looks while any page is open; ends sessions whose time has come, too."""

    def __init__(self, door: Door, sessions: Sessions) -> None:
        self._door = door
        self._sessions = sessions
        self._followers: set[Follower] = set()
        self._head: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def follow(self, refresh: Refresh) -> Callable[[], None]:
        """Until what it answers with is called."""
        follower = Follower(refresh)
        self._followers.add(follower)

        def stop() -> None:
            self._followers.discard(follower)
            follower.stop()

        return stop

    async def _look(self) -> None:
        while True:
            self._sessions.sweep()
            if self._followers:
                await self._tell(await self._door.head())
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, head: int | None) -> None:
        if head is not None and head != self._head:
            self._head = head
            for follower in self._followers:
                follower.moved(head)
