"""Webhooks from the event to the receiver: in order, at least once, whoever is killed, slow or away."""

import base64
import hashlib
import hmac
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from standardwebhooks import Webhook as Verifier

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import (
    ChangeWebhook,
    CreateProject,
    IssueKey,
    PauseWebhook,
    RegisterWebhook,
    RemoveWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
    TurnFlagOff,
    TurnFlagOn,
)
from commands.unit_of_work import UnitOfWork, utc_now
from domain.aggregates import Folded
from domain.envelope import webhook_stream
from domain.errors import AlreadyExists, Invalid, NotFound
from projections.projector import Projector
from projections.webhook_deliveries import DeliveryState, WebhookDeliveries
from tests.integration.receiver import Receiver, receiving
from tests.integration.shop import Shop
from tests.waiting import eventually
from workers.outbound import Outbound
from workers.webhook_messages import Sender
from workers.webhooks import WebhookWorker

SECRET = "the installation's secret"  # noqa: S105 - of these tests
SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)
KILLS = 6
Switch = TurnFlagOn | TurnFlagOff


@dataclass
class Hooks:
    """Project `shop` with the flag `f`; a webhook is told of its being switched on and off."""

    shop: Shop
    deliveries: WebhookDeliveries
    sender: Sender

    def register(self, url: str, webhook_id: str = "w", **more: Any) -> Folded:
        return self.shop.give(RegisterWebhook(project="shop", id=webhook_id, url=url, **more))

    def switch(self, times: int = 1) -> list[int]:
        """The positions of that many events."""
        return [self._switch().position for _ in range(times)]

    def _switch(self) -> Folded:
        flag = UnitOfWork(self.shop.store).flag("shop", "f")
        assert flag is not None
        command: type[Switch] = TurnFlagOff if flag.is_on("production") else TurnFlagOn
        return self.shop.give(command(project="shop", flag="f", environment="production"))

    def head(self) -> int:
        return self.shop.store.head()

    def state(self, webhook_id: str = "w") -> DeliveryState:
        found = self.deliveries.state("shop", webhook_id)
        assert found is not None
        return found

    def webhook(self, webhook_id: str = "w") -> Any:
        return UnitOfWork(self.shop.store).webhook("shop", webhook_id)

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.shop.store.url) as connection:
            connection.execute(statement.encode())

    def set(self, columns: str) -> None:
        """In what PostgreSQL keeps of every webhook's deliveries."""
        self.sql(f"UPDATE togglemaster_webhook_deliveries_1 SET {columns}")  # noqa: S608 - from these tests

    @contextmanager
    def working(self, **more: Any) -> Iterator[WebhookWorker]:
        settings = {"delay": lambda failures: 0.01, **more}
        worker = WebhookWorker(self.shop.store, self.deliveries, self.sender, **settings)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stopping.set()
            thread.join()


@pytest.fixture
def hooks(store: EventStore) -> Iterator[Hooks]:
    shop = Shop(store)
    shop.flag("f")
    deliveries = WebhookDeliveries(store.url)
    deliveries.create_tables()
    yield Hooks(shop, deliveries, Sender(Outbound(allow_private=True), SECRET))
    deliveries.close()


def arrived(receiver: Receiver, positions: list[int]) -> Callable[[], bool]:
    return lambda: {str(each) for each in positions} <= {got.id for got in receiver.accepted}


def ids(receiver: Receiver) -> list[int]:
    return [int(got.id) for got in receiver.accepted]


