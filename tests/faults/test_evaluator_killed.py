"""Every answer is counted once, and recorded once, however often the evaluator is killed."""

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from commands.event_store import EventStore
from deploy.embedded import Stack, free_port
from domain.recording import AS_INSTALLED
from projections.aws import Queue, create_queue, sqs_client
from projections.usage_table import outcome_of
from tests.conftest import open_directory
from tests.faults.asking import LOST, Connection, request
from tests.faults.conftest import until
from tests.faults.killed_parts import Forker
from tests.faults.test_evaluation_alone import fill
from tests.figures import tell
from workers.evaluations import EvaluationRecorder, Tally
from workers.received import Evaluations, newest
from workers.sender import SqsPublisher

KILLS = 20
BETWEEN_KILLS = (0.1, 0.5)  # seconds
CONNECTIONS = 8
START_SECONDS = 30
STOP_SECONDS = 15
NO_FLAG = "no-such-flag"


@dataclass
class Evaluator:
    """One at a time, always on the same spool and at the same port."""

    forker: Forker
    settings: dict[str, str]
    pid: int = 0

    def start(self) -> None:
        self.pid = self.forker.start("serve", "evaluation", **self.settings)

    def end(self, number: int) -> None:
        os.kill(self.pid, number)
        until(lambda: not Path(f"/proc/{self.pid}").exists(), STOP_SECONDS)


@dataclass
class Clients:
    """They name each request, and ask again by that name where they got no answer."""

    port: int
    key: str
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked_again: int = 0
    done: bool = False
    _wanted: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, numbers: Iterator[int]) -> None:
        connection = await self._connected()
        while not self.done:
            number = next(numbers)
            flag = "checkout" if number % 10 else NO_FLAG
            sent = request(self.key, flag, json.dumps({"targetingKey": f"user-{number}"}))
            sent = sent.replace(b"\r\n", b"\r\nX-Request-ID: request-%d\r\n" % number, 1)
            while True:
                try:
                    response = await connection.ask(sent)
                    break
                except LOST:
                    connection.close()
                    connection = await self._connected()
                    self.asked_again += 1
            found = json.loads(response.body)
            outcome = (found["reason"], found["variant"]) if flag == "checkout" else ("FLAG_NOT_FOUND", "")
            self.answers[flag, outcome_of(*outcome)] += 1
            if self.answers.total() >= self._wanted:
                self._reached.set()
        connection.close()

    async def answered_by_all(self) -> None:
        """About as many answers as there are connections from now on."""
        self._wanted = self.answers.total() + CONNECTIONS
        self._reached.clear()
        await self._reached.wait()

    async def _connected(self) -> Connection:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    connection = await Connection.to(self.port)
                    if (await connection.ask(HEALTH)).status == 200:
                        return connection
                    connection.close()
                except LOST:
                    pass
                await asyncio.sleep(0.02)


HEALTH = b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def directory() -> Iterator[Path]:
    found = open_directory()
    yield found
    shutil.rmtree(found)


async def play(clients: Clients, evaluator: Evaluator) -> None:
    chance, numbers = random.Random(6), itertools.count()  # noqa: S311 - the same every time
    async with asyncio.TaskGroup() as asking:
        for _ in range(CONNECTIONS):
            asking.create_task(clients.ask(numbers))
        for _ in range(KILLS):
            await clients.answered_by_all()
            await asyncio.sleep(chance.uniform(*BETWEEN_KILLS))
            await asyncio.to_thread(evaluator.end, signal.SIGKILL)
            await asyncio.to_thread(evaluator.start)
        await asyncio.sleep(1)
        clients.done = True


def received(sqs: Any, url: str) -> Iterator[Evaluations]:
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            yield Evaluations.model_validate_json(message["Body"], strict=True)


class Taken(list[bytes]):
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        self += batch
        return []


