"""What evaluations were asked with, as far as that was recorded: contexts that know what they do not know."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
from pydantic import JsonValue

from domain.conditions import Context
from domain.envelope import Recorded
from domain.evaluation import Evaluation, evaluate
from domain.events import RecordingChanged
from domain.recording import AS_INSTALLED, Recording
from domain.ruleset import Ruleset
from domain.targeting import TARGETING_KEY
from projections.records_table import ATTRIBUTE_VALUE_LENGTH, Record

Declared = Sequence[tuple[int, Recording]]
"""What was to be recorded from a position of the log on, the oldest first."""


class RecordedContext(Mapping[str, Any]):
    """`unknown` has the attributes that were asked for and of which nobody recorded whether there were any.

    What an evaluation answered without asking for such is what it would have answered then.
    """

    def __init__(self, known: Mapping[str, JsonValue], declared: frozenset[str]) -> None:
        """Of what is `declared` and not `known` is known that it was not there."""
        self.known = known
        self.unknown = set[str]()
        self._declared = declared

    def get(self, name: str, default: Any = None) -> Any:
        if name in self.known:
            return self.known[name]
        if name not in self._declared:
            self.unknown.add(name)
        return default

    def __getitem__(self, name: str) -> JsonValue:
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


@dataclass(slots=True)
class Asked:
    """One context, and how many evaluations were recorded with it; `subject` empty where none was.

    `lacked` are the attributes that some answer hung on and that were not recorded.
    """

    context: Context
    subject: str = ""
    evaluations: int = 1
    lacked: set[str] = field(default_factory=set)

    def answer(self, ruleset: Ruleset, flag: str) -> Evaluation | None:
        """None where that cannot be known."""
        if not isinstance(self.context, RecordedContext):
            return evaluate(ruleset, flag, self.context)
        self.context.unknown.clear()
        found = evaluate(ruleset, flag, self.context)
        self.lacked |= self.context.unknown
        return None if self.context.unknown else found


class Undecided:
    """How many evaluations could not be answered, and for want of which attributes."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self.evaluations, self.subjects = 0, set[str]()
        self.attributes: Counter[str] = Counter()
        for each in asked:
            if each.lacked:
                self.evaluations += each.evaluations
                self.subjects |= {each.subject} - {""}
                self.attributes.update(dict.fromkeys(each.lacked, each.evaluations))


@dataclass
class Sample:
    """The newest records of a flag in a window, those with equal contexts together.

    `complete` unless there were more; `oldest` and `newest` are in milliseconds since 1970.
    """

    asked: list[Asked] = field(default_factory=list)
    evaluations: int = 0
    complete: bool = True
    oldest: int | None = None
    newest: int | None = None


def sampled(records: Iterable[Record], declared: Declared, limit: int) -> Iterator[Sample]:
    """The sample again and again as it grows, and the last time as it is; `records` are the newest first."""
    sample, found = Sample(), dict[tuple[str | None, bytes, int], Asked]()
    rows = iter(records)
    while some := list(islice(rows, min(TOLD_EVERY, limit - sample.evaluations))):
        for record in some:
            since, recording = _in_force(declared, record.position)
            key = record.subject, orjson.dumps(record.attributes, option=orjson.OPT_SORT_KEYS), since
            if asked := found.get(key):
                asked.evaluations += 1
            else:
                found[key] = Asked(_context(record, recording), record.subject or "")
        sample.evaluations += len(some)
        sample.newest = some[0].at if sample.newest is None else sample.newest
        sample.oldest = some[-1].at
        yield sample
    sample.complete = next(rows, None) is None
    sample.asked = list(found.values())
    yield sample


TOLD_EVERY = 1_000  # records; the table gives a few thousand a second


def declared_in(environment: str, history: Iterable[Recorded]) -> Declared:
    """From the project's own events."""
    return [(0, AS_INSTALLED)] + [
        (each.position, each.event.recording)
        for each in history
        if isinstance(each.event, RecordingChanged) and each.event.environment == environment
    ]


def _in_force(declared: Declared, position: int) -> tuple[int, Recording]:
    return next(each for each in reversed(declared) if each[0] <= position)


def _context(record: Record, recording: Recording) -> RecordedContext:
    known = {name: value for name, value in record.attributes.items() if _is_whole(value)}
    declared = {name for name in recording.attributes if name not in record.attributes}
    declared.discard(TARGETING_KEY)
    if record.subject is not None and not recording.pseudonymise:
        known[TARGETING_KEY] = record.subject
    return RecordedContext(known, frozenset(declared))


def _is_whole(value: JsonValue) -> bool:
    """As it was: no list, which is not kept, and no text that was cut."""
    return value is not None and (not isinstance(value, str) or len(value) < ATTRIBUTE_VALUE_LENGTH)
