"""A usage table of a test's own, on a real DynamoDB, and writers that keep to the protocol of marks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from projections.aws import create_tables
from projections.compaction import Compaction
from projections.flag_index import FlagIndex
from projections.item_writes import Items
from projections.marks import Marks, hours_of
from projections.records_table import Record, RecordsTable
from projections.subjects_table import SubjectSketches
from projections.usage_reader import UsageReader
from projections.usage_table import CountRow, UsageTable

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

NOON = datetime(2100, 11, 4, 12, 0, tzinfo=UTC)  # not in the past, where the server may let items expire
MINUTE = int(NOON.timestamp() // 60)
HOUR = MINUTE // 60
LATER = NOON.timestamp() + 7_200  # when that hour may be compacted


class Usage:
    """`now` is what its parts take for the time; seconds since 1970."""

    def __init__(self, dynamodb: "DynamoDBClient", now: float = LATER) -> None:
        name = uuid4().hex
        self.dynamodb = dynamodb
        self.table, self.records_table = f"usage-{name}", f"records-{name}"
        create_tables(dynamodb, self.table, self.records_table)
        self.now = now
        self.rows = UsageTable(dynamodb, self.table)
        self.marks = self._new_marks()
        self.index = FlagIndex(dynamodb, self.table)
        self.records = RecordsTable(dynamodb, self.records_table)
        self.reader = UsageReader(dynamodb, self.table)
        self.compaction = Compaction(dynamodb, self.table, clock=lambda: self.now)

    def _new_marks(self) -> Marks:
        return Marks(Items(self.dynamodb, self.table), clock=lambda: self.now)

    def clear(self) -> None:
        """The writer forgets what it marked, too."""
        items = self.dynamodb.scan(TableName=self.table)["Items"]
        keys = [{"part": item["part"], "place": item["place"]} for item in items]
        Items(self.dynamodb, self.table).delete(keys)
        self.marks = self._new_marks()
        self.index = FlagIndex(self.dynamodb, self.table)

    def write(self, *rows: CountRow) -> None:
        hours = hours_of(rows)
        self.marks.before(hours)
        self.rows.put(rows)
        self.marks.after(hours)
        self.index.add(rows)

    def record(self, *records: Record) -> None:
        self.records.put(records)
        SubjectSketches(Items(self.dynamodb, self.table)).add(records)

    def hour_rows(self, flag: str = "f") -> dict[str, dict[str, int]]:
        """What is compacted, by place, in the month of NOON."""
        items = self._items(f"shop/production/2100-11/{flag}", "hour/")
        return {
            place: {name: int(n["N"]) for name, n in item["counts"]["M"].items()} for place, item in items
        }

    def marks_left(self, flag: str = "f") -> set[str]:
        """Places of pending marks and work items."""
        pending = self._items(f"shop/production/2100-11/{flag}", "pending/")
        return {place for place, _ in (*pending, *self._items("@compact", "2"))}

    def _items(self, part: str, begin: str) -> list[tuple[str, dict]]:  # type: ignore[type-arg]
        answer = self.dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="part = :part AND begins_with(place, :begin)",
            ExpressionAttributeValues={":part": {"S": part}, ":begin": {"S": begin}},
            ConsistentRead=True,
        )
        return [(item["place"]["S"], item) for item in answer["Items"]]


def row(
    minute: int = MINUTE, *, flag: str = "f", producer: str = "p1", seq: int = 1, **counts: int
) -> CountRow:
    """Counts by variant, all of them with reason SPLIT."""
    outcomes = {f"SPLIT/{variant}": count for variant, count in counts.items()}
    return CountRow(producer, "shop", "production", flag, minute, seq, outcomes)


def summed(rows: Iterable[CountRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in rows:
        for outcome, count in each.counts.items():
            found[outcome] = found.get(outcome, 0) + count
    return found
