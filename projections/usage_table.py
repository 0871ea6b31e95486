"""How often each flag gave which answer: one DynamoDB item for a flag, a minute and an evaluator.

    part         shop/production/2026-11-04/new-checkout
    place        0754/5f0c9a7e41d2b386
    seq          12
    counts       {"SPLIT/on": 311, "SPLIT/off": 689}
    expires_at   seconds since 1970

The flag stands last in its key, and the variant in its own, so that whatever letters they hold no two keys
are the same. `counts` is all that the evaluator counted in that minute so far: a row replaces its elders, and
nothing is ever added up in the item. The table holds more, whose keys no flag can have since a slug does not
begin with "@": marks.py, flag_index.py, subjects_table.py, forgotten.py and dropped_table.py. Hours are added
up in compaction.py before the minutes expire.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints

from domain.values import FLAG_KEY_LENGTH, INTEGER_LIMIT, Slug
from projections.aws import TTL, USAGE_KEYS, at_once

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION, SORT = USAGE_KEYS
EPOCH = datetime.fromtimestamp(0, UTC)
DAY_MINUTES = 24 * 60
MINUTES_KEPT_DAYS = 90
MINUTES_TAKEN_DAYS = 83  # a week less: the hour of a late row is added up while its other minutes are there
ENVIRONMENT_FLAG = ""  # stands for the whole environment
OVERFLOW_FLAG = "/"  # stands for names that are not counted one by one
MINUTE_LIMIT = 10**13 // 60_000  # in the year 2286, when milliseconds get a fourteenth digit
QUERY_DAYS = 400  # each is a request or more; a year and what a chart adds at its ends

# What others may send. A flag that does not exist is counted too, and its key may hold anything.
FlagAsked = Annotated[str, StringConstraints(max_length=FLAG_KEY_LENGTH)]
VariantServed = Annotated[str, StringConstraints(max_length=100)]
ReasonName = Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,32}$")]
Producer = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Outcome = Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,32}/(?s:.{0,100})$")]
Minute = Annotated[int, Field(ge=0, lt=MINUTE_LIMIT)]
Natural = Annotated[int, Field(ge=0, lt=INTEGER_LIMIT)]


class CountRow(NamedTuple):
    """All that a producer counted for a flag in a minute since 1970; the row with the highest `seq` is right.

    `counts` is by outcome, which is `REASON/variant`.
    """

    producer: Producer
    project: Slug
    environment: Slug
    flag: FlagAsked
    minute: Minute
    seq: Natural
    counts: dict[Outcome, Natural]


def outcome_of(reason: str, variant: str) -> str:
    return f"{reason}/{variant}"


class UsageTable:
    """Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, rows: Iterable[CountRow]) -> None:
        """In any order and any number of times: of each row the highest `seq` stays."""
        at_once(self._put, rows)

    def query(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime
    ) -> list[CountRow]:
        """The rows of the minutes from `start` to before `end`, oldest first.

        Raises ValueError for times without a zone or more than QUERY_DAYS apart.
        """
        first, last = minutes_of(start, end)
        days = range(first // DAY_MINUTES, -(-last // DAY_MINUTES))
        if len(days) > QUERY_DAYS:
            raise ValueError(f"{len(days)} days were asked for; at most {QUERY_DAYS} can be")
        return [
            row
            for day in days
            for row in self.query_day(
                project, environment, flag, max(first, day * DAY_MINUTES), min(last, (day + 1) * DAY_MINUTES)
            )
        ]

    def _put(self, row: CountRow) -> None:
        """Where the condition fails, what is there is as new or newer and holds all that this row counts."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=_item(row),
                ConditionExpression="attribute_not_exists(seq) OR seq < :seq",
                ExpressionAttributeValues={":seq": {"N": str(row.seq)}},
            )

    def query_day(
        self, project: str, environment: str, flag: str, first: int, last: int
    ) -> Iterator[CountRow]:
        """The rows from minute `first` to before minute `last` of one day, oldest first."""
        # `last` is not included, since `0754` comes before every `0754/producer`
        midnight = first - first % DAY_MINUTES
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditions=between(
                day_part(project, environment, flag, first),
                f"{first - midnight:04d}",
                f"{last - midnight:04d}",
            ),
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield _row(project, environment, flag, midnight, item)


def between(part: str, first: str, last: str) -> dict[str, Any]:
    """KeyConditions for the items of a partition from place `first` to `last`, that one included.

    DynamoDB takes them as it takes an expression; the local stack, which parses an expression anew for each
    item of the partition, reads them sixteen times faster.
    """
    return {
        PARTITION: {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": part}]},
        SORT: {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": first}, {"S": last}]},
    }


def day_part(project: str, environment: str, flag: str, minute: int) -> str:
    return f"{project}/{environment}/{moment_of(minute):%Y-%m-%d}/{flag}"


def month_part(project: str, environment: str, flag: str, hour: int) -> str:
    """Where hour rows are, and marks of hours."""
    return f"{project}/{environment}/{moment_of(hour * 60):%Y-%m}/{flag}"


def minute_place(minute: int, producer: str) -> str:
    return f"{minute % DAY_MINUTES:04d}/{producer}"


def expires_at(minute: int) -> int:
    """In seconds since 1970."""
    return (minute + MINUTES_KEPT_DAYS * DAY_MINUTES) * 60


def oldest_taken(now: float) -> int:
    """The first minute of which rows are still taken; `now` is in seconds since 1970."""
    return int(now // 60) - MINUTES_TAKEN_DAYS * DAY_MINUTES


def moment_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _item(row: CountRow) -> dict[str, Any]:
    return {
        PARTITION: {"S": day_part(row.project, row.environment, row.flag, row.minute)},
        SORT: {"S": minute_place(row.minute, row.producer)},
        "seq": {"N": str(row.seq)},
        "counts": {"M": {outcome: {"N": str(count)} for outcome, count in row.counts.items()}},
        TTL: {"N": str(expires_at(row.minute))},
    }


def _row(project: str, environment: str, flag: str, midnight: int, item: dict[str, Any]) -> CountRow:
    minute, producer = item[SORT]["S"].split("/", 1)
    counts = {outcome: int(count["N"]) for outcome, count in item["counts"]["M"].items()}
    return CountRow(
        producer, project, environment, flag, midnight + int(minute), int(item["seq"]["N"]), counts
    )


def minutes_of(start: datetime, end: datetime) -> tuple[int, int]:
    """The first minute and the one after the last. Raises ValueError for what is no range of time."""
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("a time needs its zone")
    minute = timedelta(minutes=1)
    first, last = (start - EPOCH) // minute, -((EPOCH - end) // minute)
    if not 0 <= first < last <= MINUTE_LIMIT:
        raise ValueError("the end is to come after the start, and both after 1970")
    return first, last
