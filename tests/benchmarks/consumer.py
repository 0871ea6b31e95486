"""How many evaluations a consumer takes in a second of its CPU, and who keeps it waiting.

The queue is filled with what a producer sends in mode `exposures`: each second a row for every flag and one
for the environment, and a record for each new exposure. Then a consumer as an operator starts it empties the
queue into DynamoDB; both SQS and DynamoDB are ministack, one process. CPU times are the kernel's.
"""

import cProfile
import os
import pstats
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.embedded import Part, free_port, start_aws, stop
from deploy.processes.consumer import build
from deploy.processes.setup import set_up_analytics
from deploy.settings import Settings
from projections.aws import Queue, sqs_client
from tests.benchmarks.engines import machine
from tests.conftest import open_directory
from workers.messages import encode, pack

PROJECT, ENVIRONMENT, PRODUCER = "shop", "production", "bench"
BATCH_BYTES = 256 * 1024
TICK = os.sysconf("SC_CLK_TCK")
CLIENT, SENDING = "AWS client: requests made, signed and answers read", "sending and receiving, in the kernel"
PARTS = {  # of the profile: the first that a function's place contains
    "_socket": SENDING,
    "select": SENDING,
    "botocore": CLIENT,
    "urllib3": CLIENT,
    "/http/": CLIENT,
    "/email/": CLIENT,
    "json": CLIENT,
    "hashlib": CLIENT,
    "pydantic": "reading messages",
    "datasketches": "sketches of subjects",
    "/projections/": "ours",
    "/workers/": "ours",
}
REST = "built into Python (strings, dicts, isinstance), mostly on behalf of the client"
WRITING = ("projections.item_writes", "projections.usage_table", "projections.flag_index")


@dataclass
class Load:
    """`exposures` of a hundred evaluations are new."""

    seconds: int
    rate: int
    flags: int
    subjects: int
    exposures: float

    @property
    def evaluations(self) -> int:
        return self.seconds * self.rate


@dataclass
class Measured:
    wall: float
    consumer: float
    ministack: float


def main(
    seconds: Annotated[int, typer.Option(help="How long the producer sent.")] = 60,
    rate: Annotated[int, typer.Option(help="Evaluations in each of these seconds.")] = 20_000,
    flags: Annotated[int, typer.Option()] = 100,
    subjects: Annotated[int, typer.Option()] = 10_000,
    exposures: Annotated[float, typer.Option(help="Percent of the evaluations that are recorded.")] = 5.0,
    threads: Annotated[int, typer.Option()] = 4,
    profile: Annotated[bool, typer.Option("--profile", help="Also where the consumer's time goes.")] = False,
) -> None:
    """Empty a queue into DynamoDB and tell what that cost."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    load = Load(seconds, rate, flags, subjects, exposures)
    console.print(machine(), markup=False, highlight=False)
    with ministack() as aws:
        settings = Settings(aws_endpoint_url=aws.url, queue_wait_seconds=1, consumer_threads=threads)
        sent = fill(settings, load, console)
        measured = measure(settings, aws, sent, console)
        console.print(table(load, sent, measured))
        if profile:
            fill(settings, load, console)
            console.print(profiled(settings, console))


@contextmanager
def ministack() -> Iterator[Part]:
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "any")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    directory = open_directory()
    aws = start_aws(directory)
    try:
        yield aws
    finally:
        stop(aws)
        shutil.rmtree(directory)


def fill(settings: Settings, load: Load, console: Console) -> int:
    """How many messages it sent."""
    set_up_analytics(settings)
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region)
    queue, sent = Queue(sqs, settings.queue_name), 0
    with progress(console) as bar:
        for messages in bar.track(seconds_of(load), total=load.seconds, description="filled, seconds"):
            for message in messages:
                sqs.send_message(QueueUrl=queue.url, MessageBody=message.decode())
                sent += 1
    return sent


def seconds_of(load: Load) -> Iterator[list[bytes]]:
    """What the producer sends in each second; a minute's counts grow until it ends."""
    chance, now = random.Random(1), int(time.time())  # noqa: S311 - the same every time
    numbers, counts, minute = iter(range(sys.maxsize)), Counter[tuple[int, str]](), 0
    for second in range(load.seconds):
        if (now + second) // 60 != minute:
            minute, counts = (now + second) // 60, Counter()
        asked = [(chance.randrange(load.flags), chance.choice(("on", "off"))) for _ in range(load.rate)]
        counts.update(asked)
        new = chance.sample(asked, round(load.rate * load.exposures / 100))
        records = [
            record(next(numbers), *each, chance.randrange(load.subjects), now + second) for each in new
        ]
        yield list(pack(PRODUCER, count_rows(counts, minute, second), records, BATCH_BYTES))


