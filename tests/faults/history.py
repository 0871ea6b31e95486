"""What evaluators answered, held against the log: the same log folded by itself, position by position.

An answer that names a position has to be the evaluation of the log up to there. One that names none (all
flags at once, and every refusal) has to be that of a position between those that the same process named
before it was asked and after it had answered.
"""

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from math import inf
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from domain.access import digest
from domain.aggregates import Folded, fold
from domain.envelope import Recorded, Stream, project_stream
from domain.evaluation import Evaluation, evaluate
from domain.events import EnvironmentCreated
from domain.project import Project
from domain.ruleset import Ruleset
from projections.documents import ENVIRONMENTS, KEYS, KeyDocument, Place, by_scope, documents_of, scope_of

Context = Mapping[str, Any]
METADATA = ("flagVersion", "ruleId", "why", "bucket")
STATUS = {None: 200, "FLAG_NOT_FOUND": 404, "GENERAL": 500}  # of any other error 400


class Answer(NamedTuple):
    """`flag` None asks for all. Times are seconds by the clock of the log's stamps."""

    process: int
    key: str
    flag: str | None
    context: str  # JSON
    sent: float
    received: float
    status: int
    body: bytes


class Trouble(NamedTuple):
    """A question without an answer, or with 503 for one."""

    process: int
    at: float
    what: str


