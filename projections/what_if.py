"""Whom a change would move: recorded contexts answered as things are, and as they would be."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from domain.aggregates import Folded
from domain.envelope import Stream, flag_stream, segment_stream
from domain.evaluation import Evaluation
from domain.flag import Flag
from domain.references import flags_asked, segments_asked, segments_asked_by
from domain.ruleset import Ruleset
from domain.segment import Segment
from projections.documents import Documents, documents_of
from projections.past import Past
from projections.recorded_contexts import Asked

EXAMPLES = 3


class Outcome(NamedTuple):
    """Whatever an application, or somebody who looks for the cause, can tell apart; without the version."""

    value: str
    variant: str | None
    reason: str
    why: str | None
    rule: str | None
    error: str | None

    def answer(self) -> tuple[str, str | None, str | None]:
        """What the application gets."""
        return self.value, self.variant, self.error


@dataclass
class Move:
    """From one outcome to another one, with another answer. `examples` are of different subjects."""

    before: Evaluation
    after: Evaluation
    evaluations: int = 0
    subjects: set[str] = field(default_factory=set)
    examples: list[Asked] = field(default_factory=list)

    def add(self, asked: Asked) -> None:
        self.evaluations += asked.evaluations
        if len(self.examples) < EXAMPLES and (not asked.subject or asked.subject not in self.subjects):
            self.examples.append(asked)
        self.subjects |= {asked.subject} - {""}


@dataclass
class Comparison:
    """`before` and `after` are evaluations by variant, "" for the code's default and for errors; neither has
    those that cannot be known."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    subjects: set[str] = field(default_factory=set)
    moves: dict[tuple[Outcome, Outcome], Move] = field(default_factory=dict)

    def largest_first(self) -> list[Move]:
        return sorted(self.moves.values(), key=lambda move: -move.evaluations)

    def moved_subjects(self) -> set[str]:
        return {subject for move in self.moves.values() for subject in move.subjects}

    def add(self, asked: Asked, before: Evaluation | None, after: Evaluation | None) -> None:
        self.subjects |= {asked.subject} - {""}
        if before is None or after is None:
            return
        self.before[before.variant or ""] += asked.evaluations
        self.after[after.variant or ""] += asked.evaluations
        was, becomes = outcome(before), outcome(after)
        if was.answer() != becomes.answer():
            self.moves.setdefault((was, becomes), Move(before, after)).add(asked)


def compared(key: str, asked: Iterable[Asked], now: Ruleset, then: Ruleset) -> Comparison:
    """What the flag answers `now`, and what it would answer `then`."""
    found = Comparison()
    for each in asked:
        found.add(each, each.answer(now, key), each.answer(then, key))
    return found


@dataclass
class Reached:
    evaluations: int = 0
    subjects: set[str] = field(default_factory=set)


def reached(key: str, asked: Iterable[Asked], now: Ruleset) -> dict[Outcome, Reached]:
    """Who gets what by which part of the targeting, without those that cannot be known."""
    found: dict[Outcome, Reached] = {}
    for each in asked:
        if answer := each.answer(now, key):
            one = found.setdefault(outcome(answer), Reached())
            one.evaluations += each.evaluations
            one.subjects |= {each.subject} - {""}
    return found


def outcome(answer: Evaluation) -> Outcome:
    """In which true is not 1."""
    said = answer.variant, answer.reason, answer.why, answer.rule_id, answer.error_code
    return Outcome(repr(answer.value), *said)


Drafted = Mapping[Stream, Folded]
"""What would be different, as it would be."""


def influenced(past: Past, drafted: Drafted, environment: str) -> list[str]:
    """The flags of the environment whose answers could be others, by key: those that differ, and those that
    ask for what differs, through any number of steps."""
    project = past.project.key
    known = {**_by_stream(past), **drafted}
    asked_by: dict[Stream, list[Stream]] = {}
    for stream, folded in known.items():
        for asked in _asked(folded, environment):
            asked_by.setdefault(asked, []).append(stream)
    waiting = [stream for stream, after in drafted.items() if _differs(past, after, environment)]
    reached = set(waiting)
    while waiting:
        new = set(asked_by.get(waiting.pop(), ())) - reached
        reached |= new
        waiting += new
    return [key for key in sorted(past.flags) if flag_stream(project, key) in reached]


def _by_stream(past: Past) -> Drafted:
    project = past.project.key
    flags = {flag_stream(project, key): folded for key, folded in past.flags.items()}
    return flags | {segment_stream(project, key): folded for key, folded in past.segments.items()}


def _asked(folded: Folded, environment: str) -> Iterator[Stream]:
    match folded.state:
        case Flag(archived=False) as flag:
            targeting = flag.targeting(environment)
            yield from (flag_stream(flag.project, key) for key in flags_asked(targeting))
            yield from (segment_stream(flag.project, key) for key in segments_asked_by(targeting))
        case Segment(archived=False) as segment:
            asked = segments_asked([segment.definition.condition])
            yield from (segment_stream(segment.project, key) for key in asked)
        case _:
            return


def _differs(past: Past, after: Folded, environment: str) -> bool:
    """In what evaluators have of it, but for its version."""
    found = past.flags if after.stream.kind == "flag" else past.segments
    return _unversioned(found.get(after.stream.key), environment) != _unversioned(after, environment)


def _unversioned(folded: Folded | None, environment: str) -> Documents:
    return documents_of(replace(folded, version=0), [environment]) if folded else {}