def test_every_event_from_now_on_is_told_once_and_in_order(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.working():
        hooks.switch(3)
        hooks.register(receiver.url)
        hooks.shop.give(CreateProject(project="other", name="Other"))
        positions = hooks.switch(7)
        eventually(arrived(receiver, positions))
        eventually(lambda: hooks.state().position == hooks.head())
    assert ids(receiver) == positions
    assert [got.id for got in receiver.got] == [str(each) for each in positions]
    assert {got.content["project"] for got in receiver.got} == {"shop"}
    assert [got.content["version"] for got in receiver.got] == list(range(5, 12))


def test_a_receiver_can_tell_that_it_was_us(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.working():
        shown = hooks.sender.shown(hooks.register(receiver.url).state)  # type: ignore[arg-type]
        eventually(arrived(receiver, hooks.switch()))
    (got,) = receiver.got
    key = base64.b64decode(shown.removeprefix("whsec_"))
    content = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert Verifier(shown).verify(got.body, got.headers) == got.content
    assert got.headers["content-type"] == "application/json"
    assert (got.content["by"], got.content["type"]) == ("ana", "FlagTurnedOn")


def test_the_verification_in_the_documentation_works(hooks: Hooks) -> None:
    (snippet,) = SNIPPET.findall((Path(__file__).parents[2] / "docs" / "webhooks.md").read_text())
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - our own documentation
    with receiving() as receiver, hooks.working():
        first = hooks.register(receiver.url)
        hooks.shop.give(
            RotateWebhookSecret(project="shop", id="w", previous_until=utc_now().replace(year=9000))
        )
        eventually(arrived(receiver, hooks.switch()))
    (got,) = receiver.got
    assert got.headers["webhook-signature"].count("v1,") == 2
    for secret in (hooks.sender.shown(first.state), hooks.sender.shown(hooks.webhook())):  # type: ignore[arg-type]
        assert names["is_from_togglemaster"](secret, got.headers, got.body)
        assert not names["is_from_togglemaster"](secret, got.headers, got.body + b" ")
        stale = {**got.headers, "webhook-timestamp": str(int(got.headers["webhook-timestamp"]) - 301)}
        assert not names["is_from_togglemaster"](secret, stale, got.body)
    assert not names["is_from_togglemaster"]("whsec_AAAA", got.headers, got.body)


def test_only_what_was_asked_for_is_told(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.working():
        hooks.register(receiver.url, events=("FlagTurnedOff",), environments=("production",))
        on, off = hooks.switch(2)
        eventually(arrived(receiver, [off]))
        eventually(lambda: hooks.state().position == hooks.head())
        hooks.shop.give(ChangeWebhook(project="shop", id="w", environments=("staging",), events=()))
        eventually(lambda: hooks.state().position == hooks.head())
        unwanted = hooks.switch(2)
        command = IssueKey(
            project="shop", environment="staging", id="k", name="web", kind="server", digest="5ec2e7"
        )
        key = hooks.shop.give(command).position
        eventually(arrived(receiver, [key]))
    assert ids(receiver) == [off, key]
    assert not {on, *unwanted} & set(ids(receiver))
    assert b"5ec2e7" not in receiver.got[-1].body


def test_what_fails_is_told_again_until_it_works_and_nothing_overtakes_it(hooks: Hooks) -> None:
    answers = iter([500, 404, 302, 429, 200])
    with receiving(lambda _: next(answers, 200)) as receiver:
        hooks.register(receiver.url)
        positions = hooks.switch(3)
        with hooks.working():
            eventually(arrived(receiver, positions))
    assert ids(receiver) == positions
    first = [got for got in receiver.got if got.id == str(positions[0])]
    assert len(first) == 5
    assert len({got.body for got in first}) == 1
    assert hooks.state().failures == 0


def test_how_deliveries_go_is_seen(hooks: Hooks) -> None:
    with receiving(lambda _: 307, Location="http://127.0.0.1:1/") as receiver:
        start = hooks.register(receiver.url).position
        (position,) = hooks.switch()
        with hooks.working(delay=lambda failures: 3600):
            eventually(lambda: bool(receiver.got) and hooks.state().failures == 1)
            state = hooks.state()
            assert (state.position, state.last_status) == (start, 307)
            assert "redirects are not followed" in state.last_problem
            assert state.failing_since is not None
            assert state.next_attempt is not None
            assert (state.next_attempt - state.failing_since).total_seconds() == pytest.approx(3600, abs=60)
            receiver.answer = lambda _: 200
            hooks.shop.give(ChangeWebhook(project="shop", id="w", description="repaired"))
            eventually(arrived(receiver, [position]))
            eventually(lambda: hooks.state().position == hooks.head())
    state = hooks.state()
    assert (state.failures, state.failing_since, state.next_attempt) == (0, None, None)
    assert (state.last_status, state.last_problem) == (200, "")


def test_nobody_there_is_seen(hooks: Hooks) -> None:
    hooks.register("http://127.0.0.1:1024/")
    hooks.switch()
    with hooks.working(delay=lambda failures: 3600):
        eventually(lambda: hooks.deliveries.state("shop", "w") is not None and hooks.state().failures == 1)
    assert (hooks.state().last_status, hooks.state().last_problem) == (
        None,
        "no connection: Connection refused",
    )


def test_what_happens_while_it_is_paused_is_told_afterwards(hooks: Hooks) -> None:
    with receiving() as receiver, receiving() as other, hooks.working():
        hooks.register(receiver.url)
        hooks.register(other.url, "v")
        hooks.shop.give(PauseWebhook(project="shop", id="w"))
        positions = hooks.switch(2)
        eventually(arrived(other, positions))
        assert receiver.got == []
        hooks.shop.give(ResumeWebhook(project="shop", id="w"))
        eventually(arrived(receiver, positions))


def test_a_removed_webhook_is_told_nothing(hooks: Hooks) -> None:
    with receiving() as receiver, receiving() as other, hooks.working():
        hooks.register(receiver.url)
        hooks.register(other.url, "v")
        hooks.shop.give(RemoveWebhook(project="shop", id="w"))
        eventually(arrived(other, hooks.switch(2)))
    assert receiver.got == []
    assert hooks.deliveries.state("shop", "w") is None


def test_a_receiver_that_is_gone_is_told_no_more_until_somebody_resumes_it(hooks: Hooks) -> None:
    with receiving(lambda number: 410 if number == 0 else 200) as receiver, hooks.working():
        hooks.register(receiver.url)
        positions = hooks.switch(2)
        eventually(lambda: bool(hooks.webhook().paused))
        assert "410 Gone" in hooks.webhook().why
        assert len(receiver.got) == 1
        hooks.shop.give(ResumeWebhook(project="shop", id="w"))
        eventually(arrived(receiver, positions))


def test_after_three_days_without_a_success_it_is_switched_off(hooks: Hooks) -> None:
    with receiving(lambda _: 503) as receiver:
        hooks.register(receiver.url)
        hooks.switch()
        Projector(hooks.shop.store, hooks.deliveries).catch_up()
        hooks.set("failures = 80, failing_since = now() - interval '71.9 hours'")
        with hooks.working(delay=lambda failures: 0.05):
            eventually(lambda: len(receiver.got) >= 3)
            assert not hooks.webhook().paused
            hooks.set("failing_since = now() - interval '73 hours'")
            eventually(lambda: bool(hooks.webhook().paused))
        assert hooks.webhook().why == "no delivery succeeded for 3 days; the last problem: it answered 503"
        last = hooks.shop.store.load(webhook_stream("shop", "w"))[-1]
        assert (last.stamp.by, last.stamp.reason) == ("webhooks", hooks.webhook().why)


def test_slow_and_dead_receivers_do_not_hold_up_the_others(hooks: Hooks) -> None:
    release = threading.Event()
    hooks.sender = replace(hooks.sender, outbound=Outbound(allow_private=True, whole_seconds=0.2))
    with receiving(lambda _: 200 if release.wait() else 500) as slow, receiving() as receiver:
        for number in range(6):
            hooks.register(slow.url, f"slow{number}")
        hooks.register("http://127.0.0.1:1024/", "dead")
        hooks.register(receiver.url)
        with hooks.working(threads=2, failing_threads=1):
            for _ in range(5):
                eventually(arrived(receiver, hooks.switch(2)))
            eventually(lambda: hooks.state("dead").failures > 0 and hooks.state("slow5").failures > 0)
        release.set()
    assert ids(receiver) == sorted(set(ids(receiver)))


def test_two_workers_tell_each_event_once(hooks: Hooks) -> None:
    def slowly(_: int) -> int:
        time.sleep(0.003)  # time for the other worker to interfere
        return 200

    with receiving(slowly) as one, receiving(slowly) as two:
        hooks.register(one.url, "one")
        hooks.register(two.url, "two")
        with hooks.working(), hooks.working():
            positions = hooks.switch(60)
            eventually(arrived(one, positions))
            eventually(arrived(two, positions))
        for receiver in (one, two):
            assert ids(receiver) == positions
            assert len(receiver.got) == len(positions)
            assert receiver.at_once_most == 1


def test_the_lease_of_somebody_who_died_runs_out(hooks: Hooks) -> None:
    with receiving() as receiver:
        hooks.register(receiver.url)
        positions = hooks.switch(2)
        Projector(hooks.shop.store, hooks.deliveries).catch_up()
        dead = hooks.deliveries.lease("dead", head=hooks.head(), seconds=0.5, failing_too=True)
        assert dead is not None
        again = hooks.deliveries.lease("other", head=hooks.head(), seconds=9, failing_too=True)
        assert again is None
        with hooks.working():
            eventually(arrived(receiver, positions))
        eventually(lambda: hooks.state().position == hooks.head())
        assert not hooks.deliveries.delivered(dead, positions[0], 200, seconds=9)
        assert hooks.deliveries.failed(dead, positions[0], 500, "late", delay=9) is None
        hooks.deliveries.release(dead, 1)
        assert hooks.state().position == hooks.head()


def test_it_goes_on_after_every_connection_to_postgresql_was_cut(hooks: Hooks) -> None:
    with receiving() as receiver, hooks.working(lease_seconds=1):
        hooks.register(receiver.url)
        eventually(arrived(receiver, hooks.switch(2)))
        hooks.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with closing(EventStore(hooks.shop.store.url)) as fresh:
            hooks.shop.store, hooks.shop.commands = fresh, Commands(fresh)
            eventually(arrived(receiver, hooks.switch(2)))
    firsts = list(dict.fromkeys(ids(receiver)))
    assert firsts == sorted(firsts)


@contextmanager
def process(hooks: Hooks) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {
        "TOGGLEMASTER_POSTGRES_URL": hooks.shop.store.url,
        "TOGGLEMASTER_SECRET": SECRET,
        "TOGGLEMASTER_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    worker = subprocess.Popen([sys.executable, "-m", "deploy.cli", "work", "webhooks"], env=environment)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def test_a_killed_worker_loses_nothing_and_doubles_only_what_it_was_sending(hooks: Hooks) -> None:
    """Each kill falls while a delivery waits for its answer, at a random one of the next five."""
    sending, answered = threading.Event(), threading.Event()
    kill_at = random.randrange(5)  # noqa: S311 - nobody is to be surprised but us

    def answer(number: int) -> int:
        if number >= kill_at and not answered.is_set():
            sending.set()
            answered.wait()
        return 200

    killed: Counter[str] = Counter()
    with receiving(answer) as receiver:
        hooks.register(receiver.url)
        positions = hooks.switch(60)
        for _ in range(KILLS):
            sending.clear()
            answered.clear()
            kill_at = len(receiver.got) + random.randrange(5)  # noqa: S311
            with process(hooks) as worker:
                assert sending.wait(30)
                worker.send_signal(signal.SIGKILL)
                worker.wait()
                killed[receiver.got[-1].id] += 1
            answered.set()
            hooks.set("leased_until = clock_timestamp()")  # fifteen seconds later
        with process(hooks) as worker:
            eventually(arrived(receiver, positions), 30)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
    times = Counter(got.id for got in receiver.got)
    lost, doubled = len(set(map(str, positions)) - set(times)), sum(times.values()) - len(times)
    print(f"{KILLS} kills, {len(positions)} events: {lost} lost, {doubled} sent twice")  # noqa: T201 - the figure
    assert set(times) == set(map(str, positions))
    assert {each: number - 1 for each, number in times.items() if number > 1} == dict(killed)
    firsts = list(dict.fromkeys(got.id for got in receiver.got))
    assert firsts == [str(each) for each in positions]


def test_there_are_only_events_and_environments_that_there_are(hooks: Hooks) -> None:
    url = "https://example.com/"
    with pytest.raises(Invalid, match=r"no event 'FlagUpdated' to be told of; there are .*FlagTurnedOn"):
        hooks.register(url, events=("FlagUpdated",))
    with pytest.raises(Invalid, match="no event 'WebhookPaused'"):
        hooks.register(url, events=("WebhookPaused",))
    with pytest.raises(NotFound, match="no environment 'qa'"):
        hooks.register(url, environments=("qa",))
    hooks.register(url)
    with pytest.raises(AlreadyExists, match="'w'"):
        hooks.register(url)
    with pytest.raises(NotFound, match="no environment 'qa'"):
        hooks.shop.give(ChangeWebhook(project="shop", id="w", environments=("qa",)))
    with pytest.raises(NotFound, match="no webhook 'none'"):
        hooks.shop.give(PauseWebhook(project="shop", id="none"))


def test_a_project_has_a_bounded_number_of_webhooks(hooks: Hooks) -> None:
    for number in range(50):
        hooks.register("https://example.com/", f"w{number}")
    with pytest.raises(Invalid, match="50 webhooks"):
        hooks.register("https://example.com/", "more")
    hooks.shop.give(RemoveWebhook(project="shop", id="w0"))
    hooks.register("https://example.com/", "more")


def test_the_table_is_not_made_anew_from_the_log(hooks: Hooks) -> None:
    """The log says which webhooks there are, not how far they are: seeing it again moves nothing back."""
    with receiving() as receiver, hooks.working():
        hooks.register(receiver.url)
        eventually(arrived(receiver, hooks.switch(2)))
        eventually(lambda: hooks.state().position == hooks.head())
    hooks.sql("UPDATE togglemaster_views SET position = 0 WHERE name = 'webhooks/1'")
    Projector(hooks.shop.store, hooks.deliveries).catch_up()
    assert hooks.state().position == hooks.head()
