"""A rollout plan: one variant of a flag is served to more and more subjects, step by step.

Every split of a plan has the same bucketing, so a step only ever adds subjects. What the plan serves at each
moment is known from its events alone; whoever takes a step compares it with what the flag really serves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, assert_never

from domain.change_events import (
    PlanCancelled,
    PlanEvent,
    PlanFinished,
    PlanHalted,
    PlanPaused,
    PlanResumed,
    PlanRolledBack,
    PlanStarted,
    PlanStep,
    PlanStepped,
)
from domain.errors import Invalid, NotFound, WrongStatus
from domain.targeting import TARGETING_KEY, Serve, ServeSplit, ServeVariant, Split
from domain.values import SCALE, same

Status = Literal["running", "paused", "halted", "finished", "cancelled", "rolled_back"]
ACTIVE: frozenset[Status] = frozenset({"running", "paused", "halted"})


@dataclass(frozen=True, slots=True)
class Plan:
    """`done` is how many steps were taken, `due` when the next one is while the plan runs, and `left` how
    much of its wait is left while it does not."""

    project: str
    id: str
    flag: str
    environment: str
    rule: str | None
    variant: str
    otherwise: str
    by: str
    salt: str | None
    steps: tuple[PlanStep, ...]
    before: Serve
    status: Status = "running"
    done: int = 0
    due: datetime | None = None
    left: timedelta = timedelta(0)
    why: str = ""

    def serve(self, done: int) -> Serve:
        """What is served after that many steps."""
        if done == 0:
            return self.before
        weight = self.steps[done - 1].weight
        if weight == SCALE:
            return ServeVariant(variant=self.variant)
        weights = {self.variant: weight, self.otherwise: SCALE - weight}
        return ServeSplit(split=Split(by=self.by, salt=self.salt, weights=weights))


def evolve(plan: Plan | None, event: PlanEvent) -> Plan:  # noqa: C901, PLR0911 - one line for each event is the table
    if isinstance(event, PlanStarted):
        return Plan(**dict(event))
    assert plan is not None
    match event:
        case PlanStepped(step=step, due=due):
            return replace(plan, done=step, due=due)
        case PlanPaused(at=at):
            return replace(plan, status="paused", due=None, left=_left(plan, at))
        case PlanHalted(at=at, why=why):
            return replace(plan, status="halted", due=None, left=_left(plan, at), why=why)
        case PlanResumed(due=due):
            return replace(plan, status="running", due=due, left=timedelta(0), why="")
        case PlanCancelled():
            return replace(plan, status="cancelled", due=None, why="")
        case PlanRolledBack():
            return replace(plan, status="rolled_back", due=None, why="")
        case PlanFinished():
            return replace(plan, status="finished", due=None)
        case _:
            assert_never(event)


def _left(plan: Plan, at: datetime) -> timedelta:
    return max(plan.due - at, timedelta(0)) if plan.due else plan.left


# What may be decided


def start(
    *,
    project: str,
    id: str,  # noqa: A002 - the field's own name
    flag: str,
    environment: str,
    rule: str | None,
    variant: str,
    otherwise: str,
    by: str | None,
    steps: tuple[PlanStep, ...],
    before: Serve,
) -> tuple[PlanStarted]:
    """Goes on with the bucketing of a split between the same two variants, where there is one already.

    Raises Invalid for a plan whose first step would take the variant away from somebody.
    """
    if variant == otherwise:
        raise Invalid(f"'variant' and 'otherwise' are both '{variant}'; a plan goes from one to the other")
    bucketing = _bucketing(before, variant, otherwise, by)
    _refuse_fewer(before, variant, steps[0], bucketing)
    begun = PlanStarted(
        project=project,
        id=id,
        flag=flag,
        environment=environment,
        rule=rule,
        variant=variant,
        otherwise=otherwise,
        by=bucketing.by,
        salt=bucketing.salt,
        steps=steps,
        before=before,
    )
    return (begun,)


def _bucketing(before: Serve, variant: str, otherwise: str, by: str | None) -> Split:
    """A split whose `by` and `salt` the plan's own splits take over."""
    match before:
        case ServeSplit(split=split) if _goes_on(split, variant, otherwise) and by in {None, split.by}:
            return split
        case _:
            return Split(by=by or TARGETING_KEY, weights={variant: SCALE})


