"""Keeps an evaluator's snapshot in step with Redis: hints wake it, the stream of changes is the truth."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Literal

from redis import Redis, RedisError

from domain.evaluation import CompiledFlag
from projections.confirmation import Beginning
from projections.copy_keeper import CopyKeeper
from projections.last_known_good import Copy
from projections.pauses import Pauses
from projections.ruleset_store import CHANNEL, Change, Look, RulesetStore
from projections.snapshot import Snapshot
from projections.whole_model import read_whole

POLL_SECONDS = 1.0  # how stale answers may be when every hint is lost
RETRY_SECONDS = 0.25  # Redis is asked again this soon after it failed
STALE_AFTER_SECONDS = 5.0  # five missed polls: Redis is away, not late
LET_GO_TOGETHER = 100  # flags; about a tenth of a millisecond

Listener = Callable[[Snapshot, Snapshot], None]
"""Called with the snapshot before and the one after it, in the follower's thread: it must not wait."""

Source = Literal["redis", "copy", ""]

log = logging.getLogger(__name__)


class Follower:
    """`snapshot` is replaced as a whole, never changed; read it once for each request.

    A model that is behind the snapshot (Redis lost its tail, or is being filled again) is not accepted: the
    snapshot stays until the model has caught up with it.
    """

    def __init__(
        self,
        redis: Redis,
        copies: CopyKeeper | None = None,
        loading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`loading` is entered while much is compiled at once."""
        self.snapshot = Snapshot()
        self.synced_at: float | None = None  # monotonic seconds of the last time Redis confirmed the snapshot
        self._listeners: list[Listener] = []
        self._redis = redis
        self._store = RulesetStore(redis)
        self._beginning = Beginning(redis)
        self._copies = copies
        self._loading = loading
        self._pause = Pauses()
        self._behind = False
        self._problem = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> bool:
        return bool(self.snapshot.generation)

    @property
    def source(self) -> Source:
        """Where the snapshot is known from: Redis, once it confirmed it; a copy on disk until then."""
        if not self.ready:
            return ""
        return "copy" if self.synced_at is None else "redis"

    @property
    def stale(self) -> bool:
        return self.staleness() > STALE_AFTER_SECONDS

    def staleness(self) -> float:
        """Seconds since Redis last confirmed what is served; infinite before it ever did."""
        return float("inf") if self.synced_at is None else monotonic() - self.synced_at

    def listen(self, listener: Listener) -> None:
        """From now on `listener` is told of every snapshot that takes the place of another."""
        self._listeners.append(listener)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="ruleset-follower", daemon=True)
        self._thread.start()
        if self._copies:
            self._copies.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()
        if self._copies:
            self._copies.stop()

    def load_copy(self) -> None:
        """Serves what is on disk, if that is newer than what is served."""
        found = self._copies.load(self._pause) if self._copies else None
        if found and found.position >= self.snapshot.position:
            self._replace(found)
            log.info("answering from the copy on disk, position %d", found.position)

    def sync(self) -> None:
        """Brings the snapshot to where the model is. Raises RedisError."""
        asked_at, served = monotonic(), self.snapshot
        look = self._store.look(served.generation, after=served.position)
        if look.live is None:
            return
        self._problem = ""
        if self._follow(look) if look.live == served.generation else self._read_everything(look.live):
            self.synced_at = asked_at

    def _follow(self, look: Look) -> bool:
        """Whether the snapshot is now what the model is."""
        generation = self.snapshot.generation
        if self._is_behind(look.position):
            return False
        for change in self._changes(look):
            if change.after != self.snapshot.position:
                return self._read_everything(generation)
            self._swap(self.snapshot.updated(change.documents, position=change.position, pause=self._pause))
        # Where the changes in between are gone, or never were announced, they do not lead to the head.
        return self.snapshot.position >= look.position or self._read_everything(generation)

    def _changes(self, look: Look) -> list[Change]:
        try:
            return look.changes()
        except (ValueError, LookupError, TypeError) as problem:
            log.warning("the stream of changes cannot be read, reading everything instead: %r", problem)
            return []

    def _read_everything(self, generation: str) -> bool:
        if self._is_behind(self._store.position(generation)):
            return False
        found = read_whole(self._redis, self._store, generation, self._pause)
        if found is None:
            log.info("the model moved on too fast while it was read; reading it again")
            return False
        position, documents = found
        if self._is_behind(position):
            return False
        self._replace(Copy(generation, position, documents))
        return True

    def _is_behind(self, position: int) -> bool:
        served, was_behind = self.snapshot.position, self._behind
        self._behind = position < served
        if self._behind and not was_behind:
            log.warning(
                "Redis is at position %d, behind %d, which is served until it has caught up. If the log was"
                " restored to an earlier state, remove the copies on disk and restart the evaluators",
                *(position, served),
            )
        return self._behind

    def _replace(self, found: Copy) -> None:
        compiled = [list(ruleset.flags.values()) for ruleset in self.snapshot.environments.values()]
        with self._loading():
            self._swap(self.snapshot.replaced(found.generation, found.position, found.documents, self._pause))
        self._let_go(compiled)

    def _let_go(self, compiled: list[list[CompiledFlag]]) -> None:
        """Piece by piece: nobody is answered while 100,000 flags are thrown away at once."""
        for flags in compiled:
            while flags:
                del flags[-LET_GO_TOGETHER:]
                self._pause()

    def _swap(self, snapshot: Snapshot) -> None:
        before, self.snapshot = self.snapshot, snapshot
        if self._copies:
            self._copies.keep(Copy(snapshot.generation, snapshot.position, snapshot.documents))
        for listener in self._listeners:
            try:
                listener(before, snapshot)
            except Exception:  # what a listener does with a snapshot is not to stop the next one
                log.exception("a listener failed at position %d", snapshot.position)

    def _run(self) -> None:
        self._guarded(self._begin)
        if not self.ready:
            self._guarded(self.load_copy)
        while not self._stopping.is_set():
            if not self._guarded(self._listen):
                self._stopping.wait(RETRY_SECONDS)

    def _begin(self) -> None:
        """A copy may be old: it is for when Redis is away, or has lost something."""
        if self._beginning.confirmed():
            self.sync()

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Whatever happens: this thread is what keeps the answers fresh."""
        try:
            work()
        except (RedisError, OSError) as problem:
            self._tell(str(problem))
        except Exception:
            log.exception("the ruleset cannot be followed, answering from %d", self.snapshot.position)
        else:
            return True
        return False

    def _tell(self, problem: str) -> None:
        """Once, until it is another problem or there was none in between."""
        if problem != self._problem:
            log.warning("answering from position %d, Redis: %s", self.snapshot.position, problem)
        self._problem = problem

    def _listen(self) -> None:
        """Until stopped, or until a change came without a hint: then a new connection is due."""
        with self._redis.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
            hints.subscribe(CHANNEL)
            hints.get_message(timeout=POLL_SECONDS)  # that it is so: what comes before it was not missed
            hinted = True
            while not self._stopping.is_set():
                before = self.snapshot
                if self.ready or self._beginning.allowed():
                    self.sync()
                if self.snapshot is not before and before.generation and not hinted:
                    log.info("a change came without its hint; subscribing anew")
                    return
                poll_seconds = POLL_SECONDS if self.ready else RETRY_SECONDS
                hinted = hints.get_message(timeout=poll_seconds) is not None
