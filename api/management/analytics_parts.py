"""What analytics are answered from."""

from dataclasses import dataclass

from projections.records_table import RecordsTable
from projections.stale_flags import FlagsSeen
from projections.unique_subjects import SubjectsReader
from projections.usage_reader import UsageReader


@dataclass(frozen=True, slots=True)
class Analytics:
    usage: UsageReader
    seen: FlagsSeen
    subjects: SubjectsReader
    records: RecordsTable
