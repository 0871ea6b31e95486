"""Schedulers are killed, again and again, while plans run and changes come due."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from subprocess import PIPE
from typing import Any

from commands.change_models import ProposeChange, StartPlan
from commands.event_store import EventStore
from commands.models import TurnFlagOn
from commands.wire import kept
from domain.change_events import (
    ChangeApplied,
    ChangeFailed,
    PlanFinished,
    PlanHalted,
    PlanStep,
    PlanStepped,
)
from domain.envelope import Stream, flag_stream
from domain.events import DefaultServeChanged, FlagTurnedOn
from tests.faults.conftest import Database, until
from tests.figures import tell
from tests.integration.shop import Shop

PLANS, STEPS = 10, 8
CHANGES = 40
SCHEDULERS = 3
KILLS = 60
SECONDS = 120
CHANCE = random.Random()  # noqa: S311 - nothing secret


def test_schedulers_killed_at_random_take_every_step_once(database: Database, store: EventStore) -> None:
    shop = Shop(store)
    plans = [start_plan(shop, f"plan-{number}") for number in range(PLANS)]
    changes = [propose(shop, f"change-{number}") for number in range(CHANGES)]
    with killed_at_random(database) as kills:
        until(lambda: len(kills) >= KILLS and all(is_over(store, each) for each in plans + changes), SECONDS)
    steps = Counter((each, event.step) for each in plans for event in of(store, each, PlanStepped))
    served = [len(of(store, flag_stream("shop", f"plan-{n}"), DefaultServeChanged)) for n in range(PLANS)]
    turned = [len(of(store, flag_stream("shop", f"change-{n}"), FlagTurnedOn)) for n in range(CHANGES)]
    tell(
        f"{SCHEDULERS} schedulers killed {len(kills)} times",
        steps_due=PLANS * STEPS,
        steps_taken=sum(steps.values()),
        changes_due=CHANGES,
        changes_applied=sum(turned),
        lost=PLANS * STEPS - len(steps) + turned.count(0),
        doubled=sum(steps.values()) - len(steps) + sum(each - 1 for each in turned if each),
    )
    assert steps == {(plan, step): 1 for plan in plans for step in range(1, STEPS + 1)}
    assert served == [STEPS + 1] * PLANS  # what was served before the plan, and each step
    assert turned == [1] * CHANGES
    assert not [each for each in plans if of(store, each, PlanHalted)]
    assert all(len(of(store, each, ChangeApplied)) == 1 for each in changes)
    assert not [each for each in changes if of(store, each, ChangeFailed)]


def start_plan(shop: Shop, flag: str) -> Stream:
    shop.flag(flag)
    shop.target(flag, default={"variant": "off"})
    steps = tuple(
        PlanStep(weight=100 * step, wait_seconds=CHANCE.randint(1, 2)) for step in range(1, STEPS + 1)
    )
    command = StartPlan(
        project="shop", flag=flag, environment="production", variant="on", otherwise="off", steps=steps
    )
    return shop.give(command).stream


def propose(shop: Shop, flag: str) -> Stream:
    shop.flag(flag)
    command = ProposeChange(
        project="shop",
        by="ana",
        title="Launch",
        commands=(kept(TurnFlagOn(project="shop", flag=flag, environment="production")),),
        apply_at=shop.store.now() + timedelta(seconds=CHANCE.uniform(2, 12)),
    )
    return shop.give(command).stream


def of(store: EventStore, stream: Stream, kind: type[Any]) -> list[Any]:
    return [each.event for each in store.load(stream) if isinstance(each.event, kind)]


def is_over(store: EventStore, stream: Stream) -> bool:
    return bool(of(store, stream, PlanFinished) or of(store, stream, ChangeApplied))


@contextmanager
def killed_at_random(database: Database) -> Iterator[list[int]]:
    """Some schedulers; every now and then one is killed and another begins. The pids of the killed."""
    stopping, kills = threading.Event(), list[int]()
    environment = os.environ | {"TOGGLEMASTER_POSTGRES_URL": database.url}
    command = [sys.executable, "-m", "tests.faults.forked_schedulers"]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as forking:
        schedulers = [another(forking) for _ in range(SCHEDULERS)]

        def kill() -> None:
            while not stopping.wait(CHANCE.uniform(0.02, 0.5)):
                number = CHANCE.randrange(SCHEDULERS)
                os.kill(schedulers[number], signal.SIGKILL)
                kills.append(schedulers[number])
                schedulers[number] = another(forking)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            yield kills
        finally:
            stopping.set()
            killing.join()
            for pid in schedulers:
                os.kill(pid, signal.SIGKILL)


def another(forking: "subprocess.Popen[str]") -> int:
    assert forking.stdin is not None
    assert forking.stdout is not None
    forking.stdin.write("one more\n")
    forking.stdin.flush()
    return int(forking.stdout.readline())
