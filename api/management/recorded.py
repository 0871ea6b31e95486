"""Which records of evaluations a question is about."""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field

from api.management.analytics import Window
from api.management.context import Read
from domain.envelope import project_stream
from domain.values import Model
from projections.recorded_contexts import Sample, declared_in, sampled

RECORDS = 10_000
RECORDS_AT_MOST = 100_000  # of one flag; their contexts are in memory while they are looked at


PAGE = 4_000  # about the 1 MB that a query's answer has at most


class RecordsOf(NamedTuple):
    project: str
    environment: str
    flag: str


class RecordedIn(Model):
    """The newest `limit` records of a flag from `start` to before `end`; by default the last 24 hours."""

    start: Annotated[AwareDatetime | None, Field(alias="from")] = None
    end: Annotated[AwareDatetime | None, Field(alias="to")] = None
    limit: Annotated[int, Field(ge=1, le=RECORDS_AT_MOST)] = RECORDS


def samples(read: Read, which: RecordsOf, within: Window, limit: int) -> Iterator[Sample]:
    """One that grows; the last is the whole."""
    records = read.parts.analytics.records.newest(*which, within.start, within.end, at_once=min(limit, PAGE))
    history = read.parts.store.load(project_stream(which.project))
    return sampled(records, declared_in(which.environment, history), limit)
