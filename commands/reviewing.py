"""What proposed commands would do now, and what others did meanwhile to what they are about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from commands.approval import required_approvals
from commands.deciding import Handler, Salt
from commands.models import ArchiveSegment, ChangeFlag, Command, CreateFlag, PutSegment
from commands.unit_of_work import Decision, UnitOfWork
from commands.wire import of_kept
from domain.aggregates import State, fold_all
from domain.change import Change
from domain.differences import Difference, differences
from domain.envelope import Recorded, Stream, flag_stream, segment_stream
from domain.errors import Invalid, Outdated, Refused
from domain.events import Event, FlagDetailsChanged
from domain.flag import Flag
from domain.segment import Segment

DETAILS: Final = "@details"  # no environment has such a name
EVERYWHERE: Final = "@everywhere"
NAMED_AT_MOST = 3  # conflicts in one sentence; all of them are in the list

Handlers = Mapping[type[Command], Handler]


@dataclass(frozen=True, slots=True)
class Effect:
    """`before` and `after` are what the command is about, as JSON; None where it does not exist. `made` is
    what differs in between. `refusal` says why the command cannot be carried out, and is empty if it can."""

    command: Mapping[str, JsonValue]
    about: Stream
    events: list[Decision]
    made: tuple[Difference, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """`required` is how many approvals the environments want that would change. Of each conflict it is told
    what that event made different."""

    effects: list[Effect]
    conflicts: list[tuple[Recorded, tuple[Difference, ...]]]
    required: int


def commands_of(project: str, kept: Iterable[Mapping[str, JsonValue]]) -> list[Command]:
    """Raises Invalid for one that was kept long ago and is none by today's rules."""
    try:
        return [of_kept(project, each) for each in kept]
    except ValidationError as problem:
        raise Invalid(f"a command cannot be read: {problem.errors()[0]['msg']}") from problem


def about(command: Any) -> Stream:
    """The flag or segment that a command is about."""
    match command:
        case PutSegment() | ArchiveSegment():
            return segment_stream(command.project, command.segment)
        case CreateFlag():
            return flag_stream(command.project, command.definition.key)
        case _:
            return flag_stream(command.project, command.flag)


def base_of(work: UnitOfWork, commands: Iterable[Command]) -> dict[str, int]:
    """Where the streams stand that the commands are about."""
    return {str(stream): work.version(stream) for stream in map(about, commands)}


def carry_out(
    work: UnitOfWork, commands: Iterable[Command], handlers: Handlers, salt: Salt
) -> list[Decision]:
    """One after the other, as approved; what they decided."""
    with work.approved() as decided:
        for command in commands:
            handlers[type(command)](work, command, salt)
    return decided


def conflicts(work: UnitOfWork, change: Change) -> list[Recorded]:
    """What others changed since the change's base, in the same environment or in all of them."""
    commands = commands_of(change.project, change.commands)
    found: list[Recorded] = []
    for text, version in change.base.items():
        ours = {_place(command) for command in commands if str(about(command)) == text}
        theirs = work.log.load(Stream.parse(text), after=version)
        found += (recorded for recorded in theirs if _meet(_place(recorded.event), ours))
    return found


def _meet(place: str, others: set[str]) -> bool:
    return place == EVERYWHERE or EVERYWHERE in others or place in others


def _place(what: Event | Command) -> str:
    """The environment that an event or a command changes; else whether it changes details or everything."""
    match what:
        case FlagDetailsChanged(client_visible=None):
            return DETAILS
        case ChangeFlag(details=details) if details.client_visible is None:
            return DETAILS
        case _:
            return str(getattr(what, "environment", EVERYWHERE))


def refuse_outdated(work: UnitOfWork, change: Change) -> None:
    """Raises Outdated, naming the conflicts."""
    if not (found := conflicts(work, change)):
        return
    named = "; ".join(_told(each) for each in found[:NAMED_AT_MOST])
    more = f" and {len(found) - NAMED_AT_MOST} more" if len(found) > NAMED_AT_MOST else ""
    raise Outdated(
        f"since change '{change.id}' was proposed: {named}{more}. Look at what it would do now, and rebase it"
    )


def _told(recorded: Recorded) -> str:
    stream, stamp = recorded.stream, recorded.stamp
    when = stamp.at.isoformat(timespec="seconds")
    return f"{type(recorded.event).__name__} of {stream.kind} '{stream.key}' by {stamp.by} at {when}"


def review(work: UnitOfWork, change: Change, handlers: Handlers, salt: Salt) -> Review:
    """Decides everything and writes nothing; `work` is not to be committed."""
    effects = list(_effects(work, change, handlers, salt))
    decided = [decision for effect in effects for decision in effect.events]
    theirs = [(each, _made(work, each)) for each in conflicts(work, change)]
    return Review(effects, theirs, required_approvals(work, decided))


def _made(work: UnitOfWork, recorded: Recorded) -> tuple[Difference, ...]:
    history = work.log.load(recorded.stream, until=recorded.position)
    before, after = fold_all(history[:-1]), fold_all(history)
    assert after is not None
    return _differing(before.state if before else None, after.state)


def _differing(before: State | None, after: State | None) -> tuple[Difference, ...]:
    assert before is None or isinstance(before, Flag | Segment)
    return differences(before, after) if isinstance(after, Flag | Segment) else ()


def _effects(work: UnitOfWork, change: Change, handlers: Handlers, salt: Salt) -> Iterator[Effect]:
    commands = commands_of(change.project, change.commands)
    for kept, command in zip(change.commands, commands, strict=True):
        stream, events, refusal = about(command), list[Decision](), ""
        shown, state = _shown(work, command), work.state(stream)
        try:
            with work.all_or_nothing():
                events = carry_out(work, [command], handlers, salt)
        except Refused as why:
            refusal = str(why)
        made = _differing(state, work.state(stream))
        yield Effect(kept, stream, events, made, shown, _shown(work, command), refusal)


def _shown(work: UnitOfWork, command: Command) -> dict[str, Any] | None:
    stream = about(command)
    if stream.kind == "segment":
        return _shown_segment(work, stream)
    flag = work.flag(stream.project, stream.key)
    if flag is None:
        return None
    if (environment := getattr(command, "environment", None)) is not None:
        return flag.targeting(environment).model_dump(mode="json")
    return {name: getattr(flag, name) for name in FLAG_FIELDS}


FLAG_FIELDS = ("type", "variants", "description", "tags", "owner", "kind", "client_visible", "archived")


def _shown_segment(work: UnitOfWork, stream: Stream) -> dict[str, Any] | None:
    segment = work.segment(stream.project, stream.key)
    if segment is None:
        return None
    return {**segment.definition.model_dump(mode="json"), "archived": segment.archived}
