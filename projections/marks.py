"""Marks of hours whose minute rows are to be added up: without them an hour row would hide later rows.

    part  shop/production/2026-11/new-checkout   place  pending/04T07                                token
    part  @compact                               place  2026-11-04T07/shop/production/new-checkout   token

The first tells readers to read the minute rows, the second tells a compaction of the hour. Both are put
before minute rows are written, and once more after it where the hour has ended by then: a compaction, which
waits for the end of the hour and a while longer, may have read the rows and deleted the marks in between. It
deletes a mark only if its token is the one it read.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from projections.item_writes import Items
from projections.usage_table import PARTITION, SORT, CountRow, moment_of, month_part

WORK_PART = "@compact"
HOUR_SECONDS = 3_600
REMEMBERED = 200_000  # hours of flags that need no other mark, about 40 MB


class FlagHour(NamedTuple):
    """`hour` is since 1970."""

    project: str
    environment: str
    flag: str
    hour: int

    def ended(self, now: float) -> bool:
        return now >= (self.hour + 1) * HOUR_SECONDS


def hour_place(hour: int) -> str:
    return f"hour/{moment_of(hour * 60):%dT%H}"


def pending_place(hour: int) -> str:
    return f"pending/{moment_of(hour * 60):%dT%H}"


def work_place(each: FlagHour) -> str:
    """The flag stands last, as it may hold anything."""
    return f"{moment_of(each.hour * 60):%Y-%m-%dT%H}/{each.project}/{each.environment}/{each.flag}"


def hours_of(rows: Iterable[CountRow]) -> list[FlagHour]:
    return list({FlagHour(row.project, row.environment, row.flag, row.minute // 60): None for row in rows})


class Marks:
    """For any number of threads. Raises what Items does."""

    def __init__(self, usage: Items, clock: Callable[[], float] = time.time) -> None:
        self._usage = usage
        self._clock = clock
        self._marked: set[FlagHour] = set()

    def before(self, hours: Iterable[FlagHour]) -> None:
        """To be called before rows of these hours are written."""
        now = self._clock()
        self._mark([each for each in hours if each.ended(now) or each not in self._marked])

    def after(self, hours: Iterable[FlagHour]) -> None:
        """To be called after it."""
        now = self._clock()
        self._mark([each for each in hours if each.ended(now)])

    def _mark(self, hours: list[FlagHour]) -> None:
        token = secrets.token_hex(8)
        self._usage.put([_pending(each, token) for each in hours])
        self._usage.put([_work(each, token) for each in hours])
        if len(self._marked) > REMEMBERED:
            self._marked = set()
        self._marked.update(hours)


def _pending(each: FlagHour, token: str) -> dict[str, Any]:
    part = month_part(each.project, each.environment, each.flag, each.hour)
    return {PARTITION: {"S": part}, SORT: {"S": pending_place(each.hour)}, "token": {"S": token}}


def _work(each: FlagHour, token: str) -> dict[str, Any]:
    return {PARTITION: {"S": WORK_PART}, SORT: {"S": work_place(each)}, "token": {"S": token}}
