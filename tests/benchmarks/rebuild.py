"""How fast a ruleset is made anew from the log: `python -m tests.benchmarks.rebuild [--events N --flags N]`.

Makes a log of flags that people work on in no order, in a PostgreSQL of its own; then times each stage of a
rebuild by itself, each with all before it, and the rebuild and verification as they are.
"""

import argparse
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue
from redis import Redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.event_store import Append, EventStore
from commands.log_reading import Record, each
from deploy.embedded import Part, start_postgres, start_valkey, stop
from domain.envelope import Stamp, Stream, flag_stream, project_stream
from domain.events import (
    DefaultServeChanged,
    EnvironmentCreated,
    Event,
    FlagCreated,
    FlagTurnedOff,
    FlagTurnedOn,
    ProjectCreated,
    RuleAdded,
    RuleChanged,
    TargetsChanged,
)
from domain.flag import first_targeting
from domain.targeting import Rule, ServeSplit, Target
from domain.values import FlagType
from projections.folds import settle_whole
from projections.rebuild import rebuild, verify
from projections.ruleset_store import RulesetStore
from projections.settling import fold_good

PROJECT, ENVIRONMENTS = "shop", ("development", "staging", "production")
VARIANTS: dict[str, JsonValue] = {"on": True, "off": False}
APPENDED_AT_ONCE = 500
STAMP = Stamp("ana@example.com", datetime(2026, 11, 22, tzinfo=UTC), "before the sale")
PATIENCE_SECONDS = 120


def events(chance: random.Random, flags: int, count: int) -> Iterator[tuple[Stream, Event]]:
    """The project, a flag each, and then whatever people do to them, each to any of them."""
    project = project_stream(PROJECT)
    yield project, ProjectCreated(project=PROJECT, name="Shop")
    for environment in ENVIRONMENTS:
        yield project, EnvironmentCreated(environment=environment, name=environment)
    for number in range(flags):
        yield flag_stream(PROJECT, f"flag-{number}"), created(number)
    rules: dict[int, int] = {}
    for _ in range(count - flags - 1 - len(ENVIRONMENTS)):
        number = chance.randrange(flags)
        yield flag_stream(PROJECT, f"flag-{number}"), change(chance, number, rules)


def created(number: int) -> FlagCreated:
    return FlagCreated(
        project=PROJECT,
        key=f"flag-{number}",
        type=FlagType.BOOLEAN,
        variants=VARIANTS,
        targeting=first_targeting(FlagType.BOOLEAN, VARIANTS),
        gate_salt=f"gate-{number:08}",
        split_salt=f"split-{number:08}",
        description="what the flag is for, in a sentence or two",
        tags=("checkout", "web"),
        owner="team-checkout",
    )


def change(chance: random.Random, number: int, rules: dict[int, int]) -> Event:
    """Switches most of all; a flag has three rules at most, and those are then changed."""
    environment = chance.choice(ENVIRONMENTS)
    match chance.randrange(10):
        case 0 | 1 | 2:
            return FlagTurnedOn(environment=environment)
        case 3 | 4:
            return FlagTurnedOff(environment=environment)
        case 5 | 6 | 7:
            nth = rules.get(number, 0)
            if nth == 3:
                return RuleChanged(environment="production", rule=rule(chance, chance.randrange(3)))
            rules[number] = nth + 1
            return RuleAdded(environment="production", rule=rule(chance, nth), after=None)
        case 8:
            return DefaultServeChanged(environment=environment, serve=split(chance))
        case _:
            subjects = tuple(f"user-{chance.randrange(10_000)}" for _ in range(5))
            return TargetsChanged(environment=environment, targets=(Target(variant="on", values=subjects),))


def split(chance: random.Random) -> ServeSplit:
    share = chance.randrange(100_001)
    return ServeSplit.model_validate({"split": {"weights": {"on": share, "off": 100_000 - share}}})


def rule(chance: random.Random, nth: int) -> Rule:
    when = {
        "all": [
            {"attribute": "country", "operator": "in", "values": ["BR", "PT", "AO"]},
            {"not": {"attribute": "email", "operator": "ends_with", "values": ["@example.com"]}},
        ]
    }
    return Rule.model_validate(
        {"id": f"rule-{nth}", "name": "a market", "when": when, "serve": split(chance)}
    )


