"""The ruleset made anew from the log, compared with it, and asked how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from projections.documents import Documents, Place
from projections.folds import Folds, Log
from projections.projector import BATCH, Projector, RulesetView
from projections.ruleset_store import RulesetStore

Progress = Callable[[int, int], None]
"""Called with the position reached and the position aimed at."""

Difference = Literal["differs", "is missing", "should not be there"]


class AnotherRebuild(Exception):
    """Another generation became the live one while this one was made."""


@dataclass(frozen=True, slots=True)
class Status:
    """`lag` is how far the model is behind the log, in positions."""

    generation: str | None
    position: int
    head: int

    @property
    def lag(self) -> int:
        return self.head - self.position


@dataclass(frozen=True, slots=True)
class Drift:
    place: Place
    difference: Difference


def rebuild(log: Log, store: RulesetStore, progress: Progress = lambda done, total: None) -> str:
    """Fills a new generation from the first event on, then makes it the live one in one step.

    The live one serves and is kept up to date until then. Raises AnotherRebuild when one was faster.
    """
    before = store.live()
    generation = store.new_generation()
    view = RulesetView(store, generation)
    projector = Projector(log, view)
    head = log.head()
    while projector.step():
        progress(view.position(), max(head, view.position()))
    if not store.make_live(generation, instead_of=before):
        store.delete(generation)
        raise AnotherRebuild("another rebuild finished first; its ruleset is live now")
    if before is not None:
        store.delete(before)
    return generation


def expected_documents(log: Log, until: int) -> Documents:
    """What the model has to hold at that position, from nothing but the log."""
    folds, documents, after = Folds(log, kept_at_most=None), Documents(), 0
    while batch := log.read(after=after, limit=BATCH, until=until):
        documents.update(folds.documents(batch))
        after = batch[-1].position
    return {place: document for place, document in documents.items() if document is not None}


def verify(log: Log, store: RulesetStore) -> tuple[Status, list[Drift]]:
    """Compares every document with what the log says it should be at the model's position.

    A model that moves while it is read is read again, so that one moment is compared.
    """
    while True:
        status = status_of(log, store)
        if status.generation is None:
            return status, []
        found = dict(store.documents(status.generation))
        if store.position(status.generation) == status.position:
            return status, list(_compare(expected_documents(log, status.position), found))


def _compare(expected: Documents, found: dict[Place, bytes]) -> list[Drift]:
    drifts = []
    for place in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(place), found.get(place)
        if wanted is None:
            drifts.append(Drift(place, "should not be there"))
        elif there is None:
            drifts.append(Drift(place, "is missing"))
        elif wanted.encode() != there:
            drifts.append(Drift(place, "differs"))
    return drifts


def status_of(log: Log, store: RulesetStore) -> Status:
    generation = store.live()
    position = store.position(generation) if generation else 0
    return Status(generation, position, log.head())
