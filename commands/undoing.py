"""Commands that take events back, worked out from what they made different and from what there is today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from commands.models import (
    ArchiveFlag,
    ArchiveSegment,
    ChangeEnvironment,
    ChangeFlag,
    ChangeTargeting,
    Command,
    FlagDetails,
    PutSegment,
    PutVariant,
    RemoveVariant,
    RenameProject,
    RestoreFlag,
)
from domain.aggregates import EVOLVE
from domain.differences import DETAILS, Difference, State, differences
from domain.envelope import Recorded, Stream, change_stream
from domain.errors import Invalid, NotFound
from domain.flag import Flag
from domain.project import Project
from domain.segment import Segment
from domain.undoing import CannotBeUndone, undone
from domain.values import same

KINDS = ("project", "flag", "segment")
NEIGHBOURS = 500  # events of one transaction on either side; a change has at most as many commands


class Log(Protocol):
    """What is needed of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def read(self, *, after: int, limit: int, until: int | None = None) -> list[Recorded]: ...


@dataclass(frozen=True, slots=True)
class Clash:
    """What is not taken back, since these later events touched the same place; the oldest first."""

    stream: Stream
    difference: Difference
    later: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class Undoing:
    """`commands` take back all but the clashes, in an order in which each can be carried out, from where the
    streams stood: `versions`."""

    differences: tuple[tuple[Stream, Difference], ...]
    commands: tuple[Command, ...]
    clashes: tuple[Clash, ...]
    versions: Mapping[Stream, int]


def undo_event(log: Log, project: str, position: int) -> Undoing:
    """Raises NotFound or Invalid."""
    found = log.read(after=position - 1, limit=1, until=position)
    if not found or found[0].stream.project != project:
        raise NotFound(f"project '{project}' has no event at position {position}")
    return _undoing(log, found)


def undo_change(log: Log, project: str, change: str) -> Undoing:
    """All that an applied change request did, in one transaction. Raises NotFound or Invalid."""
    return _undoing(log, _done_by(log, project, change))


def made_by_change(log: Log, project: str, change: str) -> Iterator[tuple[Stream, tuple[Difference, ...]]]:
    """What an applied change request made different, thing by thing. Raises NotFound."""
    events = sorted(_done_by(log, project, change), key=lambda each: (str(each.stream), each.position))
    for stream, group in groupby(events, key=lambda each: each.stream):
        first, *more = group
        before, after, _ = _states(log.load(stream, until=first.position), first)
        if more:
            after = _states(log.load(stream, until=more[-1].position), more[-1])[1]
        yield stream, differences(before, after)


def _done_by(log: Log, project: str, change: str) -> list[Recorded]:
    applied = [
        each
        for each in log.load(change_stream(project, change))
        if type(each.event).__name__ == "ChangeApplied"
    ]
    if not applied:
        raise NotFound(f"project '{project}' has no change '{change}' that was applied")
    last = applied[-1]
    around = log.read(
        after=max(0, last.position - NEIGHBOURS - 1), limit=2 * NEIGHBOURS, until=last.position + NEIGHBOURS
    )
    return [each for each in around if each.stamp == last.stamp and each.stream.kind in KINDS]


def _undoing(log: Log, events: Sequence[Recorded]) -> Undoing:
    """The newest first, each on what those before it left."""
    targets: dict[Stream, State] = {}
    today: dict[Stream, State] = {}
    versions: dict[Stream, int] = {}
    clashes: list[Clash] = []
    for recorded in sorted(events, key=lambda each: -each.position):
        stream = recorded.stream
        if stream.kind not in KINDS:
            raise Invalid(
                f"event {recorded.position} is about a {stream.kind}: only what happened to projects, flags"
                " and segments can be undone"
            )
        history = log.load(stream)
        before, after, now = _states(history, recorded)
        today.setdefault(stream, now)
        versions.setdefault(stream, history[-1].version)
        try:
            found = undone(before, after, targets.get(stream, now))
        except CannotBeUndone as why:
            raise Invalid(f"event {recorded.position} cannot be undone: {why}") from why
        targets[stream] = found.state
        clashes += [Clash(stream, each, _later(history, recorded, each)) for each in found.conflicts]
    made = [(stream, each) for stream, state in targets.items() for each in differences(today[stream], state)]
    commands = [each for stream, state in targets.items() for each in commands_to(today[stream], state)]
    return Undoing(tuple(made), tuple(commands), tuple(clashes), versions)


