"""Subjects that are to be forgotten: their records up to that time are kept without subject and attributes.

    part  @forgotten/shop   place  user-1   at  1793800000000

`at` is in milliseconds since 1970. The item goes when no record from before can be left to come.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from projections.records_table import RETENTION_SECONDS, Record
from projections.usage_table import PARTITION, SORT

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

READ_AGAIN_SECONDS = 30.0


def forgotten_part(project: str) -> str:
    return f"@forgotten/{project}"


class Forgotten:
    """For any number of threads. Raises botocore's errors."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        usage_table: str,
        *,
        read_again_seconds: float = READ_AGAIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = usage_table
        self._read_again_seconds = read_again_seconds
        self._clock = clock
        self._known: dict[str, tuple[float, dict[str, int]]] = {}

    def add(self, project: str, subject: str, at: int) -> None:
        """Nothing changes where it was forgotten later than `at`."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    PARTITION: {"S": forgotten_part(project)},
                    SORT: {"S": subject},
                    "at": {"N": str(at)},
                    "expires_at": {"N": str(at // 1_000 + 2 * RETENTION_SECONDS)},
                },
                ConditionExpression="attribute_not_exists(#at) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": {"N": str(at)}},
            )

    def without(self, records: Iterable[Record]) -> list[Record]:
        """The records as they may be stored, by a list of at most `read_again_seconds` ago."""
        return [
            _bare(record)
            if record.subject is not None and self.forgets(record.project, record.subject, record.at)
            else record
            for record in records
        ]

    def forgets(self, project: str, subject: str, at: int) -> bool:
        """Whether what was recorded `at`, in milliseconds since 1970, is to be forgotten."""
        return at <= self._of(project).get(subject, -1)

    def _of(self, project: str) -> dict[str, int]:
        read_at, subjects = self._known.get(project, (float("-inf"), {}))
        now = self._clock()
        if now - read_at >= self._read_again_seconds:
            subjects = self._read(project)
            self._known[project] = (now, subjects)
        return subjects

    def _read(self, project: str) -> dict[str, int]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION} = :project",
            ExpressionAttributeValues={":project": {"S": forgotten_part(project)}},
            ConsistentRead=True,
        )
        return {item[SORT]["S"]: int(item["at"]["N"]) for page in pages for item in page["Items"]}


def _bare(record: Record) -> Record:
    return record._replace(subject=None, attributes={})
