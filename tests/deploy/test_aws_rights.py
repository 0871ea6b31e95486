"""What the processes ask of a real SQS and DynamoDB, against the rights that Terraform gives their roles."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from deploy.embedded import Stack
from deploy.processes import consumer, evaluation, management
from deploy.processes.setup import set_up_analytics
from deploy.settings import Settings
from tests.deploy.aws_calls import ACTIONS
from tests.deploy.terraform import local
from tests.integration.analytics import REGION, Analytics, message
from tests.waiting import eventually
from workers.held_messages import HeldMessages

YESTERDAY = int(time.time() // 60) - 24 * 60  # its hour is over, and can be added up
Call = tuple[str, str]


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


@pytest.fixture
def settings(analytics: Analytics) -> Settings:
    return Settings(
        aws_endpoint_url=analytics.url,
        aws_region=REGION,
        queue_name=analytics.queue_name,
        usage_table=analytics.usage,
        records_table=analytics.records,
        queue_wait_seconds=1,
        admin_key="not asked for",
    )


@pytest.fixture
def asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> set[Call]:
    """(IAM action, what Terraform calls the thing), for each call that is made from here on."""
    calls, call = set[Call](), BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: Any, operation: str, given: dict[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        action = f"{service}:{ACTIONS.get(operation, operation)}"
        calls.update((action, each) for each in things(settings, given))
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    return calls


def things(settings: Settings, given: dict[str, Any]) -> list[str]:
    named = {
        settings.queue_name: "queue",
        f"{settings.queue_name}-dead": "dead_queue",
        settings.usage_table: "usage",
        settings.records_table: "records",
    }
    queue = str(given.get("QueueUrl", given.get("QueueName", ""))).rsplit("/", 1)[-1]
    tables = [given["TableName"]] if "TableName" in given else [*given.get("RequestItems", {})]
    assert "IndexName" not in given, "a right to the table is none to its index"
    return [named[each] for each in ([queue] if queue else tables)]


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=[stop])
    thread.start()
    yield
    stop.set()
    thread.join()


def allowed(role: str) -> set[Call]:
    return {(action, thing) for thing, actions in local("rights")[role].items() for action in actions}


def test_an_evaluator_may_send_and_no_more(settings: Settings, asked: set[Call]) -> None:
    assert evaluation.publisher(settings).send([message().encode()]) == []
    assert asked == allowed("evaluation")


def test_a_consumer_may_do_all_that_it_does_and_no_more(
    analytics: Analytics, settings: Settings, asked: set[Call]
) -> None:
    row = ["shop", "production", "f", YESTERDAY, 1, {"SPLIT/on": 1}]
    record = ["e1", "shop", "production", "f", "on", "SPLIT", "user-1", 42, int(time.time() * 1000), {}]
    analytics.send(message([row], [record]))
    asked.clear()  # that was somebody else
    (taker, *_), compactor, queues = consumer.build(settings)
    with running(taker.run):
        eventually(lambda: taker.deleted == 1)
    with running(compactor.run):
        eventually(lambda: compactor.hours == 1)
    with running(queues.run):
        eventually(lambda: ("sqs:GetQueueAttributes", "dead_queue") in asked)
    held = HeldMessages(analytics.queue, 0.1, lambda *_: None)
    with held.holding(["gone by now"]), held.beating():
        eventually(lambda: ("sqs:ChangeMessageVisibility", "queue") in asked)
    assert asked == allowed("consumer")


def test_management_may_read_and_no_more(settings: Settings, asked: set[Call]) -> None:
    now = datetime.now(UTC)
    day, of = timedelta(days=1), ("shop", "production", "f")
    found = management.analytics(settings)
    found.usage.series(*of, now - 2 * day, now, "hour")
    found.seen.all_flags("shop", "production")
    found.seen.unknown("shop", "production", "", 1)
    found.subjects.unique(*of, [now.date()])
    found.records.query(*of, now - day, now, limit=1)
    assert asked == allowed("management")


def test_setup_may_find_what_terraform_made(settings: Settings, asked: set[Call]) -> None:
    assert [str(each) for each in set_up_analytics(settings) if each.made] == []
    assert asked == allowed("setup")