def _goes_on(split: Split, variant: str, otherwise: str) -> bool:
    """Whether it is a split such as a plan makes: in shares, natively hashed, between these two alone."""
    native = Split(by=split.by, salt=split.salt, weights=split.weights or {variant: SCALE})
    return {name for name, weight in split.weights.items() if weight} <= {variant, otherwise} and same(
        native, split
    )


def _refuse_fewer(before: Serve, variant: str, first: PlanStep, bucketing: Split) -> None:
    match before:
        case ServeVariant(variant=served) if served == variant:
            raise Invalid(f"everybody gets '{variant}' there already; serve something else before a plan")
        case ServeSplit(split=split) if split is bucketing:
            if (has := split.weights.get(variant, 0)) > first.weight:
                raise Invalid(f"'{variant}' has a weight of {has} there already, more than the first step's")
        case ServeSplit(split=split) if _gives(split, variant):
            raise Invalid(
                f"the split there gives '{variant}' to some already, in a way that a plan cannot go on with:"
                " serve one variant there, or a native split by weights between the two, and start again"
            )


def _gives(split: Split, variant: str) -> bool:
    return bool(split.weights.get(variant)) or any(each.variant == variant for each in split.ranges)


def is_due(plan: Plan, now: datetime) -> bool:
    return plan.due is not None and plan.due <= now


def step(plan: Plan | None, *, now: datetime) -> tuple[PlanEvent, ...]:
    """The next step, which has to be running; after the last one the plan is finished."""
    found = existing(plan)
    number = found.done + 1
    last = number == len(found.steps)
    due = None if last else now + timedelta(seconds=found.steps[found.done].wait_seconds)
    stepped = PlanStepped(step=number, at=now, due=due)
    return (stepped, PlanFinished()) if last else (stepped,)


def halt(plan: Plan | None, *, why: str, now: datetime) -> tuple[PlanEvent, ...]:
    active(plan)
    return (PlanHalted(at=now, why=why),)


def pause(plan: Plan | None, *, now: datetime) -> tuple[PlanEvent, ...]:
    return (PlanPaused(at=now),) if active(plan).status == "running" else ()


def resume(plan: Plan | None, *, now: datetime) -> tuple[PlanEvent, ...]:
    """The time it was paused does not count against its wait."""
    found = active(plan)
    return () if found.status == "running" else (PlanResumed(due=now + found.left),)


def cancel(plan: Plan | None) -> tuple[PlanEvent, ...]:
    """What is served stays as it is."""
    if plan and plan.status == "cancelled":
        return ()
    active(plan)
    return (PlanCancelled(),)


def roll_back(plan: Plan | None) -> tuple[PlanEvent, ...]:
    """Possible after the end of the plan too."""
    return () if existing(plan).status == "rolled_back" else (PlanRolledBack(),)


def existing(plan: Plan | None, key: str = "") -> Plan:
    if plan is None:
        raise NotFound(f"there is no plan '{key}'")
    return plan


def active(plan: Plan | None) -> Plan:
    found = existing(plan)
    if found.status not in ACTIVE:
        raise WrongStatus(f"plan '{found.id}' is {found.status.replace('_', ' ')}; it cannot be changed")
    return found


def rising(steps: Sequence[PlanStep]) -> Sequence[PlanStep]:
    """Raises ValueError unless each step is for more subjects than the one before it."""
    weights = [each.weight for each in steps]
    if any(one >= other for one, other in pairwise(weights)):
        raise ValueError("each step's weight is above the one before it")
    return steps
