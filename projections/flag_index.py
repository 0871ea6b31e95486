"""When each flag was last evaluated, with which answers; and which flags were asked for that do not exist.

    part  shop/production/@flags     place  new-checkout   seen {"on": 498277, "off": 498270}   last 498277
    part  shop/production/@unknown   place  nwe-checkout   first 498270   last 498277

Numbers are hours since 1970. The code default, which is no variant, is seen as "/": no variant has a slash.
What the evaluations of a late message say changes nothing that is newer. `version` makes sure of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from projections.aws import at_once
from projections.usage_table import ENVIRONMENT_FLAG, OVERFLOW_FLAG, PARTITION, SORT, CountRow, expires_at

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

CODE_DEFAULT = "/"
FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
REMEMBERED = 200_000  # flags, names and variants whose hours are known to be stored, about 50 MB

Place = tuple[str, str]


@dataclass
class Seen:
    """Of a flag by variant, or of a name that no flag has; in hours since 1970."""

    first: int
    last: int
    variants: dict[str, int] = field(default_factory=dict)

    def merge(self, other: "Seen") -> None:
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        for variant, hour in other.variants.items():
            self.variants[variant] = max(hour, self.variants.get(variant, hour))

    def covers(self, other: "Seen") -> bool:
        """Whether merging the other would change nothing."""
        hours = self.variants
        return (
            self.first <= other.first
            and self.last >= other.last
            and all(hours.get(variant, -1) >= hour for variant, hour in other.variants.items())
        )


def flags_part(project: str, environment: str) -> str:
    return f"{project}/{environment}/@flags"


def unknown_part(project: str, environment: str) -> str:
    return f"{project}/{environment}/@unknown"


def sightings(rows: Iterable[CountRow]) -> dict[Place, Seen]:
    found: dict[Place, Seen] = {}
    for row in rows:
        if row.flag not in (ENVIRONMENT_FLAG, OVERFLOW_FLAG):
            for outcome, count in row.counts.items():
                if count:
                    place, seen = _sighting(row, outcome)
                    found.setdefault(place, seen).merge(seen)
    return found


def _sighting(row: CountRow, outcome: str) -> tuple[Place, Seen]:
    hour = row.minute // 60
    reason, variant = outcome.split("/", 1)
    if reason == FLAG_NOT_FOUND:
        return (unknown_part(row.project, row.environment), row.flag), Seen(hour, hour)
    variants = {variant or CODE_DEFAULT: hour}
    return (flags_part(row.project, row.environment), row.flag), Seen(hour, hour, variants)


class FlagIndex:
    """For any number of threads. Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", usage_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = usage_table
        self._stored: dict[Place, Seen] = {}

    def add(self, rows: Iterable[CountRow]) -> None:
        at_once(self._store, [each for each in sightings(rows).items() if not self._is_stored(*each)])

    def _is_stored(self, place: Place, seen: Seen) -> bool:
        stored = self._stored.get(place)
        return stored is not None and stored.covers(seen)

    def _store(self, sighting: tuple[Place, Seen]) -> None:
        """Again from the start when somebody else wrote the item meanwhile."""
        place, seen = sighting
        while not self._merge(place, seen):
            pass

    def _merge(self, place: Place, seen: Seen) -> bool:
        key = {PARTITION: {"S": place[0]}, SORT: {"S": place[1]}}
        found: Mapping[str, Any] = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        ).get("Item", {})
        version = int(found["version"]["N"]) if found else 0
        merged = _seen(found) if found else seen
        if not (found and merged.covers(seen)):
            merged.merge(seen)
            if not self._put(_item(place, merged, version + 1), version):
                return False
        self._remember(place, merged)
        return True

    def _put(self, item: dict[str, Any], version: int) -> bool:
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=f"attribute_not_exists({PARTITION}) OR version = :version",
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _remember(self, place: Place, seen: Seen) -> None:
        if len(self._stored) > REMEMBERED:
            self._stored = {}
        self._stored[place] = seen


def _item(place: Place, seen: Seen, version: int) -> dict[str, Any]:
    item = {
        PARTITION: {"S": place[0]},
        SORT: {"S": place[1]},
        "last": {"N": str(seen.last)},
        "first": {"N": str(seen.first)},
        "version": {"N": str(version)},
    }
    if seen.variants:
        return item | {"seen": {"M": {variant: {"N": str(hour)} for variant, hour in seen.variants.items()}}}
    return item | {"expires_at": {"N": str(expires_at(seen.last * 60))}}  # anybody may ask for any name


def _seen(item: Mapping[str, Any]) -> Seen:
    variants = {variant: int(hour["N"]) for variant, hour in item.get("seen", {"M": {}})["M"].items()}
    return Seen(int(item["first"]["N"]), int(item["last"]["N"]), variants)
