"""What the routes of change requests answer with."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from api.management.shapes import Envelope, Page, envelope
from commands.reviewing import Effect, Review
from commands.unit_of_work import Decision
from domain.aggregates import Folded
from domain.change import Approval, Change, Status
from domain.differences import Difference
from domain.envelope import Recorded, Stream
from domain.sentences import sentences
from domain.wording import Wording

Made = tuple[Stream, tuple[Difference, ...]]


class SaidShape(BaseModel):
    by: str
    at: datetime
    comment: str


class AboutShape(BaseModel):
    """What a command is and is about; `environment` is empty where it is about all of them."""

    command: str
    key: str
    environment: str


class ChangeShape(BaseModel):
    """`about` has a line for each command. `required` is how many approvals were needed when that was last
    asked; `outcome` is who applied, rejected or withdrew it; `failure` is why it could not be applied when it
    was due."""

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
    about: list[AboutShape]


class ChangeAnswer(Envelope, ChangeShape):
    pass


class EventShape(BaseModel):
    kind: str
    key: str
    event: str
    data: dict[str, Any]


class EffectShape(BaseModel):
    """What one command would do now, after those before it; `sentences` say it in plain words. `refusal` says
    why it cannot be carried out."""

    command: Mapping[str, JsonValue]
    kind: str
    key: str
    events: list[EventShape]
    sentences: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refusal: str


class ConflictShape(EventShape):
    """What somebody else changed since, in the same environment or in all of them; `sentences` say what that
    made different."""

    by: str
    at: datetime
    reason: str
    version: int
    position: int
    sentences: list[str]


class DoneShape(BaseModel):
    kind: str
    key: str
    sentences: list[str]


class ReviewedChange(ChangeAnswer):
    """`required` is asked now; `effects` and `conflicts` are empty once the change is over. `done` is what it
    made different, and empty until it was applied."""

    commands: list[Mapping[str, JsonValue]]
    effects: list[EffectShape]
    conflicts: list[ConflictShape]
    done: list[DoneShape]


class ChangePage(Page):
    changes: list[ChangeAnswer]


def change_answer(folded: Folded) -> ChangeAnswer:
    return ChangeAnswer(**_fields(folded))


def reviewed_change(
    folded: Folded, review: Review, wording: Wording, done: Iterable[Made] = ()
) -> ReviewedChange:
    return ReviewedChange(
        **{**_fields(folded), "required": review.required},
        commands=list(the_change(folded).commands),
        effects=[_effect(each, wording) for each in review.effects],
        conflicts=[_conflict(*each, wording) for each in review.conflicts],
        done=[
            DoneShape(kind=stream.kind, key=stream.key, sentences=list(sentences(made, wording)))
            for stream, made in done
        ],
    )


def the_change(folded: Folded) -> Change:
    assert isinstance(folded.state, Change)
    return folded.state


def _fields(folded: Folded) -> dict[str, Any]:
    found = the_change(folded)
    return {
        **{name: getattr(found, name) for name in ChangeShape.model_fields if name != "about"},
        "about": [_about(each) for each in found.commands],
        "approvals": [_said(each) for each in found.approvals],
        "outcome": _said(found.outcome) if found.outcome else None,
        **envelope(folded),
    }


def _about(command: Mapping[str, Any]) -> AboutShape:
    key = command.get("flag") or command.get("segment") or command["definition"]["key"]
    return AboutShape(command=command["command"], key=key, environment=command.get("environment", ""))


def _said(approval: Approval) -> SaidShape:
    return SaidShape(by=approval.by, at=approval.at, comment=approval.comment)


def _effect(effect: Effect, wording: Wording) -> EffectShape:
    return EffectShape(
        command=effect.command,
        kind=effect.about.kind,
        key=effect.about.key,
        events=[EventShape(**_event(decision)) for decision in effect.events],
        sentences=list(sentences(effect.made, wording)),
        before=effect.before,
        after=effect.after,
        refusal=effect.refusal,
    )


def _conflict(recorded: Recorded, made: tuple[Difference, ...], wording: Wording) -> ConflictShape:
    return ConflictShape(
        **_event((recorded.stream, recorded.event)),
        by=recorded.stamp.by,
        at=recorded.stamp.at,
        reason=recorded.stamp.reason,
        version=recorded.version,
        position=recorded.position,
        sentences=list(sentences(made, wording)),
    )


def _event(decision: Decision) -> dict[str, Any]:
    stream, event = decision
    return {
        "kind": stream.kind,
        "key": stream.key,
        "event": type(event).__name__,
        "data": event.model_dump(mode="json"),
    }
