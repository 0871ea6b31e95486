"""The route that takes an event, or a whole change request, back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, JsonValue, PositiveInt, model_validator

from api.http import StrictRoute
from api.management.access import require
from api.management.bulk import Changed, changed_of
from api.management.change_shapes import ChangeAnswer, change_answer
from api.management.context import Giver, Write
from api.management.diff import Differing, Proposal, differing, proposed
from api.management.history import HistoryEntry, entry_shape
from api.management.languages import WordingOf
from commands.models import Command
from commands.undoing import Clash, Undoing, undo_change, undo_event
from commands.wire import ALLOWED, kept
from domain.aggregates import Folded
from domain.differences import Difference
from domain.envelope import Stream
from domain.roles import Permission
from domain.sentences import sentence
from domain.values import Model, Slug
from domain.wording import ENGLISH, Wording
from projections.audit_trail import entry_of

router = APIRouter(prefix="/projects/{project}", tags=["history"], route_class=StrictRoute)


class Undo(Model):
    """Of one event, by its `position`, or of all that an applied `change` did.

    With `preview` nothing is done. `partial` takes back what nobody touched since, and leaves the rest. With
    `propose` it becomes a change request.
    """

    position: PositiveInt | None = None
    change: str = ""
    preview: bool = False
    partial: bool = False
    propose: Proposal | None = None

    @model_validator(mode="after")
    def _names_one_thing(self) -> "Undo":
        if (self.position is None) == (not self.change):
            raise ValueError("say what to undo: either the 'position' of an event or a 'change'")
        return self


class Conflict(BaseModel):
    """What is not taken back, as it was changed again by these `later` events, the oldest first."""

    kind: str
    key: str
    sentence: str
    later: list[HistoryEntry]


class UndoAnswer(BaseModel):
    """`things` is what becomes, or became, different; `changed` and `change` are empty for a preview, and
    where there is nothing left to take back.

    A request sent again is told what it `changed`, or its `change`, and nothing else.
    """

    things: list[Differing]
    conflicts: list[Conflict]
    commands: list[dict[str, JsonValue]]
    changed: list[Changed]
    change: ChangeAnswer | None


@router.post("/undo")
def undo(project: Slug, body: Undo, write: Giver, wording: WordingOf) -> UndoAnswer:
    """Takes back what an event, or a change request, made different: what it was before, it is again.

    409 where later events touched the same place, which a preview shows.
    """
    if not body.preview and (before := write.parts.commands.repeated(write.once)) is not None:
        return _told_again(before)
    found = _undoing(write, project, body)
    for command in found.commands:
        require(write.who, _permission(command), project, getattr(command, "environment", ""))
    answer = UndoAnswer(
        things=_things(found, wording),
        conflicts=[_conflict(each, wording) for each in found.clashes],
        commands=[kept(each) for each in found.commands],
        changed=[],
        change=None,
    )
    if body.preview:
        return answer
    if found.clashes and not body.partial:
        raise HTTPException(409, _refusal(found.clashes))
    return answer.model_copy(update=_done(_named(write, body), project, body, found))


def _named(write: Write, body: Undo) -> Write:
    """The history says what was undone, and then why."""
    what = f"undo of change {body.change}" if body.change else f"undo of position {body.position}"
    reason = f"{what}: {write.stamp.reason}" if write.stamp.reason else what
    return replace(write, stamp=replace(write.stamp, reason=reason))


def _told_again(before: Sequence[Folded]) -> UndoAnswer:
    """Worked out from what there is by now it would be another answer."""
    change = next((each for each in before if each.stream.kind == "change"), None)
    return UndoAnswer(
        things=[],
        conflicts=[],
        commands=[],
        changed=[] if change else [changed_of(each) for each in before],
        change=change_answer(change) if change else None,
    )


def _undoing(write: Write, project: str, body: Undo) -> Undoing:
    store = write.parts.store
    if body.position is None:
        return undo_change(store, project, body.change)
    return undo_event(store, project, body.position)


def _permission(command: Command) -> Permission:
    """What is said of a project and its environments is for its administrators, as everywhere."""
    return Permission.WRITE if type(command) in ALLOWED else Permission.ADMINISTER


def _done(write: Write, project: str, body: Undo, found: Undoing) -> dict[str, Any]:
    commands = found.commands
    if body.propose is None:
        return {"changed": [changed_of(folded) for folded in write.give_all(commands, found.versions)]}
    if not commands:
        return {}
    if others := [each for each in commands if type(each) not in ALLOWED]:
        raise HTTPException(422, f"{type(others[0]).__name__} cannot be in a change request; undo it at once")
    return {"change": proposed(write, project, body.propose, commands)}


def _things(found: Undoing, wording: Wording) -> list[Differing]:
    by_stream: dict[Stream, list[Difference]] = {}
    for stream, difference in found.differences:
        by_stream.setdefault(stream, []).append(difference)
    return [
        differing(stream.kind, stream.key or stream.project, tuple(made), wording)
        for stream, made in by_stream.items()
    ]


def _conflict(clash: Clash, wording: Wording) -> Conflict:
    later = [entry_shape(entry_of(each)) for each in clash.later]
    stream = clash.stream
    return Conflict(
        kind=stream.kind,
        key=stream.key or stream.project,
        sentence=sentence(clash.difference, wording),
        later=later,
    )


def _refusal(clashes: tuple[Clash, ...]) -> str:
    first = clashes[0]
    about = sentence(first.difference, ENGLISH)
    later = ", ".join(f"{each.position} by {each.stamp.by}" for each in first.later)
    return (
        f"“{about}” cannot be taken back: the same was changed later ({later}); undo"
        ' that first, or send "partial": true to leave it'
    )
