"""Who does a piece of work that others stand ready for: one holder in Redis, watched by the rest.

No clock but the watcher's own is asked, and only for how long a beat has stood still: a Redis whose clock
jumps neither ends a lease early nor keeps a dead holder's alive. Two may still take themselves for the holder
for a moment (one was stopped, Redis lost its tail), so a lease saves work and promises nothing.
"""

import os
import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import Self, cast
from uuid import uuid4

from redis import Redis, RedisError

from projections.scripts import script

BEAT_SECONDS = 0.2  # how often a holder shows that it lives, and others look
ASIDE_SECONDS = 5 * BEAT_SECONDS  # long enough for others to look


class Lease:
    """`number` is higher with every taking, whoever takes it; 0 while another holds the lease.

    `seen` is that other and its beat.
    """

    def __init__(self, redis: Redis, key: str, counter: str, lapse_seconds: float) -> None:
        """A holder that shows no beat for `lapse_seconds` is taken for dead."""
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.number = 0
        self._keys, self._lapse = [key, counter], lapse_seconds
        self._hold = redis.register_script(script("hold_lease.lua"))
        self._release = redis.register_script(script("release_lease.lua"))
        self.seen, self._since = "", monotonic()

    def hold(self) -> bool:
        """Takes it or goes on holding it, where that is possible. Raises RedisError."""
        dead = self.seen if monotonic() - self._since >= self._lapse else ""
        held, number, *seen = cast("list[int | bytes]", self._hold(self._keys, [self.holder, dead]))
        self._watch(cast("bytes", seen[0]).decode() if seen else "")
        self.number = int(number) if held else 0
        return bool(held)

    def release(self) -> None:
        """Others need not wait for the lapse; nothing is said when Redis is away."""
        self.number = 0
        with suppress(RedisError):
            self._release(self._keys[:1], [self.holder])

    def _watch(self, seen: str) -> None:
        if seen != self.seen:
            self.seen, self._since = seen, monotonic()


class Beating:
    """Holds a lease from a thread of its own, so that a long piece of work does not look like death.

    `number` is the lease's as last heard; 0 when it is not held, or Redis does not take it: `problem` then
    says why.
    """

    def __init__(self, lease: Lease) -> None:
        self.problem: Exception | None = None
        self._lease = lease
        self._ended, self._aside_until = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._lease.release()

    @property
    def number(self) -> int:
        return self._lease.number

    def step_aside(self) -> None:
        """For somebody who may not have the trouble that this one has."""
        self._aside_until = monotonic() + ASIDE_SECONDS
        self._lease.release()

    def _beat(self) -> None:
        while not self._ended.is_set():
            if monotonic() >= self._aside_until:
                self._hold()
            self._ended.wait(BEAT_SECONDS)

    def _hold(self) -> None:
        try:
            self._lease.hold()
            self.problem = None
        except (RedisError, OSError) as problem:
            self.problem, self._lease.number = problem, 0
