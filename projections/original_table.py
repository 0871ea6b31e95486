"""The original system's table of evaluations, for those who read it: an item each, by event id.

event_id    the id of the message
user_id     user-1
flag_name   new-checkout
result      true
timestamp   2026-11-22T03:53:56.458672944Z, as it was sent
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from projections.aws import create_table
from projections.item_writes import Items

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = "event_id"


class OriginalEvent(NamedTuple):
    event_id: str
    user_id: str
    flag_name: str
    result: bool
    timestamp: str


def create_original_table(dynamodb: "DynamoDBClient", name: str) -> bool:
    """False when it was there. Raises OtherKeys."""
    return create_table(dynamodb, name, (KEY,))


class OriginalTable:
    """Raises what Items does."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._items = Items(dynamodb, table)

    def put(self, events: Iterable[OriginalEvent]) -> None:
        self._items.put({event.event_id: _item(event) for event in events}.values())

    def delete_user(self, user: str) -> int:
        """How many there were. Reads the whole table, as its only key is the event."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="user_id = :user",
            ExpressionAttributeValues={":user": {"S": user}},
            ProjectionExpression=KEY,
        )
        found = [item for page in pages for item in page["Items"]]
        self._items.delete(found)
        return len(found)


def _item(event: OriginalEvent) -> dict[str, Any]:
    return {
        KEY: {"S": event.event_id},
        "user_id": {"S": event.user_id},
        "flag_name": {"S": event.flag_name},
        "result": {"BOOL": event.result},
        "timestamp": {"S": event.timestamp},
    }
