"""Whether the log is what was written: every event hashed again and compared with the chain beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from commands.event_store import Link
from commands.log_tables import link

BATCH = 1_000
FAULTS_TOLD = 20  # after an event was altered the chain still fits; so each fault told is one of its own

Progress = Callable[[int, int], None]
"""Called with the position reached and the position aimed at."""


class Chained(Protocol):
    """What the check needs of the event store."""

    def links(self, *, after: int, limit: int) -> list[Link]: ...

    def head(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where log and chain disagree; `stream` is empty where the event is gone."""

    position: int
    stream: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """`head` is the last event's position and `hash` its link in hex: kept elsewhere, it also tells when
    somebody rewrote log and chain together, or cut off their end."""

    events: int
    head: int
    hash: str
    faults: tuple[Fault, ...]


def verify(store: Chained, progress: Progress = lambda done, total: None) -> Report:
    """Goes through the whole log; tells at most 20 faults."""
    head, events, before = store.head(), 0, Link(0, None, b"")
    faults: list[Fault] = []
    while links := store.links(after=before.position, limit=BATCH):
        faults += (fault for one, two in pairwise([before, *links]) for fault in _faults(one, two))
        events += sum(each.event is not None for each in links)
        before = links[-1]
        progress(before.position, max(head, before.position))
    chained = before.hash.hex() if before.hash else ""
    return Report(events, before.position, chained, tuple(faults[:FAULTS_TOLD]))


def _faults(before: Link, now: Link) -> Iterator[Fault]:
    if now.event is None:
        yield Fault(now.position, "", "the chain has an event here that is no longer in the log")
        return
    stream, version, name, data = now.event
    if now.hash is None:
        yield Fault(now.position, stream, "the event was never chained: it was not written by ToggleMaster")
    elif before.hash is not None and now.hash != link(before.hash, now.position, stream, version, name, data):
        yield Fault(now.position, stream, f"{name}, version {version}, is not what was written")