class Plain(NamedTuple):
    """What is compared of an answer: its status, and its meaning as JSON, in which true is not 1."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """`environments` by scope, `keys` by digest."""

    environments: Mapping[str, Ruleset] = field(default_factory=dict)
    keys: Mapping[str, KeyDocument] = field(default_factory=dict)

    def answer(self, key: str, flag: str | None, context: Context) -> Plain:
        found = self.keys.get(digest(key))
        if found is None:
            return Plain(401, "")
        ruleset = self.environments[scope_of(found.project, found.environment)]
        visible = [
            name for name, each in ruleset.flags.items() if found.kind != "client" or each.client_visible
        ]
        if flag is None:
            every = [_body(evaluate(ruleset, name, context), name, None) for name in sorted(visible)]
            return Plain(200, _canonical(every))
        answer = evaluate(ruleset if flag in visible else Ruleset(), flag, context)
        return Plain(STATUS.get(answer.error_code, 400), _canonical(_body(answer, flag, context)))


def _body(answer: Evaluation, flag: str, context: Context | None) -> dict[str, Any]:
    """Without a context there is no bucket in it."""
    if answer.error_code:
        return {"key": flag, "errorCode": answer.error_code, "errorDetails": answer.error_details}
    body: dict[str, Any] = {"key": flag, "reason": answer.reason}
    body["variant"] = answer.variant or "code_default"
    if answer.variant is not None:
        body["value"] = answer.value
    bucket = None if context is None else answer.bucket(context)
    metadata = {"flagVersion": answer.flag_version, "ruleId": answer.rule_id, "why": answer.why}
    return body | _told({**metadata, "bucket": bucket})


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": {name: metadata[name] for name in METADATA if metadata.get(name) is not None}}


def plain(answer: Answer) -> Plain:
    """What an evaluator answered, in the same words."""
    if answer.status == 401:
        return Plain(401, "")
    body = json.loads(answer.body)
    if answer.flag is None and answer.status == 200:
        every = sorted(body["flags"], key=itemgetter("key"))
        return Plain(200, _canonical([_without_position(each) for each in every]))
    return Plain(answer.status, _canonical(_without_position(body)))


def _without_position(body: dict[str, Any]) -> dict[str, Any]:
    return body | _told(body["metadata"]) if "metadata" in body else body


def _canonical(body: object) -> str:
    return json.dumps(body, sort_keys=True)


class PureLog:
    """The state after each event, the first one being that before all of them."""

    def __init__(self, log: Iterable[Recorded]) -> None:
        self.positions, self.times, self.states = [0], [-inf], [State()]
        self._folded: dict[Stream, Folded] = {}
        for recorded in log:
            self.positions.append(recorded.position)
            self.times.append(recorded.stamp.at.timestamp())
            self.states.append(self._next(self.states[-1], recorded))

    def index(self, position: int) -> int | None:
        """None where there is no event at that position."""
        index = bisect_left(self.positions, position)
        return index if index < len(self.positions) and self.positions[index] == position else None

    def staleness(self, index: int, sent: float) -> float:
        """Seconds since the first event that the answer does not know of, by the time it was asked for."""
        following = self.times[index + 1 : index + 2]
        return max(0.0, sent - following[0]) if following else 0.0

    def _next(self, state: State, recorded: Recorded) -> State:
        stream = recorded.stream
        folded = self._folded[stream] = fold(self._folded.get(stream), recorded)
        documents = documents_of(folded, self._environments(stream.project))
        if isinstance(recorded.event, EnvironmentCreated):
            documents |= self._all_in(stream.project, recorded.event.environment)
        environments, keys = dict(state.environments), dict(state.keys)
        for scope, fields in by_scope(documents).items():
            if scope == KEYS:
                _put(keys, fields)
            elif scope == ENVIRONMENTS:
                environments = {name: Ruleset() for name, _ in fields} | environments
            else:
                named = [((each.partition("/")[0], each.partition("/")[2]), text) for each, text in fields]
                environments[scope] = environments[scope].updated(named)
        return State(environments, keys)

    def _environments(self, project: str) -> Iterable[str]:
        found = self._folded.get(project_stream(project))
        return found.state.environments if found and isinstance(found.state, Project) else ()

    def _all_in(self, project: str, environment: str) -> dict[Place, str | None]:
        known = [each for each in self._folded.values() if each.stream.project == project]
        documents: dict[Place, str | None] = {}
        for each in known:
            if each.stream.kind in {"flag", "segment"}:
                documents |= documents_of(each, [environment])
        return documents


def _put(keys: dict[str, KeyDocument], fields: Iterable[tuple[str, str | None]]) -> None:
    for name, text in fields:
        keys.pop(name, None)
        if text is not None:
            keys[name] = KeyDocument.model_validate_json(text)


@dataclass
class Findings:
    """`staleness` of every answer, in seconds; what has to stay empty is in `faults`."""

    checked: Counter[int] = field(default_factory=Counter)  # by status
    reasons: Counter[str] = field(default_factory=Counter)
    positions: set[int] = field(default_factory=set)
    staleness: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.wrong, *self.back, *self.stale, *self.unexplained]


class Named(NamedTuple):
    """An answer that names a position, and where in the log that is."""

    answer: Answer
    position: int


def check(
    log: PureLog,
    answers: Iterable[Answer],
    troubles: Iterable[Trouble],
    killed: Mapping[int, float],
    bound: float,
) -> Findings:
    """`killed` tells when each process was, if it was; `bound` is in seconds."""
    findings, first_answered = Findings(), dict[int, float]()
    ordered = sorted(answers, key=attrgetter("process", "sent"))
    for process, asked in groupby(ordered, key=attrgetter("process")):
        of_process = list(asked)
        first_answered[process] = min(each.received for each in of_process)
        _Process(log, of_process, bound, findings).check()
    for trouble in troubles:
        served = first_answered.get(trouble.process, inf) < trouble.at
        if served and killed.get(trouble.process, inf) > trouble.at:
            findings.unexplained.append(f"no answer, though it was there: {trouble}")
    return findings


class _Process:
    """What one process answered, in the order in which it was asked."""

    def __init__(self, log: PureLog, answers: Sequence[Answer], bound: float, findings: Findings) -> None:
        self._log, self._answers, self._bound, self._findings = log, answers, bound, findings
        self._named = [Named(each, position) for each in answers if (position := _position(each)) is not None]
        by_received = sorted(self._named, key=lambda each: each.answer.received)
        self._received = [each.answer.received for each in by_received]
        self._highest = [0, *accumulate((each.position for each in by_received), max)]
        self._sent = [each.answer.sent for each in self._named]
        lowest = accumulate((each.position for each in reversed(self._named)), min)
        self._lowest = [*reversed(list(lowest)), None]

    def check(self) -> None:
        named = {each.answer: each.position for each in self._named}
        for answer in self._answers:
            self._findings.checked[answer.status] += 1
            position = named.get(answer)
            index = self._unnamed(answer) if position is None else self._at(answer, position)
            if index is not None:
                self._note_staleness(answer, index)

    def _at(self, answer: Answer, position: int) -> int | None:
        self._findings.positions.add(position)
        self._findings.reasons[json.loads(answer.body)["reason"]] += 1
        if position < (before := self._named_before(answer)):
            self._findings.back.append(f"position {position} after {before}: {answer}")
        index = self._log.index(position)
        if index is None:
            self._findings.wrong.append(f"the log has no position {position}: {answer}")
        elif (expected := self._expected(answer, index)) != plain(answer):
            self._findings.wrong.append(f"{expected} it is at {position}: {answer}")
        return index

    def _unnamed(self, answer: Answer) -> int | None:
        """The last position that explains it."""
        found, candidates = plain(answer), list(self._candidates(answer))
        for index in candidates:
            if self._expected(answer, index) == found:
                return index
        expected = [self._expected(answer, index) for index in candidates[:1]]
        between = [self._log.positions[index] for index in (*candidates[-1:], *candidates[:1])]
        self._findings.wrong.append(f"at no position between {between}, at the last {expected}: {answer}")
        return None

    def _candidates(self, answer: Answer) -> Iterator[int]:
        """From the last one down."""
        first = bisect_left(self._log.positions, self._named_before(answer))
        after = self._lowest[bisect_left(self._sent, answer.received)]
        if after is None:
            last = bisect_right(self._log.times, answer.received) - 1
        else:
            last = bisect_right(self._log.positions, after) - 1
        yield from range(last, first - 1, -1)

    def _named_before(self, answer: Answer) -> int:
        """The highest position that was known to be served when this was asked."""
        return self._highest[bisect_right(self._received, answer.sent)]

    def _expected(self, answer: Answer, index: int) -> Plain:
        return self._log.states[index].answer(answer.key, answer.flag, json.loads(answer.context))

    def _note_staleness(self, answer: Answer, index: int) -> None:
        stale = self._log.staleness(index, answer.sent)
        self._findings.staleness.append(stale)
        if stale > self._bound:
            position = self._log.positions[index]
            self._findings.stale.append(f"{stale:.1f} s behind, at position {position}: {answer}")


def _position(answer: Answer) -> int | None:
    if answer.status != 200 or answer.flag is None:
        return None
    position: int = json.loads(answer.body)["metadata"]["position"]
    return position
