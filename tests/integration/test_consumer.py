"""The consumer on SQS and DynamoDB as they are: what it stores, what it holds on to, what it gives up."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from deploy.embedded import Stack, free_port
from projections.aws import MAX_RECEIVE_COUNT
from projections.flag_index import flags_part, unknown_part
from projections.subjects_table import subjects_of_day
from projections.usage_table import MINUTES_TAKEN_DAYS, CountRow
from tests.integration.analytics import Analytics, message
from tests.waiting import eventually
from workers.dead_letters import redrive
from workers.evaluation_store import Batch, EvaluationStore

NOON = datetime(2100, 11, 4, 12, 0, tzinfo=UTC)
MINUTE = int(NOON.timestamp() // 60)
HOUR = MINUTE // 60
DAY = date(2100, 11, 4)
AT = int(NOON.timestamp() * 1_000)


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


@pytest.fixture
def hasty(stack: Stack) -> Iterator[Analytics]:
    """Messages that are not extended come back after a second."""
    found = Analytics(stack.aws.url, visibility_seconds=1)
    yield found
    found.close()


def row(flag: str, seq: int, counts: dict[str, int], *, minute: int = MINUTE) -> list[Any]:
    return ["shop", "production", flag, minute, seq, counts]


def record(
    n: int, subject: str | None, *, flag: str = "f", variant: str = "on", **attributes: str
) -> list[Any]:
    event = f"p1-{n}"
    return [event, "shop", "production", flag, variant, "SPLIT", subject, 42, AT + n, attributes]


def test_an_evaluation_is_found_by_minute_hour_mark_index_record_and_subject(analytics: Analytics) -> None:
    counts = {"SPLIT/on": 3, "SPLIT/off": 1, "DISABLED/": 1}
    rows = [
        row("f", 1, counts),
        row("", 1, {"SPLIT/": 4, "DISABLED/": 1}),
        row("no", 1, {"FLAG_NOT_FOUND/": 2}),
    ]
    analytics.send(message(rows, [record(n, f"user-{n}", plan="pro") for n in range(3)]))
    analytics.consume(1)

    items = analytics.items(analytics.usage)
    minute = items["shop/production/2100-11-04/f", "0720/p1"]
    assert minute["counts"] == {"M": {name: {"N": str(count)} for name, count in counts.items()}}
    assert minute["expires_at"] == {"N": str((MINUTE + 90 * 24 * 60) * 60)}
    for flag in ("f", "", "no"):
        pending = items[f"shop/production/2100-11/{flag}", "pending/04T12"]
        assert pending["token"] == items["@compact", f"2100-11-04T12/shop/production/{flag}"]["token"]
    seen = {variant: {"N": str(HOUR)} for variant in ("on", "off", "/")}
    assert items[flags_part("shop", "production"), "f"]["seen"] == {"M": seen}
    assert items[unknown_part("shop", "production"), "no"]["last"] == {"N": str(HOUR)}
    assert sum(place[0].startswith("shop/production/@") for place in items) == 2, "neither total nor unknown"

    found = analytics.items(analytics.records)["shop/production/f", f"{AT:013d}/p1-0"]
    assert found["attributes"] == {"S": '{"plan": "pro"}'}
    assert found["subject_key"] == {"S": "shop/production/user-0"}
    subjects = subjects_of_day(analytics.dynamodb, analytics.usage, "shop", "production", "f", DAY)
    assert {variant: round(each.get_estimate()) for variant, each in subjects.items()} == {"on": 3}


def test_subjects_are_counted_once_whoever_stored_them(analytics: Analytics) -> None:
    for _ in range(3):
        analytics.send(message(records=[record(n, f"user-{n}") for n in range(400)]))
        analytics.consume(1)  # with a sketch of its own each time
    subjects = subjects_of_day(analytics.dynamodb, analytics.usage, "shop", "production", "f", DAY)["on"]
    assert subjects.get_lower_bound(2) <= 400 <= subjects.get_upper_bound(2)
    assert subjects.get_estimate() == pytest.approx(400, rel=0.05)


def test_a_late_row_lands_in_its_minute_and_its_hour_is_marked_before_and_after(analytics: Analytics) -> None:
    late = int(time.time() // 60) - 3 * 24 * 60
    analytics.send(message([row("f", 1, {"SPLIT/on": 1}, minute=late)]))
    analytics.consume(1)
    items = analytics.items(analytics.usage)
    moment = datetime.fromtimestamp(late * 60, UTC)
    assert (f"shop/production/{moment:%Y-%m-%d}/f", f"{late % 1440:04d}/p1") in items
    assert (f"shop/production/{moment:%Y-%m}/f", f"pending/{moment:%dT%H}") in items


def test_a_row_of_a_minute_that_has_expired_is_refused_aloud_and_stops_no_other(
    analytics: Analytics, caplog: pytest.LogCaptureFixture
) -> None:
    expired = int(time.time() // 60) - MINUTES_TAKEN_DAYS * 24 * 60 - 1
    old = [*record(2, "user-1")[:8], 1_000, {}]
    (sent,) = analytics.send(
        message([row("f", 1, {"SPLIT/on": 5}, minute=expired), row("f", 1, {"SPLIT/on": 1})], [old])
    )
    with analytics.consuming() as consumer:
        eventually(lambda: consumer.deleted == 1)
    assert (consumer.expired, consumer.counts_written, consumer.records_written) == (2, 1, 0)
    assert f"message {sent}: 2 rows and records are older than what is kept" in caplog.text
    assert analytics.items(analytics.records) == {}


def test_a_late_evaluation_takes_nothing_back_in_the_index(analytics: Analytics) -> None:
    """To two consumers, of which the second knows nothing of what the first stored."""
    stores = [EvaluationStore(analytics.new_tables()) for _ in range(2)]
    for store, hour, variant in ((0, 3, "on"), (1, 1, "on"), (0, 2, "off"), (1, 5, "on"), (0, 4, "on")):
        outcomes = {"FLAG_NOT_FOUND/": 1, f"SPLIT/{variant}": 1, "SPLIT/never": 0}
        counted = CountRow("p1", "shop", "production", "f", (HOUR + hour) * 60, hour, outcomes)
        stores[store].write(Batch([counted], []))
    items = analytics.items(analytics.usage)
    seen = {"on": {"N": str(HOUR + 5)}, "off": {"N": str(HOUR + 2)}}
    assert items[flags_part("shop", "production"), "f"]["seen"] == {"M": seen}
    unknown = items[unknown_part("shop", "production"), "f"]
    assert (unknown["first"], unknown["last"]) == ({"N": str(HOUR + 1)}, {"N": str(HOUR + 5)})


class Away(EvaluationStore):
    """A DynamoDB that is away until it is told otherwise."""

    def __init__(self, analytics: Analytics) -> None:
        super().__init__(analytics.tables)
        self.back = threading.Event()
        self.attempts = 0

    def write(self, batch: Batch) -> None:
        self.attempts += 1
        if not self.back.is_set():
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        super().write(batch)


def test_messages_stay_ours_while_dynamodb_is_away(hasty: Analytics) -> None:
    """Without the heartbeat they would be given to the other consumer, and be dead after five seconds."""
    store = Away(hasty)
    first, other = hasty.consumer(), hasty.consumer()
    first._store = store
    hasty.send(*(message([row("f", n, {"SPLIT/on": n})]) for n in range(1, 4)))
    with hasty.consuming(first):
        eventually(lambda: first.received == 3 and store.attempts > 0)
        with hasty.consuming(other):
            time.sleep(MAX_RECEIVE_COUNT + 1.5)
        store.back.set()
        eventually(lambda: first.deleted == 3)
    assert (first.received, other.received, hasty.dead.messages()) == (3, 0, 0)
    assert hasty.items(hasty.usage)["shop/production/2100-11-04/f", "0720/p1"]["seq"] == {"N": "3"}


def test_a_poisoned_message_is_dead_after_five_and_redrive_brings_it_back(hasty: Analytics) -> None:
    poisoned = message([row("f", 7, {"SPLIT/on": 7})])
    refused = threading.Event()

    class Bug(EvaluationStore):
        def write(self, batch: Batch) -> None:
            if any(each.seq == 7 for each in batch.counts) and not refused.is_set():
                raise KeyError("a fault of ours")
            super().write(batch)

    consumer = hasty.consumer()
    consumer._store = Bug(hasty.tables)
    with hasty.consuming(consumer):
        hasty.send(poisoned, message([row("g", 1, {"SPLIT/on": 1})]))
        eventually(lambda: hasty.dead.messages() == 1)
        assert (consumer.refused, consumer.deleted) == (MAX_RECEIVE_COUNT, 1)
        refused.set()
        told: list[int] = []
        assert redrive(hasty.dead, hasty.queue, None, told.append) == 1
        eventually(lambda: consumer.deleted == 2)
    assert told == [1]
    assert hasty.dead.messages() == 0
    assert hasty.items(hasty.usage)["shop/production/2100-11-04/f", "0720/p1"]["seq"] == {"N": "7"}


def test_redrive_moves_no_more_than_it_is_told_and_loses_none(analytics: Analytics) -> None:
    for n in range(25):
        analytics.sqs.send_message(QueueUrl=analytics.dead.url, MessageBody=message([row("f", n, {})]))
    assert redrive(analytics.dead, analytics.queue, 12, lambda _: None) == 12
    assert (analytics.dead.messages(), analytics.queue.messages()) == (13, 12)
    assert redrive(analytics.dead, analytics.queue, None, lambda _: None) == 13
    assert (analytics.dead.messages(), analytics.queue.messages()) == (0, 25)


def settings(analytics: Analytics, **more: str) -> dict[str, str]:
    return os.environ | {
        "TOGGLEMASTER_AWS_ENDPOINT_URL": analytics.url,
        "TOGGLEMASTER_QUEUE_NAME": analytics.queue_name,
        "TOGGLEMASTER_USAGE_TABLE": analytics.usage,
        "TOGGLEMASTER_RECORDS_TABLE": analytics.records,
        "AWS_DYNAMODB_TABLE": analytics.original,
        **more,
    }


def test_the_process_tells_what_it_does_and_stops_in_time(analytics: Analytics) -> None:
    port = free_port()
    more = {"TOGGLEMASTER_METRICS_PORT": str(port), "TOGGLEMASTER_QUEUE_WAIT_SECONDS": "20"}
    analytics.send(message([row("f", 1, {"SPLIT/on": 1})]), "not json")
    command = [sys.executable, "-m", "deploy.cli", "work", "consumer"]
    process = subprocess.Popen(command, env=settings(analytics, **more))
    try:
        eventually(lambda: "togglemaster_consumer_deleted_total 1.0" in metrics(port))
        eventually(lambda: "togglemaster_consumer_invalid_total 1.0" in metrics(port))
        for line in (
            "togglemaster_consumer_batch_seconds_count",
            f'togglemaster_queue_messages{{queue="{analytics.queue_name}"}}',
            f'togglemaster_queue_messages{{queue="{analytics.queue_name}-dead"}} 0.0',
        ):
            assert line in metrics(port)
        process.send_signal(signal.SIGTERM)  # while it waits for messages, for up to 20 seconds
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
