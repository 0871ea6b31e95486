"""Holds counts against records: what differs, and rows of counts made anew where records prove more.

Records are deleted after a while, are not made of every evaluation unless an environment's mode is `all`, and
are the first to be dropped; so they may prove that a count is too small, but never that it is too large.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from projections.flag_index import FLAG_NOT_FOUND, FlagIndex
from projections.marks import Marks, hours_of
from projections.records_table import RecordsTable
from projections.stale_flags import FlagsSeen
from projections.usage_reader import UsageReader
from projections.usage_table import (
    DAY_MINUTES,
    ENVIRONMENT_FLAG,
    CountRow,
    UsageTable,
    minutes_of,
    moment_of,
    outcome_of,
)

Progress = Callable[[int, int], None]
"""Called with the flags and days that are done, and with how many there are."""


class Place(NamedTuple):
    """`flag` empty is the whole environment; `minute` is since 1970."""

    flag: str
    minute: int
    producer: str


class Difference(NamedTuple):
    place: Place
    outcome: str
    counted: int
    recorded: int


class Tables(NamedTuple):
    usage: UsageTable
    reader: UsageReader
    seen: FlagsSeen
    records: RecordsTable
    marks: Marks
    flags: FlagIndex


class Compared(NamedTuple):
    """Of one row: what the table has, and what it has at least to have."""

    place: Place
    seq: int
    counted: Mapping[str, int]
    proven: Mapping[str, int]

    def differences(self) -> list[Difference]:
        return [
            Difference(self.place, outcome, counted, proven)
            for outcome in sorted({*self.counted, *self.proven})
            if (counted := self.counted.get(outcome, 0)) != (proven := self.proven.get(outcome, 0))
        ]

    def mended(self) -> dict[str, int]:
        outcomes = {*self.counted, *self.proven}
        return {each: max(self.counted.get(each, 0), self.proven.get(each, 0)) for each in sorted(outcomes)}


class Environment(NamedTuple):
    project: str
    environment: str


def differences(
    tables: Tables, where: Environment, start: datetime, end: datetime, told: Progress
) -> Iterator[Difference]:
    """By day. Raises ValueError for what is no range of time."""
    for compared in _compared(tables, where, start, end, told):
        yield from compared.differences()


def rebuild(tables: Tables, where: Environment, start: datetime, end: datetime, told: Progress) -> int:
    """How many rows were written. Raises ValueError for what is no range of time."""
    written = 0
    for compared in _compared(tables, where, start, end, told):
        mended = compared.mended()
        if mended != compared.counted:
            flag, minute, producer = compared.place
            _write(tables, CountRow(producer, *where, flag, minute, compared.seq + 1, mended))
            written += 1
    return written


def _write(tables: Tables, row: CountRow) -> None:
    """As a consumer does it."""
    hours = hours_of([row])
    tables.marks.before(hours)
    tables.usage.put([row])
    tables.marks.after(hours)
    tables.flags.add([row])


def _compared(
    tables: Tables, where: Environment, start: datetime, end: datetime, told: Progress
) -> Iterator[Compared]:
    """Every row that there is, or that records ask for; that of the environment is proven by its flags'."""
    days = list(_days(*minutes_of(start, end)))
    flags = tables.seen.all_flags(*where)
    done, total = 0, len(days) * len(flags)
    for first, last in days:
        whole: dict[Place, Counter[str]] = {}
        for flag in flags:
            for compared in _of_flag(tables, where, flag, first, last):
                _add(whole, compared)
                yield compared
            done += 1
            told(done, total)
        yield from _of_environment(tables, where, whole, first, last)


def _of_flag(tables: Tables, where: Environment, flag: str, first: int, last: int) -> Iterator[Compared]:
    recorded = _recorded(tables, where, flag, first, last)
    for row in tables.reader.rows(*where, flag, first, last):
        place = Place(flag, row.minute, row.producer)
        yield Compared(place, row.seq, row.counts, recorded.pop(place, {}))
    for place, outcomes in recorded.items():
        yield Compared(place, 0, {}, outcomes)


def _of_environment(
    tables: Tables, where: Environment, proven: dict[Place, Counter[str]], first: int, last: int
) -> Iterator[Compared]:
    """Names that no flag has are counted there too, and have no records: that reason is as it is."""
    for row in tables.reader.rows(*where, ENVIRONMENT_FLAG, first, last):
        place = Place(ENVIRONMENT_FLAG, row.minute, row.producer)
        outcome = outcome_of(FLAG_NOT_FOUND, "")
        as_it_is = {outcome: row.counts[outcome]} if outcome in row.counts else {}
        yield Compared(place, row.seq, row.counts, {**proven.pop(place, {}), **as_it_is})
    for place, outcomes in proven.items():
        yield Compared(place, 0, {}, outcomes)


def _add(whole: dict[Place, Counter[str]], compared: Compared) -> None:
    place = compared.place._replace(flag=ENVIRONMENT_FLAG)
    reasons = whole.setdefault(place, Counter())
    for outcome, count in compared.mended().items():
        reasons[outcome_of(outcome.split("/", 1)[0], "")] += count


def _recorded(
    tables: Tables, where: Environment, flag: str, first: int, last: int
) -> dict[Place, Counter[str]]:
    found: dict[Place, Counter[str]] = {}
    for record in tables.records.each(*where, flag, moment_of(first), moment_of(last)):
        producer = record.event_id.rsplit("-", 1)[0]
        place = Place(flag, record.at // 60_000, producer)
        found.setdefault(place, Counter())[outcome_of(record.reason, record.variant)] += 1
    return found


def _days(first: int, last: int) -> Iterator[tuple[int, int]]:
    while first < last:
        midnight = first - first % DAY_MINUTES + DAY_MINUTES
        yield first, min(midnight, last)
        first = midnight
