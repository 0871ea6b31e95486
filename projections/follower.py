"""Keeps an evaluator's snapshot in step with Redis: hints wake it, the stream of changes is the truth."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

from redis import Redis, RedisError

from projections.ruleset_store import CHANNEL, RulesetStore
from projections.snapshot import Snapshot, snapshot_of

POLL_SECONDS = 1.0  # how stale answers may be when every hint is lost
RETRY_SECONDS = 0.25  # Redis is asked again this soon after it failed

Listener = Callable[[Snapshot, Snapshot], None]
"""Called with the snapshot before and the one after it, in the follower's thread: it must not wait."""

log = logging.getLogger(__name__)


class Follower:
    """`snapshot` is replaced as a whole, never changed; read it once for each request.

    A model that is behind the snapshot (Redis lost its tail, or is being filled again) is not accepted: the
    snapshot stays until the model has caught up with it.
    """

    def __init__(self, redis: Redis) -> None:
        self.snapshot = Snapshot()
        self._listeners: list[Listener] = []
        self.synced_at: float | None = None  # monotonic seconds of the last time Redis confirmed the snapshot
        self._redis = redis
        self._store = RulesetStore(redis)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> bool:
        return bool(self.snapshot.generation)

    def listen(self, listener: Listener) -> None:
        """From now on `listener` is told of every snapshot that takes the place of another."""
        self._listeners.append(listener)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="ruleset-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def sync(self) -> None:
        """Brings the snapshot to where the model is. Raises RedisError."""
        generation = self._store.live()
        if generation is None:
            return
        read = self._follow if generation == self.snapshot.generation else self._read_everything
        if read(generation):
            self.synced_at = monotonic()

    def _follow(self, generation: str) -> bool:
        """Whether the snapshot is now what the model is."""
        before, head = self.snapshot.position, self._store.position(generation)
        for change in self._store.changes(generation, after=self.snapshot.position):
            if change.after != self.snapshot.position:
                return self._read_everything(generation)
            self._swap(self.snapshot.updated(change.documents, position=change.position))
        if self.snapshot.position < head:  # the changes in between are gone, or never were announced
            return self._read_everything(generation)
        return head >= before

    def _read_everything(self, generation: str) -> bool:
        """Pages are read while writes go on; the changes since the start make them one moment again."""
        start = self._store.position(generation)
        if start < self.snapshot.position:
            return False
        snapshot = snapshot_of(generation, start, self._store.documents(generation), self.snapshot)
        if self._store.live() != generation or self._store.position(generation) < start:
            return False  # the generation went away while it was read, and what was read is not all of it
        for change in self._store.changes(generation, after=start):
            if change.after != snapshot.position:
                log.info("the model moved on too fast while it was read; reading it again")
                return False
            snapshot = snapshot.updated(change.documents, position=change.position)
        self._swap(snapshot)
        return True

    def _swap(self, snapshot: Snapshot) -> None:
        before, self.snapshot = self.snapshot, snapshot
        for listener in self._listeners:
            listener(before, snapshot)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
                    hints.subscribe(CHANNEL)
                    self._sync_on_hints(lambda: hints.get_message(timeout=POLL_SECONDS))
            except (RedisError, OSError) as problem:
                log.warning("answering from position %d, Redis: %s", self.snapshot.position, problem)
                self._stopping.wait(RETRY_SECONDS)
            except Exception:  # whatever it is, this thread is what keeps the answers fresh
                log.exception("the ruleset cannot be followed, answering from %d", self.snapshot.position)
                self._stopping.wait(RETRY_SECONDS)

    def _sync_on_hints(self, wait: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            self.sync()
            wait()
