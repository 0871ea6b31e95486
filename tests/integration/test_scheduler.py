"""Schedulers: any number of them, one doing of what is due."""

import ast
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import commands.unit_of_work
from commands.change_models import (
    ApplyDueChange,
    PausePlan,
    ProposeChange,
    RebaseChange,
    ScheduleChange,
    StartPlan,
    WithdrawChange,
)
from commands.event_store import Append, EventStore, Once, StoreUnavailable
from commands.handlers import Commands
from commands.models import ArchiveFlag, ChangeEnvironment, Command, TurnFlagOff, TurnFlagOn
from commands.wire import kept
from domain.change import Change
from domain.change_events import (
    ChangeApplied,
    ChangeFailed,
    ChangeProposed,
    ChangeScheduled,
    PlanStep,
    PlanStepped,
)
from domain.envelope import Stamp, change_stream, flag_stream, plan_stream
from domain.errors import ApprovalRequired
from domain.events import FlagTurnedOn
from projections.due import Due
from projections.postgres_views import ViewUnavailable
from projections.projector import Projector
from tests.integration.shop import STAMP, Shop
from workers import scheduler
from workers.scheduler import Scheduler

ROOT = Path(__file__).parents[2]
SOON = timedelta(milliseconds=300)
DAY = 24 * 3600.0


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


def propose(shop: Shop, *given: Command, apply_in: timedelta | None = None) -> str:
    at = shop.store.now() + apply_in if apply_in else None
    command = ProposeChange(
        project="shop", by="ana", title="Launch", commands=tuple(map(kept, given)), apply_at=at
    )
    return shop.give(command).stream.key


def turn_on(flag: str) -> Command:
    return TurnFlagOn(project="shop", flag=flag, environment="production")


def events(shop: Shop, change: str) -> list[Any]:
    return [each.event for each in shop.store.load(change_stream("shop", change))]


def is_on(shop: Shop, flag: str) -> bool:
    stream = flag_stream("shop", flag)
    return any(isinstance(each.event, FlagTurnedOn) for each in shop.store.load(stream))


def scheduler_on(store: EventStore, **more: Any) -> Scheduler:
    return Scheduler(store, Due(store.url), **{"keep_requests_seconds": DAY, **more})


@contextmanager
def running(*schedulers: Scheduler) -> Iterator[None]:
    stopping = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stopping,)) for each in schedulers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread, each in zip(threads, schedulers, strict=True):
            thread.join()
            each.due.close()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    give_up = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        give_up.wait(0.02)
    raise AssertionError("it never came about")


def test_200_due_changes_are_applied_once_each_by_8_schedulers(shop: Shop) -> None:
    changes = {}
    for number in range(200):
        shop.flag(f"flag-{number}")
        changes[f"flag-{number}"] = propose(shop, turn_on(f"flag-{number}"), apply_in=timedelta(seconds=5))
    stores = [EventStore(shop.store.url) for _ in range(8)]
    with running(*(scheduler_on(store) for store in stores)):
        until(lambda: all(isinstance(events(shop, each)[-1], ChangeApplied) for each in changes.values()))
    for store in stores:
        store.close()
    applied = Counter(type(event) for each in changes.values() for event in events(shop, each))
    assert (applied[ChangeApplied], applied[ChangeFailed]) == (200, 0)
    for flag in changes:
        turned = [each.event for each in shop.store.load(flag_stream("shop", flag), after=1)]
        assert turned == [FlagTurnedOn(environment="production")]
    (last, *_) = reversed(shop.store.load(change_stream("shop", changes["flag-0"])))
    assert last.stamp.by == "scheduler"
    assert changes["flag-0"] in last.stamp.reason


