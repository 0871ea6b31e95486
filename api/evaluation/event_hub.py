"""Who listens for changes of which environment, and what they are told."""

import asyncio
import resource
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from time import time
from typing import Any

import orjson

from api.evaluation.event_tokens import digest_of
from projections.documents import scope_of
from projections.follower import Follower
from projections.snapshot import Snapshot

STREAMS_AT_MOST = 10_000  # docs/ofrep.md tells what each costs
FILES_KEPT_FREE = 2  # at most one in so many of the files that a process may open is a stream
HEARTBEAT_SECONDS = 15.0  # proxies cut connections that are silent for 30 or 60 seconds
CALM_SECONDS = 0.1  # between two events on a stream: a burst of changes is one question
STREAMS_AT_ONCE = 50  # are told before requests get their turn: about 2 ms

HEARTBEAT = b":\n\n"


@dataclass(slots=True, eq=False)
class Listener:
    """`news` is the last event that was not sent yet; older ones say nothing that it does not."""

    digest: str
    scope: str
    news: bytes | None = None
    ended: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, news: bytes) -> None:
        self.news = news
        self.woken.set()

    def end(self) -> None:
        self.ended = True
        self.woken.set()

    def take(self) -> bytes:
        self.woken.clear()
        news, self.news = self.news, None
        return news or HEARTBEAT


class Hub:
    """Every open stream of the process. All but `_heard` runs in one event loop."""

    streams_at_most = STREAMS_AT_MOST
    heartbeat_seconds = HEARTBEAT_SECONDS
    calm_seconds = CALM_SECONDS

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, set[Listener]] = {}  # by digest
        self._changed: dict[str, int] = {}  # position of the last change that was heard of, by scope
        self._to_tell: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._ended = False
        self._keys: Any = None
        self._digests: dict[str, str] = {}
        self.open = 0
        follower.listen(self._heard)
        self._heard_since = follower.snapshot.position

    @property
    def full(self) -> bool:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self._ended or self.open >= min(self.streams_at_most, files // FILES_KEPT_FREE)

    @property
    def ready(self) -> bool:
        return self._follower.ready

    def listener(self, token: str) -> Listener | None:
        """For the key that the token was made for, if both hold. It hears nothing before it joins."""
        keys, now = self._follower.snapshot.keys, time()
        if keys is not self._keys:
            self._keys, self._digests = keys, {key.id: digest for digest, key in keys.items()}
        digest = digest_of(token, self._digests, now)
        if digest is None or self.seconds_left(digest) <= 0:
            return None
        return Listener(digest, scope_of(keys[digest].project, keys[digest].environment))

    def seconds_left(self, digest: str) -> float:
        """Until the key ends; zero or less where it has."""
        key = self._follower.snapshot.keys.get(digest)
        if key is None:
            return 0.0
        return float("inf") if key.expires_at is None else key.expires_at - time()

    def join(self, listener: Listener, seen: int | None) -> None:
        """`seen` is the position that the client was told last. Whatever may have changed since is news."""
        position = self._follower.snapshot.position
        changed = self._changed.get(listener.scope, self._heard_since)
        if seen is None or not changed <= seen <= position:
            listener.news = event(position, etag=max(position, seen or 0))
        self._listeners.setdefault(listener.digest, set()).add(listener)
        self.open += 1

    def leave(self, listener: Listener) -> None:
        listeners = self._listeners[listener.digest]
        listeners.discard(listener)
        if not listeners:
            del self._listeners[listener.digest]
        self.open -= 1

    def end(self) -> None:
        self._ended = True
        for listener in self._everybody():
            listener.end()

    def _everybody(self) -> list[Listener]:
        return [each for listeners in self._listeners.values() for each in listeners]

    def _heard(self, before: Snapshot, after: Snapshot) -> None:
        """In the follower's thread."""
        old, new = before.environments, after.environments
        changed = [scope for scope in old.keys() | new.keys() if old.get(scope) is not new.get(scope)]
        with suppress(RuntimeError):  # the event loop has been closed
            self._loop.call_soon_threadsafe(self._take, before, after, changed)

    def _take(self, before: Snapshot, after: Snapshot, changed: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(changed, after.position))
        for digest, listeners in self._listeners.items():
            if before.keys.get(digest) is not after.keys.get(digest):
                for listener in listeners:
                    listener.woken.set()  # to look whether its key is still in force
        if self._listeners:
            self._to_tell.update(changed)
        if self._to_tell and (self._telling is None or self._telling.done()):
            self._telling = self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        while self._to_tell:
            events = {scope: event(self._changed[scope]) for scope in self._to_tell}
            self._to_tell.clear()
            concerned = [each for each in self._everybody() if each.scope in events]
            for number, listener in enumerate(concerned, start=1):
                listener.tell(events[listener.scope])
                if number % STREAMS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(self.calm_seconds)


def event(position: int, etag: int | None = None) -> bytes:
    """`etag` is the position below which an evaluator's answer is not what this event is about.

    It is higher than the evaluator's own where the client has heard of more elsewhere: what an evaluator that
    lags answers must not take it back.
    """
    data = {"type": "refetchEvaluation", "etag": str(etag or position), "lastModified": int(time())}
    return b"event: message\nid: %d\ndata: %b\n\n" % (position, orjson.dumps(data))
