"""How fast a project's past is folded: `python -m tests.benchmarks.folding [--events N --flags N]`.

Makes a long log of one project, and a shorter one of another between it, in a PostgreSQL of its own; then
every snapshot; then folds the project to positions anywhere, with nothing kept in memory, with snapshots and
without. Also tells what the index of each project's events costs writers, and how long it takes to make.
"""

import argparse
import gc
import random
import resource
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.codec import encode
from commands.event_store import Append, EventStore
from commands.log_tables import BY_PROJECT
from deploy.embedded import start_postgres
from domain.envelope import Stream, flag_stream, project_stream, segment_stream
from domain.events import EnvironmentCreated, Event, ProjectCreated, SegmentChanged, SegmentCreated
from domain.targeting import Condition
from projections.fold_snapshots import FoldSnapshots
from projections.past import Past, Pasts
from projections.snapshotting import rebuild, verify
from tests.benchmarks.rebuild import (
    ENVIRONMENTS,
    PATIENCE_SECONDS,
    PROJECT,
    STAMP,
    Clock,
    change,
    created,
    rule,
    started,
)

OTHER = "warehouse"
OTHER_IN_A_ROW = 100_000  # half of the other project's events come at once, in the middle of the log
SEGMENT_SHARE = 0.02  # of the changes
MOMENTS, MOMENTS_WITHOUT = 20, 3
TOGETHER, ROUNDS, APPENDS = 10, 7, 150  # events in one append, rounds, and appends in each
COPY = "COPY togglemaster_events (originator_id, originator_version, topic, state) FROM STDIN"
INDEX = "togglemaster_events_by_project"

Row = tuple[str, int, str, bytes]


def events(chance: random.Random, project: str, flags: int, segments: int) -> Iterator[tuple[Stream, Event]]:
    """The project, its flags and segments, and then without end whatever people do to any of them."""
    stream = project_stream(project)
    yield stream, ProjectCreated(project=project, name="Shop")
    for environment in ENVIRONMENTS:
        yield stream, EnvironmentCreated(environment=environment, name=environment)
    for number in range(flags):
        yield flag_stream(project, f"flag-{number}"), created(number).model_copy(update={"project": project})
    for number in range(segments):
        fields = {"project": project, "key": f"segment-{number}", "salt": "salt", **definition(chance)}
        yield segment_stream(project, f"segment-{number}"), SegmentCreated.model_validate(fields)
    rules: dict[int, int] = {}
    while True:
        if chance.random() < SEGMENT_SHARE:
            segment = segment_stream(project, f"segment-{chance.randrange(segments)}")
            yield segment, SegmentChanged.model_validate(definition(chance))
        else:
            number = chance.randrange(flags)
            yield flag_stream(project, f"flag-{number}"), change(chance, number, rules)


def definition(chance: random.Random) -> dict[str, object]:
    subjects = tuple(f"user-{chance.randrange(10_000)}" for _ in range(20))
    condition: Condition = rule(chance, 0).when
    return {"name": "Beta", "description": "", "include": subjects, "exclude": (), "condition": condition}


def between(chance: random.Random, ours: Iterable[Row], others: Iterable[Row], share: float) -> Iterator[Row]:
    """Ours, and now and then one of the others."""
    theirs = iter(others)
    for row in ours:
        yield row
        if chance.random() < share:
            yield from islice(theirs, 1)
    yield from theirs


def rows(found: Iterable[tuple[Stream, Event]]) -> Iterator[Row]:
    versions: dict[Stream, int] = {}
    for stream, event in found:
        versions[stream] = versions.get(stream, 0) + 1
        yield str(stream), versions[stream], *encode(event, STAMP)


