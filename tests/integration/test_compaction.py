"""Hours become one row each, whatever comes late and however many compact: no answer is ever too small or
counts anything twice."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.embedded import Stack
from projections.aws import dynamodb_client
from projections.compaction import Compacted, Compaction
from projections.item_writes import Items
from projections.marks import Marks, hours_of
from projections.usage_table import CountRow, UsageTable
from tests.integration.usage import HOUR, LATER, MINUTE, NOON, Usage, row, summed
from workers.compactor import Compactor

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def dynamodb(stack: Stack) -> Iterator["DynamoDBClient"]:
    client = dynamodb_client(stack.aws.url, "us-east-1")
    yield client
    client.close()


@pytest.fixture
def usage(dynamodb: "DynamoDBClient") -> Usage:
    return Usage(dynamodb)


def told(usage: Usage, flag: str = "f") -> dict[str, int]:
    """What a reader is told of the hour of NOON."""
    return summed_counts(usage, flag, MINUTE, MINUTE + 60)


def summed_counts(usage: Usage, flag: str, first: int, last: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in usage.reader.counted("shop", "production", flag, first, last):
        for outcome, count in each.counts.items():
            found[outcome] = found.get(outcome, 0) + count
    return found


def test_an_hour_becomes_the_sum_of_its_minutes_and_producers(usage: Usage) -> None:
    usage.write(row(on=3), row(MINUTE + 59, on=4, off=1), row(producer="p2", off=5), row(MINUTE + 60, on=9))
    assert usage.compaction.run() == Compacted(hours=1, rows=3)
    assert usage.hour_rows() == {"hour/04T12": {"SPLIT/on": 7, "SPLIT/off": 6}}
    assert told(usage) == {"SPLIT/on": 7, "SPLIT/off": 6}
    assert usage.marks_left() == {"pending/04T13", "2100-11-04T13/shop/production/f"}, "that hour goes on"


def test_an_hour_waits_until_it_is_over_for_five_minutes(usage: Usage) -> None:
    usage.write(row(on=3))
    for minutes, hours in ((59, 0), (64, 0), (65, 1)):
        usage.now = NOON.timestamp() + minutes * 60
        assert usage.compaction.run().hours == hours


def test_a_row_that_is_late_opens_its_hour_again(usage: Usage) -> None:
    usage.write(row(on=3))
    usage.compaction.run()
    usage.write(row(MINUTE + 7, on=2), row(seq=2, on=4))
    assert told(usage) == {"SPLIT/on": 6}, "before it is compacted again"
    assert usage.hour_rows() == {"hour/04T12": {"SPLIT/on": 3}}
    assert usage.compaction.run() == Compacted(hours=1, rows=2)
    assert usage.hour_rows() == {"hour/04T12": {"SPLIT/on": 6}}
    assert usage.compaction.run() == Compacted(), "a second time there is nothing to do"


def test_two_writers_whose_marks_cross_leave_no_mark_for_ever(
    usage: Usage, dynamodb: "DynamoDBClient"
) -> None:
    """The one's token is in the hour's mark and the other's in the list of work."""
    hour = hours_of([row()])[0]
    one, other = (Marks(Items(dynamodb, usage.table), clock=lambda: usage.now) for _ in range(2))
    usage.rows.put([row(on=3)])
    one.before([hour])
    pending = dynamodb.get_item(
        TableName=usage.table,
        Key={"part": {"S": "shop/production/2100-11/f"}, "place": {"S": "pending/04T12"}},
    )["Item"]
    other.before([hour])
    dynamodb.put_item(TableName=usage.table, Item=pending)
    usage.compaction.run()
    assert usage.marks_left() == set()
    assert told(usage) == {"SPLIT/on": 3}


def test_flags_of_any_letters_are_compacted_apart(usage: Usage) -> None:
    flags = ["", "/", "a", "a b", "é", "ﬁ", "%61", "T07", "2100-11-04T12"]
    usage.write(*(row(flag=flag, on=n + 1) for n, flag in enumerate(flags)))
    assert usage.compaction.run().hours == len(flags)
    for n, flag in enumerate(flags):
        assert usage.hour_rows(flag) == {"hour/04T12": {"SPLIT/on": n + 1}}


