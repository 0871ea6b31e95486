"""From what an importer read to the commands that make it, in an order in which each can be carried out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError

from commands.handlers import Commands
from commands.importers.imported import Imported, ImportedFlag, Refusal
from commands.models import ChangeTargeting, Command, CreateFlag, FlagDefinition, PutSegment
from domain.references import flags_asked, segments_asked

T = TypeVar("T")


def commands_of(imported: Imported, project: str, environment: str) -> tuple[list[Command], list[Refusal]]:
    """Segments before what asks for them, all flags, then their targeting; and what is no command after all.

    The targeting of flags that are turned off is made all the same: what was imported is what is there.
    """
    refused: list[Refusal] = []
    made = [
        *_each(refused, "segment", _in_order(imported), lambda key: _segment(imported, project, key)),
        *_each(refused, "flag", imported.flags, lambda flag: _create(flag, project)),
    ]
    there = {each.definition.key for each in made if isinstance(each, CreateFlag)}
    flags = [flag for flag in _flags_in_order(imported) if flag.key in there]
    made += _each(refused, "flag", flags, lambda flag: _target(flag, project, environment))
    return made, refused


def feasible(commands: Commands, made: list[Command]) -> tuple[list[Command], list[Refusal]]:
    """What can be made as things are now. A flag whose targeting is refused is not made without it either."""
    refused: list[Refusal] = []
    while True:
        possible, impossible = commands.feasible(made)
        if not impossible:
            return possible, refused
        reasons = {_subject(command): str(why) for command, why in impossible}
        refused += [Refusal(subject, why) for subject, why in reasons.items()]
        made = [command for command in made if _subject(command) not in reasons]


def _subject(command: Command) -> str:
    match command:
        case PutSegment(segment=key):
            return f"segment {key}"
        case CreateFlag(definition=definition):
            return f"flag {definition.key}"
        case ChangeTargeting(flag=key):
            return f"flag {key}"
        case _:
            raise TypeError(f"{type(command).__name__} is not made by an import")


def _each(
    refused: list[Refusal], kind: str, things: Iterable[T], command: Callable[[T], Command]
) -> Iterator[Command]:
    for thing in things:
        try:
            yield command(thing)
        except ValidationError as problem:
            key = thing.key if isinstance(thing, ImportedFlag) else thing
            refused.append(Refusal(f"{kind} {key}", problem.errors()[0]["msg"]))


def _segment(imported: Imported, project: str, key: str) -> Command:
    salt = imported.segment_salts.get(key) or None
    return PutSegment(project=project, segment=key, definition=imported.segments[key], salt=salt)


def _create(flag: ImportedFlag, project: str) -> Command:
    definition = FlagDefinition(
        key=flag.key,
        type=flag.type,
        variants=flag.variants,
        description=flag.description,
        tags=flag.tags,
        owner=flag.owner,
        kind=flag.kind,
        client_visible=flag.client_visible,
    )
    return CreateFlag(
        project=project,
        definition=definition,
        gate_salt=flag.gate_salt or None,
        split_salt=flag.split_salt or None,
    )


def _target(flag: ImportedFlag, project: str, environment: str) -> Command:
    return ChangeTargeting(project=project, flag=flag.key, environment=environment, targeting=flag.targeting)


def _in_order(imported: Imported) -> list[str]:
    asked = {key: segments_asked([each.condition]) for key, each in imported.segments.items()}
    return _after_what_they_ask(asked)


def _flags_in_order(imported: Imported) -> list[ImportedFlag]:
    flags = {flag.key: flag for flag in imported.flags}
    asked = {key: set(flags_asked(flag.targeting)) for key, flag in flags.items()}
    return [flags[key] for key in _after_what_they_ask(asked)]


def _after_what_they_ask(asked: Mapping[str, set[str]]) -> list[str]:
    """Each key behind those it asks for; what stands in a circle comes last, for the command to refuse."""
    placed: dict[str, None] = {}
    while ready := [
        key for key, others in asked.items() if key not in placed and others & asked.keys() <= placed.keys()
    ]:
        placed.update(dict.fromkeys(ready))
    return [*placed, *(key for key in asked if key not in placed)]
