"""What DynamoDB counts is what clients received, whatever was killed, doubled, shuffled or away."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from commands.secret_keys import new_key
from deploy.embedded import Part, free_port, start_aws, start_valkey, stop
from domain.access import digest
from projections.aws import Queue, create_queue, create_tables, dynamodb_client, sqs_client
from projections.documents import ENVIRONMENTS, KEYS, Documents, KeyDocument, Place
from projections.dropped_table import DroppedTable
from projections.ruleset_store import LIVE, RulesetStore
from projections.usage_table import UsageTable
from tests.conftest import open_directory
from tests.faults.conftest import until
from tests.faults.counting_clients import Received, Wish
from tests.faults.killed_parts import Forker
from tests.faults.unkind_queue import UnkindQueue
from tests.figures import tell
from tests.integration.flag_documents import HALF, flag_document

EVALUATIONS, PER_SECOND = 500_000, 5_000
CONSUMER_KILLS, EVALUATOR_KILLS = 100, 20
OUTAGE_SECONDS, OUTAGE_BEGINS = 60, 15  # seconds after the clients have begun
TWICE = 0.2
EVALUATORS, CONSUMERS = 2, 2
FLAGS, SUBJECTS, CONNECTIONS = 20, 500, 16
SENT, DELIVERED = "evaluated", "delivered"
USAGE, RECORDS = "usage", "records"
SCOPE = "shop/production"
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
KINDS: list[dict[str, Any]] = [
    {"default": {"variant": "on"}},
    {"default": HALF},
    {"rules": [{"id": "brazil", "when": BRAZIL, "serve": HALF}]},
    {"enabled": False},
]
NO_FLAG = "no-such-flag"
START_SECONDS = 60
DRAINED_SECONDS = 180  # what a killed consumer had is given again after half a minute
REGION = "us-east-1"


def flag_key(number: int) -> str:
    return f"flag-{number}"


@dataclass
class World:
    """A Redis with flags, SQS and DynamoDB, and processes that can be killed."""

    directory: Path
    valkey: Part
    aws: Part
    forker: Forker
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(EVALUATORS)])
    key: str = field(default_factory=lambda: new_key("server")[1])

    def __post_init__(self) -> None:
        self.sqs, dynamodb = sqs_client(self.aws.url, REGION), dynamodb_client(self.aws.url, REGION)
        create_queue(self.sqs, SENT)
        create_queue(self.sqs, DELIVERED)
        create_tables(dynamodb, USAGE, RECORDS)
        self.usage = UsageTable(dynamodb, USAGE)
        self.dropped = DroppedTable(dynamodb, USAGE)
        self._fill()

    def _fill(self) -> None:
        key = KeyDocument(id="k", kind="server", project="shop", environment="production")
        documents: Documents = {
            Place(ENVIRONMENTS, SCOPE): "{}",
            Place(KEYS, digest(self.key)): key.model_dump_json(),
        }
        for number in range(FLAGS):
            name = flag_key(number)
            documents[Place(SCOPE, f"flag/{name}")] = flag_document(name, **KINDS[number % len(KINDS)])
        with Redis.from_url(self.valkey.url) as redis:
            RulesetStore(redis).write("g1", documents, after=0, to=FLAGS)
            redis.set(LIVE, "g1")

    def evaluator(self, place: int, **settings: str) -> int:
        named = {
            "redis_url": self.valkey.url,
            "aws_endpoint_url": self.aws.url,
            "queue_name": SENT,
            "port": str(self.ports[place]),
            "spool_dir": str(self.directory / f"spool-{place}"),
            "copy_dir": str(self.directory / f"copies-{place}"),
            "flush_seconds": "0.2",
            "log_level": "warning",
        }
        return self.forker.start("serve", "evaluation", **(named | settings))

    def consumer(self) -> int:
        settings = {"queue_name": DELIVERED, "usage_table": USAGE, "records_table": RECORDS}
        addresses = {"aws_endpoint_url": self.aws.url, "queue_wait_seconds": "1", "log_level": "warning"}
        return self.forker.start("work", "consumer", **settings, **addresses)

    def figure(self, place: int, name: str) -> int:
        """Of an evaluator's metrics, over all its labels."""
        url = f"http://127.0.0.1:{self.ports[place]}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(int(float(each)) for each in found)

    def figures(self, name: str) -> int:
        return sum(self.figure(place, name) for place in range(EVALUATORS))

    def spools(self) -> int:
        """Of processes, living and killed, that have something to send."""
        return len(list(self.directory.glob("spool-*/*/state")))

    def waiting(self, queue: str) -> int:
        """Messages that are in it, or with a consumer."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = Queue(self.sqs, queue).url
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return sum(map(int, found.values()))

    def counted(self, flag: str) -> Counter[str]:
        """By variant, as the table has it now."""
        now = datetime.now(UTC)
        begin, end = now - timedelta(hours=1), now + timedelta(minutes=5)
        rows = self.usage.query("shop", "production", flag, begin, end)
        found: Counter[str] = Counter()
        for row in rows:
            for outcome, number in row.counts.items():
                reason, variant = outcome.split("/", 1)
                found[variant or reason] += number
        return found


@pytest.fixture
def world() -> Iterator[World]:
    directory = open_directory()
    forker = Forker(directory / "processes.log")
    valkey, aws = start_valkey(directory), start_aws(directory)
    try:
        yield World(directory, valkey, aws, forker)
    finally:
        forker.close()
        os.kill(aws.process.pid, signal.SIGCONT)
        stop(aws)
        stop(valkey)
        shutil.rmtree(directory)


def wish(world: World, evaluations: int, seed: int, **more: Any) -> Wish:
    asked: dict[str, Any] = {
        "ports": world.ports,
        "key": world.key,
        "flags": [flag_key(number) for number in range(FLAGS)],
        "no_flag": NO_FLAG,
        "subjects": SUBJECTS,
        "evaluations": evaluations,
        "per_second": PER_SECOND,
        "bulk": 0.2,
        "unknown": 0.02,
        "connections": CONNECTIONS,
        "seed": seed,
    }
    return Wish(**(asked | more))


@contextmanager
def clients(asked: Wish) -> Iterator["subprocess.Popen[str]"]:
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.counting_clients"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert popen.stdin is not None
    popen.stdin.write(asked.model_dump_json())
    popen.stdin.close()
    popen.stdin = None
    with popen:
        try:
            yield popen
        finally:
            popen.kill()


def received_by(popen: "subprocess.Popen[str]") -> Received:
    said, _ = popen.communicate()
    return Received.model_validate_json(said)


def test_the_sums_are_the_answers_whatever_is_killed_doubled_shuffled_or_away(world: World) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - a test's
    chance = random.Random(seed)  # noqa: S311
    unkind = UnkindQueue(Queue(world.sqs, SENT), Queue(world.sqs, DELIVERED), TWICE, chance)
    stopping = threading.Event()
    carrying = threading.Thread(target=unkind.carry, args=[stopping])
    carrying.start()
    try:
        evaluators = [world.evaluator(place) for place in range(EVALUATORS)]
        consumers = [world.consumer() for _ in range(CONSUMERS)]
        with clients(wish(world, EVALUATIONS, seed)) as asking:
            play(world, evaluators, consumers, chance)
            received = received_by(asking)
        drained = until(lambda: is_drained(world, unkind), DRAINED_SECONDS)
    finally:
        stopping.set()
        carrying.join()
    difference = tell_table(world, received, f"seed {seed}")
    tell(
        f"{sum(received.answers.values()):,} answers received, and counted in DynamoDB",
        consumers_killed=CONSUMER_KILLS,
        evaluators_killed=EVALUATOR_KILLS,
        SQS_and_DynamoDB_away=f"{OUTAGE_SECONDS} s",
        messages=unkind.carried,
        delivered_twice=unkind.doubled,
        asked_again=received.asked_again,
        withdrawn=sum(
            world.figure(place, "togglemaster_evaluations_withdrawn_total") for place in range(EVALUATORS)
        ),
        all_there_after=f"{drained:.0f} s",
        difference=difference,
    )
    assert sum(received.answers.values()) >= EVALUATIONS
    assert difference == 0


def play(world: World, evaluators: list[int], consumers: list[int], chance: random.Random) -> None:
    """Everything that is to happen, at random times while the clients ask."""
    lasts = EVALUATIONS / PER_SECOND
    began = time.monotonic()
    acts = [(chance.uniform(1, lasts - 2), "evaluator") for _ in range(EVALUATOR_KILLS)]
    acts += [(chance.uniform(1, lasts - 2), "consumer") for _ in range(CONSUMER_KILLS)]
    acts += [(OUTAGE_BEGINS, "away"), (OUTAGE_BEGINS + OUTAGE_SECONDS, "back")]
    for due, act in sorted(acts):
        time.sleep(max(0.0, began + due - time.monotonic()))
        match act:
            case "evaluator":
                place = chance.randrange(EVALUATORS)
                os.kill(evaluators[place], signal.SIGKILL)
                evaluators[place] = world.evaluator(place)
            case "consumer":
                place = chance.randrange(CONSUMERS)
                os.kill(consumers[place], signal.SIGKILL)
                consumers[place] = world.consumer()
            case "away":
                os.kill(world.aws.process.pid, signal.SIGSTOP)
            case "back":
                os.kill(world.aws.process.pid, signal.SIGCONT)


def is_drained(world: World, unkind: UnkindQueue) -> bool:
    time.sleep(0.5)
    if world.spools() > EVALUATORS or world.figures("togglemaster_evaluations_pending"):
        return False
    return is_delivered(world, unkind)


def tell_table(world: World, received: Received, title: str) -> int:
    """A line for each flag and variant; the sum of how far the two are apart."""
    apart = 0
    lines = [f"{title}: flag and variant, answers received, counted, difference"]
    flags = [*(flag_key(number) for number in range(FLAGS)), NO_FLAG]
    for flag in flags:
        counted = world.counted(flag)
        got = {name.split("/")[1]: n for name, n in received.answers.items() if name.split("/")[0] == flag}
        for variant in sorted({*counted, *got}):
            difference = counted[variant] - got.get(variant, 0)
            apart += abs(difference)
            lines.append(f"{flag}/{variant}: {got.get(variant, 0):,} {counted[variant]:,} {difference}")
    total = world.counted("").total()
    lines.append(f"environment: {sum(received.answers.values()):,} {total:,}")
    print("\n".join(lines))  # noqa: T201 - the table, shown when the test fails or with -s
    return apart + abs(total - sum(received.answers.values()))


def test_without_sqs_for_longer_than_the_spool_holds_what_was_served_is_counted_or_dropped(
    world: World,
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    room = {"spool_counters": "25", "spool_megabytes": "1", "records": "all"}
    evaluator = world.evaluator(0, aws_endpoint_url=nowhere, **room)
    with clients(wish(world, 50_000, 7, ports=world.ports[:1], per_second=20_000)) as asking:
        received = received_by(asking)
    dropped = world.figure(0, "togglemaster_evaluations_dropped_counts_total")
    dropped_records = world.figure(0, "togglemaster_evaluations_dropped_records_total")
    os.kill(evaluator, signal.SIGKILL)
    world.evaluator(0, **room)  # where there is SQS; it finds what the other one left
    consumer = world.consumer()
    unkind = UnkindQueue(Queue(world.sqs, SENT), Queue(world.sqs, DELIVERED), 0, random.Random(7))  # noqa: S311
    stopping = threading.Event()
    carrying = threading.Thread(target=unkind.carry, args=[stopping])
    carrying.start()
    try:
        until(lambda: is_answering(world) and world.spools() == 1, START_SECONDS)
        until(lambda: is_delivered(world, unkind), DRAINED_SECONDS)
    finally:
        stopping.set()
        carrying.join()
        os.kill(consumer, signal.SIGKILL)
    served = sum(received.answers.values())
    flags = [*(flag_key(number) for number in range(FLAGS)), NO_FLAG]
    counted = sum(world.counted(flag).total() for flag in flags)
    (told,) = world.dropped.lately(time.time())
    tell(
        "SQS away for longer than the spool holds",
        served=served,
        counted=counted,
        dropped=dropped,
        records_dropped=dropped_records,
        difference=served - counted - dropped,
    )
    assert dropped > 0
    assert dropped_records > 0
    assert counted > 0
    assert served == counted + dropped
    assert (told.counts, told.records) == (dropped, dropped_records)


def is_answering(world: World) -> bool:
    try:
        return world.figure(0, "togglemaster_ruleset_position") > 0
    except OSError:
        return False


def is_delivered(world: World, unkind: UnkindQueue) -> bool:
    return not unkind.holds and not world.waiting(SENT) + world.waiting(DELIVERED)
