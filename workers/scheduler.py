"""The scheduler process: gives the commands whose time has come.

Any number may run. Whether something is due is decided by the aggregate, by PostgreSQL's clock and on its
stream's version: a command that another scheduler gave first, or that was put off meanwhile, decides nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from commands.change_models import ApplyDueChange, TakeStep
from commands.event_store import EventStore, StoreUnavailable
from commands.handlers import Commands
from commands.models import Command
from domain.aggregates import Folded
from domain.change import Change
from domain.envelope import Stamp, Stream
from domain.errors import Refused
from projections.due import Due
from projections.postgres_views import ViewUnavailable
from projections.projector import Projector
from workers.pulse import Pulse

POLL_SECONDS = 0.5  # how late a change may be
RETRY_SECONDS = 0.5
FORGET_EVERY_SECONDS = 3600
AT_ONCE = 100  # due things that are asked for together
REST_SECONDS = 60  # for something whose command fails in a way nobody foresaw

BY = "scheduler"

COMMANDS: Mapping[str, Callable[[Stream], Command]] = {
    "change": lambda stream: ApplyDueChange(project=stream.project, change=stream.key, by=BY),
    "plan": lambda stream: TakeStep(project=stream.project, plan=stream.key),
}

log = logging.getLogger(__name__)


@dataclass
class Scheduler:
    """`keep_requests_seconds` is how long the outcome of a request with an idempotency key is remembered.

    `applied` and `failed` count what was carried out here, and what could not be; they are for metrics.
    """

    store: EventStore
    due: Due
    keep_requests_seconds: float
    resting: dict[Stream, float] = field(default_factory=dict)
    forget_at: float = 0.0
    pulse: Pulse = field(default_factory=lambda: Pulse("scheduler"))
    applied: int = 0
    failed: int = 0

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; goes on by itself when PostgreSQL was away."""
        while not stopping.is_set():
            try:
                self.due.create_tables()
                self._follow(stopping)
            except (StoreUnavailable, ViewUnavailable) as problem:
                log.warning("%s; trying again", problem)
                self.pulse.fails(str(problem))
                stopping.wait(RETRY_SECONDS)
            except Exception:
                log.exception("what is due cannot be told; trying again")
                self.pulse.fails("what is due cannot be told; the log says why")
                stopping.wait(RETRY_SECONDS)

    def _follow(self, stopping: threading.Event) -> None:
        projector = Projector(self.store, self.due)
        while not stopping.is_set():
            while projector.step():
                self.pulse.moves()
            found = [stream for stream in self.due.now(AT_ONCE) if not self._is_resting(stream)]
            for stream in found:
                if stopping.is_set():
                    return
                self.pulse.moves()
                self._carry_out(stream)
            self._forget_requests()
            self.pulse.works()
            if len(found) < AT_ONCE:
                stopping.wait(POLL_SECONDS)

    def _carry_out(self, stream: Stream) -> None:
        stamp = Stamp(BY, self.store.now(), f"{stream.kind} {stream.key} was due")
        try:
            self._count(Commands(self.store).execute(COMMANDS[stream.kind](stream), stamp), stamp)
        except StoreUnavailable:
            raise
        except Refused as problem:
            log.info("%s: %s", stream, problem)
        except Exception:
            self.failed += 1
            log.exception("%s: trying again in %s seconds", stream, REST_SECONDS)
            self.resting[stream] = time.monotonic() + REST_SECONDS

    def _count(self, folded: Folded, stamp: Stamp) -> None:
        """Not what another scheduler did."""
        if folded.changed == stamp:
            failed = isinstance(folded.state, Change) and folded.state.status == "failed"
            self.applied += not failed
            self.failed += failed

    def held_back(self) -> int:
        """How many due things rest, since their command failed."""
        return sum(map(self._is_resting, list(self.resting)))

    def _is_resting(self, stream: Stream) -> bool:
        return self.resting.get(stream, 0.0) > time.monotonic()

    def _forget_requests(self) -> None:
        if time.monotonic() >= self.forget_at:
            self.store.forget_requests(self.keep_requests_seconds)
            self.forget_at = time.monotonic() + FORGET_EVERY_SECONDS
