"""What one command reads and decides, kept together until it is written at once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol, cast

from commands.event_store import Append, Once, Outcome
from domain.access import ApiKey
from domain.aggregates import EVOLVE, Folded, State, fold, fold_all
from domain.change import Change
from domain.envelope import (
    Recorded,
    Stamp,
    Stream,
    change_stream,
    flag_stream,
    key_stream,
    person_stream,
    plan_stream,
    project_stream,
    segment_stream,
    token_stream,
    webhook_stream,
)
from domain.errors import Refused
from domain.events import Event
from domain.flag import Flag
from domain.person import Person
from domain.plan import Plan
from domain.project import Project
from domain.segment import Segment
from domain.token import AccessToken
from domain.webhook import Webhook


class Log(Protocol):
    """What commands need of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]: ...

    def outcome(self, once: Once) -> Outcome | None: ...

    def now(self) -> datetime: ...

    def append(
        self,
        appends: Sequence[Append],
        stamp: Stamp,
        *,
        once: Once | None = None,
        about: Sequence[tuple[Stream, int]] = (),
    ) -> list[Recorded]: ...


Decision = tuple[Stream, Event]


@dataclass(slots=True)
class UnitOfWork:
    log: Log
    _stored: dict[Stream, Folded | None] = field(default_factory=dict)
    _states: dict[Stream, State | None] = field(default_factory=dict)
    _decided: dict[Stream, list[Event]] = field(default_factory=dict)
    _direct: list[Decision] = field(default_factory=list)
    _approved: list[Decision] | None = None
    _now: datetime | None = None

    def project(self, key: str) -> Project | None:
        return cast("Project | None", self.state(project_stream(key)))

    def flag(self, project: str, key: str) -> Flag | None:
        return cast("Flag | None", self.state(flag_stream(project, key)))

    def segment(self, project: str, key: str) -> Segment | None:
        return cast("Segment | None", self.state(segment_stream(project, key)))

    def key(self, project: str, key_id: str) -> ApiKey | None:
        return cast("ApiKey | None", self.state(key_stream(project, key_id)))

    def person(self, person_id: str) -> Person | None:
        return cast("Person | None", self.state(person_stream(person_id)))

    def token(self, token_id: str) -> AccessToken | None:
        return cast("AccessToken | None", self.state(token_stream(token_id)))

    def webhook(self, project: str, webhook_id: str) -> Webhook | None:
        return cast("Webhook | None", self.state(webhook_stream(project, webhook_id)))

    def webhooks(self, project: str) -> list[Webhook]:
        """Every webhook of the project, removed ones too."""
        return [cast("Webhook", state) for state in self._all("webhook", project)]

    def change(self, project: str, change_id: str) -> Change | None:
        return cast("Change | None", self.state(change_stream(project, change_id)))

    def plan(self, project: str, plan_id: str) -> Plan | None:
        return cast("Plan | None", self.state(plan_stream(project, plan_id)))

    def now(self) -> datetime:
        """The time by the clock that all processes share; the same for the whole unit of work."""
        self._now = self._now or self.log.now()
        return self._now

    def flags(self, project: str) -> list[Flag]:
        """Every flag of the project, archived ones too."""
        return [cast("Flag", state) for state in self._all("flag", project)]

    def segments(self, project: str) -> list[Segment]:
        return [cast("Segment", state) for state in self._all("segment", project)]

    def state(self, stream: Stream) -> State | None:
        if stream not in self._states:
            self._remember(stream, fold_all(self.log.load(stream)))
        return self._states[stream]

    def version(self, stream: Stream) -> int:
        """The version the stream has in the log, whatever was decided since; 0 where it does not exist."""
        self.state(stream)
        stored = self._stored[stream]
        return stored.version if stored else 0

    def decide(self, stream: Stream, events: Iterable[Event]) -> None:
        state = self.state(stream)
        for event in events:
            state = EVOLVE[stream.kind](state, event)
            self._decided.setdefault(stream, []).append(event)
            (self._direct if self._approved is None else self._approved).append((stream, event))
        self._states[stream] = state

    def drafted(self, stamp: Stamp) -> dict[Stream, Folded]:
        """What was decided about, as it would be after a commit, but for its position."""
        return {stream: self._drafted(stream, stamp) for stream in self._decided}

    def _drafted(self, stream: Stream, stamp: Stamp) -> Folded:
        state, version = self._states[stream], self.version(stream) + len(self._decided[stream])
        assert state is not None
        if stored := self._stored[stream]:
            return replace(stored, state=state, version=version, changed=stamp)
        return Folded(stream, state, version, 0, 0, stamp, stamp)

    def direct(self) -> list[Decision]:
        """What was decided without anybody's approval."""
        return list(self._direct)

    @contextmanager
    def approved(self) -> Iterator[list[Decision]]:
        """Whatever is decided within needs no further approval; it is gathered in the list."""
        outer, self._approved = self._approved, []
        try:
            yield self._approved
        finally:
            self._approved = outer

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """When something within is refused, nothing that was decided within remains decided."""
        states, direct = dict(self._states), list(self._direct)
        decided = {stream: list(events) for stream, events in self._decided.items()}
        approved = len(self._approved or ())
        try:
            yield
        except Refused:
            self._states, self._decided, self._direct = states, decided, direct
            if self._approved is not None:
                del self._approved[approved:]
            raise

    def commit(self, stamp: Stamp, once: Once | None = None, about: Sequence[Stream] = ()) -> None:
        """Raises Conflict when somebody else was first; then nothing of it is written.

        `about` is what the answer to the request that is to be carried out `once` will tell of.
        """
        appends = [Append(stream, self.version(stream), events) for stream, events in self._decided.items()]
        if not appends and once is None:
            return
        after = [(stream, self.version(stream) + len(self._decided.get(stream, ()))) for stream in about]
        for recorded in self.log.append(appends, stamp, once=once, about=after):
            self._stored[recorded.stream] = fold(self._stored[recorded.stream], recorded)

    def folded(self, stream: Stream) -> Folded:
        """As it is in the log after the commit."""
        self.state(stream)
        folded = self._stored[stream]
        assert folded is not None
        return folded

    def _all(self, kind: str, project: str) -> list[State]:
        for stream, log in groupby(self.log.load_kind(kind, project), key=lambda recorded: recorded.stream):
            if stream not in self._states:
                self._remember(stream, fold_all(log))
        return [
            state
            for stream, state in self._states.items()
            if state is not None and (stream.kind, stream.project) == (kind, project)
        ]

    def _remember(self, stream: Stream, folded: Folded | None) -> None:
        self._stored[stream] = folded
        self._states[stream] = folded.state if folded else None


def utc_now() -> datetime:
    return datetime.now(UTC)
