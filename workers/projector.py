"""The projector process: keeps every view in step with the log."""

import logging
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from redis import RedisError
from redis.exceptions import OutOfMemoryError

from commands.event_store import EventStore, StoreUnavailable
from commands.listener import Listener
from projections.confirmation import CONFIRM_SECONDS
from projections.eviction import eviction_policy, what_is_wrong
from projections.lease import BEAT_SECONDS, Beating
from projections.postgres_views import PostgresView, ViewUnavailable
from projections.projector import BATCH, NoLiveGeneration, Projector, RulesetView
from projections.rebuild import NotRebuilt, can_thaw, rebuild
from projections.ruleset_store import Fenced, RulesetStore
from workers.pulse import Pulse

POLL_SECONDS = 0.25  # how late a view may be when no NOTIFY arrives
RETRY_SECONDS = 0.25
BUSY_SECONDS = 600.0  # after that long without leisure some is taken
LOOK_SECONDS = 1.0  # how often the model itself is looked at, however busy it is
POLICY_SECONDS = 10.0  # how often Redis is asked what it does when its memory is full
SAID_AGAIN_SECONDS = 60.0  # a problem that lasts is told this often, however often it is met

log = logging.getLogger(__name__)


def run_projector(
    store: EventStore,
    rulesets: RulesetStore,
    views: Sequence[PostgresView],
    stopping: threading.Event,
    at_leisure: Callable[[], None] = lambda: None,
) -> None:
    """As `Projection`, which says more."""
    Projection(store, rulesets, views, stopping, at_leisure).run()


class Loop(Protocol):
    """One view's."""

    pulse: Pulse
    projector: Projector

    def run(self) -> None: ...


