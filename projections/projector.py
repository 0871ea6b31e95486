"""Brings a view to the head of the log, a batch at a time, from whatever position the view says it has."""

from typing import Protocol

from domain.envelope import Recorded
from projections.folds import Folds, Log
from projections.ruleset_store import Moved, RulesetStore

BATCH = 200  # events; bounds how long one write holds Redis and how large a change can be


class View(Protocol):
    """A read model that keeps its own position."""

    name: str

    def position(self) -> int: ...

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        """Raises Moved, having written nothing, when the view is not at `after`."""


class Projector:
    """Any number may run at once: a batch is written only from the position it was read for."""

    def __init__(self, log: Log, view: View) -> None:
        self.view = view
        self._log = log
        self._folds = Folds(log)
        self._expected: int | None = None

    def step(self) -> int:
        """Applies the next batch and returns how many events it had; 0 at the head of the log."""
        after = self.view.position()
        if after != self._expected:
            self._folds.forget()
        batch = self._log.read(after=after, limit=BATCH)
        try:
            if batch:
                self.view.write(batch, self._folds, after=after)
        except Moved:
            self._expected = None
            return len(batch)
        self._expected = batch[-1].position if batch else after
        return len(batch)

    def catch_up(self) -> None:
        while self.step():
            pass


class RulesetView:
    """The Redis ruleset as a view: one generation, the live one unless told otherwise."""

    name = "ruleset"

    def __init__(self, store: RulesetStore, generation: str | None = None) -> None:
        self._store = store
        self._fixed = generation
        self._generation = generation or ""

    def position(self) -> int:
        """Raises NoLiveGeneration when there is no model; a rebuild makes one."""
        generation = self._fixed or self._store.live()
        if generation is None:
            raise NoLiveGeneration("Redis has no live ruleset")
        self._generation = generation
        return self._store.position(generation)

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        self._store.write(
            self._generation,
            folds.documents(batch),
            after=after,
            to=batch[-1].position,
            announce=self._fixed is None,
        )


class NoLiveGeneration(Exception):
    """Redis is new or was emptied."""
