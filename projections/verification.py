"""The read model compared with the log.

The way here is another than the one that a rebuild takes: the log is read by position and not by stream, and
folded an event at a time by `domain.aggregates.fold`; nothing that was kept in memory is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from commands.event_store import EventStore
from commands.log_reading import Record, Unreadable, each
from domain.aggregates import Folded, fold
from domain.collector import collector_held_back
from domain.envelope import Recorded, Stream, project_stream
from projections.documents import Documents, Place, documents_of
from projections.folds import WITHOUT_DOCUMENTS, Folds, environments_of, settle_whole
from projections.frozen import Frozen
from projections.ruleset_store import Holders, RulesetStore

STREAMS_AT_ONCE = 20_000  # folded in memory, about 5 KB each; a log with more is read in several passes
COMPARED_AT_ONCE = 1_000  # documents
READ_AT_ONCE = 200  # events

Counted = Callable[[int, int], None]
"""Called with the number of events done and of all."""

Difference = Literal["differs", "is missing", "should not be there"]


NOBODY = Holders("", "", 0)


@dataclass(frozen=True, slots=True)
class Status:
    """`lag` is how far the model is behind the log, in positions; `previous` can be gone back to."""

    generation: str | None
    position: int
    head: int
    previous: str | None = None
    holders: Holders = NOBODY
    frozen: dict[str, Frozen] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        return self.head - self.position


@dataclass(frozen=True, slots=True)
class Drift:
    place: Place
    difference: Difference


def status_of(log: EventStore, store: RulesetStore) -> Status:
    """The position is asked for before the head, so that the lag is never negative for want of a moment."""
    generation, holders = store.live(), store.holders()
    if generation is None:
        return Status(None, 0, log.head(), holders=holders)
    position, frozen = store.position(generation), store.frozen(generation)
    return Status(generation, position, log.head(), store.previous(), holders, frozen)


def verify(
    log: EventStore, store: RulesetStore, counted: Counted = lambda done, total: None
) -> tuple[Status, list[Drift]]:
    """Compares every document with what the log says it should be at the position where the model was.

    What events have changed since then is not told: it was written anew meanwhile.
    """
    while True:
        status = status_of(log, store)
        if status.generation is None:
            return status, []
        with collector_held_back():
            drifts = compare(log, store, status.generation, status.position, counted)
        if drifts:
            now = store.position(status.generation)
            touched = touched_documents(log, after=status.position, until=now)
            drifts = [drift for drift in drifts if drift.place not in touched]
        if status.generation in {store.live(), store.previous()}:  # or it was deleted while it was read
            return status, drifts


def compare(
    log: EventStore, store: RulesetStore, generation: str, position: int, counted: Counted
) -> list[Drift]:
    """Of each document a number is kept in memory, and no more."""
    drifts: list[Drift] = []
    fields: dict[str, set[int]] = {}
    for some in _chunks(documents_at(log, position, counted)):
        drifts += compare_some(store, generation, some)
        for place, document in some.items():
            if document is not None:
                fields.setdefault(place.scope, set()).add(hash(place.field))
    missing = Counter(drift.place.scope for drift in drifts if drift.difference == "is missing")
    drifts += _superfluous(store, generation, fields, missing)
    return sorted(set(drifts), key=lambda drift: drift.place)


def compare_some(store: RulesetStore, generation: str, expected: Documents) -> Iterator[Drift]:
    found = store.fetch(generation, list(expected))
    for (place, wanted), there in zip(expected.items(), found, strict=True):
        if wanted is None:
            if there is not None:
                yield Drift(place, "should not be there")
        elif there is None:
            yield Drift(place, "is missing")
        elif wanted.encode() != there:
            yield Drift(place, "differs")


def _superfluous(
    store: RulesetStore, generation: str, fields: Mapping[str, set[int]], missing: Counter[str]
) -> Iterator[Drift]:
    """A scope is gone through only if it has more than it should."""
    for scope, size in store.sizes(generation).items():
        expected = fields.get(scope, set())
        if size != len(expected) - missing[scope]:
            for name in store.fields(generation, scope):
                if hash(name) not in expected:
                    yield Drift(Place(scope, name), "should not be there")


def touched_documents(log: EventStore, *, after: int, until: int) -> Documents:
    """Those that events in between have changed, as the log says they are now."""
    documents: Documents = {}
    while batch := log.read_each(after=after, limit=READ_AT_ONCE, until=until):
        documents.update(Folds(log).project(batch).documents)
        after = batch[-1].position
    return documents


def expected_documents(log: EventStore, until: int) -> Documents:
    """What the model has to hold at that position, from nothing but the log."""
    found = documents_at(log, until)
    return {place: document for place, document in _flat(found) if document is not None}


def documents_at(
    log: EventStore, until: int, counted: Counted = lambda done, total: None
) -> Iterator[Documents]:
    """Stream by stream, None for what is to be nowhere; of a frozen one those of its last good version."""
    events, streams = log.count(until=until, without=WITHOUT_DOCUMENTS)
    parts, done = 1 + streams // STREAMS_AT_ONCE, 0
    for part in range(parts):
        share = _Share(log, until)
        for page in log.by_position(until=until, without=WITHOUT_DOCUMENTS, part=part, parts=parts):
            for row in page:
                share.take(each(row))
            done += len(page)
            counted(min(done, events), events)
        yield from share.documents()


class _Share:
    """Some of the log's streams, folded as their events pass."""

    def __init__(self, log: EventStore, until: int) -> None:
        self._log, self._until = log, until
        self._states: dict[Stream, Folded] = {}
        self._stopped: set[Stream] = set()

    def take(self, record: Record) -> None:
        if record.stream in self._stopped:
            return
        try:
            self._states[record.stream] = fold(self._states.get(record.stream), _readable(record))
        except Exception:  # whatever it is, this stream stays as it was
            self._stopped.add(record.stream)

    def documents(self) -> Iterator[Documents]:
        for stream, folded in self._states.items():
            environments = environments_of(self._states.get(project_stream(stream.project)))
            if stream in self._stopped:
                yield self._settled(stream, environments)
                continue
            try:
                yield documents_of(folded, environments)
            except Exception:  # as above
                yield self._settled(stream, environments)

    def _settled(self, stream: Stream, environments: Sequence[str]) -> Documents:
        return settle_whole(self._log.load_each(stream, until=self._until), environments).documents


def _readable(record: Record) -> Recorded:
    if isinstance(record, Unreadable):
        raise TypeError(record.problem)
    return record


def _flat(documents: Iterable[Documents]) -> Iterator[tuple[Place, str | None]]:
    return (pair for some in documents for pair in some.items())


def _chunks(documents: Iterable[Documents]) -> Iterator[Documents]:
    pairs = _flat(documents)
    while some := dict(islice(pairs, COMPARED_AT_ONCE)):
        yield some