def write_log(store: EventStore, flags: int, count: int, bar: Progress) -> None:
    task = bar.add_task("making the log", total=count)
    versions: dict[Stream, int] = {}
    waiting = events(random.Random(1), flags, count)  # noqa: S311 - the same log each time
    while some := list(islice(waiting, APPENDED_AT_ONCE)):
        appends = []
        for stream, event in some:
            appends.append(Append(stream, versions.get(stream, 0), [event]))
            versions[stream] = versions.get(stream, 0) + 1
        store.append(appends, STAMP)
        bar.advance(task, len(some))


def pages(store: EventStore, until: int, into: Callable[[list[Record]], object] | None) -> None:
    """Reads everything by stream; with `into`, each stream is decoded and handed to it."""
    rows = (row for page in store.by_stream(until=until) for row in page)
    for _, of_stream in groupby(rows, key=lambda row: row.stream):
        if into is None:
            list(of_stream)
        else:
            into([each(row) for row in of_stream])


class Clock(NamedTuple):
    """Seconds on the wall and of this process on a core: they differ where others use the machine."""

    wall: float
    core: float

    @classmethod
    def now(cls) -> "Clock":
        return cls(time.perf_counter(), time.process_time())

    def until_now(self) -> "Clock":
        now = Clock.now()
        return Clock(now.wall - self.wall, now.core - self.core)


class Stages:
    """Shows how far each stage is, and keeps how long it took."""

    def __init__(self, bar: Progress) -> None:
        self.took: dict[str, Clock] = {}
        self._bar, self._tasks, self._began = bar, dict[str, TaskID](), Clock.now()

    def of(self, name: str, do: Callable[[], object]) -> None:
        task = self._bar.add_task(name, total=1)
        began = Clock.now()
        do()
        self.took[name] = began.until_now()
        self._bar.advance(task)

    def told(self, stage: str, done: int, total: int) -> None:
        """What a rebuild tells; a stage ends with the last that is told of it."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage)
            self._began = Clock.now()
        self._bar.update(self._tasks[stage], completed=done, total=total)
        self.took[stage] = self._began.until_now()


def measure(store: EventStore, rulesets: RulesetStore, bar: Progress) -> dict[str, Clock]:
    until, stages = store.head(), Stages(bar)
    stages.of("read", partial(pages, store, until, None))
    stages.of("read, decode", partial(pages, store, until, lambda records: None))
    stages.of("read, decode, fold", partial(pages, store, until, lambda records: fold_good(records, None)))
    stages.of(
        "read, decode, fold, encode",
        partial(pages, store, until, lambda records: settle_whole(records, ENVIRONMENTS)),
    )
    stages.of("rebuild, checked and swapped in", partial(rebuild, store, rulesets, stages.told))
    stages.of("verify", partial(verified, store, rulesets, partial(stages.told, "verifying")))
    return stages.took


def verified(store: EventStore, rulesets: RulesetStore, counted: Callable[[int, int], None]) -> None:
    status, drifts = verify(store, rulesets, counted)
    assert not drifts, drifts[:3]
    assert status.lag == 0


def table(clocks: dict[str, Clock], events: int, flags: int) -> Table:
    columns = ("stage", "seconds", "events/s", "on a core", "events/s of a core")
    found = Table(*columns, title=f"{events:,} events of {flags:,} flags")
    for name, clock in clocks.items():
        found.add_row(name, *(cell for took in clock for cell in (f"{took:.2f}", f"{events / took:,.0f}")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--flags", type=int, default=10_000)
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        with started(start_postgres, directory) as postgres, started(start_valkey, directory) as valkey:
            run(postgres.url, valkey.url, asked.events, asked.flags)
    finally:
        shutil.rmtree(directory)


def run(postgres_url: str, redis_url: str, count: int, flags: int) -> None:
    console = Console()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with (
        closing(EventStore(postgres_url, PATIENCE_SECONDS)) as store,
        Redis.from_url(redis_url) as redis,
        Progress(*columns, console=console) as bar,
    ):
        store.create_tables()
        write_log(store, flags, count, bar)
        redis.config_set("slowlog-log-slower-than", 1_000)
        clocks = measure(store, RulesetStore(redis), bar)
        longest = max((entry["duration"] for entry in redis.slowlog_get(1_000)), default=0) / 1_000
        memory = redis.info("memory")["used_memory_human"]
    console.print(table(clocks, count, flags))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    console.print(f"memory at most: {peak} MB here; {memory} in Redis, with what was made")
    console.print(f"longest that Redis was held by one call: {longest or 'under 1'} ms")


@contextmanager
def started(start: Callable[[Path], Part], directory: Path) -> Iterator[Part]:
    part = start(directory)
    try:
        yield part
    finally:
        stop(part)


if __name__ == "__main__":
    main()
