"""Which flags nobody asks for any more, and which always give the same answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from projections.flag_index import CODE_DEFAULT, flags_part, unknown_part
from projections.usage_reader import pages
from projections.usage_table import PARTITION, SORT, between

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST, LAST = "\x00", "\U0010ffff"  # before and behind every key there can be

FlagStatus = Literal["never", "unused", "one_answer", "active"]


class LastSeen(NamedTuple):
    """Hours since 1970; `variants` has the hour in which each was last served, "" for the code default."""

    last: int
    variants: Mapping[str, int]


class UnknownFlag(NamedTuple):
    """A name that was asked for and that no flag had; hours since 1970."""

    name: str
    first: int
    last: int


def status_of(seen: LastSeen | None, since: int) -> FlagStatus:
    """Of a flag by what was served in hour `since` and after it."""
    if seen is None:
        return "never"
    if seen.last < since:
        return "unused"
    return "one_answer" if len(variants_since(seen, since)) == 1 else "active"


def variants_since(seen: LastSeen | None, since: int) -> list[str]:
    return sorted(variant for variant, hour in seen.variants.items() if hour >= since) if seen else []


class FlagsSeen:
    """Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", usage_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = usage_table

    def last_seen(self, project: str, environment: str, first: str, last: str) -> dict[str, LastSeen]:
        """Of the flags from key `first` to `last`, by their UTF-8, that were ever asked for."""
        items = pages(
            self._dynamodb,
            {
                "TableName": self._table,
                "KeyConditions": between(flags_part(project, environment), first, last),
            },
        )
        return {item[SORT]["S"]: LastSeen(int(item["last"]["N"]), _variants(item)) for item in items}

    def all_flags(self, project: str, environment: str) -> list[str]:
        """Every flag that was ever evaluated there."""
        return list(self.last_seen(project, environment, FIRST, LAST))

    def unknown(self, project: str, environment: str, after: str, limit: int) -> list[UnknownFlag]:
        """In the order of their names' UTF-8, at most `limit` of those beyond `after`."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression=f"{PARTITION} = :part AND {SORT} > :after",
            ExpressionAttributeValues={
                ":part": {"S": unknown_part(project, environment)},
                ":after": {"S": after or FIRST},
            },
            Limit=limit,
        )
        return [
            UnknownFlag(item[SORT]["S"], int(item["first"]["N"]), int(item["last"]["N"]))
            for item in answer["Items"]
        ]


def _variants(item: Mapping[str, dict[str, dict[str, dict[str, str]]]]) -> dict[str, int]:
    return {
        "" if variant == CODE_DEFAULT else variant: int(hour["N"])
        for variant, hour in item["seen"]["M"].items()
    }
