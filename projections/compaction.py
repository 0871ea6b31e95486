"""Makes one row of each hour that has ended, out of its minutes, so that a year is read in a few requests.

Whoever writes minute rows marks their hours twice, with a token made for the occasion: `pending` beside the
hour's row, which sends readers to the minutes, and an item in the list of work. The marks stand before the
write and, where the hour has ended, are put anew after it. A compaction reads the marks, then the version of
the hour's row, then the minutes; it puts the row only if the version is still that one, and takes a mark away
only if the token is. So whatever was written after the minutes were read has a mark that stays, and any
number of compactions may run at once.

Two writers that mark an hour together may leave different tokens in its two places: each is compared with
what was read of it.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from projections.aws import at_once
from projections.marks import WORK_PART, FlagHour, hour_place, pending_place, work_place
from projections.usage_reader import UsageReader, pages
from projections.usage_series import HOUR_MINUTES, Counts
from projections.usage_table import EPOCH, PARTITION, SORT, moment_of, month_part

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLING_SECONDS = 5 * 60  # after its end; by then a writer knows that the hour is over, whatever its clock
WORK_HOUR = "%Y-%m-%dT%H"  # what the place of a work item begins with
WORK_AT_ONCE = 1_000  # items that are held in memory


class Work(NamedTuple):
    of: FlagHour
    token: str


class Compacted(NamedTuple):
    """`left` are hours that were changed meanwhile and stay in the list of work."""

    hours: int = 0
    rows: int = 0
    left: int = 0


class Compaction:
    """Raises botocore's errors."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._reader = UsageReader(dynamodb, table)

    def run(self, stop: threading.Event | None = None) -> Compacted:
        """Once through all that waits now; no further than what is at hand when `stop` is set."""
        done = Compacted()
        for some in self._waiting():
            random.shuffle(some)  # so that several that run at once work on different ones
            found = at_once(self.compact, [] if stop and stop.is_set() else some)
            made = [rows for rows in found if rows is not None]
            done = Compacted(
                done.hours + len(made), done.rows + sum(made), done.left + len(found) - len(made)
            )
        return done

    def compact(self, work: Work) -> int | None:
        """How many minute rows the hour's row is the sum of now; None when somebody changed something."""
        project, environment, flag, hour = work.of
        part = month_part(project, environment, flag, hour)
        pending = self._item(part, pending_place(hour)).get("token")
        version = int(self._item(part, hour_place(hour)).get("version", {"N": "0"})["N"])
        first = hour * HOUR_MINUTES
        rows = self._reader.minutes(project, environment, flag, first, first + HOUR_MINUTES)
        if not self._put(part, hour_place(hour), version, _summed(rows)):
            return None
        if pending and not self._delete(part, pending_place(hour), pending["S"]):
            return None
        return len(rows) if self._delete(WORK_PART, work_place(work.of), work.token) else None

    def _waiting(self) -> Iterator[list[Work]]:
        until = moment_of((int(self._clock()) - SETTLING_SECONDS) // 60)
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"{PARTITION} = :part AND {SORT} < :until",
            "ExpressionAttributeValues": {
                ":part": {"S": WORK_PART},
                ":until": {"S": f"{until:{WORK_HOUR}}"},  # comes before all the work of that hour
            },
            "ConsistentRead": True,
            "Limit": WORK_AT_ONCE,
        }
        some: list[Work] = []
        for item in pages(self._dynamodb, request):
            some.append(_work(item))
            if len(some) == WORK_AT_ONCE:
                yield some
                some = []
        if some:
            yield some

    def _item(self, part: str, place: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={PARTITION: {"S": part}, SORT: {"S": place}}, ConsistentRead=True
        )
        return answer.get("Item", {})

    def _put(self, part: str, place: str, version: int, total: Counter[str]) -> bool:
        """Whether the row's version was still that one, or there was none: no row is ever deleted."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    PARTITION: {"S": part},
                    SORT: {"S": place},
                    "version": {"N": str(version + 1)},
                    "counts": {"M": {outcome: {"N": str(count)} for outcome, count in total.items()}},
                },
                ConditionExpression="attribute_not_exists(version) OR version = :version",
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
            return True
        return False

    def _delete(self, part: str, place: str, token: str) -> bool:
        """Whether the mark is gone."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.delete_item(
                TableName=self._table,
                Key={PARTITION: {"S": part}, SORT: {"S": place}},
                ConditionExpression="attribute_not_exists(#token) OR #token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": token}},
            )
            return True
        return False


def _summed(rows: Iterable[Counts]) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.counts)
    return total


def _work(item: dict[str, Any]) -> Work:
    start, project, environment, flag = item[SORT]["S"].split("/", 3)
    hour = (datetime.strptime(start, WORK_HOUR).replace(tzinfo=UTC) - EPOCH) // timedelta(hours=1)
    return Work(FlagHour(project, environment, flag, hour), item["token"]["S"])
