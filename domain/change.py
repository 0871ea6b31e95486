"""A change request: commands that are proposed together, reviewed, and applied at once or at a given time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, assert_never

from pydantic import JsonValue

from domain.change_events import (
    ChangeApplied,
    ChangeApproved,
    ChangeEvent,
    ChangeFailed,
    ChangeProposed,
    ChangeRebased,
    ChangeRejected,
    ChangeScheduled,
    ChangeWithdrawn,
)
from domain.errors import ApprovalRequired, Invalid, NotAllowed, NotFound, WrongStatus

Status = Literal["proposed", "approved", "scheduled", "failed", "applied", "rejected", "withdrawn"]
OPEN: frozenset[Status] = frozenset({"proposed", "approved", "scheduled", "failed"})
LONGEST_WAIT = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True)
class Approval:
    by: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class Change:
    """`apply_at` is when it is wanted; it is due then only while the status is `scheduled`. `required` is how
    many approvals were needed when that was last asked. `outcome` says who applied, rejected or withdrew it,
    and `failure` why it could not be carried out when it was due."""

    project: str
    id: str
    author: str
    title: str
    description: str
    commands: tuple[dict[str, JsonValue], ...]
    base: dict[str, int]
    required: int
    apply_at: datetime | None
    status: Status
    approvals: tuple[Approval, ...] = ()
    outcome: Approval | None = None
    failure: str = ""

    @property
    def due(self) -> datetime | None:
        return self.apply_at if self.status == "scheduled" else None


def evolve(change: Change | None, event: ChangeEvent) -> Change:  # noqa: C901, PLR0911 - one line for each event is the table
    if isinstance(event, ChangeProposed):
        fields = dict(event)
        return Change(author=fields.pop("by"), status=_reviewed(0, event.required), **fields)
    assert change is not None
    match event:
        case ChangeApproved():
            approvals = (*change.approvals, Approval(event.by, event.at, event.comment))
            stays = change.status in {"scheduled", "failed"}
            status = change.status if stays else _reviewed(len(approvals), event.required)
            return replace(change, approvals=approvals, required=event.required, status=status)
        case ChangeRebased(base=base, required=required):
            status = _reviewed(0, required)
            return replace(change, base=base, required=required, status=status, approvals=(), failure="")
        case ChangeScheduled(apply_at=apply_at):
            return replace(change, apply_at=apply_at, status="scheduled", failure="")
        case ChangeFailed(why=why):
            return replace(change, status="failed", failure=why)
        case ChangeRejected():
            return replace(
                change, status="rejected", outcome=Approval(event.by, event.at, event.comment), failure=""
            )
        case ChangeWithdrawn(by=by, at=at):
            return replace(change, status="withdrawn", outcome=Approval(by, at, ""), failure="")
        case ChangeApplied(by=by, at=at):
            return replace(change, status="applied", outcome=Approval(by, at, ""), failure="")
        case _:
            assert_never(event)


def _reviewed(approvals: int, required: int) -> Status:
    return "approved" if approvals >= required else "proposed"


# What may be decided


def propose(
    *,
    project: str,
    id: str,  # noqa: A002 - the field's own name
    by: str,
    title: str,
    description: str,
    commands: tuple[dict[str, JsonValue], ...],
    base: Mapping[str, int],
    required: int,
    apply_at: datetime | None,
    now: datetime,
) -> tuple[ChangeEvent, ...]:
    """With a time, and where nobody has to approve it, it is scheduled at once."""
    wanted = ahead(apply_at, now) if apply_at else None
    proposed = ChangeProposed(
        project=project,
        id=id,
        by=by,
        title=title,
        description=description,
        commands=commands,
        base=dict(base),
        required=required,
        apply_at=wanted,
    )
    return proposed, *_scheduled_when_reviewed(0, required, wanted, now)


def approve(
    change: Change | None, *, by: str, comment: str, required: int, now: datetime
) -> tuple[ChangeEvent, ...]:
    """The last approval that is needed schedules a change whose time is still to come."""
    found = open_change(change)
    if by == found.author:
        raise NotAllowed(f"change '{found.id}' is {by}'s own, and has to be approved by somebody else")
    if any(approval.by == by for approval in found.approvals):
        return ()
    approved = ChangeApproved(by=by, at=now, comment=comment, required=required)
    if found.status in {"scheduled", "failed"}:
        return (approved,)
    return approved, *_scheduled_when_reviewed(len(found.approvals) + 1, required, found.apply_at, now)


def reject(change: Change | None, *, by: str, comment: str, now: datetime) -> tuple[ChangeEvent, ...]:
    if change and change.status == "rejected":
        return ()
    found = open_change(change)
    if by == found.author:
        raise NotAllowed(f"change '{found.id}' is {by}'s own: withdraw it instead of rejecting it")
    return (ChangeRejected(by=by, at=now, comment=comment),)


def withdraw(change: Change | None, *, by: str, now: datetime) -> tuple[ChangeEvent, ...]:
    if change and change.status == "withdrawn":
        return ()
    found = open_change(change)
    if by != found.author:
        raise NotAllowed(f"only {found.author} can withdraw change '{found.id}'; others can reject it")
    return (ChangeWithdrawn(by=by, at=now),)


def rebase(
    change: Change | None, *, base: Mapping[str, int], required: int, now: datetime
) -> tuple[ChangeEvent, ...]:
    """Takes the present state as what the change is meant for; approvals given before do not count."""
    found = open_change(change)
    if found.base == base:
        return ()
    rebased = ChangeRebased(base=dict(base), required=required)
    return rebased, *_scheduled_when_reviewed(0, required, found.apply_at, now)


def schedule(
    change: Change | None, *, apply_at: datetime, required: int, now: datetime
) -> tuple[ChangeEvent, ...]:
    found = open_change(change)
    wanted = ahead(apply_at, now)
    _require_approvals(found, required)
    if found.due == wanted:
        return ()
    return (ChangeScheduled(apply_at=wanted),)


def apply(change: Change | None, *, by: str, required: int, now: datetime) -> tuple[ChangeEvent, ...]:
    found = open_change(change)
    _require_approvals(found, required)
    return (ChangeApplied(by=by, at=now),)


def fail(change: Change | None, *, why: str, now: datetime) -> tuple[ChangeEvent, ...]:
    open_change(change)
    return (ChangeFailed(at=now, why=why),)


def existing(change: Change | None, key: str = "") -> Change:
    if change is None:
        raise NotFound(f"there is no change '{key}'")
    return change


def open_change(change: Change | None) -> Change:
    """Raises WrongStatus, with what happened, for one that was applied, rejected or withdrawn."""
    found = existing(change)
    if found.status not in OPEN:
        assert found.outcome is not None
        when = found.outcome.at.isoformat(timespec="seconds")
        raise WrongStatus(f"change '{found.id}' was {found.status} by {found.outcome.by} at {when}")
    return found


def ahead(at: datetime, now: datetime) -> datetime:
    """The time in UTC. Raises Invalid for one that has passed or is years away."""
    if at <= now:
        clock = now.isoformat(timespec="seconds")
        raise Invalid(f"{at.isoformat()} has passed: it is {clock} by the clock of PostgreSQL")
    if at > now + LONGEST_WAIT:
        raise Invalid(f"{at.isoformat()} is more than {LONGEST_WAIT.days} days ahead")
    return at.astimezone(UTC)


def _require_approvals(change: Change, required: int) -> None:
    if (given := len(change.approvals)) < required:
        raise ApprovalRequired(
            f"change '{change.id}' needs {required} approval(s) of others than its author; it has {given}"
        )


def _scheduled_when_reviewed(
    approvals: int, required: int, apply_at: datetime | None, now: datetime
) -> tuple[ChangeEvent, ...]:
    if apply_at is None or apply_at <= now or approvals < required:
        return ()
    return (ChangeScheduled(apply_at=apply_at),)
