"""Routes of change requests: proposing commands, reviewing them, applying them together."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import AwareDatetime, BeforeValidator, Field

from api.http import StrictRoute
from api.management.access import require
from api.management.change_shapes import (
    ChangeAnswer,
    ChangePage,
    ReviewedChange,
    change_answer,
    reviewed_change,
    the_change,
)
from api.management.context import Giver, Lister, Reader, Write
from api.management.languages import WordingOf
from commands.change_models import (
    ApplyChange,
    ApproveChange,
    ProposeChange,
    RebaseChange,
    RejectChange,
    ScheduleChange,
    Title,
    WithdrawChange,
)
from commands.reviewing import Review
from commands.undoing import made_by_change
from commands.wire import SentCommand, kept, received
from domain import limits
from domain.aggregates import fold_all
from domain.change import OPEN, Status
from domain.envelope import change_stream
from domain.errors import NotFound
from domain.roles import Permission
from domain.values import Model, Slug, Text

router = APIRouter(prefix="/projects/{project}/changes", tags=["changes"], route_class=StrictRoute)

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _text_of_rfc_3339(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and RFC_3339.fullmatch(value)):
        return value
    raise ValueError("a time is RFC 3339 with its offset, like '2027-01-31T09:00:00Z'")


Moment = Annotated[AwareDatetime, BeforeValidator(_text_of_rfc_3339)]
ChangeId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


class NewChange(Model):
    """With `apply_at` it is applied then, if it has been approved by then."""

    title: Title
    description: Text = ""
    commands: Annotated[tuple[SentCommand, ...], Field(min_length=1, max_length=limits.COMMANDS)]
    apply_at: Moment | None = None


class Comment(Model):
    comment: Text = ""


class When(Model):
    apply_at: Moment


NO_COMMENT = Comment()
OfChange = ApproveChange | RejectChange | WithdrawChange | RebaseChange | ScheduleChange | ApplyChange


def _give(write: Write, permission: Permission, command: OfChange) -> ChangeAnswer:
    """Whoever may do something to a change may do it wherever its commands change something."""
    project, change = command.project, command.change
    folded = fold_all(write.parts.store.load(change_stream(project, change)))
    if folded is None:
        raise NotFound(f"there is no change '{change}' in project '{project}'")
    for each in the_change(folded).commands:
        require(write.who, permission, project, str(each.get("environment", "")))
    return change_answer(write.give(command))


@router.post("", status_code=status.HTTP_201_CREATED)
def propose_change(project: Slug, body: NewChange, write: Giver) -> ChangeAnswer:
    """Keeps the commands for review. They have to be possible now, and are decided again when applied."""
    commands = [received(project, each) for each in body.commands]
    for each in commands:
        require(write.who, Permission.WRITE, project, getattr(each, "environment", ""))
    command = ProposeChange(
        project=project,
        by=write.stamp.by,
        title=body.title,
        description=body.description,
        commands=tuple(kept(each) for each in commands),
        apply_at=body.apply_at,
    )
    return change_answer(write.give(command))


@router.get("")
def list_changes(
    project: Slug,
    listing: Lister,
    read: Reader,
    which: Annotated[
        list[Status] | None, Query(alias="status", description="only those with one of these statuses")
    ] = None,
) -> ChangePage:
    read.project(project)
    only = replace(listing.only, of_kinds=which)
    page, after = replace(listing, only=only).of("change", project)
    return ChangePage(changes=[change_answer(each) for each in page], next=after, position=listing.position)


@router.get("/{change}")
def get_change(project: Slug, change: ChangeId, read: Reader, wording: WordingOf) -> ReviewedChange:
    """With what it would do now and what stands against it, or what it did."""
    folded = read.one(change_stream(project, change), f"change '{change}' in project '{project}'")
    found = the_change(folded)
    if found.status in OPEN:
        return reviewed_change(folded, read.parts.commands.review(found), wording)
    done = made_by_change(read.parts.store, project, change) if found.status == "applied" else ()
    return reviewed_change(folded, Review([], [], found.required), wording, done)


@router.post("/{change}/approve")
def approve_change(project: Slug, change: ChangeId, write: Giver, body: Comment = NO_COMMENT) -> ChangeAnswer:
    """403 for its author; 409 when it conflicts with what others did meanwhile."""
    command = ApproveChange(project=project, change=change, by=write.stamp.by, comment=body.comment)
    return _give(write, Permission.APPROVE, command)


@router.post("/{change}/reject")
def reject_change(project: Slug, change: ChangeId, write: Giver, body: Comment = NO_COMMENT) -> ChangeAnswer:
    """Ends it. 403 for its author, who can withdraw it."""
    command = RejectChange(project=project, change=change, by=write.stamp.by, comment=body.comment)
    return _give(write, Permission.APPROVE, command)


@router.post("/{change}/withdraw")
def withdraw_change(project: Slug, change: ChangeId, write: Giver) -> ChangeAnswer:
    """Ends it. 403 for anybody but its author."""
    command = WithdrawChange(project=project, change=change, by=write.stamp.by)
    return _give(write, Permission.WRITE, command)


@router.post("/{change}/rebase")
def rebase_change(project: Slug, change: ChangeId, write: Giver) -> ChangeAnswer:
    """Accepts what others changed meanwhile; the change then needs its approvals anew."""
    return _give(write, Permission.WRITE, RebaseChange(project=project, change=change))


@router.post("/{change}/schedule")
def schedule_change(project: Slug, change: ChangeId, body: When, write: Giver) -> ChangeAnswer:
    """Has it applied at that time instead of now; again for another time."""
    command = ScheduleChange(project=project, change=change, apply_at=body.apply_at)
    return _give(write, Permission.WRITE, command)


@router.post("/{change}/apply")
def apply_change(project: Slug, change: ChangeId, write: Giver) -> ChangeAnswer:
    """Carries out all of its commands or none. 403 without its approvals, 409 on a conflict or when over."""
    command = ApplyChange(project=project, change=change, by=write.stamp.by)
    return _give(write, Permission.WRITE, command)
