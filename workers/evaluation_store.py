"""Everything that an evaluation leaves in the tables, written in the order that keeps them right."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from projections.dropped_table import Dropped, DroppedTable
from projections.flag_index import FlagIndex
from projections.forgotten import READ_AGAIN_SECONDS, Forgotten
from projections.item_writes import Items
from projections.marks import Marks, hours_of
from projections.original_table import OriginalEvent, OriginalTable
from projections.records_table import Record, RecordsTable
from projections.subjects_table import SubjectSketches
from projections.usage_table import CountRow, UsageTable
from workers.original_messages import PROJECT, milliseconds

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient


class Tables:
    """What all threads of a process share. `original_table` is empty where nobody reads it."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        usage_table: str,
        records_table: str,
        original_table: str = "",
        *,
        read_again_seconds: float = READ_AGAIN_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.usage_items = Items(dynamodb, usage_table)
        self.usage = UsageTable(dynamodb, usage_table)
        self.marks = Marks(self.usage_items, clock)
        self.index = FlagIndex(dynamodb, usage_table)
        self.dropped = DroppedTable(dynamodb, usage_table)
        self.forgotten = Forgotten(dynamodb, usage_table, read_again_seconds=read_again_seconds)
        self.records = RecordsTable(dynamodb, records_table)
        self.original = OriginalTable(dynamodb, original_table) if original_table else None


class Batch(NamedTuple):
    """Of `counts` and `dropped` the newest only; see `newest` and `last_told`."""

    counts: Sequence[CountRow]
    records: Sequence[Record]
    originals: Sequence[OriginalEvent] = ()
    dropped: Sequence[Dropped] = ()


class EvaluationStore:
    """One for each thread: sketches have one writer each. Raises botocore's errors, and Throttled.

    To write a batch again changes nothing, however far it got before.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._sketches = SubjectSketches(tables.usage_items)

    def write(self, batch: Batch) -> None:
        """Returns when all of it is stored."""
        tables, hours = self._tables, hours_of(batch.counts)
        tables.marks.before(hours)
        tables.usage.put(batch.counts)
        tables.marks.after(hours)
        tables.index.add(batch.counts)
        tables.dropped.put(batch.dropped)
        records = tables.forgotten.without(batch.records)
        tables.records.put(records)
        self._sketches.add(records)
        self._write_originals(batch.originals)

    def _write_originals(self, events: Sequence[OriginalEvent]) -> None:
        if table := self._tables.original:
            forgets = self._tables.forgotten.forgets
            table.put(
                event
                for event in events
                if not forgets(PROJECT, event.user_id, milliseconds(event.timestamp))
            )