class Projection:
    """All views of a process, with what is for metrics in them.

    `at_leisure` is called when there is nothing to do, and now and then when there always is.
    """

    def __init__(
        self,
        store: EventStore,
        rulesets: RulesetStore,
        views: Sequence[PostgresView],
        stopping: threading.Event,
        at_leisure: Callable[[], None] = lambda: None,
    ) -> None:
        self.ruleset = RulesetLoop(store, rulesets, stopping, at_leisure)
        self.loops: list[Loop] = [self.ruleset, *(ViewLoop(store, view, stopping) for view in views)]

    def run(self) -> None:
        """One thread a view, so that one that cannot be written does not hold up the others."""
        threads = [threading.Thread(target=each.run, name=each.pulse.name) for each in self.loops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Alarm:
    """Says a problem when it begins, now and then while it lasts, and when it is over."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse, self._name = pulse, pulse.name
        self._problem, self._said_at = "", 0.0

    def say(self, problem: str, level: int = logging.WARNING) -> None:
        self._pulse.fails(problem)
        if problem != self._problem or monotonic() - self._said_at > SAID_AGAIN_SECONDS:
            log.log(level, "%s: %s", self._name, problem)
            self._problem, self._said_at = problem, monotonic()

    def over(self) -> None:
        self._pulse.works()
        if self._problem:
            log.warning("%s: no longer: %s", self._name, self._problem)
            self._problem = ""


class RulesetLoop:
    """The model in Redis, written by whichever process holds the lease; the others look now and then."""

    def __init__(
        self,
        store: EventStore,
        rulesets: RulesetStore,
        stopping: threading.Event,
        at_leisure: Callable[[], None],
    ) -> None:
        self._store, self._rulesets, self._stopping = store, rulesets, stopping
        self._at_leisure, self._leisure_at = at_leisure, monotonic()
        self.lease = rulesets.projector_lease()
        self.pulse = Pulse("ruleset")
        self._view = RulesetView(rulesets, lease=self.lease)
        self.projector = Projector(store, self._view)
        self._listener = Listener(store.url)
        self._trouble, self._eviction = Alarm(self.pulse), Alarm(Pulse("ruleset"))
        self._looked_at_policy = -POLICY_SECONDS
        self._looked_for_thaw = False
        self._looked_at = 0.0
        self._confirmed_at = 0.0

    def run(self) -> None:
        heard = False
        with Beating(self.lease) as beating:
            while not self._stopping.is_set():
                self.pulse.moves()
                trusting, heard = heard, False
                try:
                    heard = self._step(beating, trusting)
                except (Fenced, NoLiveGeneration) as problem:
                    log.info("ruleset: %s", problem)
                except Exception as problem:
                    self._tell(problem)
                    if not isinstance(problem, RedisError):
                        beating.step_aside()
                    self._stopping.wait(RETRY_SECONDS)
        self._listener.close()

    def _step(self, beating: Beating, heard: bool) -> bool:
        """Whether it was heard that there is more, and all was well until then."""
        if beating.problem:
            raise beating.problem
        if not beating.number:
            self._trouble.over()
            self._stopping.wait(BEAT_SECONDS)
            return False
        trusting = heard and monotonic() - self._looked_at < LOOK_SECONDS
        if not trusting:
            self._look_at_model()
        applied = self.projector.step(trusting=trusting)
        self._trouble.over()
        if applied < BATCH:
            self._confirm()
        if applied == BATCH or self._listener.wait(POLL_SECONDS):
            if monotonic() - self._leisure_at > BUSY_SECONDS:
                self._rest()
            return True
        self._rest()
        return False

    def _confirm(self) -> None:
        if monotonic() - self._confirmed_at >= CONFIRM_SECONDS:
            self._view.confirm()
            self._confirmed_at = monotonic()

    def _rest(self) -> None:
        self._leisure_at = monotonic()
        self._at_leisure()

    def _look_at_model(self) -> None:
        self._looked_at = monotonic()
        self._look_at_policy()
        if self._rulesets.live() is None:
            log.warning("ruleset: Redis is empty, filling it from the log")
            self._rebuild()
        self._thaw()

    def _thaw(self) -> None:
        """Once in a process' life: a later version may read what an earlier one could not."""
        if not self._looked_for_thaw:
            if can_thaw(self._store, self._rulesets):
                log.warning("ruleset: what was frozen can be projected now, making it anew")
                self._rebuild()
            self._looked_for_thaw = True

    def _rebuild(self) -> None:
        """It may take minutes, and moves with every page."""
        rebuild(self._store, self._rulesets, lambda *_: self.pulse.moves(), tolerant=True)

    def _look_at_policy(self) -> None:
        if monotonic() - self._looked_at_policy < POLICY_SECONDS:
            return
        policy = eviction_policy(self._rulesets.redis)
        self._looked_at_policy = monotonic()
        if wrong := what_is_wrong(policy):
            self._eviction.say(wrong, logging.ERROR)
        else:
            self._eviction.over()

    def _tell(self, problem: Exception) -> None:
        match problem:
            case OutOfMemoryError():
                self._trouble.say(
                    "the memory of Redis is full, changes are not served; give it more (maxmemory)",
                    logging.ERROR,
                )
            case RedisError() | StoreUnavailable() | NotRebuilt():
                self._trouble.say(f"{problem}; trying again")
            case _:
                self._trouble.say(f"{type(problem).__name__}: {problem}; trying again", logging.ERROR)
                log.debug("ruleset", exc_info=problem)


class ViewLoop:
    """A view in PostgreSQL."""

    def __init__(self, store: EventStore, view: PostgresView, stopping: threading.Event) -> None:
        self.pulse = Pulse(view.name)
        self.projector = Projector(store, view)
        self._view, self._stopping = view, stopping
        self._listener, self._trouble = Listener(store.url), Alarm(self.pulse)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._view.create_tables()
                self._follow()
            except (StoreUnavailable, ViewUnavailable) as problem:
                self._trouble.say(f"{problem}; trying again")
            except Exception:
                self.pulse.fails("an event cannot be projected; the log says which")
                log.exception("%s: an event cannot be projected; trying again", self.pulse.name)
            self._stopping.wait(RETRY_SECONDS)
        self._listener.close()

    def _follow(self) -> None:
        heard = False
        while not self._stopping.is_set():
            applied = self.projector.step(trusting=heard)
            self._trouble.over()
            if applied < BATCH:
                heard = self._listener.wait(POLL_SECONDS)
