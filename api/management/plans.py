"""Routes of rollout plans."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, status
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.access import require
from api.management.context import Giver, Lister, Reader, Write
from api.management.shapes import Envelope, Page, envelope
from commands.change_models import CancelPlan, PausePlan, PlanWish, ResumePlan, RollBackPlan, StartPlan
from domain.aggregates import Folded, fold_all
from domain.change_events import PlanStep
from domain.envelope import plan_stream
from domain.errors import NotFound
from domain.plan import Plan, Status
from domain.roles import Permission
from domain.targeting import Serve
from domain.values import Slug

router = APIRouter(prefix="/projects/{project}/plans", tags=["plans"], route_class=StrictRoute)

PlanId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


class PlanShape(BaseModel):
    """`done` is how many steps were taken, `due` when the next one is while the plan runs; `before` is what
    was served before it and is again after a roll-back; `why` says what halted it."""

    id: str
    project: str
    flag: str
    environment: str
    rule: str | None
    variant: str
    otherwise: str
    by: str
    steps: tuple[PlanStep, ...]
    status: Status
    done: int
    due: datetime | None
    before: Serve
    why: str


class PlanAnswer(Envelope, PlanShape):
    pass


class PlanPage(Page):
    plans: list[PlanAnswer]


PlanCommand = PausePlan | ResumePlan | CancelPlan | RollBackPlan


def _give(write: Write, command: PlanCommand) -> PlanAnswer:
    folded = fold_all(write.parts.store.load(plan_stream(command.project, command.plan)))
    if folded is None:
        raise NotFound(f"there is no plan '{command.plan}' in project '{command.project}'")
    require(write.who, Permission.WRITE, command.project, _the_plan(folded).environment)
    return plan_answer(write.give(command))


@router.post("", status_code=status.HTTP_201_CREATED)
def start_plan(project: Slug, body: PlanWish, write: Giver) -> PlanAnswer:
    """Takes the first step at once; the scheduler takes the others. Where approvals are required, propose
    `start_plan` in a change instead."""
    require(write.who, Permission.WRITE, project, body.environment)
    return plan_answer(write.give(StartPlan(project=project, **dict(body))))


@router.get("")
def list_plans(
    project: Slug,
    listing: Lister,
    read: Reader,
    which: Annotated[
        list[Status] | None, Query(alias="status", description="only those with one of these statuses")
    ] = None,
) -> PlanPage:
    """`search` finds the plans of a flag."""
    read.project(project)
    only = replace(listing.only, of_kinds=which)
    page, after = replace(listing, only=only).of("plan", project)
    return PlanPage(plans=[plan_answer(each) for each in page], next=after, position=listing.position)


@router.get("/{plan}")
def get_plan(project: Slug, plan: PlanId, read: Reader) -> PlanAnswer:
    return plan_answer(read.one(plan_stream(project, plan), f"plan '{plan}' in project '{project}'"))


@router.post("/{plan}/pause")
def pause_plan(project: Slug, plan: PlanId, write: Giver) -> PlanAnswer:
    """What is served stays; the time it is paused does not count against the wait."""
    return _give(write, PausePlan(project=project, plan=plan))


@router.post("/{plan}/resume")
def resume_plan(project: Slug, plan: PlanId, write: Giver) -> PlanAnswer:
    """409 while the flag does not serve there what the plan left."""
    return _give(write, ResumePlan(project=project, plan=plan))


@router.post("/{plan}/cancel")
def cancel_plan(project: Slug, plan: PlanId, write: Giver) -> PlanAnswer:
    """Ends it where it is."""
    return _give(write, CancelPlan(project=project, plan=plan))


@router.post("/{plan}/roll-back")
def roll_back_plan(project: Slug, plan: PlanId, write: Giver) -> PlanAnswer:
    """Serves what was served before the plan, also after its end. 409 when somebody changed that since."""
    return _give(write, RollBackPlan(project=project, plan=plan))


def plan_answer(folded: Folded) -> PlanAnswer:
    found = _the_plan(folded)
    fields: dict[str, Any] = {name: getattr(found, name) for name in PlanShape.model_fields}
    return PlanAnswer(**fields, **envelope(folded))


def _the_plan(folded: Folded) -> Plan:
    assert isinstance(folded.state, Plan)
    return folded.state
