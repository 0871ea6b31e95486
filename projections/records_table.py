"""Single evaluations, kept for a while: who was served what, why, and at which position of the log.

    flag          shop/production/new-checkout
    at_event      1793800000000/5f0c9a7e41d2b386-17
    subject_key   shop/production/user-1
    attributes    {"plan":"pro"}

The flag stands last in its key, so that no two flags have the same whatever letters they hold, and so does
the subject. The index `by_subject` finds a subject's records.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, JsonValue, StringConstraints

from domain.values import Slug
from projections.aws import RECORD_KEYS, SUBJECT_INDEX, SUBJECT_KEY, TTL
from projections.item_writes import Items
from projections.usage_table import EPOCH, FlagAsked, Natural, ReasonName, VariantServed

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION, SORT = RECORD_KEYS
RETENTION_SECONDS = 30 * 24 * 3_600
AT_LIMIT = 10**13  # the key has 13 digits, which last until the year 2286
SUBJECT_LENGTH = 256
ATTRIBUTE_VALUE_LENGTH = 200  # what is longer is cut

EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Subject = Annotated[str, StringConstraints(max_length=SUBJECT_LENGTH)]


class Record(NamedTuple):
    """`position` is that of the ruleset which answered; `at` is in milliseconds since 1970.

    `attributes` are those of the context that were declared recordable; null for what cannot be kept, as
    lists.
    """

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


def oldest_kept(now: float) -> int:
    """In milliseconds since 1970, as records have their times; `now` is in seconds."""
    return int((now - RETENTION_SECONDS) * 1_000)


class RecordsTable:
    """Raises botocore's errors, and Throttled."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        *,
        retention_seconds: int = RETENTION_SECONDS,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._items = Items(dynamodb, table)
        self._retention_seconds = retention_seconds

    def put(self, records: Iterable[Record]) -> None:
        """Any number of times; what is put again is the same item."""
        self._items.put({_key(record): self._item(record) for record in records}.values())

    def query(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime, *, limit: int
    ) -> list[Record]:
        """The newest `limit` records from `start` to before `end`, newest first."""
        return list(islice(self.newest(project, environment, flag, start, end, at_once=limit), limit))

    def newest(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime, *, at_once: int
    ) -> Iterator[Record]:
        """All from `start` to before `end`, newest first, up to `at_once` in memory at a time."""
        pages = self._pages(
            project,
            environment,
            flag,
            start,
            end,
            ScanIndexForward=False,
            PaginationConfig={"PageSize": at_once},
        )
        for page in pages:
            for item in page["Items"]:
                yield _record(project, environment, flag, item)

    def each(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime
    ) -> Iterator[Record]:
        """All from `start` to before `end`, oldest first, a page in memory at a time."""
        for page in self._pages(project, environment, flag, start, end):
            for item in page["Items"]:
                yield _record(project, environment, flag, item)

    def delete_subject(self, project: str, environment: str, subject: str, until: int) -> int:
        """How many records of the subject there were, up to `until` in milliseconds since 1970."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=SUBJECT_INDEX,
            KeyConditionExpression=f"{SUBJECT_KEY} = :subject AND {SORT} < :after",
            ExpressionAttributeValues={
                ":subject": {"S": f"{project}/{environment}/{subject}"},
                ":after": {"S": _instant(until + 1)},
            },
        )
        keys = [{each: item[each] for each in RECORD_KEYS} for page in pages for item in page["Items"]]
        self._items.delete(keys)
        return len(keys)

    def _pages(
        self, project: str, environment: str, flag: str, start: datetime, end: datetime, **how: Any
    ) -> Iterable[Any]:
        return self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION} = :flag AND {SORT} BETWEEN :start AND :end",
            ExpressionAttributeValues={
                ":flag": {"S": f"{project}/{environment}/{flag}"},
                ":start": {"S": _instant(_milliseconds(start))},
                ":end": {"S": _instant(_milliseconds(end))},  # comes before that instant's records
            },
            **how,
        )

    def _item(self, record: Record) -> dict[str, Any]:
        flag, at_event = _key(record)
        return _optional(record) | {
            PARTITION: {"S": flag},
            SORT: {"S": at_event},
            "variant": {"S": record.variant},
            "reason": {"S": record.reason},
            "position": {"N": str(record.position)},
            TTL: {"N": str(record.at // 1_000 + self._retention_seconds)},
        }


def _key(record: Record) -> tuple[str, str]:
    flag = f"{record.project}/{record.environment}/{record.flag}"
    return flag, f"{_instant(record.at)}/{record.event_id}"


def _optional(record: Record) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if record.subject is not None:
        item["subject"] = {"S": record.subject}
        item[SUBJECT_KEY] = {"S": f"{record.project}/{record.environment}/{record.subject}"}
    if record.attributes:
        item["attributes"] = {"S": json.dumps(record.attributes, ensure_ascii=False)}
    return item


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
        attributes=json.loads(item["attributes"]["S"]) if "attributes" in item else {},
    )


def _instant(milliseconds: int) -> str:
    return f"{milliseconds:013d}"


def _milliseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return (moment - EPOCH) // timedelta(milliseconds=1)
