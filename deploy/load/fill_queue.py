"""Fill the queue, so that KEDA has something to see: `python -m deploy.load.fill_queue --help`.

By HTTP, as applications do: evaluators pack thousands of evaluations into a message, so this takes many. By
SQS, as the original system does: a message for each evaluation, so that this fills a queue quickly. Then it
waits until as many are counted in DynamoDB as were sent.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import typer
import uvloop
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.load.asking import GOOD, ask, evaluations, target_of
from deploy.load.loaded import Flag, Key, Platform, ReadyFile, Url, platform_of
from deploy.load.verdict import Answered, Check, conclude, p99, run, statuses
from deploy.samples import ENVIRONMENT as SAMPLE_ENVIRONMENT
from deploy.samples import FLAG
from deploy.told import Told
from projections.aws import Queue, dynamodb_client, sqs_client
from projections.usage_reader import UsageReader
from workers.original_messages import ENVIRONMENT, PROJECT

BATCH = 10  # SQS's limit for SendMessageBatch
TAKEN = "taken"  # by SQS
P99_MS = {"http": 250.0, "sqs": 1_000.0}  # SQS' stand-in on a laptop is one process for everything
LOOK_SECONDS = 1.0
QUIET_SECONDS = 5.0  # evaluators send once a second, and a busy consumer has messages for some seconds


class Place(NamedTuple):
    """Where the evaluations are counted."""

    project: str
    environment: str
    flag: str


class Stored:
    """What is counted of a flag from the minute in which this is made."""

    def __init__(self, platform: Platform, place: Place) -> None:
        settings = platform.settings
        dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
        self._reader = UsageReader(dynamodb, settings.usage_table)
        self._place = place
        self._first = _minute() - 1  # clocks differ
        self._before = 0

    def count(self) -> int:
        return self._all() - self._before

    def begin(self) -> None:
        self._before = self._all()

    def _all(self) -> int:
        found = self._reader.minutes(*self._place, self._first, _minute() + 2)
        return sum(sum(each.counts.values()) for each in found)


def _minute() -> int:
    return int(time.time() // 60)


def main(
    ready_file: ReadyFile = None,
    url: Url = "",
    key: Key = "",
    by: Annotated[Literal["http", "sqs"], typer.Option(help="How they are sent.")] = "http",
    number: Annotated[int, typer.Option("--evaluations", min=1, help="How many are sent.")] = 10_000,
    flag: Flag = FLAG,
    project: Annotated[str, typer.Option(help="Of the key; by SQS always default.")] = PROJECT,
    environment: Annotated[
        str, typer.Option(help="Of the key; by SQS always production.")
    ] = SAMPLE_ENVIRONMENT,
    connections: Annotated[int, typer.Option(min=1, help="That send at once.")] = 16,
    p99_ms: Annotated[
        float | None,
        typer.Option(min=0, help="Milliseconds that 99 of 100 requests may take; 250, and 1000 by SQS."),
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds until all have to be stored.")] = 300,
) -> None:
    """Fill the queue for KEDA. Exits 1 unless all that was sent is taken, soon enough, and stored.

    Nobody else may evaluate the flag meanwhile. Queue and table are those of the settings
    TOGGLEMASTER_…, with the credentials that AWS's own tools find.
    """
    out = Console()
    platform = platform_of(ready_file, url, key, evaluates=by == "http")
    place = Place(project, environment, flag) if by == "http" else Place(PROJECT, ENVIRONMENT, flag)
    with _telling_faults(platform), _progress(out) as bar:
        stored, queue = Stored(platform, place), _queue(platform, connections)
        send = _by_http if by == "http" else _by_sqs
        _settle(stored, queue, patience, bar)
        answered = send(platform, queue, flag, number, connections, bar)
        found, deepest = _wait(stored, queue, answered.good, patience, bar)
    title = f"{number:,} evaluations of {flag} by {by}; up to {deepest:,} messages waited"
    whole = Check("stored in DynamoDB", f"{number:,}, as sent", f"{found:,}", found == number)
    slowest = p99("p99 of a request", answered.seconds, P99_MS[by] if p99_ms is None else p99_ms)
    conclude(title, [statuses(answered), slowest, whole], out)


def _by_http(
    platform: Platform, _: Queue, flag: str, number: int, connections: int, bar: Progress
) -> Answered:
    target = target_of(platform.evaluation_url)
    requests, answered, left = evaluations(target, flag, platform.key), Answered(GOOD), iter(range(number))

    async def send() -> None:
        asking = [
            asyncio.create_task(ask(target, requests, lambda: next(left, None) is not None, answered))
            for _ in range(connections)
        ]
        task = bar.add_task("sent", total=number)
        while not all(each.done() for each in asking):
            await asyncio.wait(asking, timeout=LOOK_SECONDS)
            bar.update(task, completed=answered.total)
        await asyncio.gather(*asking)

    uvloop.run(send())
    return answered


def _by_sqs(_: Platform, queue: Queue, flag: str, number: int, connections: int, bar: Progress) -> Answered:
    answered, task = Answered(TAKEN), bar.add_task("sent", total=number)
    batches = (range(first, min(first + BATCH, number)) for first in range(0, number, BATCH))
    with ThreadPoolExecutor(connections) as pool:
        for taken, refused, seconds in pool.map(partial(_send, queue, flag), batches):
            answered.took(TAKEN, seconds, taken)
            answered.statuses.update(refused)
            bar.update(task, completed=answered.total)
    return answered


def _send(queue: Queue, flag: str, numbers: range) -> tuple[int, list[str], float]:
    """How many SQS took, why it did not take the others, and how long that took it."""
    entries: Any = [{"Id": str(number), "MessageBody": _message(flag, number)} for number in numbers]
    began = time.perf_counter()
    answer = queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)
    refused = [f"refused: {each['Code']}" for each in answer.get("Failed", [])]
    return len(answer.get("Successful", [])), refused, time.perf_counter() - began


def _message(flag: str, number: int) -> str:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    body = {"user_id": f"load-{number}", "flag_name": flag, "result": number % 2 == 0, "timestamp": at}
    return json.dumps(body)


def _settle(stored: Stored, queue: Queue, patience: float, bar: Progress) -> None:
    """Until what was sent before is stored. Raises Told when that does not end."""
    task, give_up = bar.add_task("waiting for quiet", total=None), time.monotonic() + patience + QUIET_SECONDS
    seen, since = stored.count(), time.monotonic()
    while queue.messages() or time.monotonic() - since < QUIET_SECONDS:
        if time.monotonic() > give_up:
            raise Told(
                "the flag's counts do not come to rest: others evaluate it, or nothing empties the queue"
            )
        time.sleep(LOOK_SECONDS)
        if (found := stored.count()) != seen:
            seen, since = found, time.monotonic()
    bar.remove_task(task)
    stored.begin()


def _wait(stored: Stored, queue: Queue, sent: int, patience: float, bar: Progress) -> tuple[int, int]:
    """How many are stored when all are, or when patience ends; and the most messages seen to wait."""
    task, give_up = bar.add_task("stored", total=sent), time.monotonic() + patience
    deepest = queue.messages()
    while (found := stored.count()) < sent and time.monotonic() < give_up:
        bar.update(task, completed=found)
        time.sleep(LOOK_SECONDS)
        deepest = max(deepest, queue.messages())
    time.sleep(LOOK_SECONDS)  # what is counted twice shows a moment later
    bar.update(task, completed=(found := stored.count()))
    return found, deepest


def _queue(platform: Platform, connections: int) -> Queue:
    settings = platform.settings
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region, connections=connections)
    return Queue(sqs, settings.queue_name)


@contextmanager
def _telling_faults(platform: Platform) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as problem:
        where = platform.settings.aws_endpoint_url or f"AWS, {platform.settings.aws_region}"
        raise Told(f"SQS or DynamoDB ({where}, TOGGLEMASTER_AWS_ENDPOINT_URL) fails: {problem}") from problem


def _progress(out: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=out)


if __name__ == "__main__":
    run(main)