def test_what_is_not_due_is_left_alone(shop: Shop) -> None:
    shop.flag("a")
    change = propose(shop, turn_on("a"), apply_in=timedelta(hours=1))
    head = shop.store.head()
    shop.give(ApplyDueChange(project="shop", change=change, by="scheduler"))
    assert shop.store.head() == head
    other = propose(shop, turn_on("a"), apply_in=SOON)
    shop.give(WithdrawChange(project="shop", change=other, by="ana"))
    with running(scheduler_on(shop.store)):
        threading.Event().wait(1)
    assert not is_on(shop, "a")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_local_clock_that_is_wrong_by_an_hour_changes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The only clock of our own is `utc_now`; the next test sees to that."""
    wrong = lambda: datetime.now(UTC) + timedelta(hours=hours)  # noqa: E731 - stands for the function
    monkeypatch.setattr(commands.unit_of_work, "utc_now", wrong)
    shop.flag("now")
    shop.flag("later")
    now = propose(shop, turn_on("now"), apply_in=SOON)
    later = propose(shop, turn_on("later"), apply_in=timedelta(minutes=30))
    with running(scheduler_on(shop.store), scheduler_on(shop.store)):
        until(lambda: isinstance(events(shop, now)[-1], ChangeApplied))
    assert not is_on(shop, "later")
    assert not any(isinstance(event, ChangeApplied) for event in events(shop, later))
    applied = shop.store.load(change_stream("shop", now))[-1]
    assert abs(applied.stamp.at - shop.store.now()) < timedelta(minutes=10)


def test_nothing_that_decides_reads_a_clock_of_its_own() -> None:
    sources = [
        *(ROOT / "domain").glob("*.py"),
        *(ROOT / "commands").glob("*.py"),
        ROOT / "workers" / "scheduler.py",
        ROOT / "projections" / "due.py",
    ]
    readers = {
        f"{source.name}:{function.name}"
        for source in sources
        for function in ast.walk(ast.parse(source.read_text()))
        if isinstance(function, ast.FunctionDef)
        and {"now", "utcnow", "today", "time"} & set(_asked_of_modules(function))
    }
    assert readers == {"unit_of_work.py:utc_now"}
    assert "utc_now" not in Path(scheduler.__file__).read_text()


def _asked_of_modules(function: ast.FunctionDef) -> Iterator[str]:
    """`now` of datetime.now(), `time` of time.time(); not `now` of store.now()."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"datetime", "date", "time"}
        ):
            yield node.attr


def test_a_due_change_that_is_refused_fails_once_and_says_why(shop: Shop) -> None:
    shop.flag("a")
    shop.flag("b")
    change = propose(shop, turn_on("a"), turn_on("b"), apply_in=SOON)
    shop.give(ArchiveFlag(project="shop", flag="b"))
    with running(scheduler_on(shop.store), scheduler_on(shop.store)):
        until(lambda: isinstance(events(shop, change)[-1], ChangeFailed))
        head = shop.store.head()
        threading.Event().wait(1.5)
        assert shop.store.head() == head
    assert "FlagArchived of flag 'b' by ana" in events(shop, change)[-1].why
    assert not is_on(shop, "a")


def test_what_failed_is_rebased_and_scheduled_again(shop: Shop) -> None:
    shop.flag("a")
    change = propose(shop, turn_on("a"), apply_in=SOON)
    shop.give(TurnFlagOn(project="shop", flag="a", environment="production"))
    shop.give(TurnFlagOff(project="shop", flag="a", environment="production"))
    with running(scheduler_on(shop.store)):
        until(lambda: isinstance(events(shop, change)[-1], ChangeFailed))
        assert state(shop, change).status == "failed"
        shop.give(RebaseChange(project="shop", change=change))
        shop.give(ScheduleChange(project="shop", change=change, apply_at=shop.store.now() + SOON))
        until(lambda: isinstance(events(shop, change)[-1], ChangeApplied))


def state(shop: Shop, change: str) -> Change:
    found = shop.give(ApplyDueChange(project="shop", change=change, by="scheduler")).state
    assert isinstance(found, Change)
    return found


def test_approvals_are_asked_again_when_it_is_due(shop: Shop) -> None:
    shop.flag("a")
    change = propose(shop, turn_on("a"), apply_in=SOON)
    shop.give(ChangeEnvironment(project="shop", environment="production", approvals=1))
    with running(scheduler_on(shop.store)):
        until(lambda: isinstance(events(shop, change)[-1], ChangeFailed))
    assert "needs 1 approval" in events(shop, change)[-1].why
    with pytest.raises(ApprovalRequired):
        shop.give(
            ScheduleChange(project="shop", change=change, apply_at=shop.store.now() + timedelta(hours=1))
        )


def test_a_command_that_is_none_any_more_fails_when_it_is_due(shop: Shop) -> None:
    """As one that was kept before a limit became narrower."""
    at = shop.store.now()
    proposed = ChangeProposed(
        project="shop",
        id="old",
        by="ana",
        title="Old",
        description="",
        commands=({"command": "turn_flag_on", "flag": "", "environment": "production"},),
        base={},
        required=0,
        apply_at=at,
    )
    stream = change_stream("shop", "old")
    shop.store.append([Append(stream, 0, [proposed, ChangeScheduled(apply_at=at)])], STAMP)
    assert state(shop, "old").status == "failed"
    assert "a command cannot be read" in events(shop, "old")[-1].why


