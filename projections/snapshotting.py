"""Making snapshots of the fold, all of them anew, and holding them against the log.

Where a snapshot is due, and what is in it, is told by the log alone: any number may make them at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from commands.log_reading import Row, recorded, said_of
from domain.aggregates import EVOLVE, Folded, fold
from domain.collector import collector_held_back
from projections.fold_snapshots import NONE, Damaged, FoldSnapshots, Snapshot, folded_from, line_of
from projections.folds import KEPT_AT_MOST

FOLDED = ("project", "flag", "segment")
UNFOLDED = sorted(EVOLVE.keys() - set(FOLDED))

Progress = Callable[[int, int], None]
"""Told the events that are done, and all of them."""


class Log(Protocol):
    """What is needed of the event store."""

    def head(self) -> int: ...

    def count(self, *, until: int, without: list[str]) -> tuple[int, int]: ...

    def projects(self, *, after: int = 0, until: int) -> list[str]: ...

    def of_project(self, project: str, *, after: int = 0, until: int) -> Iterator[list[Row]]: ...

    def nth_of_project(self, project: str, nth: int, *, after: int, until: int) -> int | None: ...


class Unfoldable(Exception):
    """This version cannot read, or fold, an event; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    project: str
    position: int
    what: str


def lacking(log: Log, project: str, last: Snapshot, until: int, every: int) -> Iterator[Snapshot]:
    """Those after the last one that are due up to that position. Raises Unfoldable."""
    nth = last.next_after(every)
    if log.nth_of_project(project, nth, after=last.position, until=until) is not None:
        yield from _following(log, project, last, until, every)


@dataclass
class Anew:
    """All that there should be, worked out from the log and nothing else. `faults` are what cannot be."""

    log: Log
    snapshots: FoldSnapshots
    progress: Progress

    def __post_init__(self) -> None:
        self.until = self.log.head()
        self.faults: list[Fault] = []
        self._done, self._total = 0, self.log.count(until=self.until, without=UNFOLDED)[0]

    def __iter__(self) -> Iterator[Snapshot]:
        for project in self.log.projects(until=self.until):
            try:
                yield from _following(self.log, project, NONE, self.until, self.snapshots.every, self._passed)
            except Unfoldable as problem:
                self.faults.append(Fault(project, 0, str(problem)))

    def _passed(self, events: int) -> None:
        self._done += events
        self.progress(self._done, self._total)


def rebuild(log: Log, snapshots: FoldSnapshots, progress: Progress) -> tuple[int, list[Fault]]:
    """Replaces each, and then deletes those that should not be; how many there are, and what kept others from
    being made."""
    snapshots.create_tables()
    anew, made = Anew(log, snapshots, progress), set()
    for snapshot in anew:
        snapshots.put(snapshot)
        made.add((snapshot.project, snapshot.position))
    for place in snapshots.places(anew.until):
        if place not in made:
            snapshots.delete(*place)
    return len(made), anew.faults


@dataclass(frozen=True, slots=True)
class Verified:
    """`missing` are those that nobody made yet."""

    right: int
    missing: int
    faults: list[Fault]


def verify(log: Log, snapshots: FoldSnapshots, progress: Progress) -> Verified:
    """Holds every snapshot against the log."""
    anew, checksums = Anew(log, snapshots, progress), dict[tuple[str, int], bytes]()
    for snapshot in anew:
        checksums[snapshot.project, snapshot.position] = snapshot.checksum
    places = snapshots.places(anew.until)
    judged = [(place, _wrong_with(snapshots, *place, checksums.get(place))) for place in places]
    faults = [Fault(*place, what) for place, what in judged if what]
    missing = len(checksums.keys() - set(places))
    return Verified(len(places) - len(faults), missing, [*anew.faults, *faults])


def _wrong_with(snapshots: FoldSnapshots, project: str, position: int, expected: bytes | None) -> str:
    try:
        found = snapshots.one(project, position)
    except Damaged as problem:
        return str(problem)
    if found is None:  # deleted since it was listed
        return ""
    if expected is None:
        return "the log has no place for a snapshot there"
    return "" if found.checksum == expected else "it is not what the log says"


def _following(
    log: Log,
    project: str,
    last: Snapshot,
    until: int,
    every: int,
    passed: Callable[[int], None] = lambda events: None,
) -> Iterator[Snapshot]:
    """Every snapshot after the last, up to that position."""
    fold = _Fold(last, project, every)
    for page in log.of_project(project, after=last.position, until=until):
        with collector_held_back():
            found = [snapshot for row in page if (snapshot := fold.add(row))]
        yield from found
        passed(len(page))


class _Fold:
    """Everything as it is written, and what changed of late as states too."""

    def __init__(self, last: Snapshot, project: str, every: int) -> None:
        self._project, self._every = project, every
        self._lines, self._states, self._changed = dict(last.lines), dict[str, Folded](), set[str]()
        self._events, self._due = last.events, last.events + last.next_after(every)

    def add(self, row: Row) -> Snapshot | None:
        """A snapshot, where one is due after this event."""
        self._states[row.stream] = self._folded(row)
        self._changed.add(row.stream)
        self._events += 1
        return self._snapshot(row.position) if self._events == self._due else None

    def _folded(self, row: Row) -> Folded:
        try:
            return fold(self._before(row.stream), recorded(row))
        except Exception as problem:  # whatever it is, the fold ends here
            where = f"{row.name} at {row.position} of {row.stream}"
            raise Unfoldable(f"{where}: {said_of(problem)}") from problem

    def _before(self, stream: str) -> Folded | None:
        if stream in self._states:
            return self._states[stream]
        return folded_from(stream, self._lines[stream]) if stream in self._lines else None

    def _snapshot(self, position: int) -> Snapshot:
        self._lines |= {stream: line_of(self._states[stream]) for stream in self._changed}
        self._changed.clear()
        if len(self._states) > KEPT_AT_MOST:
            self._states.clear()
        made = Snapshot(self._project, position, self._events, dict(self._lines))
        self._due = self._events + made.next_after(self._every)
        return made
