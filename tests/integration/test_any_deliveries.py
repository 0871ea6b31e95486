"""In whatever order and however often messages are delivered, and to whom, the tables say the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.embedded import Stack
from projections.records_table import Record
from projections.subjects_table import subjects_of_day
from projections.usage_table import CountRow
from tests.integration.analytics import Analytics
from workers.evaluation_store import Batch, EvaluationStore
from workers.received import newest

NOON = int(datetime(2100, 11, 4, 12, 0, tzinfo=UTC).timestamp())
DAY = date(2100, 11, 4)
FLAGS = ("f", "", "/", "é")
NOT_ALIKE = ("token", "version", "sketch")  # they say who wrote last, or are merged when they are read
projects = (f"any{n}" for n in count())


@pytest.fixture(scope="module")
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


def count_row(seq: int, flag: str, minute: int, producer: int) -> CountRow:
    """As a producer makes them: the same row and seq always say the same, and what was counted stays so."""
    outcomes = ("SPLIT/on", "SPLIT/off", "FLAG_NOT_FOUND/", "DISABLED/")[: 1 + seq // 2]
    counts = {outcome: seq * 10 + n for n, outcome in enumerate(outcomes)}
    return CountRow(f"p{producer}", "any", "production", flag, NOON // 60 + minute, seq, counts)


def record(number: int, flag: str, subject: int) -> Record:
    at, subjects = NOON * 1_000 + number, (None, "u1", "u2")
    variant = ("on", "off")[number % 2]
    return Record(
        f"p0-{number}", "any", "production", flag, variant, "SPLIT", subjects[subject], 1, at, {"n": number}
    )


rows = st.builds(
    count_row,
    st.integers(0, 5),
    st.sampled_from(FLAGS),
    st.sampled_from([0, 1, 59, 60, 125]),
    st.integers(0, 1),
)
numbers = st.integers(0, 7)
records = numbers.map(lambda n: record(n, FLAGS[0], n % 3))
messages = st.lists(
    st.tuples(st.lists(rows, max_size=4), st.lists(records, max_size=3)).map(lambda said: Batch(*said)),
    max_size=6,
)


def deliver(analytics: Analytics, project: str, batches: list[list[Batch]], consumers: int) -> dict[Any, Any]:
    """To consumers in turn; what is in the tables then."""
    stores = [EvaluationStore(analytics.new_tables()) for _ in range(consumers)]
    for n, batch in enumerate(batches):
        counts = [row._replace(project=project) for each in batch for row in each.counts]
        put = [found._replace(project=project) for each in batch for found in each.records]
        stores[n % consumers].write(Batch(newest(counts), put))
    return said(analytics, project)


def said(analytics: Analytics, project: str) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for table in (analytics.usage, analytics.records):
        for key, item in analytics.items(table, without=NOT_ALIKE).items():
            if project in "/".join(key).split("/") and not key[0].startswith("@subjects"):
                found[tuple(part.replace(project, "any") for part in key)] = str(item).replace(project, "any")
    subjects = subjects_of_day(analytics.dynamodb, analytics.usage, project, "production", "f", DAY)
    return found | {variant: round(each.get_estimate()) for variant, each in subjects.items()}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # an example is some fifty requests
@given(messages, st.data())
def test_the_tables_say_the_same(analytics: Analytics, sent: list[Batch], data: st.DataObject) -> None:
    doubled = sent + data.draw(st.lists(st.sampled_from(sent), max_size=4)) if sent else []
    shuffled = data.draw(st.permutations(doubled))
    size = data.draw(st.integers(1, 4), label="messages in a batch")
    batches = [list(shuffled[n : n + size]) for n in range(0, len(shuffled), size)]
    once = deliver(analytics, next(projects), [[each] for each in sent], 1)
    assert deliver(analytics, next(projects), batches, 2) == once
