"""With Redis and PostgreSQL gone, or Redis stopped in its tracks, an evaluator goes on as if nothing was."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import pytest
from redis import Redis

from commands.event_store import EventStore
from commands.models import IssueKey
from commands.secret_keys import new_key
from deploy.embedded import Part, free_port, start_valkey, stop
from domain.access import digest
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from tests.conftest import open_directory
from tests.faults.asking import LOST, Connection, Response, request
from tests.faults.conftest import Database
from tests.figures import tell
from tests.integration.shop import BRAZIL, Shop, rule

CONNECTIONS = 16
BEFORE, DURING = 5_000, 20_000  # evaluations
START_SECONDS = 60
STALE = b',"stale":true'  # which it says after 5 seconds
HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}
CONTEXT = '{"targetingKey": "user-1", "country": "BR"}'


class Asked(NamedTuple):
    """`took` is in seconds; `response` is what went wrong where there was none."""

    took: float
    response: Response | str


@dataclass
class Load:
    """What all connections asked, until they have what is aimed at."""

    aim: float = inf
    asked: list[Asked] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        """The rate is no measure of the evaluator: this client keeps a core busy by itself."""
        p99 = quantiles([each.took for each in self.asked], n=100)[98]
        count = len(self.asked)
        return f"{count:,} at {count / self.seconds:,.0f} a second with p99 {1_000 * p99:.1f} ms"


@dataclass
class Evaluator:
    port: int
    key: str
    valkey: Part
    database: Database

    async def ask(self, connection: Connection) -> Response:
        found = await connection.ask(request(self.key, "checkout", CONTEXT))
        return found._replace(body=found.body.replace(STALE, b""))

    async def ask_many(self, count: int, harm: Callable[[], None] = lambda: None) -> Load:
        """So many once the harm is done, and those while it was."""
        load, began = Load(), time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for _ in range(CONNECTIONS):
                asking.create_task(self._ask_on(await Connection.to(self.port), load))
            await asyncio.to_thread(harm)
            load.aim = len(load.asked) + count
        load.seconds = time.perf_counter() - began
        return load

    async def _ask_on(self, connection: Connection, load: Load) -> None:
        while len(load.asked) < load.aim:
            began = time.perf_counter()
            try:
                response: Response | str = await self.ask(connection)
            except LOST as problem:
                response = repr(problem)
                connection.close()
                connection = await Connection.to(self.port)
            load.asked.append(Asked(time.perf_counter() - began, response))
        connection.close()


@pytest.fixture
def evaluator(database: Database, store: EventStore) -> Iterator[Evaluator]:
    directory = open_directory()
    valkey = start_valkey(directory)
    key = fill(store, valkey)
    try:
        with serving(valkey.url, directory / "log") as port:
            evaluator = Evaluator(port, key, valkey, database)
            asyncio.run(ready(evaluator))
            yield evaluator
    finally:
        valkey.process.kill()  # it may have been stopped
        stop(valkey)
        shutil.rmtree(directory)


def fill(store: EventStore, valkey: Part) -> str:
    """The key of an evaluator with one flag."""
    shop = Shop(store)
    shop.flag("checkout")
    shop.target("checkout", default=HALF, rules=[rule(BRAZIL, "brazil")])
    key_id, key = new_key("server")
    issue = IssueKey(
        project="shop", environment="production", id=key_id, name="n", kind="server", digest=digest(key)
    )
    shop.give(issue)
    with Redis.from_url(valkey.url) as client:
        rebuild(store, RulesetStore(client))
    return key


@contextmanager
def serving(redis_url: str, log: Path) -> Iterator[int]:
    """The port."""
    port = free_port()
    environment = os.environ | {
        "TOGGLEMASTER_REDIS_URL": redis_url,
        "TOGGLEMASTER_AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "TOGGLEMASTER_PORT": str(port),
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "deploy.cli", "serve", "evaluation"]
        popen = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield port
    finally:
        popen.terminate()
        popen.wait(30)


async def ready(evaluator: Evaluator) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                connection = await Connection.to(evaluator.port)
                status = (await evaluator.ask(connection)).status
                connection.close()
            except LOST:
                status = 0
            if status == 200:
                return
            await asyncio.sleep(0.05)


def kill_both(evaluator: Evaluator) -> None:
    evaluator.valkey.process.kill()
    evaluator.valkey.process.wait()
    evaluator.database.kill()


def stop_redis(evaluator: Evaluator) -> None:
    os.kill(evaluator.valkey.process.pid, signal.SIGSTOP)


@pytest.mark.parametrize(
    ("what", "harm"), [("Redis and PostgreSQL killed", kill_both), ("Redis stopped", stop_redis)]
)
def test_not_one_evaluation_fails(evaluator: Evaluator, what: str, harm: Callable[[Evaluator], None]) -> None:
    before = asyncio.run(evaluator.ask_many(BEFORE))
    right = before.asked[0].response
    assert isinstance(right, Response)
    assert (right.status, b'"ruleId":"brazil"' in right.body) == (200, True)
    during = asyncio.run(evaluator.ask_many(DURING, lambda: harm(evaluator)))
    failures = [each.response for each in before.asked + during.asked if each.response != right]
    tell(f"{what} while it was evaluated", before=before, during=during, failures=len(failures))
    assert failures == []
    assert len(during.asked) >= DURING
