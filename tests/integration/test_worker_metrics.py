"""What workers tell of what goes wrong, on a log and a Redis that are real."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from prometheus_client.metrics_core import Metric
from redis import Redis

from commands.change_models import ProposeChange
from commands.event_store import EventStore
from commands.models import ArchiveFlag, Command, RegisterWebhook, TurnFlagOn
from commands.wire import kept
from deploy.processes.common import redis_client
from deploy.processes.projector_metrics import Model, Positions, ProjectionMetrics
from deploy.processes.scheduler_metrics import DueMetrics, SchedulerMetrics
from deploy.processes.webhooks_metrics import BacklogMetrics, WebhookMetrics
from deploy.settings import Settings
from domain.envelope import flag_stream
from projections.catalogue import Catalogue
from projections.due import Due
from projections.projector import Projector
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from projections.webhook_deliveries import WebhookDeliveries
from tests.integration.receiver import receiving
from tests.integration.shop import Shop
from tests.integration.unreadable import append_unreadable
from tests.waiting import eventually
from workers import scheduler as scheduling
from workers.outbound import Outbound
from workers.projector import Projection
from workers.scheduler import Scheduler
from workers.webhook_messages import Sender
from workers.webhooks import WebhookWorker

DAY = 24 * 3600.0


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


def told(metrics: Iterable[Metric]) -> dict[str, float]:
    """By the last words of the name, and the view."""
    return {
        " ".join([each.name.removeprefix("togglemaster_"), *each.labels.values()]): each.value
        for family in metrics
        for each in family.samples
    }


@contextmanager
def in_the_background(run: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_frozen_flag_and_a_view_that_is_behind_are_seen(shop: Shop, redis: Redis) -> None:
    rulesets, catalogue = RulesetStore(redis), Catalogue(shop.store.url)
    shop.flag("hero")
    with closing(catalogue):
        catalogue.create_tables()
        rebuild(shop.store, rulesets)
        Projector(shop.store, catalogue).catch_up()
        before = told(Positions(shop.store, rulesets, [catalogue])())
        assert before["projector_lag_positions ruleset"] == before["projector_lag_positions catalogue"] == 0
        assert told(Model(rulesets)())["ruleset_frozen_streams"] == 0

        head = append_unreadable(shop.store, flag_stream("shop", "hero"))
        behind = told(Positions(shop.store, rulesets, [catalogue])())
        assert behind["projector_lag_positions ruleset"] == head - before["log_head"] > 0
        stop = threading.Event()
        projection = Projection(shop.store, rulesets, [], stop)
        with in_the_background(projection.run, stop):
            eventually(lambda: told(Model(rulesets)())["ruleset_frozen_streams"] == 1)
            metrics = told(ProjectionMetrics(projection).collect())
        assert metrics["projector_holds_lease"] == 1
        assert (metrics["projector_batches_total ruleset"], metrics["projector_events_total ruleset"]) == (
            1,
            1,
        )


def test_a_view_that_cannot_be_written_is_counted_and_is_not_ready(shop: Shop) -> None:
    stop = threading.Event()
    nowhere = RulesetStore(redis_client(Settings(redis_url="redis://127.0.0.1:1"), 1.0))
    projection = Projection(shop.store, nowhere, [], stop)
    with in_the_background(projection.run, stop):
        eventually(lambda: projection.ruleset.pulse.failures > 1)
    assert told(ProjectionMetrics(projection).collect())["projector_failures_total ruleset"] > 1
    assert "refused" in projection.ruleset.pulse.problem


def test_a_rebuild_is_seen_while_it_is_at_work_and_not_when_it_was_killed(shop: Shop, redis: Redis) -> None:
    rulesets = RulesetStore(redis)
    model, lease = Model(rulesets), rulesets.rebuild_lease()
    seen = [told(model())["ruleset_rebuilding"]]
    for beats in (1, 1, 0):
        for _ in range(beats):
            assert lease.hold()
        seen.append(told(model())["ruleset_rebuilding"])
    assert seen == [0, 1, 1, 0]


def test_what_nobody_confirmed_is_not_told(shop: Shop, redis: Redis) -> None:
    rulesets = RulesetStore(redis)
    assert "ruleset_confirmed_seconds" not in told(Model(rulesets)())
    rebuild(shop.store, rulesets)
    assert 0 <= told(Model(rulesets)())["ruleset_confirmed_seconds"] < 10


def propose(shop: Shop, given: Command, apply_in: timedelta) -> None:
    at = shop.store.now() + apply_in
    shop.give(ProposeChange(project="shop", by="ana", title="Launch", commands=(kept(given),), apply_at=at))


def turn_on(flag: str) -> Command:
    return TurnFlagOn(project="shop", flag=flag, environment="production")


def test_a_scheduler_tells_what_it_applied_what_failed_and_what_waits(shop: Shop) -> None:
    soon = timedelta(milliseconds=200)
    for flag in ("applied", "failing", "later"):
        shop.flag(flag)
    propose(shop, turn_on("applied"), soon)
    propose(shop, turn_on("failing"), soon)
    propose(shop, turn_on("later"), timedelta(hours=1))
    shop.give(ArchiveFlag(project="shop", flag="failing"))
    stop = threading.Event()
    with closing(Due(shop.store.url)) as due:
        scheduler = Scheduler(shop.store, due, DAY)
        with in_the_background(lambda: scheduler.run(stop), stop):
            eventually(lambda: scheduler.applied + scheduler.failed == 2)
            waiting = {"scheduler_due": 0, "scheduler_later": 1, "scheduler_overdue_seconds": 0}
            eventually(lambda: told(DueMetrics(due)()) == waiting)
    assert told(SchedulerMetrics(scheduler).collect()) == {
        "scheduler_applied_total": 1,
        "scheduler_failed_total": 1,
        "scheduler_held_back": 0,
    }


def test_what_two_schedulers_do_is_counted_once(shop: Shop) -> None:
    flags = [f"flag-{number}" for number in range(6)]
    for flag in flags:
        shop.flag(flag)
        propose(shop, turn_on(flag), timedelta(milliseconds=300))
    stop = threading.Event()
    with closing(Due(shop.store.url)) as one, closing(Due(shop.store.url)) as other:
        one.create_tables()
        first, second = Scheduler(shop.store, one, DAY), Scheduler(shop.store, other, DAY)
        with (
            in_the_background(lambda: first.run(stop), stop),
            in_the_background(lambda: second.run(stop), stop),
        ):
            eventually(lambda: first.applied + second.applied >= len(flags))
            eventually(lambda: set(told(DueMetrics(one)()).values()) == {0})
    assert first.applied + second.applied == len(flags)


def test_what_is_overdue_and_what_is_held_back_are_seen(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Command:
        raise RuntimeError("nobody foresaw this")

    shop.flag("a")
    propose(shop, turn_on("a"), timedelta(milliseconds=100))
    monkeypatch.setattr(scheduling, "COMMANDS", {"change": broken})
    stop = threading.Event()
    with closing(Due(shop.store.url)) as due:
        scheduler = Scheduler(shop.store, due, DAY)
        with in_the_background(lambda: scheduler.run(stop), stop):
            eventually(lambda: scheduler.failed == 1)
            assert told(SchedulerMetrics(scheduler).collect())["scheduler_held_back"] == 1
            eventually(lambda: told(DueMetrics(due)())["scheduler_overdue_seconds"] > 0)
            assert told(DueMetrics(due)())["scheduler_due"] == 1


def test_a_webhook_that_fails_shows_how_old_the_event_is_that_it_waits_for(shop: Shop) -> None:
    shop.flag("f")
    answers = iter([500, 200])
    with (
        closing(WebhookDeliveries(shop.store.url)) as deliveries,
        receiving(lambda _: next(answers, 200)) as receiver,
    ):
        deliveries.create_tables()
        sender = Sender(Outbound(allow_private=True), "the installation's secret")
        worker = WebhookWorker(shop.store, deliveries, sender, delay=lambda _: 2.0)
        backlog, did = BacklogMetrics(shop.store, deliveries), WebhookMetrics(worker)
        shop.give(RegisterWebhook(project="shop", id="w", url=receiver.url))
        with in_the_background(worker.run, worker.stopping):
            shop.give(turn_on("f"))
            eventually(lambda: worker.attempts.failed == 1)
            eventually(lambda: told(backlog())["webhooks_failing"] == 1)
            waiting = told(backlog())
            assert (waiting["webhooks_pending"], waiting["webhooks_paused"]) == (1, 0)
            assert waiting["webhooks_oldest_seconds"] > 0
            eventually(lambda: told(backlog())["webhooks_pending"] == 0)
    assert told(did.collect()) == {"webhooks_delivered_total": 1, "webhooks_failed_total": 1}