class Paused:
    """A client of which each call waits for its turn; `step` makes one, and runs on to the next."""

    def __init__(self, dynamodb: "DynamoDBClient") -> None:
        self._dynamodb = dynamodb
        self._may = threading.Semaphore(0)
        self._did = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self.done = False
        self.exceptions = dynamodb.exceptions
        self.problem: BaseException | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self._dynamodb, name)

        def call(**arguments: Any) -> Any:
            self._did.release()
            self._may.acquire()
            return real(**arguments)

        return call

    def get_paginator(self, name: str) -> "Paused":
        assert name == "query"
        return self

    def paginate(self, **arguments: Any) -> list[Any]:
        """There is never more than a page."""
        return [self.query(**arguments)]

    def begin(self, work: Callable[[], object]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as problem:  # told to the test's own thread
                self.problem = problem
            self.done = True
            self._did.release()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self._did.acquire()

    def step(self) -> None:
        self._may.release()
        self._did.acquire()
        if self.problem:
            raise self.problem

    def finish(self) -> None:
        while not self.done:
            self.step()
        if self._thread:
            self._thread.join()


class Writer:
    """Writes rows one by one, each with all its marks. The outcome is its own, and the count is the seq."""

    def __init__(self, usage: Usage, name: str, minute: int) -> None:
        self.client = Paused(usage.dynamodb)
        self.name, self.minute = name, minute
        self.begun = self.stored = 0
        client = cast("DynamoDBClient", self.client)
        self._marks = Marks(Items(client, usage.table), clock=lambda: usage.now)
        self._rows = UsageTable(client, usage.table)

    def work(self) -> None:
        for seq in (1, 2):
            rows = [
                row(self.minute, producer=self.name, seq=seq)._replace(counts={f"SPLIT/{self.name}": seq})
            ]
            hours = hours_of(rows)
            self._marks.before(hours)
            self.begun = seq
            self._rows.put(rows)
            self._marks.after(hours)
            self.stored = seq

    def holds(self, found: dict[str, int]) -> bool:
        """All that it was told to be stored is there, nothing that was never written, and nothing twice."""
        return self.stored <= found.get(f"SPLIT/{self.name}", 0) <= self.begun


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=16))
@example([(0, 5), (2, 4), (1, 5), (2, 5)])  # rows and marks between what a compaction reads and writes
@example([(0, 5), (2, 3), (1, 5), (2, 5)])
@example([(0, 5), (2, 4), (1, 5), (3, 8), (2, 5)])  # and another compaction of them, whole
@example([(0, 5), (2, 5), (1, 5), (2, 5)])  # between its row and its marks
def test_at_every_step_of_writers_and_compactions_a_reader_is_told_what_is_stored(
    dynamodb: "DynamoDBClient", turns: list[tuple[int, int]]
) -> None:
    usage = shared(dynamodb)
    usage.clear()
    writers = [Writer(usage, "a", MINUTE), Writer(usage, "b", MINUTE + 1)]
    compactors = [Paused(dynamodb) for _ in range(2)]
    for writer in writers:
        writer.client.begin(writer.work)
    for client in compactors:
        compaction = Compaction(cast("DynamoDBClient", client), usage.table, clock=lambda: LATER)
        client.begin(lambda made=compaction: [made.run() for _ in range(3)])  # type: ignore[misc]
    actors = [writers[0].client, writers[1].client, *compactors]
    try:
        for actor in (actors[turn] for turn, calls in turns for _ in range(calls)):
            if not actor.done:
                actor.step()
            found = told(usage)
            assert all(writer.holds(found) for writer in writers), found
    finally:
        for actor in actors:
            actor.finish()
    assert told(usage) == {"SPLIT/a": 2, "SPLIT/b": 2}
    usage.compaction.run()
    assert usage.marks_left() == set()
    assert usage.hour_rows() == {"hour/04T12": {"SPLIT/a": 2, "SPLIT/b": 2}} == {"hour/04T12": stored(usage)}