KILLED_WHILE_ANSWERING = """
import os, signal, sys
from pathlib import Path
from domain.recording import AS_INSTALLED
from workers.evaluations import EvaluationRecorder, Tally

recorder = EvaluationRecorder(None, spool_dir=Path(sys.argv[1]))
tally = Tally(("shop", "production", "f", "SPLIT", "on"))
for _ in range(1_000):
    recorder.record_one(tally, AS_INSTALLED, {"targetingKey": "u"}, 7, 1_793_793_600.0)
recorder.record_marked(b"request-1", [tally], AS_INSTALLED, {"targetingKey": "u"}, 7, 1_793_793_600.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("asks_again", [True, False])
def test_killed_between_counting_and_answering(directory: Path, asks_again: bool) -> None:
    spool = directory / "spool"
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_ANSWERING, str(spool)], check=False)
    assert killed.returncode == -signal.SIGKILL
    taken = Taken()
    recorder = EvaluationRecorder(taken, spool_dir=spool, uncertain_seconds=0)
    recorder.flusher.adopt()
    assert list(recorder.flusher.uncertain) == [b"request-1"]
    if asks_again:
        tally = Tally(("shop", "production", "f", "SPLIT", "on"))
        recorder.record_marked(b"request-1", [tally], AS_INSTALLED, {"targetingKey": "u"}, 7, time.time())
        recorder.answered()
    assert all(recorder.flush() for _ in range(3))
    recorder.stop()
    bodies = [Evaluations.model_validate_json(message, strict=True) for message in taken]
    rows = newest(row for body in bodies for row in body.count_rows() if row.flag)
    assert sum(row.counts["SPLIT/on"] for row in rows) == 1_001
    assert len({record.event_id for body in bodies for record in body.records}) == 1_001


def send_the_rest(queue: Queue, spool: Path) -> None:
    """Records of what was perhaps never answered, which a client may ask for again for a minute."""
    recorder = EvaluationRecorder(SqsPublisher(queue), spool_dir=spool, uncertain_seconds=0)
    recorder.flusher.adopt()
    assert all(recorder.flush() for _ in range(3))
    recorder.stop()
    assert [each.name for each in spool.iterdir()] == ["lock"]


def test_every_answer_is_counted_and_recorded_once(
    stack: Stack, store: EventStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    sqs = sqs_client(stack.aws.url, "us-east-1")
    queue, port = uuid4().hex, free_port()
    url = create_queue(sqs, queue)
    settings = {
        "redis_url": stack.valkey.url,
        "aws_endpoint_url": stack.aws.url,
        "queue_name": queue,
        "port": str(port),
        "spool_dir": str(directory / "spool"),
        "copy_dir": str(directory / "copies"),  # no projector confirms the ruleset; a copy serves at once
        "records": "all",
        "flush_seconds": "0.1",
        "log_level": "warning",
    }
    clients = Clients(port, fill(store, stack.valkey))
    forker = Forker(directory / "log")
    try:
        evaluator = Evaluator(forker, settings)
        evaluator.start()
        asyncio.run(play(clients, evaluator))
        evaluator.end(signal.SIGTERM)
    finally:
        forker.close()

    send_the_rest(Queue(sqs, queue), directory / "spool")
    bodies = list(received(sqs, url))
    sqs.close()
    counted: Counter[tuple[str, str]] = Counter()
    for row in newest(row for body in bodies for row in body.count_rows()):
        if row.flag:
            counted.update({(row.flag, outcome): count for outcome, count in row.counts.items()})
    records = {record.event_id: record for body in bodies for record in body.records}
    recorded = Counter((each.flag, outcome_of(each.reason, each.variant)) for each in records.values())
    tell(
        f"An evaluator killed {KILLS} times",
        answers=clients.answers.total(),
        asked_again=clients.asked_again,
        difference_in_counts=(counted - clients.answers + (clients.answers - counted)).total(),
    )
    assert +counted == clients.answers
    del clients.answers[NO_FLAG, "FLAG_NOT_FOUND/"]  # which has no records
    assert recorded == clients.answers