def count_rows(counts: Counter[tuple[int, str]], minute: int, seq: int) -> list[bytes]:
    rows: dict[str, dict[str, int]] = {"": {"SPLIT/": counts.total()}}
    for (flag, variant), count in counts.items():
        rows.setdefault(f"flag-{flag}", {})[f"SPLIT/{variant}"] = count
    return [encode([PROJECT, ENVIRONMENT, flag, minute, seq, outcomes]) for flag, outcomes in rows.items()]


def record(number: int, flag: int, variant: str, subject: int, second: int) -> bytes:
    event, at = f"{PRODUCER}-{number}", second * 1_000 + number % 1_000
    subject_name, name = f"user-{subject}", f"flag-{flag}"
    return encode([event, PROJECT, ENVIRONMENT, name, variant, "SPLIT", subject_name, 42, at, {}])


def measure(settings: Settings, aws: Part, messages: int, console: Console) -> Measured:
    """From the first message that was received to the last that was deleted."""
    port = free_port()
    environment = os.environ | {
        "TOGGLEMASTER_AWS_ENDPOINT_URL": aws.url,
        "TOGGLEMASTER_METRICS_PORT": str(port),
        "TOGGLEMASTER_CONSUMER_THREADS": str(settings.consumer_threads),
    }
    command = [sys.executable, "-m", "deploy.cli", "work", "consumer"]
    process = subprocess.Popen(command, env=environment)
    try:
        while not metric(port, "received"):
            time.sleep(0.01)
        began, before = time.monotonic(), (cpu(process.pid), cpu(aws.process.pid))
        with progress(console) as bar:
            task = bar.add_task("stored, messages", total=messages)
            while (done := metric(port, "deleted")) < messages:
                bar.update(task, completed=done)
                time.sleep(0.1)
            bar.update(task, completed=done)
        wall = time.monotonic() - began
        after = cpu(process.pid), cpu(aws.process.pid)
        return Measured(wall, after[0] - before[0], after[1] - before[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def metric(port: int, name: str) -> int:
    """0 before there is anybody to ask."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    prefix = f"togglemaster_consumer_{name}_total "
    return next(int(float(line.removeprefix(prefix))) for line in lines if line.startswith(prefix))


def cpu(pid: int) -> float:
    """Seconds that all its threads had, in user and kernel mode: fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def table(load: Load, messages: int, measured: Measured) -> Table:
    found = Table(title=f"{load.evaluations:,} evaluations in {messages} messages, mode exposures")
    for column in ("", "seconds", "evaluations/s", "share of the wall clock"):
        found.add_column(column, justify="right" if column else "left")
    for name, seconds in (
        ("wall clock", measured.wall),
        ("CPU of the consumer", measured.consumer),
        ("CPU of ministack (SQS and DynamoDB)", measured.ministack),
    ):
        rate, share = load.evaluations / seconds, seconds / measured.wall
        found.add_row(name, f"{seconds:.2f}", f"{rate:,.0f}", f"{share:.0%}")
    return found


def profiled(settings: Settings, console: Console) -> Table:
    """One consumer until the queue is empty, all in one thread, as a profile sees no other."""
    consumer, ended = build(settings)[0][0], threading.Event()
    queue = Queue(sqs_client(settings.aws_endpoint_url, settings.aws_region), settings.queue_name)
    profiler = cProfile.Profile(time.thread_time)
    threading.Thread(target=end_when_empty, args=[queue, ended], daemon=True).start()
    with ExitStack() as patches, console.status("profiling"):
        for module in WRITING:
            patches.enter_context(patch(f"{module}.at_once", one_by_one))
        profiler.runcall(consumer.run, ended)
    shares: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        shares[part_of(f"{file}{name}")] += own
    found = Table(title="where the CPU of a consumer goes")
    found.add_column("part")
    found.add_column("share", justify="right")
    for part, seconds in shares.most_common():
        found.add_row(part, f"{seconds / shares.total():.0%}")
    return found


def one_by_one(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    return [work(item) for item in items]


def end_when_empty(queue: Queue, ended: threading.Event) -> None:
    while queue.messages():
        time.sleep(0.5)
    ended.set()


def part_of(place: str) -> str:
    return next((part for path, part in PARTS.items() if path in place), REST)


def progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


if __name__ == "__main__":
    typer.run(main)
