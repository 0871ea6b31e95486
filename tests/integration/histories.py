"""Histories of a project, of every sort of event that its past is folded from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from commands.event_store import Append, EventStore
from domain.aggregates import Folded, fold, fold_all
from domain.envelope import Recorded, Stamp, Stream, flag_stream, key_stream, project_stream, segment_stream
from domain.events import (
    ApprovalsChanged,
    DefaultServeChanged,
    EnvironmentCreated,
    EnvironmentRenamed,
    Event,
    FlagArchived,
    FlagCreated,
    FlagDetailsChanged,
    FlagRestored,
    FlagTurnedOff,
    FlagTurnedOn,
    KeyIssued,
    OffVariantChanged,
    PrerequisitesChanged,
    ProjectCreated,
    ProjectRenamed,
    RecordingChanged,
    RuleAdded,
    RuleChanged,
    RuleMoved,
    RuleRemoved,
    SegmentArchived,
    SegmentChanged,
    SegmentCreated,
    TargetsChanged,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)
from domain.flag import Flag, first_targeting
from domain.recording import Recording
from domain.targeting import Prerequisite, Rule, ServeCodeDefault, Target
from domain.values import FlagType

BEGAN = datetime(2026, 11, 22, 3, 53, 56, 458672, UTC)
ENVIRONMENTS = ("production", "staging")
VALUES: Sequence[JsonValue] = (
    {"a": [1, 1.0, True, None, "1"]},
    ["", 'line\nbreak\ttab \u2028 "quoted" \\ é 日本'],
    2**63 - 1,
    -0.1,
    {},
)
CONDITIONS: Sequence[Any] = (
    {"attribute": "country", "operator": "in", "values": ["BR", 1, 2.5, True]},
    {"all": [{"segment": "s0"}, {"not": {"flag": "f0", "variants": ["on"]}}]},
    {"any": [{"bucket": {"below": 25_000}}, {"constant": False}]},
)


class Act(NamedTuple):
    """What is done to which of a few things, and a number that makes it one of many."""

    what: int
    thing: int
    number: int


def rule(number: int) -> Rule:
    share = number * 7_919 % 100_001
    serve = {"split": {"weights": {"on": share, "off": 100_000 - share}}}
    wish = {"id": f"r{number % 4}", "when": CONDITIONS[number % len(CONDITIONS)], "serve": serve}
    return Rule.model_validate(wish)


def _rules(flag: Flag, number: int, environment: str) -> Event:
    rules, wanted = flag.targeting(environment).rules, rule(number)
    at = {each.id for each in rules}
    if wanted.id not in at:
        return RuleAdded(environment=environment, rule=wanted, after=rules[-1].id if rules else None)
    match number % 3:
        case 0:
            return RuleChanged(environment=environment, rule=wanted)
        case 1:
            others = [each.id for each in rules if each.id != wanted.id]
            return RuleMoved(environment=environment, rule_id=wanted.id, after=others[-1] if others else None)
        case _:
            return RuleRemoved(environment=environment, rule_id=wanted.id)


def _variants(flag: Flag, number: int, _: str) -> Event:
    name, value = f"extra-{number % 3}", VALUES[number % len(VALUES)]
    if name not in flag.variants:
        return VariantAdded(name=name, value=value)
    return VariantRemoved(name=name) if number % 2 else VariantChanged(name=name, value=value)


def _serve(_: Flag, number: int, environment: str) -> Event:
    serves = rule(number).serve, ServeCodeDefault(code_default=True)
    return DefaultServeChanged(environment=environment, serve=serves[number % 2])


TO_FLAGS: Sequence[Callable[[Flag, int, str], Event]] = (
    _rules,
    _variants,
    _serve,
    lambda flag, number, environment: FlagTurnedOn(environment=environment),
    lambda flag, number, environment: FlagTurnedOff(environment=environment),
    lambda flag, number, environment: FlagRestored() if flag.archived else FlagArchived(),
    lambda flag, number, environment: FlagDetailsChanged(
        description=f"no.\t{number}\nof many", tags=("web",) * (number % 2), client_visible=bool(number % 2)
    ),
    lambda flag, number, environment: OffVariantChanged(
        environment=environment, variant=(None, "off")[number % 2]
    ),
    lambda flag, number, environment: PrerequisitesChanged(
        environment=environment, prerequisites=(Prerequisite(flag=f"f{number}", variants=("on",)),)
    ),
    lambda flag, number, environment: TargetsChanged(
        environment=environment, targets=(Target(variant="on", values=(f"user-{number}", "é\n")),)
    ),
)
TO_SEGMENTS: Sequence[Callable[[int], Event]] = (
    lambda number: SegmentChanged(
        name=f"Segment {number}",
        description="",
        include=(f"user-{number}",),
        exclude=(),
        condition=rule(number).when,
    ),
    lambda number: SegmentArchived(),
)
TO_PROJECTS: Sequence[Callable[[int], Event]] = (
    lambda number: ProjectRenamed(name=f"Shop {number}"),
    lambda number: EnvironmentCreated(environment=f"e{number}", name="another"),
    lambda number: EnvironmentRenamed(environment="staging", name=f"Stage {number}"),
    lambda number: ApprovalsChanged(environment="production", approvals=number % 3),
    lambda number: RecordingChanged(
        environment="production",
        recording=Recording(mode="exposures", pseudonymise=True, attributes=("country",)),
    ),
)
SORTS = len(TO_FLAGS) + len(TO_SEGMENTS) + len(TO_PROJECTS) + 1


@dataclass
class History:
    """Written event by event into the log; `log` is what was written, other projects' left out."""

    project: str
    log: list[Recorded] = field(default_factory=list)
    _last: dict[Stream, Folded] = field(default_factory=dict)

    def begin(self) -> Iterator[tuple[Stream, Event]]:
        stream = project_stream(self.project)
        yield stream, ProjectCreated(project=self.project, name="Shop")
        for each in ENVIRONMENTS:
            yield stream, EnvironmentCreated(environment=each, name=each)

    def event(self, act: Act) -> tuple[Stream, Event]:
        """The first thing that is done to a flag, or a segment, makes it."""
        what = act.what % SORTS
        if what < len(TO_FLAGS):
            return self._of_flag(TO_FLAGS[what], act)
        what -= len(TO_FLAGS)
        if what < len(TO_SEGMENTS):
            return self._of_segment(TO_SEGMENTS[what], act)
        what -= len(TO_SEGMENTS)
        if what < len(TO_PROJECTS):
            return project_stream(self.project), TO_PROJECTS[what](act.number)
        stream = key_stream(self.project, f"k{len(self.log)}")  # no part of what is folded
        digest = f"{self.project} {len(self.log)}"
        return stream, KeyIssued(
            project=self.project,
            environment="production",
            id=stream.key,
            name="a key",
            kind="server",
            digest=digest,
        )

    def _of_flag(self, change: Callable[[Flag, int, str], Event], act: Act) -> tuple[Stream, Event]:
        stream = flag_stream(self.project, f"f{act.thing}")
        if (found := self._last.get(stream)) is None:
            return stream, self._created(stream.key)
        return stream, change(cast("Flag", found.state), act.number, ENVIRONMENTS[act.number % 2])

    def _created(self, key: str) -> FlagCreated:
        variants: Mapping[str, JsonValue] = {"on": VALUES[0], "off": VALUES[1]}
        return FlagCreated(
            project=self.project,
            key=key,
            type=FlagType.OBJECT,
            variants=dict(variants),
            targeting=first_targeting(FlagType.OBJECT, dict(variants)),
            gate_salt="gate",
            split_salt="split",
        )

    def _of_segment(self, change: Callable[[int], Event], act: Act) -> tuple[Stream, Event]:
        stream = segment_stream(self.project, f"s{act.thing}")
        if stream in self._last:
            return stream, change(act.number)
        return stream, SegmentCreated(
            project=self.project,
            key=stream.key,
            name="",
            description="",
            salt="salt",
            include=(),
            exclude=(),
            condition=rule(0).when,
        )

    def version(self, stream: Stream) -> int:
        found = self._last.get(stream)
        return found.version if found else 0

    def state(self, stream: Stream) -> Any:
        found = self._last.get(stream)
        return found.state if found else None

    def add(self, recorded: Recorded) -> None:
        self.log.append(recorded)
        self._last[recorded.stream] = fold(self._last.get(recorded.stream), recorded)


def stamp(number: int) -> Stamp:
    return Stamp("ana", BEGAN + timedelta(seconds=number), f"reason\t{number}", f"request-{number}")


def write(store: EventStore, history: History, acts: Sequence[Act]) -> None:
    """The project too, where it was not begun."""
    for stream, event in [] if history.log else history.begin():
        _append(store, history, stream, event)
    for act in acts:
        _append(store, history, *history.event(act))


def _append(store: EventStore, history: History, stream: Stream, event: Event) -> None:
    appends = [Append(stream, history.version(stream), [event])]
    (recorded,) = store.append(appends, stamp(len(history.log)))
    history.add(recorded)


def folded_at(history: History, position: int) -> dict[Stream, Folded]:
    """The pure fold of the log up to there."""
    streams: dict[Stream, list[Recorded]] = {}
    for recorded in history.log:
        if recorded.position <= position:
            streams.setdefault(recorded.stream, []).append(recorded)
    return {stream: cast("Folded", fold_all(events)) for stream, events in streams.items()}
