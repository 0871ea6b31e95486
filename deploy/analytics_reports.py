"""What `togglemaster analytics` does with counts and records that are stored."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deploy.processes.setup import aws_told
from deploy.settings import Settings
from deploy.told import Told
from projections.aws import dynamodb_client
from projections.compaction import Compaction
from projections.counts_rebuild import Difference, Environment, Tables, differences, rebuild
from projections.flag_index import FlagIndex
from projections.item_writes import Items
from projections.marks import Marks
from projections.records_export import Format, NoParquet, export
from projections.records_table import RecordsTable
from projections.stale_flags import FlagsSeen
from projections.usage_reader import UsageReader
from projections.usage_table import UsageTable, moment_of

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

SHOWN = 50  # counts that differ in more places than this are rebuilt, not read


class Window(NamedTuple):
    """Times as they were given: of UTC, without a zone."""

    project: str
    environment: str
    given_start: datetime
    given_end: datetime

    @property
    def where(self) -> Environment:
        return Environment(self.project, self.environment)

    @property
    def start(self) -> datetime:
        return self.given_start.replace(tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Raises Told when it does not come after the start."""
        if self.given_end <= self.given_start:
            raise Told("--to has to be after --from")
        return self.given_end.replace(tzinfo=UTC)


def compact_hours(settings: Settings, out: Console, err: Console) -> None:
    with aws_told(), err.status("adding up hours"):
        done = Compaction(_dynamodb(settings), settings.usage_table).run()
    _print(out, f"{done.hours} hours were added up from {done.rows} rows of minutes")
    if done.left:
        _print(out, f"{done.left} hours changed meanwhile and wait for the next time")


def export_records(
    settings: Settings,
    window: Window,
    flag: str,
    file: Path,
    format: Format,  # noqa: A002 - the option's name
    out: Console,
    err: Console,
) -> None:
    tables = _tables(settings)
    start, end = window.start, window.end
    with aws_told(), _bar(err, "records") as bar:
        flags = [flag] if flag else tables.seen.all_flags(*window.where)
        records = (each for name in flags for each in tables.records.each(*window.where, name, start, end))
        try:
            written = export(records, file, format, lambda done: bar(done, None))
        except NoParquet as problem:
            raise Told(str(problem)) from problem
        except OSError as problem:
            raise Told(f"--output {file}: {problem.strerror or problem}") from problem
    _print(out, f"{written} records of {len(flags)} flags are in {file}")


def verify_counts(settings: Settings, window: Window, out: Console, err: Console) -> bool:
    """Prints what differs; True when nothing does."""
    tables, shown, kinds = _tables(settings), _table(), Counter[str]()
    with aws_told(), _bar(err, "flags and days") as bar:
        for each in differences(tables, window.where, window.start, window.end, bar):
            kind = _kind(each)
            kinds[kind] += 1
            if kinds.total() <= SHOWN:
                shown.add_row(*_cells(each), kind)
    if not kinds:
        _print(out, "the counts are what the records say")
        return True
    out.print(shown)
    for kind, number in sorted(kinds.items()):
        _print(out, f"{kind}: {number}. {MEANING[kind]}")
    return False


def rebuild_counts(settings: Settings, window: Window, out: Console, err: Console) -> None:
    with aws_told(), _bar(err, "flags and days") as bar:
        written = rebuild(_tables(settings), window.where, window.start, window.end, bar)
    _print(out, f"{written} rows of counts were written anew")


MEANING = {
    "counts missing": "`togglemaster analytics rebuild` with the same options mends it.",
    "records missing": (
        "Expected where the environment does not record all evaluations, or where records were dropped,"
        " forgotten or have expired."
    ),
    "total differs": "The environment's total has more than its flags, of which some may have been lost.",
}


def _kind(each: Difference) -> str:
    if each.counted < each.recorded:
        return "counts missing"
    return "records missing" if each.place.flag else "total differs"


def _table() -> Table:
    return Table("flag", "minute", "evaluator", "answer", "counted", "recorded", "what")


def _cells(each: Difference) -> tuple[Text, ...]:
    minute = f"{moment_of(each.place.minute):%Y-%m-%dT%H:%MZ}"
    flag = each.place.flag or "(environment)"
    cells = (flag, minute, each.place.producer, each.outcome, str(each.counted), str(each.recorded))
    return tuple(Text(cell) for cell in cells)  # names may look like markup


def _dynamodb(settings: Settings) -> "DynamoDBClient":
    return dynamodb_client(settings.aws_endpoint_url, settings.aws_region)


def _tables(settings: Settings) -> Tables:
    dynamodb, usage = _dynamodb(settings), settings.usage_table
    return Tables(
        UsageTable(dynamodb, usage),
        UsageReader(dynamodb, usage),
        FlagsSeen(dynamodb, usage),
        RecordsTable(dynamodb, settings.records_table),
        Marks(Items(dynamodb, usage)),
        FlagIndex(dynamodb, usage),
    )


@contextmanager
def _bar(err: Console, what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Called with what is done, and with all of it where that is known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(to: Console, text: str) -> None:
    to.print(text, soft_wrap=True, highlight=False, markup=False)