_shared: list[Usage] = []


def shared(dynamodb: "DynamoDBClient") -> Usage:
    """One table for all examples: making one takes longer than an example."""
    if not _shared:
        _shared.append(Usage(dynamodb))
    return _shared[0]


def stored(usage: Usage) -> dict[str, int]:
    return summed(usage.rows.query("shop", "production", "f", NOON, NOON + timedelta(hours=1)))


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_compacted_a_window_has_the_sum_of_its_minutes(
    dynamodb: "DynamoDBClient", data: st.DataObject
) -> None:
    """Hours across a month's end, compacted or late again, and windows that begin and end anywhere."""
    usage = shared(dynamodb)
    usage.clear()
    month_ends = (HOUR + 26 * 24 + 12) * 60  # midnight before the first of December
    minutes = st.integers(month_ends - 180, month_ends + 179)
    for hours in sorted(data.draw(st.lists(st.integers(-3, 4), min_size=1, max_size=3))):
        rows = {
            (each, name): row(each, producer=name, seq=seq, on=seq)
            for each, name, seq in data.draw(
                st.lists(st.tuples(minutes, st.sampled_from("ab"), st.integers(1, 5)), max_size=12)
            )
        }
        usage.now = month_ends * 60 + hours * 3_600
        usage.write(*rows.values())
        usage.compaction.run()
    first = data.draw(minutes)
    last = data.draw(st.integers(first + 1, month_ends + 180))
    wanted = summed(usage.reader.rows("shop", "production", "f", first, last))
    assert summed_counts(usage, "f", first, last) == wanted


def test_minutes_that_expired_are_told_by_their_hours(usage: Usage) -> None:
    usage.write(*(row(MINUTE + n, on=1) for n in range(0, 60, 10)))
    usage.compaction.run()
    for item in usage.dynamodb.scan(TableName=usage.table)["Items"]:
        if "seq" in item:
            usage.dynamodb.delete_item(
                TableName=usage.table, Key={"part": item["part"], "place": item["place"]}
            )
    start, end = NOON - timedelta(days=1), NOON + timedelta(hours=3)
    for granularity in ("hour", "day"):
        found = usage.reader.series("shop", "production", "f", start, end, granularity)
        assert found.total == 6
    late = usage.reader.series("shop", "production", "f", NOON + timedelta(minutes=30), end, "hour")
    assert late.total == 6, "the first hour is a whole one"


def test_a_compactor_goes_on_after_a_failure_and_stops_when_told(usage: Usage) -> None:
    stop = threading.Event()
    usage.write(row(on=3))
    passes = iter([usage.dynamodb.exceptions.InternalServerError({"Error": {}}, "Query"), None])

    class Flaky(Compaction):
        def run(self, stop: threading.Event | None = None) -> Compacted:
            problem = next(passes, None)
            if problem:
                raise problem
            assert stop
            stop.set()
            return usage.compaction.run()

    compactor = Compactor(Flaky(usage.dynamodb, usage.table), pass_seconds=0.01)
    compactor.run(stop)
    assert (compactor.failures, compactor.hours) == (1, 1)
    assert told(usage) == {"SPLIT/on": 3}


def test_a_stop_leaves_what_was_not_begun_in_the_list(usage: Usage) -> None:
    usage.write(row(on=3))
    stop = threading.Event()
    stop.set()
    assert usage.compaction.run(stop) == Compacted()
    assert usage.compaction.run() == Compacted(hours=1, rows=1)


def test_rows_are_told_oldest_first(usage: Usage) -> None:
    usage.write(row(MINUTE + 1, on=1), row(producer="p2", on=1), row(on=1))
    found: list[CountRow] = usage.reader.rows("shop", "production", "f", MINUTE, MINUTE + 2)
    assert [(each.minute - MINUTE, each.producer) for each in found] == [(0, "p1"), (0, "p2"), (1, "p1")]
