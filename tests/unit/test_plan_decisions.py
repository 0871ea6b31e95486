"""Rollout plans: steps, pauses and ends."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from domain import plan
from domain.change_events import (
    PlanCancelled,
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
from domain.targeting import Range, Serve, ServeCodeDefault, ServeSplit, ServeVariant, Split
from tests.unit.decisions import given as given_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEPS = (
    PlanStep(weight=1_000, wait_seconds=3600),
    PlanStep(weight=50_000, wait_seconds=7200),
    PlanStep(weight=100_000),
)
OFF = ServeVariant(variant="off")


def started(before: Serve = OFF, by: str = "targetingKey", salt: str | None = None) -> PlanStarted:
    return PlanStarted(
        project="shop",
        id="p",
        flag="checkout",
        environment="production",
        rule=None,
        variant="on",
        otherwise="off",
        by=by,
        salt=salt,
        steps=STEPS,
        before=before,
    )


def stepped(step: int, at: datetime, wait: timedelta | None) -> PlanStepped:
    return PlanStepped(step=step, at=at, due=at + wait if wait else None)


def split(on: int, **more: str) -> ServeSplit:
    return ServeSplit(split=Split(weights={"on": on, "off": 100_000 - on}, **more))


STARTED = started()
FIRST = stepped(1, NOW, HOUR)
SECOND = stepped(2, NOW + HOUR, 2 * HOUR)
DONE = (STARTED, FIRST, SECOND, stepped(3, NOW + 3 * HOUR, None), PlanFinished())

given = partial(given_of, "plan")
start = partial(
    plan.start,
    project="shop",
    id="p",
    flag="checkout",
    environment="production",
    rule=None,
    variant="on",
    otherwise="off",
    by=None,
    steps=STEPS,
)


def test_a_plan_serves_more_and_more() -> None:
    assert start(before=OFF) == (STARTED,)
    state = given(STARTED).state
    assert [state.serve(done) for done in range(4)] == [
        OFF,
        split(1_000),
        split(50_000),
        ServeVariant(variant="on"),
    ]


def test_a_plan_goes_on_with_the_bucketing_that_there_is() -> None:
    before = split(500, by="company", salt="s")
    assert start(before=before) == (started(before, "company", "s"),)
    assert start(before=split(0, by="company", salt="s"), by="user") == (
        started(split(0, by="company", salt="s"), "user"),
    )
    assert given(started(before, "company", "s")).state.serve(1) == split(1_000, by="company", salt="s")


@pytest.mark.parametrize(
    ("before", "word"),
    [
        (ServeVariant(variant="on"), "already"),
        (split(1_001), "1001"),
        (split(1, by="company"), "go on with"),
        (ServeSplit(split=Split(weights={"on": 1, "other": 99_999})), "go on with"),
        (ServeSplit(split=Split(weights={"on": 1, "off": 99_999}, coverage=50_000)), "go on with"),
        (ServeSplit(split=Split(ranges=(Range(variant="on", start=0, end=1),))), "go on with"),
        (
            ServeSplit(split=Split(ranges=(Range(variant="on", start=0, end=1),), algorithm="sha1", of=None)),
            "go on with",
        ),
    ],
)
def test_a_plan_that_would_take_somebody_out_is_refused(before: Serve, word: str) -> None:
    with pytest.raises(Invalid, match=word):
        start(before=before, by="targetingKey")


@pytest.mark.parametrize(
    "before",
    [
        ServeCodeDefault(code_default=True),
        ServeVariant(variant="other"),
        ServeSplit(split=Split(weights={"off": 50_000, "other": 50_000})),
        split(0, by="company"),
    ],
)
def test_a_plan_begins_where_nobody_has_the_variant(before: Serve) -> None:
    assert start(before=before, by="targetingKey") == (started(before),)


def test_a_plan_goes_from_one_variant_to_another() -> None:
    with pytest.raises(Invalid, match="both 'on'"):
        start(before=OFF, otherwise="on")


def test_steps_rise() -> None:
    assert plan.rising(STEPS) == STEPS
    with pytest.raises(ValueError, match="above the one before"):
        plan.rising((STEPS[0], STEPS[0]))


def test_steps_are_taken_one_by_one() -> None:
    given(STARTED).when(plan.step, now=NOW).then(FIRST)
    given(STARTED, FIRST).when(plan.step, now=NOW + HOUR).then(SECOND)
    given(STARTED, FIRST, SECOND).when(plan.step, now=NOW + 3 * HOUR).then(*DONE[3:])
    given().when(plan.step, now=NOW).refuses(NotFound)


def test_a_step_is_due_after_its_wait() -> None:
    state = given(STARTED, FIRST).state
    assert not plan.is_due(state, NOW + HOUR - timedelta(microseconds=1))
    assert plan.is_due(state, NOW + HOUR)
    assert not plan.is_due(given(STARTED, FIRST, PlanPaused(at=NOW)).state, NOW + HOUR)
    assert not plan.is_due(given(*DONE).state, NOW + 100 * HOUR)


def test_paused_time_does_not_count() -> None:
    paused = PlanPaused(at=NOW + HOUR / 4)
    given(STARTED, FIRST).when(plan.pause, now=NOW + HOUR / 4).then(paused)
    given(STARTED, FIRST, paused).when(plan.pause, now=NOW + HOUR).stays_quiet()
    resumed = PlanResumed(due=NOW + 9 * HOUR + HOUR * 3 / 4)
    given(STARTED, FIRST, paused).when(plan.resume, now=NOW + 9 * HOUR).then(resumed)
    given(STARTED, FIRST, paused, resumed).when(plan.resume, now=NOW).stays_quiet()
    assert given(STARTED, FIRST, paused, resumed).state.due == resumed.due


def test_a_halted_plan_goes_on_at_once_when_it_is_resumed() -> None:
    halted = PlanHalted(at=NOW + 2 * HOUR, why="the flag is off")
    given(STARTED, FIRST).when(plan.halt, why="the flag is off", now=NOW + 2 * HOUR).then(halted)
    found = given(STARTED, FIRST, halted)
    assert (found.state.status, found.state.why) == ("halted", "the flag is off")
    found.when(plan.pause, now=NOW).stays_quiet()
    found.when(plan.resume, now=NOW + 3 * HOUR).then(PlanResumed(due=NOW + 3 * HOUR))
    assert given(STARTED, FIRST, halted, PlanResumed(due=NOW)).state.why == ""


def test_a_plan_is_cancelled_or_rolled_back() -> None:
    given(STARTED, FIRST).when(plan.cancel).then(PlanCancelled())
    given(STARTED, FIRST, PlanCancelled()).when(plan.cancel).stays_quiet()
    given(STARTED, FIRST).when(plan.roll_back).then(PlanRolledBack())
    for over in (DONE, (STARTED, FIRST, PlanCancelled())):
        given(*over).when(plan.roll_back).then(PlanRolledBack())
    given(*DONE, PlanRolledBack()).when(plan.roll_back).stays_quiet()
    given().when(plan.roll_back).refuses(NotFound)


@pytest.mark.parametrize("end", [PlanCancelled(), PlanRolledBack(), PlanFinished()])
def test_what_is_over_is_over(end: PlanCancelled | PlanRolledBack | PlanFinished) -> None:
    over = given(STARTED, FIRST, end)
    assert over.state.due is None
    for decide in (partial(plan.pause, now=NOW), partial(plan.resume, now=NOW)):
        over.when(decide).refuses(WrongStatus, "cannot be changed")
    over.when(plan.halt, why="", now=NOW).refuses(WrongStatus)
    if not isinstance(end, PlanCancelled):
        over.when(plan.cancel).refuses(WrongStatus)
