"""Single evaluations, kept for a while: who was served what, why, and at which position of the log.

    flag        shop/production/new-checkout
    at_event    1793800000000/5f0c9a7e41d2b386-17

The flag stands last in its key, so that no two flags have the same whatever letters they hold.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, JsonValue, StringConstraints

from domain.values import Slug
from projections.aws import RECORD_KEYS, RECORD_TTL, at_once
from projections.usage_table import EPOCH, FlagAsked, Natural, ReasonName, VariantServed

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION, SORT = RECORD_KEYS
WRITE_ITEMS = 25  # DynamoDB's limit for BatchWriteItem
WRITE_ATTEMPTS = 8  # with the delays below a little over 6 s, as long as a burst of throttling lasts
FIRST_DELAY_SECONDS = 0.05
RETENTION_SECONDS = 30 * 24 * 3_600
AT_LIMIT = 10**13  # the key has 13 digits, which last until the year 2286
SUBJECT_LENGTH = 256

EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Subject = Annotated[str, StringConstraints(max_length=SUBJECT_LENGTH)]


class Throttled(Exception):
    """DynamoDB left items unwritten, again and again."""


class Record(NamedTuple):
    """`position` is that of the ruleset which answered; `at` is in milliseconds since 1970."""

    event_id: EventId
    project: Slug
    environment: Slug
    flag: FlagAsked
    variant: VariantServed
    reason: ReasonName
    subject: Subject | None
    position: Natural
    at: Annotated[int, Field(ge=0, lt=AT_LIMIT)]
    attributes: dict[str, JsonValue] = {}  # noqa: RUF012 - a record is never changed


class RecordsTable:
    """Raises botocore's errors, and Throttled."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        *,
        retention_seconds: int = RETENTION_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention_seconds = retention_seconds
        self._sleep = sleep

    def put(self, records: Iterable[Record]) -> None:
        """Any number of times; what is put again is the same item."""
        # No event twice: DynamoDB refuses a call that names a key twice.
        items = [self._item(record) for record in {each.event_id: each for each in records}.values()]
        at_once(self._write, [items[n : n + WRITE_ITEMS] for n in range(0, len(items), WRITE_ITEMS)])

    def query(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime, *, limit: int
    ) -> list[Record]:
        """The newest `limit` records from `start` to before `end`, newest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION} = :flag AND {SORT} BETWEEN :start AND :end",
            ExpressionAttributeValues={
                ":flag": {"S": f"{project}/{environment}/{flag}"},
                ":start": {"S": _instant(_milliseconds(start))},
                ":end": {"S": _instant(_milliseconds(end))},  # comes before that instant's records
            },
            ScanIndexForward=False,
            PaginationConfig={"PageSize": limit},
        )
        items = (item for page in pages for item in page["Items"])
        return [_record(project, environment, flag, item) for item in islice(items, limit)]

    def _write(self, items: Sequence[dict[str, Any]]) -> None:
        waiting: Any = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(WRITE_ATTEMPTS):
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: waiting})
            waiting = answer["UnprocessedItems"].get(self._table)
            if not waiting:
                return
            self._sleep(FIRST_DELAY_SECONDS * 2**attempt)
        raise Throttled(f"{len(waiting)} of {len(items)} records were left after {WRITE_ATTEMPTS} attempts")

    def _item(self, record: Record) -> dict[str, Any]:
        subject = {} if record.subject is None else {"subject": {"S": record.subject}}
        return subject | {
            PARTITION: {"S": f"{record.project}/{record.environment}/{record.flag}"},
            SORT: {"S": f"{_instant(record.at)}/{record.event_id}"},
            "variant": {"S": record.variant},
            "reason": {"S": record.reason},
            "position": {"N": str(record.position)},
            RECORD_TTL: {"N": str(record.at // 1_000 + self._retention_seconds)},
        }


def _record(project: str, environment: str, flag: str, item: dict[str, Any]) -> Record:
    at, event_id = item[SORT]["S"].split("/", 1)
    return Record(
        event_id=event_id,
        project=project,
        environment=environment,
        flag=flag,
        variant=item["variant"]["S"],
        reason=item["reason"]["S"],
        subject=item["subject"]["S"] if "subject" in item else None,
        position=int(item["position"]["N"]),
        at=int(at),
    )


def _instant(milliseconds: int) -> str:
    return f"{milliseconds:013d}"


def _milliseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return (moment - EPOCH) // timedelta(milliseconds=1)