def start_plan(shop: Shop, flag: str, *waits: int) -> str:
    shop.flag(flag)
    shop.target(flag, default={"variant": "off"})
    share = 100_000 // len(waits)
    steps = tuple(PlanStep(weight=share * (n + 1), wait_seconds=wait) for n, wait in enumerate(waits))
    command = StartPlan(
        project="shop", flag=flag, environment="production", variant="on", otherwise="off", steps=steps
    )
    return shop.give(command).stream.key


def test_plans_take_their_steps_while_others_are_paused(shop: Shop) -> None:
    plans = [start_plan(shop, f"flag-{number}", 0, 0, 1, 0) for number in range(5)]
    paused = start_plan(shop, "paused", 0, 0)
    shop.give(PausePlan(project="shop", plan=paused))

    def steps(plan: str) -> list[int]:
        log = shop.store.load(plan_stream("shop", plan))
        return [each.event.step for each in log if isinstance(each.event, PlanStepped)]

    with running(*(scheduler_on(shop.store) for _ in range(3))):
        until(lambda: all(steps(plan) == [1, 2, 3, 4] for plan in plans))
    assert steps(paused) == [1]


def test_requests_with_a_key_are_forgotten_after_their_time(shop: Shop) -> None:
    once = Once("ana", "k", b"what was asked")
    shop.flag("a")
    shop.commands.execute(turn_on("a"), STAMP, once=once)
    with running(scheduler_on(shop.store)):
        threading.Event().wait(0.5)
    assert shop.store.outcome(once) is not None
    with running(scheduler_on(shop.store, keep_requests_seconds=0.0)):
        until(lambda: shop.store.outcome(once) is None)


class Flaky:
    """A log that is away for the first few questions."""

    def __init__(self, store: EventStore, times: int) -> None:
        self._store, self._left = store, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def now(self) -> datetime:
        self._left -= 1
        if self._left >= 0:
            raise StoreUnavailable("the server closed the connection")
        return self._store.now()


def test_it_goes_on_when_postgresql_was_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "RETRY_SECONDS", 0.01)
    shop.flag("a")
    change = propose(shop, turn_on("a"), apply_in=SOON)
    log: Any = Flaky(shop.store, 3)
    with running(Scheduler(log, Due(shop.store.url), keep_requests_seconds=DAY)):
        until(lambda: isinstance(events(shop, change)[-1], ChangeApplied))


def test_a_fault_in_one_thing_holds_nothing_else_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.flag("a")
    change = propose(shop, turn_on("a"), apply_in=SOON)
    start_plan(shop, "b", 0, 0)

    def broken(_: Any) -> Command:
        raise RuntimeError("nobody foresaw this")

    table = {**scheduler.COMMANDS, "plan": broken}
    monkeypatch.setattr(scheduler, "COMMANDS", table)
    with running(scheduler_on(shop.store)):
        until(lambda: isinstance(events(shop, change)[-1], ChangeApplied))
        threading.Event().wait(1.2)
    assert caplog.text.count("trying again in 60 seconds") == 1


def test_what_is_due_is_told_in_order_and_by_postgresqls_clock(shop: Shop) -> None:
    due = Due(shop.store.url)
    due.create_tables()
    shop.flag("a")
    second = propose(shop, turn_on("a"), apply_in=timedelta(seconds=2))
    first = propose(shop, turn_on("a"), apply_in=timedelta(seconds=1))
    propose(shop, turn_on("a"), apply_in=timedelta(hours=1))
    Projector(shop.store, due).catch_up()
    until(lambda: len(due.now(10)) == 2)
    assert [stream.key for stream in due.now(10)] == [first, second]
    assert [stream.key for stream in due.now(1)] == [first]
    shop.give(WithdrawChange(project="shop", change=first, by="ana"))
    Projector(shop.store, due).catch_up()
    assert [stream.key for stream in due.now(10)] == [second]
    due.close()
    with pytest.raises(ViewUnavailable):
        Due("postgresql://postgres@127.0.0.1:1/none").now(1)


def test_the_stamp_of_a_scheduler_has_postgresqls_time(shop: Shop) -> None:
    plan = start_plan(shop, "a", 0, 0)
    with running(scheduler_on(shop.store)):
        until(lambda: len(shop.store.load(plan_stream("shop", plan))) > 3)
    stamps = [each.stamp for each in shop.store.load(plan_stream("shop", plan), after=2)]
    assert {(stamp.by, stamp.reason) for stamp in stamps} == {("scheduler", f"plan {plan} was due")}
    assert isinstance(stamps[0], Stamp)
    assert Commands(shop.store).log.now() - stamps[0].at < timedelta(minutes=1)
