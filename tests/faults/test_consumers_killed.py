"""Consumers that are killed while they store: nothing is lost, and nothing is counted twice."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.embedded import Stack
from projections.usage_table import UsageTable
from tests.faults.conftest import until
from tests.figures import tell
from tests.integration.analytics import Analytics, message
from workers.dead_letters import redrive

KILLS = 8
MESSAGES, ROWS, RECORDS = 150, 10, 20
MINUTE = int(datetime(2100, 11, 4, 12, tzinfo=UTC).timestamp() // 60)


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


@contextmanager
def consuming(analytics: Analytics) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = (analytics.url, analytics.queue_name, analytics.usage, analytics.records)
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.killable_consumer", *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def numbered(n: int) -> str:
    """The nth of a producer's messages: what it counted so far, and records of its own."""
    rows = [["shop", "production", f"f{flag}", MINUTE, n + 1, {"SPLIT/on": n + 1}] for flag in range(ROWS)]
    return message(rows, [record(n, m) for m in range(RECORDS)], producer="p")


def record(n: int, m: int) -> list[Any]:
    at, flag = MINUTE * 60_000 + n, f"f{m % ROWS}"
    return [f"p-{n}-{m}", "shop", "production", flag, "on", "SPLIT", f"u{m}", 1, at, {}]


def waiting(analytics: Analytics) -> int:
    """In the queue, with whoever holds them, and dead."""
    found = 0
    for queue in (analytics.queue, analytics.dead):
        answer = analytics.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        found += int(answer["ApproximateNumberOfMessages"])
        found += int(answer["ApproximateNumberOfMessagesNotVisible"])
    return found


def test_consumers_killed_at_random_lose_and_double_nothing(analytics: Analytics) -> None:
    chance = random.Random(7)  # noqa: S311 - the same every time
    order = [*range(MESSAGES), *chance.sample(range(MESSAGES), MESSAGES // 5)]
    chance.shuffle(order)
    analytics.send(*(numbered(n) for n in order))
    killed_in_work = 0
    for _ in range(KILLS):
        with consuming(analytics):
            before = waiting(analytics)
            until(lambda before=before: waiting(analytics) < before or not before, 30)  # type: ignore[misc]
            time.sleep(chance.random() / 10)
            killed_in_work += waiting(analytics) > 0

    def done() -> bool:
        redrive(analytics.dead, analytics.queue, None, lambda _: None)
        return not waiting(analytics)

    with consuming(analytics):
        until(done, 60)

    start = datetime.fromtimestamp(MINUTE * 60, UTC)
    usage = UsageTable(analytics.dynamodb, analytics.usage)
    for flag in range(ROWS):
        (row,) = usage.query("shop", "production", f"f{flag}", start, start.replace(minute=1))
        assert row.counts == {"SPLIT/on": MESSAGES}
    stored = len(analytics.items(analytics.records))
    assert stored == MESSAGES * RECORDS
    tell("consumers killed", kills=KILLS, in_work=killed_in_work, lost=MESSAGES * RECORDS - stored)
