"""What evaluators had no room for: one DynamoDB item for each that dropped anything, in the usage table.

    part         @dropped
    place        5f0c9a7e41d2b386
    seq          12
    counts       311
    records      1042
    first, last, expires_at   seconds since 1970

The numbers are all that the evaluator dropped so far: a telling replaces its elders, as rows of counts do.
The item goes as the records do that it tells the lack of, counted from the last drop.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from projections.aws import TTL, at_once
from projections.records_table import AT_LIMIT, RETENTION_SECONDS
from projections.usage_table import PARTITION, SORT, Natural, Producer

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

DROPPED_PART = "@dropped"
SHOWN_DAYS = RETENTION_SECONDS // (24 * 3_600)

Second = Annotated[int, Field(ge=0, lt=AT_LIMIT // 1_000)]


class Dropped(NamedTuple):
    """Evaluations that a producer did not count, and single ones that it did not record, since it began.

    The one with the highest `seq` is right; `first` and `last` are in seconds since 1970.
    """

    producer: Producer
    seq: Natural
    counts: Natural
    records: Natural
    first: Second
    last: Second


class DroppedTable:
    """For any number of threads. Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", usage_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = usage_table

    def put(self, told: Iterable[Dropped]) -> None:
        """In any order and any number of times: of each producer the highest `seq` stays."""
        at_once(self._put, told)

    def lately(self, now: float) -> list[Dropped]:
        """Of those that dropped something in the last SHOWN_DAYS, the latest first.

        `now` is in seconds since 1970.
        """
        found = [each for each in self._read() if each.last >= now - RETENTION_SECONDS]
        return sorted((each for each in found if each.counts or each.records), key=_latest)

    def _put(self, told: Dropped) -> None:
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=_item(told),
                ConditionExpression="attribute_not_exists(seq) OR seq < :seq",
                ExpressionAttributeValues={":seq": {"N": str(told.seq)}},
            )

    def _read(self) -> list[Dropped]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION} = :part",
            ExpressionAttributeValues={":part": {"S": DROPPED_PART}},
            ConsistentRead=True,
        )
        return [_dropped(item) for page in pages for item in page["Items"]]


def _latest(each: Dropped) -> tuple[int, str]:
    return -each.last, each.producer


def _item(told: Dropped) -> dict[str, Any]:
    numbers = told._asdict() | {TTL: told.last + RETENTION_SECONDS}
    del numbers["producer"]
    keys = {PARTITION: {"S": DROPPED_PART}, SORT: {"S": told.producer}}
    return keys | {name: {"N": str(number)} for name, number in numbers.items()}


def _dropped(item: dict[str, Any]) -> Dropped:
    numbers = {name: int(item[name]["N"]) for name in Dropped._fields if name != "producer"}
    return Dropped(producer=item[SORT]["S"], **numbers)
