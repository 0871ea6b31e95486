"""What one command reads and decides, kept together until it is written at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol, cast

from commands.event_store import Append, Once, Outcome
from domain.access import ApiKey
from domain.aggregates import EVOLVE, Folded, State, fold, fold_all
from domain.envelope import Recorded, Stamp, Stream, flag_stream, key_stream, project_stream, segment_stream
from domain.events import Event
from domain.flag import Flag
from domain.project import Project
from domain.segment import Segment


class Log(Protocol):
    """What commands need of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]: ...

    def outcome(self, once: Once) -> Outcome | None: ...

    def append(
        self,
        appends: Sequence[Append],
        stamp: Stamp,
        *,
        once: Once | None = None,
        about: Sequence[tuple[Stream, int]] = (),
    ) -> list[Recorded]: ...


@dataclass(slots=True)
class UnitOfWork:
    log: Log
    _stored: dict[Stream, Folded | None] = field(default_factory=dict)
    _states: dict[Stream, State | None] = field(default_factory=dict)
    _decided: dict[Stream, list[Event]] = field(default_factory=dict)

    def project(self, key: str) -> Project | None:
        return cast("Project | None", self.state(project_stream(key)))

    def flag(self, project: str, key: str) -> Flag | None:
        return cast("Flag | None", self.state(flag_stream(project, key)))

    def segment(self, project: str, key: str) -> Segment | None:
        return cast("Segment | None", self.state(segment_stream(project, key)))

    def key(self, project: str, key_id: str) -> ApiKey | None:
        return cast("ApiKey | None", self.state(key_stream(project, key_id)))

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
        self._states[stream] = state

    def decided(self) -> list[tuple[Stream, list[Event]]]:
        """What would be written now."""
        return list(self._decided.items())

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
