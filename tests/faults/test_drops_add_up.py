"""Spools too small, SQS away, evaluators killed: what DynamoDB has is what was served, counted or dropped."""

import asyncio
import itertools
import random
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from commands.event_store import EventStore
from deploy.embedded import Stack, free_port
from projections.dropped_table import Dropped
from tests.conftest import open_directory
from tests.faults.killed_parts import Forker
from tests.faults.test_evaluation_alone import fill
from tests.faults.test_evaluator_killed import CONNECTIONS, NO_FLAG, Clients, Evaluator
from tests.figures import tell
from tests.integration.analytics import Analytics
from tests.waiting import eventually
from workers.evaluations import EvaluationRecorder
from workers.sender import SqsPublisher

KILLS = 16
BETWEEN_KILLS = (0.1, 0.4)  # seconds
AWAY = 0.6  # of the evaluators have no SQS for as long as they live
ROOM = {"spool_counters": "2", "spool_megabytes": "1", "records": "all"}  # there are four answers a minute
WHERE = ("shop", "production")


class Stored(NamedTuple):
    counts: int
    records: int
    dropped: list[Dropped]


@pytest.fixture
def directory() -> Iterator[Path]:
    found = open_directory()
    yield found
    shutil.rmtree(found)


@pytest.fixture
def analytics(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Analytics]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    found = Analytics(stack.aws.url)
    yield found
    found.close()


async def play(clients: Clients, evaluator: Evaluator, aws: list[str]) -> None:
    """`aws` is where each start of the evaluator looks for SQS."""
    chance, numbers = random.Random(9), itertools.count()  # noqa: S311 - the same every time
    async with asyncio.TaskGroup() as asking:
        for _ in range(CONNECTIONS):
            asking.create_task(clients.ask(numbers))
        for url in aws:
            await clients.answered_by_all()
            await asyncio.sleep(chance.uniform(*BETWEEN_KILLS))
            await asyncio.to_thread(evaluator.end, signal.SIGKILL)
            evaluator.settings["aws_endpoint_url"] = url
            await asyncio.to_thread(evaluator.start)
        clients.done = True


def send_the_rest(analytics: Analytics, spool: Path) -> tuple[int, int]:
    """The counts and records that evaluators dropped, by what is on disk."""
    recorder = EvaluationRecorder(SqsPublisher(analytics.queue), spool_dir=spool, uncertain_seconds=0)
    recorder.flusher.adopt()
    assert all(recorder.flush() for _ in range(3))
    recorder.stop()
    return recorder.dropped_counts, recorder.dropped_records


def stored(analytics: Analytics) -> Stored:
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=1)
    rows = [
        row
        for flag in ("checkout", NO_FLAG)
        for row in analytics.tables.usage.query(*WHERE, flag, start, end)
    ]
    records = analytics.tables.records.each(*WHERE, "checkout", start, end)
    dropped = analytics.tables.dropped.lately(time.time())
    return Stored(sum(sum(row.counts.values()) for row in rows), sum(1 for _ in records), dropped)


@pytest.mark.usefixtures("redis")  # without what other tests left there
def test_counted_and_dropped_in_dynamodb_are_what_was_served(
    stack: Stack, store: EventStore, directory: Path, analytics: Analytics
) -> None:
    port, spool, chance = free_port(), directory / "spool", random.Random(9)  # noqa: S311 - a test's
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings = {
        "redis_url": stack.valkey.url,
        "aws_endpoint_url": nowhere,
        "queue_name": analytics.queue_name,
        "port": str(port),
        "spool_dir": str(spool),
        "copy_dir": str(directory / "copies"),  # no projector confirms the ruleset; a copy serves at once
        "flush_seconds": "0.05",
        "log_level": "error",
        **ROOM,
    }
    aws = [nowhere if chance.random() < AWAY else stack.aws.url for _ in range(KILLS)]
    clients = Clients(port, fill(store, stack.valkey))
    forker = Forker(directory / "log")
    with analytics.consuming() as consumer:
        try:
            evaluator = Evaluator(forker, settings)
            evaluator.start()
            asyncio.run(play(clients, evaluator, aws))
            evaluator.end(signal.SIGKILL)
        finally:
            forker.close()
        noted = send_the_rest(analytics, spool)
        eventually(analytics.is_empty, seconds=60)

    found = stored(analytics)
    dropped = sum(each.counts for each in found.dropped), sum(each.records for each in found.dropped)
    served, of_the_flag = (
        clients.answers.total(),
        clients.answers.total() - clients.answers[NO_FLAG, "FLAG_NOT_FOUND/"],
    )
    tell(
        f"An evaluator with little room killed {KILLS + 1} times, {aws.count(nowhere) + 1} times without SQS",
        served=served,
        counted=found.counts,
        dropped=dropped[0],
        recorded=found.records,
        records_dropped=dropped[1],
        producers=len(found.dropped),
        asked_again=clients.asked_again,
        difference=abs(served - found.counts - dropped[0]) + abs(of_the_flag - found.records - dropped[1]),
    )
    assert (consumer.invalid, consumer.refused) == (0, 0)
    assert min(*dropped, found.counts, found.records, len(found.dropped) - 1) > 0
    assert dropped == noted
    assert served == found.counts + dropped[0]
    assert of_the_flag == found.records + dropped[1]
