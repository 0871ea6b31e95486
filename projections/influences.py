"""Every event that could have changed a flag's answers: its own, and those of whatever it depended on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Protocol

from domain.aggregates import EVOLVE, Folded
from domain.differences import Difference, differences
from domain.envelope import Recorded, Stream, flag_stream, segment_stream
from domain.flag import Flag
from domain.references import flags_asked, segments_asked, segments_asked_by
from domain.ruleset import DocumentName, Ruleset
from domain.segment import Segment
from domain.values import same
from projections.documents import documents_of, flag_document, segment_document

State = Flag | Segment
NO_ENVIRONMENT = ""  # where no targeting was ever changed, every flag has what it began with


class Log(Protocol):
    """What is needed of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...


@dataclass(frozen=True, slots=True)
class Influence:
    """An event, and what it made different."""

    recorded: Recorded
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """An event and what it made of its stream, which then asked for those others."""

    recorded: Recorded
    before: State | None
    after: State
    asks: frozenset[Stream]


@dataclass
class Influences:
    """Of one flag in one environment, or in all of them where none is named."""

    log: Log
    project: str
    key: str
    environment: str = ""
    until: int | None = None
    _histories: dict[Stream, list[_Step]] = field(default_factory=dict)

    def of_all_time(self) -> list[Influence]:
        """The oldest first. An event of another flag or a segment counts while the flag depended on that."""
        return [influence for influence, _ in self.with_rulesets()]

    def with_rulesets(self) -> Iterator[tuple[Influence, Ruleset]]:
        """Each with what the flag depends on, as it was then; with nothing where no environment is named."""
        root = flag_stream(self.project, self.key)
        self._gather(root)
        asks: dict[Stream, frozenset[Stream]] = {}
        reached: frozenset[Stream] = frozenset({root})
        ruleset = Ruleset()
        for step in merge(*self._histories.values(), key=lambda each: each.recorded.position):
            stream = step.recorded.stream
            before = reached
            if asks.get(stream) != step.asks:
                asks[stream] = step.asks
                reached = _reached(root, asks)
            ruleset = ruleset.updated(self._documents(step))
            if stream in before | reached and self._matters(step):
                yield Influence(step.recorded, self._told(step)), ruleset

    def _documents(self, step: _Step) -> Iterator[tuple[DocumentName, str | None]]:
        if self.environment:
            folded = _folded(step)
            for place, text in documents_of(folded, [self.environment]).items():
                kind, _, key = place.field.partition("/")
                yield (kind, key), text

    def _gather(self, root: Stream) -> None:
        """The histories of all that the flag ever depended on."""
        waiting = [root]
        while waiting:
            stream = waiting.pop()
            if stream not in self._histories:
                self._histories[stream] = list(self._steps(stream))
                waiting += {asked for step in self._histories[stream] for asked in step.asks}

    def _steps(self, stream: Stream) -> Iterator[_Step]:
        state: State | None = None
        for recorded in self.log.load(stream, until=self.until):
            before, after = state, EVOLVE[stream.kind](state, recorded.event)
            assert isinstance(after, Flag | Segment)
            state = after
            yield _Step(recorded, before, after, frozenset(self._asked(after)))

    def _asked(self, state: State) -> Iterator[Stream]:
        if state.archived:
            return
        if isinstance(state, Segment):
            segments = segments_asked([state.definition.condition])
        else:
            targetings = [state.targeting(each) for each in self._environments(state)]
            flags = {key for targeting in targetings for key in flags_asked(targeting)}
            segments = {key for targeting in targetings for key in segments_asked_by(targeting)}
            yield from (flag_stream(self.project, key) for key in flags)
        yield from (segment_stream(self.project, key) for key in segments)

    def _environments(self, *flags: Flag | None) -> Sequence[str]:
        if self.environment:
            return [self.environment]
        return [NO_ENVIRONMENT, *{each for flag in flags if flag for each in flag.environments}]

    def _matters(self, step: _Step) -> bool:
        """Whether evaluators have another document by it, in any way but for its version."""
        match step.before, step.after:
            case (Segment() | None as before, Segment() as after):
                documents = [each and segment_document(each, 0) for each in (before, after)]
                return not _same(documents[0], documents[1])
            case (Flag() | None as before, Flag() as after):
                return any(
                    not _same(before and flag_document(before, each, 0), flag_document(after, each, 0))
                    for each in self._environments(before, after)
                )
            case _:
                raise AssertionError(step)

    def _told(self, step: _Step) -> tuple[Difference, ...]:
        found = differences(step.before, step.after)
        return tuple(
            each for each in found if not self.environment or each.environment in {"", self.environment}
        )


def _folded(step: _Step) -> Folded:
    recorded = step.recorded
    stamp, position = recorded.stamp, recorded.position
    return Folded(recorded.stream, step.after, recorded.version, position, position, stamp, stamp)


def _same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return same(one, other)  # type: ignore[arg-type]


def _reached(root: Stream, asks: Mapping[Stream, frozenset[Stream]]) -> frozenset[Stream]:
    found, waiting = {root}, [root]
    while waiting:
        new = asks.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return frozenset(found)
