"""What can be wanted of change requests and of rollout plans."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

from domain import limits, plan
from domain.change_events import PlanStep
from domain.targeting import Attribute
from domain.values import FlagKey, Model, Slug, Text, VariantName

Title = Annotated[str, Field(min_length=1, max_length=200)]


class PlanWish(Model):
    """A rollout of `variant` to more and more subjects, in the serve of one rule or, without one, in the
    default; the rest gets `otherwise`. `by` is the attribute whose values stay together."""

    flag: FlagKey
    environment: Slug
    rule: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    variant: VariantName
    otherwise: VariantName
    by: Attribute | None = None
    steps: Annotated[
        tuple[PlanStep, ...],
        Field(min_length=1, max_length=limits.PLAN_STEPS),
        AfterValidator(plan.rising),
    ]


class StartPlan(PlanWish):
    project: Slug


class TakeStep(Model):
    """The next step, if it is due now; nothing else."""

    project: Slug
    plan: str


class PausePlan(Model):
    project: Slug
    plan: str


class ResumePlan(Model):
    project: Slug
    plan: str


class CancelPlan(Model):
    project: Slug
    plan: str


class RollBackPlan(Model):
    project: Slug
    plan: str


class ProposeChange(Model):
    """`commands` are as `commands/wire.py` keeps them."""

    project: Slug
    by: str
    title: Title
    description: Text = ""
    commands: Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1, max_length=limits.COMMANDS)]
    apply_at: AwareDatetime | None = None


class ApproveChange(Model):
    project: Slug
    change: str
    by: str
    comment: Text = ""


class RejectChange(Model):
    project: Slug
    change: str
    by: str
    comment: Text = ""


class WithdrawChange(Model):
    project: Slug
    change: str
    by: str


class RebaseChange(Model):
    project: Slug
    change: str


class ScheduleChange(Model):
    project: Slug
    change: str
    apply_at: AwareDatetime


class ApplyChange(Model):
    project: Slug
    change: str
    by: str


class ApplyDueChange(Model):
    """Applies it if it is due now. One that cannot be applied is marked as failed."""

    project: Slug
    change: str
    by: str


ChangeCommand = (
    StartPlan
    | TakeStep
    | PausePlan
    | ResumePlan
    | CancelPlan
    | RollBackPlan
    | ProposeChange
    | ApproveChange
    | RejectChange
    | WithdrawChange
    | RebaseChange
    | ScheduleChange
    | ApplyChange
    | ApplyDueChange
)
