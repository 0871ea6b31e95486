"""Brings a view to the head of the log, a batch at a time, from whatever position the view says it has."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from commands.log_reading import Record
from domain.envelope import Recorded, Stream
from projections.confirmation import Confirmation
from projections.folds import Folds, Log
from projections.frozen import Frozen
from projections.lease import Lease
from projections.ruleset_store import Fenced, Moved, Pointers, RulesetStore

BATCH = 200  # events; bounds how long one write holds Redis and how large a change can be

log = logging.getLogger(__name__)


class View(Protocol):
    """A read model that keeps its own position.

    One that `takes_unreadable` is given what cannot be read as well; to others it is an error.
    """

    name: str
    takes_unreadable: bool

    def position(self) -> int: ...

    def write(self, batch: list[Any], folds: Folds, *, after: int) -> None:
        """Raises Moved, having written nothing, when the view is not at `after`."""


class Projector:
    """Any number may run at once: a batch is written only from the position it was read for."""

    def __init__(self, log: Log, view: View) -> None:
        self.batches = self.events = 0  # that were written here, for metrics
        self.view = view
        self._read = log.read_each if view.takes_unreadable else log.read
        self._folds = Folds(log)
        self._expected: int | None = None

    def step(self, until: int | None = None, *, trusting: bool = False) -> int:
        """Applies the next batch and returns how many events it had; 0 at the head of the log, or `until`.

        `trusting` goes on from where the last step ended, unless that failed, without asking the view whether
        it is still there. A view that is not refuses what is written, but where nothing is there to be
        written nobody notices.
        """
        after = self._expected if trusting else None
        if after is None:
            after = self.view.position()
        if after != self._expected:
            self._folds.forget()
        batch: Sequence[Recorded] | Sequence[Record] = self._read(after=after, limit=BATCH, until=until)
        self._expected = None  # whatever is raised now: what is folded may not be what is written
        try:
            if batch:
                self.view.write(list(batch), self._folds, after=after)
        except Moved:
            return len(batch)
        self.batches += bool(batch)
        self.events += len(batch)
        self._expected = batch[-1].position if batch else after
        return len(batch)

    def catch_up(self, until: int | None = None) -> None:
        while self.step(until):
            pass


class RulesetView:
    """The Redis ruleset as a view: one generation, the live one unless told otherwise."""

    name = "ruleset"
    takes_unreadable = True

    def __init__(
        self, store: RulesetStore, generation: str | None = None, lease: Lease | None = None
    ) -> None:
        """With a lease, its number is the epoch that writes are fenced by: that of the time when the position
        was asked for, before the log was read."""
        self._store, self._fixed, self._lease = store, generation, lease
        self._confirmation = Confirmation(store.redis)
        self._epoch = self._at = 0
        self._pointers: Pointers = (None, None)
        self._generation = generation or ""
        self._frozen: dict[str, Frozen] = {}
        self._frozen_at: tuple[str, int] | None = None

    def position(self) -> int:
        """Raises NoLiveGeneration when there is no model; a rebuild makes one. Fenced without the lease.

        What is written afterwards is for the generation that was live now, as long as it is.
        """
        if self._lease:
            self._epoch = self._lease.number
            if not self._epoch:
                raise Fenced("another projector holds the lease")
        self._pointers = self._store.pointers()
        generation = self._fixed or self._pointers[0]
        if generation is None:
            raise NoLiveGeneration("Redis has no live ruleset")
        self._generation = generation
        self._at = self._store.position(generation)
        return self._at

    def confirm(self) -> None:
        """Notes that the model as it was found, or written, last is at the head of the log."""
        self._confirmation.confirm(self._generation, self._at, self._epoch)

    def write(self, batch: list[Record], folds: Folds, *, after: int) -> None:
        to, projected = batch[-1].position, folds.project(batch)
        frozen = self._news(projected.frozen, after)
        self._store.write(
            self._generation,
            projected.documents,
            after=after,
            to=to,
            announce=self._fixed is None,
            frozen=frozen,
            epoch=self._epoch,
            pointers=None if self._fixed else self._pointers,
        )
        self._learn(frozen)
        self._frozen_at, self._at = (self._generation, to), to

    def _news(self, frozen: Mapping[Stream, Frozen | None], after: int) -> dict[str, Frozen | None]:
        """What is not as the model has it."""
        if self._frozen_at != (self._generation, after):
            self._frozen = self._store.frozen(self._generation)
        told = {str(stream): problem for stream, problem in frozen.items()}
        return {stream: problem for stream, problem in told.items() if self._frozen.get(stream) != problem}

    def _learn(self, news: Mapping[str, Frozen | None]) -> None:
        for stream, problem in news.items():
            if problem is None:
                del self._frozen[stream]
                log.warning("%s is projected again", stream)
            else:
                self._frozen[stream] = problem
                log.error("%s is frozen at its last good version: %s", stream, problem)


class NoLiveGeneration(Exception):
    """Redis is new or was emptied."""
