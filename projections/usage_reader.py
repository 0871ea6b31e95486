"""Reads what was counted: hours that are compacted from their rows, all others from their minutes.

Which hours are pending is read before the hours' rows: whoever writes marks an hour first, and a compaction
takes the mark away last, so that an hour without a mark is whole in its row.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from projections.aws import at_once
from projections.marks import hour_place, pending_place
from projections.usage_series import HOUR_MINUTES, Counts, Granularity, UsageSeries, buckets_of, series
from projections.usage_table import (
    DAY_MINUTES,
    SORT,
    CountRow,
    UsageTable,
    between,
    day_part,
    minute_place,
    minutes_of,
    moment_of,
    month_part,
)

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient


class UsageReader:
    """Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._minute_rows = UsageTable(dynamodb, table)

    def series(
        self,
        project: str,
        environment: str,
        flag: str,
        start: datetime,
        end: datetime,
        granularity: Granularity,
    ) -> UsageSeries:
        """What was counted from `start` to before `end`; flag "" is the whole environment.

        Hours and days begin with the whole hour of `start`, so that the first is read as cheaply as the
        others, and as long as they are. Raises ValueError as `buckets_of`.
        """
        buckets_of(start, end, granularity)
        first, last = minutes_of(start, end)
        if granularity == "minute":
            found = self.minutes(project, environment, flag, first, last)
        else:
            found = self.counted(project, environment, flag, first - first % HOUR_MINUTES, last)
        return series(found, start, end, granularity)

    def counted(self, project: str, environment: str, flag: str, first: int, last: int) -> list[Counts]:
        """From minute `first` to before minute `last`, by the hour where hours are whole."""
        hours = range(-(-first // HOUR_MINUTES), last // HOUR_MINUTES)
        if not hours:
            return self.minutes(project, environment, flag, first, last)
        of = (project, environment, flag)
        pending = set(chain.from_iterable(at_once(partial(self._pending, *of), _months(hours))))
        singly = [
            (first, hours.start * HOUR_MINUTES),
            *((hour * HOUR_MINUTES, (hour + 1) * HOUR_MINUTES) for hour in sorted(pending)),
            (hours.stop * HOUR_MINUTES, last),
        ]
        work = [
            *(partial(self._hours, *of, month, pending) for month in _months(hours)),
            *(partial(self._minutes, *of, run) for run in _by_day(singly)),
        ]
        return list(chain.from_iterable(at_once(_call, work)))

    def minutes(self, project: str, environment: str, flag: str, first: int, last: int) -> list[Counts]:
        return [Counts(row.minute, row.counts) for row in self.rows(project, environment, flag, first, last)]

    def rows(self, project: str, environment: str, flag: str, first: int, last: int) -> list[CountRow]:
        """Each producer's own, from minute `first` to before minute `last`, oldest first."""
        read = partial(self._rows, project, environment, flag)
        return list(chain.from_iterable(at_once(read, _by_day([(first, last)]))))

    def last_minute(self, project: str, environment: str, flag: str, hour: int) -> int:
        """The last minute of that hour in which the flag was evaluated; the first where none is known."""
        first = hour * HOUR_MINUTES
        newest = self._items(
            day_part(project, environment, flag, first),
            minute_place(first, ""),
            minute_place(first + HOUR_MINUTES - 1, "~"),  # after every letter that a producer may have
            ScanIndexForward=False,
            Limit=1,
        )
        return next((_minute(first, item) for item in newest), first)

    def _pending(self, project: str, environment: str, flag: str, hours: range) -> list[int]:
        items = self._items(
            month_part(project, environment, flag, hours.start),
            pending_place(hours.start),
            pending_place(hours.stop - 1),
        )
        return [_hour(hours, item) for item in items]

    def _hours(self, project: str, environment: str, flag: str, hours: range, but: set[int]) -> list[Counts]:
        items = self._items(
            month_part(project, environment, flag, hours.start),
            hour_place(hours.start),
            hour_place(hours.stop - 1),
            AttributesToGet=[SORT, "counts"],  # to parse the others takes a third of the time
        )
        found = ((_hour(hours, item), item) for item in items)
        return [Counts(hour * HOUR_MINUTES, _counts(item)) for hour, item in found if hour not in but]

    def _minutes(self, project: str, environment: str, flag: str, run: tuple[int, int]) -> list[Counts]:
        return [Counts(row.minute, row.counts) for row in self._rows(project, environment, flag, run)]

    def _rows(self, project: str, environment: str, flag: str, run: tuple[int, int]) -> list[CountRow]:
        return list(self._minute_rows.query_day(project, environment, flag, *run))

    def _items(self, part: str, first: str, last: str, **how: Any) -> Iterator[dict[str, Any]]:
        """Those whose place is between, in that order, `first` and `last` included."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditions": between(part, first, last),
            "ConsistentRead": True,
            **how,
        }
        return pages(self._dynamodb, request)


def pages(dynamodb: "DynamoDBClient", request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The items of a query, page after page."""
    while True:
        page = dynamodb.query(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _call(work: Callable[[], list[Counts]]) -> list[Counts]:
    return work()


def _months(hours: range) -> list[range]:
    """Those hours by calendar month."""
    firsts = [hour for hour in hours if hour == hours.start or _begins_a_month(hour)]
    return [range(first, stop) for first, stop in zip(firsts, [*firsts[1:], hours.stop], strict=True)]


def _begins_a_month(hour: int) -> bool:
    return hour % 24 == 0 and moment_of(hour * HOUR_MINUTES).day == 1


def _by_day(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of minutes, those that meet as one, cut at midnight."""
    joined: list[tuple[int, int]] = []
    for run in runs:
        if joined and joined[-1][1] == run[0]:
            joined.append((joined.pop()[0], run[1]))
        elif run[0] < run[1]:
            joined.append(run)
    return [each for first, last in joined for each in _days(first, last)]


def _days(first: int, last: int) -> Iterator[tuple[int, int]]:
    while first < last:
        midnight = first - first % DAY_MINUTES + DAY_MINUTES
        yield first, min(midnight, last)
        first = midnight


def _minute(of_day: int, item: dict[str, Any]) -> int:
    return of_day - of_day % DAY_MINUTES + int(item[SORT]["S"].split("/", 1)[0])


def _hour(of_month: range, item: dict[str, Any]) -> int:
    """`hour/04T07` and `pending/04T07` are of the seventh hour of the fourth."""
    day, hour = item[SORT]["S"].rsplit("/", 1)[1].split("T")
    start = moment_of(of_month.start * HOUR_MINUTES)
    return of_month.start + (int(day) - start.day) * 24 + int(hour) - start.hour


def _counts(item: dict[str, Any]) -> dict[str, int]:
    return {outcome: int(count["N"]) for outcome, count in item["counts"]["M"].items()}
