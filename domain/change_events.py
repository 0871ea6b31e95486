"""What happened to proposed changes and to rollout plans; part of the storage format, as `domain/events.py`.

An author, an approver and a time that a later decision depends on are in the event itself.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue, StrictInt

from domain.targeting import Serve
from domain.values import SCALE, Model


class ChangeProposed(Model):
    """`commands` are as `commands/wire.py` keeps them, `base` is the version of each stream that they are
    about, and `required` how many approvals they then needed."""

    project: str
    id: str
    by: str
    title: str
    description: str
    commands: tuple[dict[str, JsonValue], ...]
    base: dict[str, int]
    required: int
    apply_at: AwareDatetime | None


class ChangeApproved(Model):
    by: str
    at: AwareDatetime
    comment: str
    required: int


class ChangeRejected(Model):
    by: str
    at: AwareDatetime
    comment: str


class ChangeWithdrawn(Model):
    by: str
    at: AwareDatetime


class ChangeRebased(Model):
    """The commands are meant for what there is at `base` now; approvals given before do not count."""

    base: dict[str, int]
    required: int


class ChangeScheduled(Model):
    apply_at: AwareDatetime


class ChangeApplied(Model):
    by: str
    at: AwareDatetime


class ChangeFailed(Model):
    """It was due and could not be carried out; nothing of it was."""

    at: AwareDatetime
    why: str


class PlanStep(Model):
    """`weight` of 100,000 subjects get the variant; the next step comes `wait_seconds` later."""

    weight: Annotated[StrictInt, Field(gt=0, le=SCALE)]
    wait_seconds: Annotated[StrictInt, Field(ge=0, le=366 * 24 * 3600)] = 0


class PlanStarted(Model):
    """`rule` is the id of the rule whose serve is rolled out; null is the default serve. `before` is what was
    served there. `by` and `salt` are those of the splits."""

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


class PlanStepped(Model):
    """`step` counts from 1; `due` is when the next one is, null after the last."""

    step: int
    at: AwareDatetime
    due: AwareDatetime | None


class PlanPaused(Model):
    at: AwareDatetime


class PlanHalted(Model):
    """The step that was due could not be taken."""

    at: AwareDatetime
    why: str


class PlanResumed(Model):
    due: AwareDatetime


class PlanCancelled(Model):
    pass


class PlanRolledBack(Model):
    pass


class PlanFinished(Model):
    pass


ChangeEvent = (
    ChangeProposed
    | ChangeApproved
    | ChangeRejected
    | ChangeWithdrawn
    | ChangeRebased
    | ChangeScheduled
    | ChangeApplied
    | ChangeFailed
)
PlanEvent = (
    PlanStarted
    | PlanStepped
    | PlanPaused
    | PlanHalted
    | PlanResumed
    | PlanCancelled
    | PlanRolledBack
    | PlanFinished
)
