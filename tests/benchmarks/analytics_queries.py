"""How fast analytics answer: `python -m tests.benchmarks.analytics_queries [--days N --flags N --asked N]`.

Fills a local stack of its own: one flag with two evaluators' rows of every minute, compacted but for the hour
that goes on, and other flags with a row of every hour. Then asks the management API, in one process with this
one, for what charts ask for.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from fastapi.testclient import TestClient
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.management.app import create_app
from deploy.embedded import Stack, embedded_stack
from deploy.processes.collector import set_aside_survivors
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from projections import usage_table
from projections.aws import create_tables, dynamodb_client
from projections.compaction import Compaction
from projections.item_writes import Items
from projections.marks import Marks, hour_place, hours_of
from projections.usage_table import PARTITION, SORT, CountRow, month_part
from tests.integration.management import ADMIN, close, parts_at

PLACE = ("default", "production")
FLAG = "new-checkout"
PRODUCERS = ("5f0c9a7e41d2b386", "a1d2b3865f0c9a7e")
PUT_AT_ONCE = 5_000
HOUR_MINUTES = 60
WARM_UP = 10  # requests that are not counted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--flags", type=int, default=50)
    parser.add_argument("--asked", type=int, default=200)
    options = parser.parse_args()
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "any")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-bench-", dir="/var/tmp"))
    directory.chmod(0o755)  # PostgreSQL's own user enters it
    try:
        with embedded_stack(directory, durable=False) as stack:
            fill(stack, options.days, options.flags)
            ask(stack, options.days, options.asked)
    finally:
        shutil.rmtree(directory)


def fill(stack: Stack, days: int, flags: int) -> None:
    dynamodb = dynamodb_client(stack.aws.url, "us-east-1")
    create_tables(dynamodb, "usage", "records")
    items, now = Items(dynamodb, "usage"), int(time.time()) // 60
    rows = list(_minutes(now - days * 24 * HOUR_MINUTES, now))
    Marks(items).before(hours_of(rows))
    for first in track(range(0, len(rows), PUT_AT_ONCE), f"{len(rows)} rows of minutes"):
        items.put(usage_table._item(row) for row in rows[first : first + PUT_AT_ONCE])
    for n in track(range(flags), f"{flags} other flags"):
        items.put(_hours(f"flag-{n}", now // HOUR_MINUTES - days * 24, now // HOUR_MINUTES))
    before = time.monotonic()
    done = Compaction(dynamodb, "usage").run()
    print(f"compaction: {done.hours} hours of {done.rows} rows in {time.monotonic() - before:.1f} s")  # noqa: T201
    dynamodb.close()


def _minutes(first: int, last: int) -> Iterator[CountRow]:
    chance = random.Random(1)  # noqa: S311 - the same table every time
    for minute in range(first, last):
        for producer in PRODUCERS:
            counts = {
                outcome: chance.randrange(1_000)
                for outcome in ("SPLIT/on", "SPLIT/off", "TARGETING_MATCH/on")
            }
            yield CountRow(producer, *PLACE, FLAG, minute, 1, counts)


def _hours(flag: str, first: int, last: int) -> list[Mapping[str, Any]]:
    counts = {"M": {"SPLIT/on": {"N": "1000"}, "SPLIT/off": {"N": "1000"}}}
    return [
        {
            PARTITION: {"S": month_part(*PLACE, flag, hour)},
            SORT: {"S": hour_place(hour)},
            "version": {"N": "1"},
            "counts": counts,
        }
        for hour in range(first, last)
    ]


def ask(stack: Stack, days: int, asked: int) -> None:
    set_aside_survivors()  # as the management process does
    set_up_postgres(Settings(postgres_url=stack.postgres.url))
    parts = parts_at(
        stack.postgres.url, aws_endpoint_url=stack.aws.url, usage_table="usage", records_table="records"
    )
    table = Table("asked for", "buckets", "p50 ms", "p95 ms", "max ms")
    with TestClient(create_app(parts), headers={"X-API-Key": ADMIN}) as client:
        for what, flag, length, granularity in (
            (f"{days} days by the hour", FLAG, timedelta(days=days), "hour"),
            (f"{days} days by the hour, from a whole one", FLAG, timedelta(days=days), "whole hour"),
            (f"{days} days by the hour, another flag", "flag-0", timedelta(days=days), "hour"),
            (f"{days} days by the day", FLAG, timedelta(days=days), "day"),
            ("a day by the hour", FLAG, timedelta(days=1), "hour"),
            ("an hour by the minute", FLAG, timedelta(hours=1), "minute"),
        ):
            buckets, took = _timed(client, flag, length, granularity, asked)
            table.add_row(what, str(buckets), *(f"{each:.1f}" for each in took))
    close(parts)
    Console().print(table)


def _timed(
    client: TestClient, flag: str, length: timedelta, granularity: str, asked: int
) -> tuple[int, tuple[float, float, float]]:
    took: list[float] = []
    path = f"/api/v1/projects/{PLACE[0]}/environments/{PLACE[1]}/analytics/flags/{flag}"
    for _ in range(WARM_UP + asked):
        start = datetime.now(UTC) - length
        if granularity == "whole hour":
            start = start.replace(minute=0, second=0, microsecond=0)
        query = {"from": start.isoformat(), "granularity": granularity.removeprefix("whole ")}
        before = time.perf_counter()
        answer = client.get(path, params=query)
        took.append((time.perf_counter() - before) * 1_000)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"]
    counted = sorted(took[WARM_UP:])
    parts = quantiles(counted, n=20)
    return len(answer.json()["series"]), (parts[9], parts[18], counted[-1])


if __name__ == "__main__":
    main()
