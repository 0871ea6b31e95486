"""Rollout plans: over HTTP, and whatever happens to them in whatever order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from commands.change_models import CancelPlan, PausePlan, ResumePlan, RollBackPlan, StartPlan, TakeStep
from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import ChangeTargeting, Command, CreateFlag, CreateProject, FlagDefinition
from domain.aggregates import fold_all
from domain.change_events import PlanHalted, PlanPaused, PlanResumed, PlanStep, PlanStepped
from domain.envelope import Recorded, Stamp, flag_stream, plan_stream
from domain.errors import Outdated, Refused, WrongStatus
from domain.evaluation import evaluate
from domain.flag import Flag
from domain.plan import Plan
from domain.ruleset import FLAG, Ruleset
from domain.targeting import ServeVariant, Targeting
from domain.values import FlagType
from projections.documents import flag_document
from tests.integration.management import BRAZIL, Management, refused

SUBJECTS = [f"user-{number}" for number in range(150)]
STEPS = [
    {"weight": 1_000, "wait_seconds": 3600},
    {"weight": 50_000, "wait_seconds": 3600},
    {"weight": 100_000},
]
WISH = {
    "flag": "checkout",
    "environment": "production",
    "variant": "on",
    "otherwise": "off",
    "steps": STEPS,
}


# Over HTTP


@pytest.fixture
def api_on(api: Management) -> Management:
    """With a flag that is on and serves `off`."""
    api.flag()
    target(api)
    return api


def target(api: Management, **more: Any) -> None:
    body = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}, **more}
    answer = api.ask("PUT", "/default/flags/checkout/environments/production", body)
    assert answer.status_code == 200, answer.text


def served(api: Management) -> Any:
    return api.ask("GET", "/default/flags/checkout/environments/production").json()["default"]


def step_when_due(api: Management, plan: str, *, hours: float = 2) -> None:
    log: Any = Later(api.store, timedelta(hours=hours))
    Commands(log).execute(TakeStep(project="default", plan=plan), Stamp("scheduler", log.now()))


class Later:
    """The log, at another time."""

    def __init__(self, store: EventStore, by: timedelta) -> None:
        self._store, self._by = store, by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def now(self) -> datetime:
        return self._store.now() + self._by


def test_a_plan_takes_its_first_step_at_once_and_the_others_when_due(api_on: Management) -> None:
    started = api_on.ask("POST", "/default/plans", WISH, Idempotency_Key="k")
    assert started.status_code == 201, started.text
    plan = started.json()
    assert (plan["status"], plan["done"], plan["before"]) == ("running", 1, {"variant": "off"})
    assert api_on.ask("POST", "/default/plans", WISH, Idempotency_Key="k").json() == plan
    assert served(api_on)["split"]["weights"] == {"on": 1_000, "off": 99_000}
    head = api_on.store.head()
    step_when_due(api_on, plan["id"], hours=0)
    assert api_on.store.head() == head
    step_when_due(api_on, plan["id"])
    assert served(api_on)["split"]["weights"] == {"on": 50_000, "off": 50_000}
    step_when_due(api_on, plan["id"], hours=4)
    finished = api_on.ask("GET", f"/default/plans/{plan['id']}").json()
    assert (finished["status"], finished["done"], finished["due"]) == ("finished", 3, None)
    assert served(api_on) == {"variant": "on"}
    rolled_back = api_on.ask("POST", f"/default/plans/{plan['id']}/roll-back").json()
    assert (rolled_back["status"], served(api_on)) == ("rolled_back", {"variant": "off"})


def test_a_plan_of_one_rule_leaves_the_rest_alone(api_on: Management) -> None:
    target(api_on, rules=[{"id": "brazil", "when": BRAZIL, "serve": {"variant": "off"}}])
    plan = api_on.ask("POST", "/default/plans", {**WISH, "rule": "brazil", "by": "company"}).json()
    targeting = api_on.ask("GET", "/default/flags/checkout/environments/production").json()
    (brazil,) = targeting["rules"]
    assert (brazil["serve"]["split"]["by"], targeting["default"]) == ("company", {"variant": "off"})
    target(api_on)
    refused(api_on.ask("POST", f"/default/plans/{plan['id']}/roll-back"), 404, "no rule 'brazil'")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "rule": "none"}), 404, "no rule 'none'")


def test_what_is_wrong_with_a_plan_is_said(api_on: Management) -> None:
    falling = {**WISH, "steps": [{"weight": 2}, {"weight": 1}]}
    for wrong, word in ((falling, "above"), ({**WISH, "steps": []}, "steps"), ({**WISH, "by": ""}, "by")):
        refused(api_on.ask("POST", "/default/plans", wrong), 422, word)
    commands = [{"command": "start_plan", **falling}]
    refused(api_on.ask("POST", "/default/commands", {"commands": commands}), 422, "above")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "variant": "maybe"}), 422, "'maybe'")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "otherwise": "on"}), 422, "both 'on'")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "flag": "none"}), 404, "'none'")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "environment": "qa"}), 404, "'qa'")
    refused(api_on.ask("POST", "/default/plans", {**WISH, "environment": "staging"}), 422, "already")
    target(api_on, enabled=False)
    refused(api_on.ask("POST", "/default/plans", WISH), 422, "off in production", "turn it on")
    refused(api_on.ask("GET", "/default/plans/none"), 404, "'none'")
    refused(api_on.ask("POST", "/default/plans/none/pause"), 404, "'none'")


def test_a_plan_halts_when_somebody_else_serves_something_else(api_on: Management) -> None:
    plan = api_on.ask("POST", "/default/plans", WISH).json()["id"]
    left = served(api_on)
    target(api_on, default={"variant": "on"})
    step_when_due(api_on, plan)
    halted = api_on.ask("GET", f"/default/plans/{plan}").json()
    assert (halted["status"], halted["done"]) == ("halted", 1)
    assert "is not what plan" in halted["why"]
    assert served(api_on) == {"variant": "on"}
    for what in ("resume", "roll-back"):
        refused(api_on.ask("POST", f"/default/plans/{plan}/{what}"), 409, "put that back")
    target(api_on, default=left)
    assert api_on.ask("POST", f"/default/plans/{plan}/resume").json()["status"] == "running"
    step_when_due(api_on, plan, hours=0)
    assert api_on.ask("GET", f"/default/plans/{plan}").json()["done"] == 2


@pytest.mark.parametrize("what", ["off", "archived"])
def test_a_plan_halts_when_the_flag_was_taken_out_of_service(api_on: Management, what: str) -> None:
    plan = api_on.ask("POST", "/default/plans", WISH).json()["id"]
    if what == "off":
        api_on.ask("POST", "/default/flags/checkout/environments/production/off")
    else:
        api_on.ask("DELETE", "/default/flags/checkout")
    step_when_due(api_on, plan)
    halted = api_on.ask("GET", f"/default/plans/{plan}").json()
    assert (halted["status"], halted["done"]) == ("halted", 1)
    assert what in halted["why"]
    cancelled = api_on.ask("POST", f"/default/plans/{plan}/cancel").json()
    assert (cancelled["status"], cancelled["why"]) == ("cancelled", "")
    refused(api_on.ask("POST", f"/default/plans/{plan}/pause"), 409, "cancelled")


def test_plans_are_listed(api_on: Management) -> None:
    plan = api_on.ask("POST", "/default/plans", WISH).json()["id"]
    api_on.ask("POST", f"/default/plans/{plan}/pause")
    api_on.catch_up()
    for query, found in (("status=paused", [plan]), ("status=running", []), ("search=checkout", [plan])):
        plans = api_on.ask("GET", f"/default/plans?{query}").json()["plans"]
        assert [each["id"] for each in plans] == found


def test_where_approvals_are_required_a_plan_is_proposed(api_on: Management) -> None:
    api_on.ask("PATCH", "/default/environments/production", {"approvals": 1})
    refused(api_on.ask("POST", "/default/plans", WISH), 403, "'production'", "/changes")
    proposal = {"title": "Roll out", "commands": [{"command": "start_plan", **WISH}]}
    change = api_on.ask("POST", "/default/changes", proposal).json()
    assert change["required"] == 1
    shown = api_on.ask("GET", f"/default/changes/{change['id']}").json()
    (effect,) = shown["effects"]
    assert {each["event"] for each in effect["events"]} >= {"PlanStarted", "PlanStepped"}
    assert effect["after"]["default"]["split"]["weights"]["on"] == 1_000
    api_on.ask("PATCH", "/default/environments/production", {"approvals": 0})
    applied = api_on.ask("POST", f"/default/changes/{change['id']}/apply")
    assert applied.json()["status"] == "applied"
    api_on.ask("PATCH", "/default/environments/production", {"approvals": 1})
    api_on.catch_up()
    (plan,) = api_on.ask("GET", "/default/plans").json()["plans"]
    step_when_due(api_on, plan["id"])
    assert served(api_on)["split"]["weights"]["on"] == 50_000
    for what, status in (("pause", "paused"), ("resume", "running"), ("roll-back", "rolled_back")):
        assert api_on.ask("POST", f"/default/plans/{plan['id']}/{what}").json()["status"] == status
    assert served(api_on) == {"variant": "off"}


# Whatever happens, in whatever order


class Clock:
    """The log, at a time that goes on only when told to."""

    def __init__(self, store: EventStore) -> None:
        self._store, self.time = store, store.now()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def now(self) -> datetime:
        return self.time


class Rollout(RuleBasedStateMachine):
    """One plan, a scheduler, people, and somebody who edits the flag."""

    store: EventStore

    def __init__(self) -> None:
        super().__init__()
        self.log: Any = Clock(self.store)
        self.commands = Commands(self.log)
        self.edited = False
        self.in_before: set[str] = set()

    @initialize(
        weights=st.sets(st.sampled_from(range(5_000, 100_001, 5_000)), min_size=3, max_size=6),
        waits=st.lists(st.sampled_from([0, 10, 60, 100]), min_size=6, max_size=6),
        on_first=st.booleans(),
        by=st.sampled_from([None, "targetingKey"]),
    )
    def begin(self, weights: set[int], waits: list[int], on_first: bool, by: str | None) -> None:
        self.key = uuid4().hex
        variants: dict[str, Any] = {"on": True, "off": False} if on_first else {"off": False, "on": True}
        definition = FlagDefinition(key=self.key, type=FlagType.BOOLEAN, variants=variants)
        self.give(CreateFlag(project="shop", definition=definition))
        self.serve("off")
        steps = tuple(
            PlanStep(weight=w, wait_seconds=s) for w, s in zip(sorted(weights), waits, strict=False)
        )
        started = self.commands.execute(
            StartPlan(
                project="shop",
                flag=self.key,
                environment="production",
                variant="on",
                otherwise="off",
                by=by,
                steps=steps,
            ),
            self.stamp(),
        )
        self.plan = started.stream.key

    def stamp(self) -> Stamp:
        return Stamp("ana", self.log.now())

    def give(self, command: Command) -> None:
        self.commands.execute(command, self.stamp())

    def serve(self, variant: str, *, enabled: bool = True) -> None:
        targeting = Targeting(enabled=enabled, default=ServeVariant(variant=variant))
        self.give(
            ChangeTargeting(project="shop", flag=self.key, environment="production", targeting=targeting)
        )

    @rule(seconds=st.sampled_from([0, 5, 60, 100]), schedulers=st.integers(1, 3))
    def schedulers_look_after_a_while(self, seconds: int, schedulers: int) -> None:
        self.log.time += timedelta(seconds=seconds)
        for _ in range(schedulers):
            self.give(TakeStep(project="shop", plan=self.plan))

    @rule(what=st.sampled_from([PausePlan, ResumePlan, ResumePlan, ResumePlan]))
    def somebody_pauses_or_resumes(self, what: Callable[..., Command]) -> None:
        self.unless_refused(what(project="shop", plan=self.plan), WrongStatus, Outdated)

    @rule(what=st.sampled_from(["nothing"] * 7 + ["cancel", "roll back", "edit"]))
    def somebody_interferes(self, what: str) -> None:
        """Seldom, or no plan would ever come to its second step."""
        match what:
            case "cancel":
                self.unless_refused(CancelPlan(project="shop", plan=self.plan), WrongStatus)
            case "roll back":
                self.somebody_rolls_back()
            case "edit":
                self.serve("off")
                self.edited, self.in_before = True, set()

    def somebody_rolls_back(self) -> None:
        before = self.state().status
        self.unless_refused(RollBackPlan(project="shop", plan=self.plan), Outdated)
        if self.state().status == "rolled_back" and before != "rolled_back":
            assert self.flag().targeting("production").default == ServeVariant(variant="off")
            self.in_before = set()

    def unless_refused(self, command: Command, *expected: type[Refused]) -> None:
        try:
            self.give(command)
        except expected:
            return

    def state(self) -> Plan:
        folded = fold_all(self.store.load(plan_stream("shop", self.plan)))
        assert folded is not None
        assert isinstance(folded.state, Plan)
        return folded.state

    def flag(self) -> Flag:
        folded = fold_all(self.store.load(flag_stream("shop", self.key)))
        assert folded is not None
        assert isinstance(folded.state, Flag)
        return folded.state

    @invariant()
    def nobody_moves_out(self) -> None:
        document = flag_document(self.flag(), "production", 1)
        assert document is not None
        ruleset = Ruleset().updated([((FLAG, self.key), document.model_dump_json())])
        now_in = {
            each for each in SUBJECTS if evaluate(ruleset, self.key, {"targetingKey": each}).variant == "on"
        }
        assert self.in_before <= now_in
        self.in_before = now_in

    @invariant()
    def every_step_is_taken_once_and_not_before_its_time(self) -> None:
        found, log = self.state(), self.store.load(plan_stream("shop", self.plan))
        steps = [n for n, each in enumerate(log) if isinstance(each.event, PlanStepped)]
        assert [getattr(log[n].event, "step", None) for n in steps] == list(range(1, found.done + 1))
        assert found.done <= len(found.steps)
        for wait, (one, other) in zip(found.steps, pairwise(steps), strict=False):
            passed = log[other].stamp.at - log[one].stamp.at - stood_still(log[one:other])
            assert passed >= timedelta(seconds=wait.wait_seconds)

    @invariant()
    def what_is_served_is_what_the_plan_says(self) -> None:
        found = self.state()
        if not self.edited and found.status != "rolled_back":
            assert self.flag().targeting("production").default == found.serve(found.done)


def stood_still(log: list[Recorded]) -> timedelta:
    """How long the plan was paused or halted."""
    still, since = timedelta(0), None
    for each in log:
        match each.event:
            case PlanPaused() | PlanHalted():
                since = each.stamp.at
            case PlanResumed():
                assert since is not None
                still += each.stamp.at - since
    return still


def test_users_only_ever_move_in_and_every_step_is_taken_once(store: EventStore) -> None:
    Commands(store).execute(CreateProject(project="shop", name="Shop"), Stamp("test", store.now()))
    Rollout.store = store
    run_state_machine_as_test(
        Rollout,
        settings=settings(
            max_examples=50,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
