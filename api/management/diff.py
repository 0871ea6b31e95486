"""What differs between two moments or two environments, and making one environment as another was."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, JsonValue

from api.http import StrictRoute
from api.management.access import require
from api.management.bulk import Changed, changed_of
from api.management.change_shapes import ChangeAnswer, change_answer
from api.management.context import NoNul, Parts, Read, Reader, Write, Writer
from api.management.history import DifferenceShape, difference_shape
from api.management.languages import WordingOf
from api.management.moments import At, position_of
from commands.change_models import ProposeChange, Title
from commands.models import ChangeTargeting, Command
from commands.wire import kept
from domain import limits
from domain.aggregates import Folded
from domain.differences import Difference, differences, targeting_differences
from domain.errors import Invalid, NotFound
from domain.flag import Flag
from domain.project import require_environment
from domain.roles import Permission
from domain.segment import Segment
from domain.sentences import sentences
from domain.values import FlagKey, Model, Slug, Text, same
from domain.wording import Wording
from projections.past import Past

router = APIRouter(prefix="/projects/{project}", tags=["history"], route_class=StrictRoute)

Differences = tuple[Difference, ...]


class Side(BaseModel):
    environment: str
    position: int


class Differing(BaseModel):
    """A flag or a segment that is not the same on both sides, in plain words and for machines."""

    kind: str
    key: str
    sentences: list[str]
    differences: list[DifferenceShape]


class Diff(BaseModel):
    """What became of `one` in `other`; by key, flags before segments."""

    one: Side
    other: Side
    things: list[Differing]


class Wanted(BaseModel):
    environment: str
    other: str
    flag: str


def wanted(
    environment: Annotated[Slug, Query(description="whose targeting is compared")],
    other: Annotated[
        Slug | None, Query(description="with that of this one; the same where none is named")
    ] = None,
    flag: Annotated[str, NoNul, Query(description="only this flag, and no segments")] = "",
) -> Wanted:
    return Wanted(environment=environment, other=other or environment, flag=flag)


@router.get("/diff")
def show_diff(
    project: Slug,
    which: Annotated[Wanted, Depends(wanted)],
    read: Reader,
    wording: WordingOf,
    at: At = "",
    to: At = "",
) -> Diff:
    """What differs between one environment at `at` and the same or another one at `to`; empty is now.

    Between environments only targeting is compared: everything else is of the project.
    """
    before, after = (_past(read, project, moment) for moment in (at, to))
    for past, environment in ((before, which.environment), (after, which.other)):
        require_environment(past.project, environment)
    if which.flag and which.flag not in after.flags:
        raise NotFound(f"there is no flag '{which.flag}' in project '{project}' at {after.position}")
    return Diff(
        one=Side(environment=which.environment, position=before.position),
        other=Side(environment=which.other, position=after.position),
        things=[differing(*each, wording) for each in _things(before, after, which)],
    )


def _past(read: Read, project: str, moment: str) -> Past:
    return replace(read, at=_position(read.parts, project, moment)).past(project)


def _position(parts: Parts, project: str, moment: str) -> int | None:
    return position_of(parts, project, moment) if moment else None


def _things(before: Past, after: Past, which: Wanted) -> Iterator[tuple[str, str, Differences]]:
    keys = [which.flag] if which.flag else sorted(after.flags)
    for key in keys:
        if key in after.flags and (found := _of_flags(before.flags.get(key), after.flags[key], which)):
            yield "flag", key, found
    if which.flag:
        return
    for key in sorted(after.segments):
        old, new = before.segments.get(key), after.segments[key]
        assert isinstance(new.state, Segment)
        if found := differences(old.state if old else None, new.state):  # type: ignore[arg-type]
            yield "segment", key, found


def _of_flags(before: Folded | None, after: Folded, which: Wanted) -> Differences:
    old, new = before.state if before else None, after.state
    assert isinstance(new, Flag)
    if which.environment == which.other:
        kept_ones = {"", which.environment}
        found = differences(old, new)  # type: ignore[arg-type]
        return tuple(each for each in found if each.environment in kept_ones)
    if not isinstance(old, Flag) or old.archived or new.archived:
        return ()
    return tuple(
        targeting_differences(old.targeting(which.environment), new.targeting(which.other), which.other)
    )


def differing(kind: str, key: str, found: Differences, wording: Wording) -> Differing:
    return Differing(
        kind=kind,
        key=key,
        sentences=list(sentences(found, wording)),
        differences=[difference_shape(each) for each in found],
    )


class Proposal(Model):
    title: Title
    description: Text = ""


class Promotion(Model):
    """`flags` empty is all of them.

    With `preview` nothing is done; with `propose` it becomes a change request.
    """

    source: Slug = Field(alias="from")
    at: Annotated[str, Field(max_length=100)] = ""
    flags: tuple[FlagKey, ...] = ()
    preview: bool = False
    propose: Proposal | None = None


class Promoted(BaseModel):
    """`things` is what becomes, or became, different by those commands, which changed those flags or are in
    that change request; all empty where nothing differs."""

    things: list[Differing]
    commands: list[dict[str, JsonValue]]
    changed: list[Changed]
    change: ChangeAnswer | None


@router.post("/environments/{environment}/promote")
def promote(project: Slug, environment: Slug, body: Promotion, write: Writer, wording: WordingOf) -> Promoted:
    """Makes the targeting of this environment that of another one, as it is or once was, all at once."""
    require(write.who, Permission.READ, project, body.source)
    position = _position(write.parts, project, body.at)
    now = write.parts.pasts.of(project, write.parts.store.head())
    then = now if position is None else write.parts.pasts.of(project, position)
    require_environment(then.project, body.source)
    require_environment(now.project, environment)
    commands = list(_promoting(then, now, body, environment))
    if len(commands) > limits.COMMANDS:
        raise Invalid(
            f"{len(commands)} flags differ, and {limits.COMMANDS} are changed at once at most: name some in"
            " 'flags'"
        )
    answer = Promoted(
        things=[_promoted(now, each, wording) for each in commands],
        commands=[kept(each) for each in commands],
        changed=[],
        change=None,
    )
    if body.preview or not commands:
        return answer
    if body.propose is not None:
        return answer.model_copy(update={"change": proposed(write, project, body.propose, commands)})
    return answer.model_copy(update={"changed": [changed_of(each) for each in write.give_all(commands)]})


def _promoted(now: Past, command: ChangeTargeting, wording: Wording) -> Differing:
    flag = now.flags[command.flag].state
    assert isinstance(flag, Flag)
    before, environment = flag.targeting(command.environment), command.environment
    found = targeting_differences(before, command.targeting, environment)
    return differing("flag", command.flag, tuple(found), wording)


def proposed(write: Write, project: str, proposal: Proposal, commands: Sequence[Command]) -> ChangeAnswer:
    """The change request that they are in now."""
    command = ProposeChange(
        project=project,
        by=write.stamp.by,
        title=proposal.title,
        description=proposal.description,
        commands=tuple(kept(each) for each in commands),
    )
    return change_answer(write.give(command))


def _promoting(then: Past, now: Past, body: Promotion, environment: str) -> Iterator[ChangeTargeting]:
    """Flags that were not there then, or are archived now, are left alone."""
    for key in sorted(body.flags or now.flags):
        old, new = then.flags.get(key), now.flags.get(key)
        if new is None:
            raise NotFound(f"there is no flag '{key}' in project '{now.project.key}'")
        if old is None:
            continue
        assert isinstance(old.state, Flag)
        assert isinstance(new.state, Flag)
        wish = old.state.targeting(body.source)
        if not new.state.archived and not same(wish, new.state.targeting(environment)):
            yield ChangeTargeting(project=now.project.key, flag=key, environment=environment, targeting=wish)