def _states(history: Sequence[Recorded], recorded: Recorded) -> tuple[State | None, State, State]:
    """Before the event, after it, and now."""
    before, state = None, None
    after = None
    for each in history:
        if each.position == recorded.position:
            before = state
        state = EVOLVE[each.stream.kind](state, each.event)
        if each.position == recorded.position:
            after = state
    assert isinstance(after, Flag | Segment | Project)
    assert isinstance(state, Flag | Segment | Project)
    assert before is None or isinstance(before, Flag | Segment | Project)
    return before, after, state


def _later(history: Sequence[Recorded], recorded: Recorded, touched: Difference) -> tuple[Recorded, ...]:
    """Events after it that made the same thing different."""
    place = touched.what, touched.environment, touched.name
    state: Any = None
    found = []
    for each in history:
        before, state = state, EVOLVE[each.stream.kind](state, each.event)
        if each.position > recorded.position:
            made = differences(before, state)
            if any((one.what, one.environment, one.name) == place for one in made):
                found.append(each)
    return tuple(found)


def commands_to(now: State, target: State) -> Iterator[Command]:
    """What makes of the one the other, which is the same thing."""
    match now, target:
        case Flag(), Flag():
            yield from _flag_commands(now, target)
        case Segment(), Segment():
            if not same(now.definition, target.definition):
                yield PutSegment(project=now.project, segment=now.key, definition=target.definition)
            if target.archived and not now.archived:
                yield ArchiveSegment(project=now.project, segment=now.key)
        case Project(), Project():
            yield from _project_commands(now, target)


def _flag_commands(now: Flag, target: Flag) -> Iterator[Command]:
    """Variants come before the targeting that serves them, and go after it."""
    project, flag = now.project, now.key
    variants = [each for each in differences(now, target) if each.what == "variant"]
    if now.archived and not target.archived:
        yield RestoreFlag(project=project, flag=flag)
    details = {name: getattr(target, name) for name in DETAILS if getattr(now, name) != getattr(target, name)}
    if details:
        yield ChangeFlag(project=project, flag=flag, details=FlagDetails(**details))
    for each in (each for each in variants if each.after is not None):
        yield PutVariant(project=project, flag=flag, name=each.name, value=each.after["value"])
    yield from _targeting_commands(now, target)
    for each in (each for each in variants if each.after is None):
        yield RemoveVariant(project=project, flag=flag, name=each.name)
    if target.archived and not now.archived:
        yield ArchiveFlag(project=project, flag=flag)


def _targeting_commands(now: Flag, target: Flag) -> Iterator[Command]:
    for environment in sorted({*now.environments, *target.environments}):
        wish = target.targeting(environment)
        if not same(wish, now.targeting(environment)):
            yield ChangeTargeting(project=now.project, flag=now.key, environment=environment, targeting=wish)


def _project_commands(now: Project, target: Project) -> Iterator[Command]:
    if now.name != target.name:
        yield RenameProject(project=now.key, name=target.name)
    for key in target.environments:
        one, other = _said_of(now, key), _said_of(target, key)
        if news := {field: value for field, value in other.items() if value != one[field]}:
            yield ChangeEnvironment(project=now.key, environment=key, **news)


def _said_of(project: Project, environment: str) -> dict[str, Any]:
    return {
        "name": project.environments.get(environment),
        "approvals": project.approvals.get(environment, 0),
        "recording": project.recordings.get(environment),
    }
