"""Items put into DynamoDB and deleted many at a time; what a call leaves undone is tried again."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from projections.aws import at_once

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

WRITE_ITEMS = 25  # DynamoDB's limit for BatchWriteItem
WRITE_ATTEMPTS = 8  # with the delays below a little over 6 s, as long as a burst of throttling lasts
FIRST_DELAY_SECONDS = 0.05

Item = Mapping[str, Any]
"""Attributes as DynamoDB writes them, `{"seq": {"N": "12"}}`."""


class Throttled(Exception):
    """DynamoDB left items unwritten, again and again."""


class Items:
    """Those of one table. Raises botocore's errors, and Throttled."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._sleep = sleep

    def put(self, items: Iterable[Item]) -> None:
        """No key twice: DynamoDB refuses a call that names one twice."""
        self._write([{"PutRequest": {"Item": item}} for item in items])

    def delete(self, keys: Iterable[Item]) -> None:
        """No key twice."""
        self._write([{"DeleteRequest": {"Key": key}} for key in keys])

    def _write(self, requests: Sequence[Item]) -> None:
        at_once(self._call, [requests[n : n + WRITE_ITEMS] for n in range(0, len(requests), WRITE_ITEMS)])

    def _call(self, requests: Sequence[Item]) -> None:
        waiting: Any = requests
        for attempt in range(WRITE_ATTEMPTS):
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: waiting})
            waiting = answer["UnprocessedItems"].get(self._table)
            if not waiting:
                return
            self._sleep(FIRST_DELAY_SECONDS * 2**attempt)
        raise Throttled(f"{len(waiting)} of {len(requests)} items were left after {WRITE_ATTEMPTS} attempts")
