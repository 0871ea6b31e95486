"""What the routes of change requests answer with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from api.management.shapes import Envelope, Page, envelope
from commands.reviewing import Effect, Review
from commands.unit_of_work import Decision
from domain.aggregates import Folded
from domain.change import Approval, Change, Status
from domain.envelope import Recorded


class SaidShape(BaseModel):
    by: str
    at: datetime
    comment: str


class ChangeShape(BaseModel):
    """`required` is how many approvals were needed when that was last asked; `outcome` is who applied,
    rejected or withdrew it; `failure` is why it could not be applied when it was due."""

    id: str
    project: str
    title: str
    description: str
    author: str
    status: Status
    approvals: list[SaidShape]
    required: int
    apply_at: datetime | None
    outcome: SaidShape | None
    failure: str


class ChangeAnswer(Envelope, ChangeShape):
    pass


class EventShape(BaseModel):
    kind: str
    key: str
    event: str
    data: dict[str, Any]


class EffectShape(BaseModel):
    """What one command would do now, after those before it. `refusal` says why it cannot be carried out."""

    command: Mapping[str, JsonValue]
    kind: str
    key: str
    events: list[EventShape]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refusal: str


class ConflictShape(EventShape):
    """What somebody else changed since, in the same environment or in all of them."""

    by: str
    at: datetime
    reason: str
    version: int
    position: int


class ReviewedChange(ChangeAnswer):
    """`required` is asked now; `effects` and `conflicts` are empty once the change is over."""

    commands: list[Mapping[str, JsonValue]]
    effects: list[EffectShape]
    conflicts: list[ConflictShape]


class ChangePage(Page):
    changes: list[ChangeAnswer]


def change_answer(folded: Folded) -> ChangeAnswer:
    return ChangeAnswer(**_fields(folded))


def reviewed_change(folded: Folded, review: Review) -> ReviewedChange:
    return ReviewedChange(
        **{**_fields(folded), "required": review.required},
        commands=list(the_change(folded).commands),
        effects=[_effect(each) for each in review.effects],
        conflicts=[_conflict(each) for each in review.conflicts],
    )


def the_change(folded: Folded) -> Change:
    assert isinstance(folded.state, Change)
    return folded.state


def _fields(folded: Folded) -> dict[str, Any]:
    found = the_change(folded)
    return {
        **{name: getattr(found, name) for name in ChangeShape.model_fields},
        "approvals": [_said(each) for each in found.approvals],
        "outcome": _said(found.outcome) if found.outcome else None,
        **envelope(folded),
    }


def _said(approval: Approval) -> SaidShape:
    return SaidShape(by=approval.by, at=approval.at, comment=approval.comment)


def _effect(effect: Effect) -> EffectShape:
    return EffectShape(
        command=effect.command,
        kind=effect.about.kind,
        key=effect.about.key,
        events=[EventShape(**_event(decision)) for decision in effect.events],
        before=effect.before,
        after=effect.after,
        refusal=effect.refusal,
    )


def _conflict(recorded: Recorded) -> ConflictShape:
    return ConflictShape(
        **_event((recorded.stream, recorded.event)),
        by=recorded.stamp.by,
        at=recorded.stamp.at,
        reason=recorded.stamp.reason,
        version=recorded.version,
        position=recorded.position,
    )


def _event(decision: Decision) -> dict[str, Any]:
    stream, event = decision
    return {
        "kind": stream.kind,
        "key": stream.key,
        "event": type(event).__name__,
        "data": event.model_dump(mode="json"),
    }
