"""What the answer to a what-if looks like."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, JsonValue

from domain.aggregates import State
from domain.evaluation import Evaluation
from domain.flag import Flag
from projections.recorded_contexts import Sample, Undecided
from projections.usage_table import EPOCH
from projections.what_if import Comparison, Move


class Progress(BaseModel):
    """`read` of at most `limit` records of the flag, which is one of as many as `flags` says."""

    flag: str
    number: int
    flags: int
    read: int
    limit: int


class RuleNamed(BaseModel):
    id: str
    name: str


class Outcome(BaseModel):
    value: JsonValue
    variant: str | None
    reason: str
    why: str | None
    rule: RuleNamed | None
    errorCode: str | None  # noqa: N815 - OpenFeature's own spelling


class MoveShape(BaseModel):
    """`examples` are recorded contexts, as far as they are known, of different subjects."""

    before: Outcome
    after: Outcome
    evaluations: int
    subjects: int
    examples: list[dict[str, JsonValue]]


class Moved(BaseModel):
    evaluations: int
    subjects: int


class UndecidedShape(Moved):
    """`attributes` are those that were asked for and not recorded, each with the evaluations that lack it."""

    attributes: dict[str, int]


class Sampled(BaseModel):
    """Recorded `evaluations` from `oldest` to `newest`; `complete` unless the window has older ones."""

    evaluations: int
    complete: bool
    oldest: datetime | None
    newest: datetime | None


class FlagMoves(Sampled):
    """`before` and `after` are how many get which variant, "" for the code's default and for errors; together
    with `undecided` they are all of them. `moves` are the largest first.
    """

    flag: str
    subjects: int
    moved: Moved
    before: dict[str, int]
    after: dict[str, int]
    moves: list[MoveShape]
    undecided: UndecidedShape


class WhatIf(BaseModel):
    """By what the log says at `position`. `left_out` are flags that could change too; nobody looked."""

    position: int
    start: datetime
    end: datetime
    flags: list[FlagMoves]
    left_out: list[str]


def flag_moves(sample: Sample, found: Comparison, before: State, after: State, environment: str) -> FlagMoves:
    """`before` and `after` are the flag, which has the rules' names."""
    assert isinstance(before, Flag)
    assert isinstance(after, Flag)
    moves = [
        _move(each, _names(before, environment), _names(after, environment)) for each in found.largest_first()
    ]
    return FlagMoves(
        **sampled(sample),
        flag=before.key,
        subjects=len(found.subjects),
        moved=Moved(
            evaluations=sum(each.evaluations for each in moves), subjects=len(found.moved_subjects())
        ),
        before=dict(found.before),
        after=dict(found.after),
        moves=moves,
        undecided=undecided_shape(Undecided(sample.asked)),
    )


def sampled(sample: Sample) -> dict[str, Any]:
    """As Sampled has it."""
    return {
        "evaluations": sample.evaluations,
        "complete": sample.complete,
        "oldest": _time(sample.oldest),
        "newest": _time(sample.newest),
    }


def undecided_shape(found: Undecided) -> UndecidedShape:
    return UndecidedShape(
        evaluations=found.evaluations, subjects=len(found.subjects), attributes=dict(found.attributes)
    )


def _names(flag: Flag, environment: str) -> dict[str, str]:
    return {rule.id: rule.name for rule in flag.targeting(environment).rules}


def _move(move: Move, before: dict[str, str], after: dict[str, str]) -> MoveShape:
    return MoveShape(
        before=_outcome(move.before, before),
        after=_outcome(move.after, after),
        evaluations=move.evaluations,
        subjects=len(move.subjects),
        examples=[dict(each.context) for each in move.examples],
    )


def _outcome(answer: Evaluation, names: dict[str, str]) -> Outcome:
    rule = answer.rule_id
    return Outcome(
        value=answer.value,
        variant=answer.variant,
        reason=answer.reason,
        why=answer.why,
        rule=RuleNamed(id=rule, name=names.get(rule, "")) if rule else None,
        errorCode=answer.error_code,
    )


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else EPOCH + timedelta(milliseconds=milliseconds)