def log(asked: argparse.Namespace) -> Iterator[Row]:
    chance = random.Random(1)  # noqa: S311 - the same log each time
    ours = rows(islice(events(chance, PROJECT, asked.flags, asked.segments), asked.events))
    theirs = rows(islice(events(random.Random(2), OTHER, 500, 10), asked.others))  # noqa: S311
    scattered = max(0, asked.others - OTHER_IN_A_ROW)
    yield from between(chance, islice(ours, asked.events // 2), islice(theirs, scattered), 0.5)
    yield from theirs
    yield from ours


def write_log(url: str, found: Iterator[Row], count: int, bar: Progress) -> None:
    """Past the triggers: nobody asks for the chain here."""
    task = bar.add_task("making the log", total=count)
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        with connection.cursor().copy(COPY) as copy:
            for number, row in enumerate(found, start=1):
                copy.write_row(row)
                if number % 1_000 == 0:
                    bar.update(task, completed=number)
    bar.update(task, completed=count)
    ask(url, "VACUUM ANALYZE togglemaster_events")


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def everything(past: Past) -> int:
    """Folds all that there was, which is otherwise done as it is asked for."""
    return len([*past.flags.values(), *past.segments.values()])


def one_flag(past: Past) -> object:
    return past.flags[next(iter(past.flags))]


def timed(do: Callable[[], object]) -> Clock:
    began = Clock.now()
    do()
    return began.until_now()


def moments(snapshots: FoldSnapshots, head: int) -> list[int]:
    """Anywhere, the head, and as far behind a snapshot as can be."""
    chance = random.Random(3)  # noqa: S311 - the same moments each time
    places = [position for project, position in snapshots.places(head) if project == PROJECT]
    before = [places[-1] - 1, places[len(places) // 2] - 1]
    return [head, *before, *(chance.randrange(places[0], head) for _ in range(MOMENTS - 3))]


class Figures:
    """A row for each way of folding; seconds on the wall, and in the middle of this process on a core."""

    def __init__(self, bar: Progress) -> None:
        columns = ("fold", "moments", "min s", "median s", "max s", "on a core")
        self.table, self._bar = Table(*columns, title="to any position"), bar

    def add(
        self, name: str, positions: Sequence[int], pasts: Callable[[], Pasts], of: Callable[[Past], object]
    ) -> None:
        task = self._bar.add_task(name, total=len(positions))
        clocks = []
        for position in positions:
            gc.collect()  # the one before is held by a circle
            began, fresh = Clock.now(), pasts()
            of(fresh.of(PROJECT, position))
            clocks.append(began.until_now())
            self._bar.advance(task)
        walls = [each.wall for each in clocks]
        seconds = min(walls), statistics.median(walls), max(walls), statistics.median(c.core for c in clocks)
        self.table.add_row(name, str(len(positions)), *(f"{each:.3f}" for each in seconds))


def measure(store: EventStore, url: str, console: Console, bar: Progress) -> None:
    with closing(FoldSnapshots(url, PATIENCE_SECONDS)) as snapshots:
        making = timed(lambda: rebuild(store, snapshots, progress(bar, "making snapshots")))
        head, figures = store.head(), Figures(bar)
        wanted = moments(snapshots, head)
        few = [head, *wanted[3 : 2 + MOMENTS_WITHOUT]]
        figures.add("one flag, with snapshots", wanted, lambda: Pasts(store, snapshots), one_flag)
        figures.add("everything, with snapshots", wanted, lambda: Pasts(store, snapshots), everything)
        figures.add("a ruleset, with snapshots", wanted, lambda: Pasts(store, snapshots), ruleset)
        figures.add("everything, without", few, lambda: Pasts(store), everything)
        console.print(figures.table)
        verifying = timed(lambda: check(store, snapshots, progress(bar, "verifying")))
        count = snapshots.standing().snapshots
    events, log = size(store, url, "togglemaster_events"), size(store, url, "togglemaster_snapshots_1")
    console.print(
        f"{count} snapshots: made in {making.wall:.0f} s ({making.core:.0f} s on a core), verified in"
        f" {verifying.wall:.0f} s ({verifying.core:.0f}); {log:.0f} bytes an event, the log {events:.0f}"
    )


def progress(bar: Progress, stage: str) -> Callable[[int, int], None]:
    task = bar.add_task(stage)
    return lambda done, total: bar.update(task, completed=done, total=total)


def size(store: EventStore, url: str, table: str) -> float:
    """Bytes for each event of the log, indexes included."""
    ((found,),) = ask(url, f"SELECT pg_total_relation_size('{table}')::float8")
    assert isinstance(found, float)
    return found / store.head()


def ruleset(past: Past) -> object:
    return past.ruleset("production")


def check(store: EventStore, snapshots: FoldSnapshots, progress: Callable[[int, int], None]) -> None:
    found = verify(store, snapshots, progress)
    assert not found.faults, found.faults[:3]
    assert not found.missing


def cost_of_index(store: EventStore, url: str, console: Console) -> None:
    """Appends with the index and without, in turns; and how long it takes to make."""
    task = Task(store)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    making = []
    for _ in range(ROUNDS):
        ask(url, f"DROP INDEX {INDEX}")
        seconds[False].append(timed(task.append).wall)
        making.append(timed(lambda: ask(url, BY_PROJECT)).wall)
        seconds[True].append(timed(task.append).wall)
    ratios = [one / other for one, other in zip(seconds[True], seconds[False], strict=True)]
    ((size,),) = ask(url, f"SELECT pg_relation_size('{INDEX}')")
    assert isinstance(size, int)
    console.print(
        f"appends of {TOGETHER} events with the index beside without: {statistics.median(ratios):.3f}"
        f" ({min(ratios):.3f}..{max(ratios):.3f}); it takes {size / 2**20:.0f} MiB, and writers wait"
        f" {statistics.median(making):.2f} s ({min(making):.2f}..{max(making):.2f}) while it is made"
    )


class Task:
    """Appends to flags that are there."""

    def __init__(self, store: EventStore) -> None:
        self._store, self._chance = store, random.Random(4)  # noqa: S311
        self._versions: dict[Stream, int] = {}

    def append(self) -> None:
        for _ in range(APPENDS):
            flags = {flag_stream(PROJECT, f"flag-{self._chance.randrange(1_000)}") for _ in range(TOGETHER)}
            appends = [Append(each, self._version(each), [change(self._chance, 0, {0: 3})]) for each in flags]
            self._store.append(appends, STAMP)
            self._versions.update({each.stream: each.after + 1 for each in appends})

    def _version(self, stream: Stream) -> int:
        return self._versions.get(stream) or self._store.load(stream)[-1].version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--flags", type=int, default=5_000)
    parser.add_argument("--segments", type=int, default=100)
    parser.add_argument("--others", type=int, default=200_000)
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        with started(start_postgres, directory) as postgres:
            run(postgres.url, asked)
    finally:
        shutil.rmtree(directory)


def run(url: str, asked: argparse.Namespace) -> None:
    console = Console()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with closing(EventStore(url, PATIENCE_SECONDS)) as store:
        store.create_tables()
        with Progress(*columns, console=console) as bar:
            write_log(url, log(asked), asked.events + asked.others, bar)
            measure(store, url, console, bar)
        cost_of_index(store, url, console)
    console.print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
