"""What the commands about rollout plans decide.

A step changes the flag and is noted in the plan at once, so it is taken once whoever takes it, and whatever
happens to them in between.
"""

from collections.abc import Mapping

from commands.change_models import (
    CancelPlan,
    PausePlan,
    ResumePlan,
    RollBackPlan,
    StartPlan,
    TakeStep,
)
from commands.deciding import Handler, Salt, the_flag, the_project
from commands.models import Command
from commands.unit_of_work import UnitOfWork
from domain import flag, plan
from domain.envelope import Stream, flag_stream, plan_stream
from domain.errors import Invalid, NotFound, Outdated, Refused
from domain.flag import Flag
from domain.plan import Plan
from domain.targeting import Serve, Targeting
from domain.values import same


def _start_plan(work: UnitOfWork, command: StartPlan, salt: Salt) -> Stream:
    """The first step is taken at once."""
    the_project(work, command.project, command.environment)
    found = flag.live(the_flag(work, command.project, command.flag))
    events = plan.start(
        id=salt(),
        before=_served(found, command.environment, command.rule),
        **{name: getattr(command, name) for name in StartPlan.model_fields},
    )
    stream = plan_stream(command.project, events[0].id)
    work.decide(stream, events)
    _step(work, stream)
    return stream


def _take_step(work: UnitOfWork, command: TakeStep, _: Salt) -> Stream:
    """A step that is refused halts the plan, until a person has looked at it."""
    stream, found = _the_plan(work, command.project, command.plan)
    if plan.is_due(found, work.now()):
        try:
            with work.all_or_nothing(), work.approved():
                _step(work, stream)
        except Refused as why:
            work.decide(stream, plan.halt(found, why=str(why), now=work.now()))
    return stream


def _step(work: UnitOfWork, stream: Stream) -> None:
    found = plan.existing(work.plan(stream.project, stream.key))
    served = _as_left(work, found)
    if not served.is_on(found.environment):
        raise Invalid(
            f"flag '{found.flag}' is off in {found.environment}; turn it on first, with"
            f" '{found.otherwise}' as what it serves there"
        )
    _serve(work, found, found.serve(found.done + 1))
    work.decide(stream, plan.step(found, now=work.now()))


def _pause_plan(work: UnitOfWork, command: PausePlan, _: Salt) -> Stream:
    stream, found = _the_plan(work, command.project, command.plan)
    work.decide(stream, plan.pause(found, now=work.now()))
    return stream


def _resume_plan(work: UnitOfWork, command: ResumePlan, _: Salt) -> Stream:
    stream, found = _the_plan(work, command.project, command.plan)
    events = plan.resume(found, now=work.now())
    if events:
        _as_left(work, found)
    work.decide(stream, events)
    return stream


def _cancel_plan(work: UnitOfWork, command: CancelPlan, _: Salt) -> Stream:
    stream, found = _the_plan(work, command.project, command.plan)
    work.decide(stream, plan.cancel(found))
    return stream


def _roll_back_plan(work: UnitOfWork, command: RollBackPlan, _: Salt) -> Stream:
    """Allowed everywhere without approval: whoever sees harm is not to wait for anybody."""
    stream, found = _the_plan(work, command.project, command.plan)
    events = plan.roll_back(found)
    if events:
        _as_left(work, found)
        with work.approved():
            _serve(work, found, found.before)
    work.decide(stream, events)
    return stream


def _the_plan(work: UnitOfWork, project: str, plan_id: str) -> tuple[Stream, Plan]:
    return plan_stream(project, plan_id), plan.existing(work.plan(project, plan_id), plan_id)


def _as_left(work: UnitOfWork, found: Plan) -> Flag:
    """The flag. Raises Outdated when somebody else changed what the plan serves."""
    state = flag.live(the_flag(work, found.project, found.flag))
    if not same(_served(state, found.environment, found.rule), found.serve(found.done)):
        raise Outdated(
            f"what {_place(found.rule)} of flag '{found.flag}' serves in {found.environment} is not what plan"
            f" '{found.id}' left there: put that back, or cancel the plan"
        )
    return state


def _served(state: Flag, environment: str, rule: str | None) -> Serve:
    targeting = state.targeting(environment)
    if rule is None:
        return targeting.default
    serves = {each.id: each.serve for each in targeting.rules}
    if rule not in serves:
        raise NotFound(f"flag '{state.key}' has no rule '{rule}' in {environment}")
    return serves[rule]


def _serve(work: UnitOfWork, found: Plan, serve: Serve) -> None:
    state = the_flag(work, found.project, found.flag)
    to = _serving(state.targeting(found.environment), found.rule, serve)
    events = flag.change_targeting(state, environment=found.environment, to=to)
    work.decide(flag_stream(found.project, found.flag), events)


def _serving(targeting: Targeting, rule: str | None, serve: Serve) -> Targeting:
    if rule is None:
        return targeting.model_copy(update={"default": serve})
    rules = (
        each.model_copy(update={"serve": serve}) if each.id == rule else each for each in targeting.rules
    )
    return targeting.model_copy(update={"rules": tuple(rules)})


def _place(rule: str | None) -> str:
    return f"rule '{rule}'" if rule else "the default"


HANDLERS: Mapping[type[Command], Handler] = {
    StartPlan: _start_plan,
    TakeStep: _take_step,
    PausePlan: _pause_plan,
    ResumePlan: _resume_plan,
    CancelPlan: _cancel_plan,
    RollBackPlan: _roll_back_plan,
}
