"""Evaluations from the recorder through SQS and the consumer into DynamoDB, all of them real."""

import random
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import pytest

from deploy.embedded import Stack
from domain.recording import AS_INSTALLED
from projections.aws import MAX_RECEIVE_COUNT, Queue, create_queue, create_tables, dynamodb_client, sqs_client
from projections.records_table import Record, RecordsTable
from projections.usage_series import series
from projections.usage_table import CountRow, UsageTable
from tests.waiting import eventually
from workers.consumer import Consumer
from workers.evaluation_store import EvaluationStore, Tables
from workers.evaluations import EvaluationRecorder, Tally
from workers.sender import SqsPublisher

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
WAIT_SECONDS = 1
NOON = datetime(2100, 11, 4, 12, 0, tzinfo=UTC)  # not in the past, where the server may let records expire
MINUTE = int(NOON.timestamp() // 60)


def chances(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a test wants the same every time


@pytest.fixture(scope="session")
def aws_url(stack: Stack) -> str:
    return stack.aws.url


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Pipeline:
    """A queue and tables that no other test has."""

    def __init__(
        self, sqs: "SQSClient", dynamodb: "DynamoDBClient", *, visibility_seconds: float = 30
    ) -> None:
        name = uuid4().hex
        self.sqs, self.dynamodb = sqs, dynamodb
        self.visibility_seconds = visibility_seconds
        self.queue_url = create_queue(sqs, name)
        self.queue = Queue(sqs, name)
        create_tables(dynamodb, f"usage-{name}", f"records-{name}")
        self.names = (name, f"usage-{name}", f"records-{name}")
        self.usage = UsageTable(dynamodb, f"usage-{name}")
        self.records = RecordsTable(dynamodb, f"records-{name}")
        self.tables = Tables(dynamodb, f"usage-{name}", f"records-{name}")
        self.consumer = self.new_consumer()

    def new_consumer(self) -> Consumer:
        return Consumer(
            self.queue,
            EvaluationStore(self.tables),
            wait_seconds=WAIT_SECONDS,
            visibility_seconds=self.visibility_seconds,
        )

    def recorder(self) -> EvaluationRecorder:
        return EvaluationRecorder(SqsPublisher(self.queue))

    def send(self, *bodies: str | bytes) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else body.decode()
            self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=text)

    @contextmanager
    def consuming(self) -> Iterator[Consumer]:
        stop = threading.Event()
        thread = threading.Thread(target=self.consumer.run, args=[stop])
        thread.start()
        try:
            yield self.consumer
        finally:
            stop.set()
            thread.join()

    def consume(self, messages: int) -> None:
        """Until that many are deleted."""
        with self.consuming() as consumer:
            wanted = consumer.deleted + messages
            eventually(lambda: consumer.deleted >= wanted)

    def total(self, flag: str = "new-checkout") -> int:
        start, end = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
        rows = self.usage.query("shop", "production", flag, start, end)
        return series(rows, start, end, "hour").total

    def recorded(self, flag: str = "new-checkout", *, limit: int = 10_000) -> list[Record]:
        start, end = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
        return self.records.query("shop", "production", flag, start, end, limit=limit)

    def dead(self) -> list[str]:
        url = self.sqs.get_queue_url(QueueName=f"{self.names[0]}-dead")["QueueUrl"]
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", [])]


@pytest.fixture(scope="module")
def clients(aws_url: str) -> Iterator[tuple["SQSClient", "DynamoDBClient"]]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "any")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "any")
        sqs = sqs_client(aws_url, REGION, wait_seconds=WAIT_SECONDS)
        dynamodb = dynamodb_client(aws_url, REGION)
        yield sqs, dynamodb
        sqs.close()
        dynamodb.close()


@pytest.fixture
def pipeline(clients: tuple["SQSClient", "DynamoDBClient"]) -> Pipeline:
    return Pipeline(*clients)


def evaluate(
    recorder: EvaluationRecorder,
    times: int,
    *,
    flag: str = "new-checkout",
    clock: Callable[[], float] = NOON.timestamp,
) -> None:
    for n in range(times):
        tally = Tally(("shop", "production", flag, "SPLIT", "on" if n % 4 else "off"))
        recorder.record([tally], AS_INSTALLED, {"targetingKey": f"user-{n}"}, 42, clock())


def body(seq: int, count: int, *, producer: str = "p1", flag: str = "new-checkout") -> bytes:
    row = ["shop", "production", flag, MINUTE, seq, {"SPLIT/on": count}]
    return orjson.dumps({"v": 1, "kind": "evaluations", "producer": producer, "counts": [row], "records": []})


def test_a_thousand_evaluations_are_a_thousand(pipeline: Pipeline) -> None:
    now = NOON.timestamp()

    def clock() -> float:
        nonlocal now
        now += 0.15  # so that they fill two and a half minutes
        return now

    recorder = pipeline.recorder()
    for _ in range(10):
        evaluate(recorder, 100, clock=clock)
        assert recorder.flush()
    pipeline.consume(recorder.sent_messages)

    start, end = NOON, NOON + timedelta(minutes=3)
    usage = series(
        pipeline.usage.query("shop", "production", "new-checkout", start, end), start, end, "minute"
    )
    assert usage.total == 1_000
    assert usage.variants == {"off": 250, "on": 750}
    assert usage.reasons == {"SPLIT": 1_000}
    assert sum(each.total for each in usage.series) == 1_000
    assert all(each.total for each in usage.series)
    records = pipeline.recorded()
    assert len(records) == len({record.event_id for record in records}) == 1_000
    assert records == sorted(records, key=lambda record: record.at, reverse=True)


def test_started_recorder_and_consumer(pipeline: Pipeline) -> None:
    recorder = EvaluationRecorder(SqsPublisher(pipeline.queue), flush_seconds=0.05)
    recorder.start()
    with pipeline.consuming():
        for _ in range(10):
            evaluate(recorder, 20)
            time.sleep(0.02)
        recorder.stop()
        assert recorder.pending == 0
        eventually(lambda: pipeline.total() == len(pipeline.recorded()) == 200)


def test_two_evaluators_add_up_and_one_that_starts_again_does_too(pipeline: Pipeline) -> None:
    for times in (5, 7, 11):
        recorder = pipeline.recorder()
        evaluate(recorder, times)
        recorder.stop()
    pipeline.consume(6)
    assert pipeline.total() == 23


def test_duplicates_and_any_order_change_nothing(pipeline: Pipeline) -> None:
    sent: list[bytes] = []
    recorder = EvaluationRecorder(Tee(sent))
    for _ in range(10):
        evaluate(recorder, 10)
        recorder.flush()
    deliveries = sent * 2
    chances(1).shuffle(deliveries)
    with pipeline.consuming() as consumer:
        for n, delivery in enumerate(deliveries):  # one by one, so that the table decides, not the consumer
            pipeline.send(delivery)
            eventually(lambda wanted=n + 1: consumer.deleted == wanted)  # type: ignore[misc]
    assert pipeline.total() == len(pipeline.recorded()) == 100


class Tee:
    """A publisher that keeps the messages for the test to deliver."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        self._sent += batch
        return []


@pytest.mark.parametrize("seed", range(5))
def test_the_table_keeps_the_highest_seq_as_its_model_does(pipeline: Pipeline, seed: int) -> None:
    """The promise of TableModel in tests/property/test_counts_add_up.py."""
    chance = chances(seed)
    model: dict[tuple[str, int], CountRow] = {}
    for _ in range(60):
        producer, minute, seq = chance.choice(["p1", "p2"]), MINUTE + chance.randrange(3), chance.randrange(9)
        row = CountRow(producer, "shop", "production", "f", minute, seq, {"SPLIT/on": seq, "DEFAULT/": 1})
        pipeline.usage.put([row])
        kept = model.get((producer, minute))
        if kept is None or kept.seq < seq:
            model[producer, minute] = row
    found = pipeline.usage.query("shop", "production", "f", NOON, NOON + timedelta(minutes=3))
    assert found == sorted(model.values(), key=lambda row: (row.minute, row.producer))


def test_rows_of_one_call_race_to_the_same_end(pipeline: Pipeline) -> None:
    rows = [CountRow("p1", "shop", "production", "f", MINUTE, seq, {"SPLIT/on": seq}) for seq in range(40)]
    chances(2).shuffle(rows)
    pipeline.usage.put(rows)
    found = pipeline.usage.query("shop", "production", "f", NOON, NOON + timedelta(minutes=1))
    assert [row.seq for row in found] == [39]


def test_an_invalid_message_goes_to_the_dead_letter_queue_and_stops_no_other(
    clients: tuple["SQSClient", "DynamoDBClient"],
) -> None:
    pipeline = Pipeline(*clients, visibility_seconds=1)
    invalid = [
        "not json",
        '{"v":2,"kind":"evaluations","producer":"p1","counts":[],"records":[]}',
        '{"v":1,"kind":"unknown","producer":"p1","counts":[],"records":[]}',
        '{"user_id":"u1","flag_name":"f","result":"yes","timestamp":"2100-11-04T12:00:00Z"}',
        '{"user_id":"u1","flag_name":"f","result":true,"timestamp":"at noon"}',
        '{"v":1,"kind":"evaluations","producer":"p1","counts":[["No Slug","e","f",1,1,{}]],"records":[]}',
        "[" * 1_000,
    ]
    with pipeline.consuming() as consumer:
        pipeline.send(invalid[0], body(1, 3), *invalid[1:], body(2, 8))
        eventually(lambda: pipeline.total() == 8 and consumer.deleted == 2)
        eventually(lambda: consumer.invalid == MAX_RECEIVE_COUNT * len(invalid))
        pipeline.send(body(3, 9))
        eventually(lambda: pipeline.total() == 9)
        eventually(lambda: set(pipeline.dead()) == set(invalid))


def test_a_row_that_dynamodb_refuses_takes_no_other_with_it(
    clients: tuple["SQSClient", "DynamoDBClient"],
) -> None:
    pipeline = Pipeline(*clients, visibility_seconds=1)
    outcomes = {f"SPLIT/{n:04d}{'v' * 96}": 1 for n in range(4_500)}  # more than an item's 400 KB
    row = ["shop", "production", "too-much", MINUTE, 1, outcomes]
    too_much = orjson.dumps({"v": 1, "kind": "evaluations", "producer": "p1", "counts": [row], "records": []})
    pipeline.send(body(1, 3), too_much, body(1, 4, producer="p2"))
    with pipeline.consuming() as consumer:
        eventually(lambda: pipeline.total() == 7 and consumer.deleted == 2)
        eventually(lambda: consumer.refused == 5)
    assert consumer.failures == 0
    eventually(lambda: pipeline.dead() == [too_much.decode()])


def test_a_consumer_that_is_stopped_and_started_again_misses_nothing(pipeline: Pipeline) -> None:
    recorder = pipeline.recorder()
    evaluate(recorder, 10)
    recorder.flush()
    pipeline.consume(2)
    assert pipeline.total() == 10
    evaluate(recorder, 15)
    recorder.flush()
    assert pipeline.total() == 10, "nobody is there to take it"
    pipeline.consumer = pipeline.new_consumer()
    pipeline.consume(2)
    assert pipeline.total() == len(pipeline.recorded()) == 25


def test_stop_is_noticed_within_a_poll(pipeline: Pipeline) -> None:
    before = time.monotonic()
    with pipeline.consuming():
        pass
    assert time.monotonic() - before < WAIT_SECONDS + 1


def test_a_query_is_of_its_minutes_across_days_and_pages(pipeline: Pipeline) -> None:
    padding = {f"SPLIT/{n:03d}{'v' * 90}": 1 for n in range(100)}  # 100 rows are beyond a page of 1 MB
    midnight = datetime(2100, 11, 5, tzinfo=UTC)
    first = int(midnight.timestamp() // 60) - 60
    pipeline.usage.put(CountRow("p1", "shop", "production", "f", first + n, 1, padding) for n in range(120))
    found = pipeline.usage.query(
        "shop", "production", "f", midnight - timedelta(minutes=59), midnight + timedelta(minutes=59)
    )
    assert [row.minute - first for row in found] == list(range(1, 119))


@pytest.mark.parametrize("method", ["usage", "records"])
def test_flags_that_look_alike_are_kept_apart(pipeline: Pipeline, method: str) -> None:
    flags = ["a", "a/b", "b", "é", "e\u0301", "\x00", "2100-11-04/a", "A", "a ", "%61"]
    end = NOON + timedelta(minutes=1)
    for n, flag in enumerate(flags):
        pipeline.usage.put([CountRow("p1", "shop", "production", flag, MINUTE, 1, {"SPLIT/on": n})])
        at = int(NOON.timestamp()) * 1_000
        pipeline.records.put([Record(f"p1-{n}", "shop", "production", flag, "on", "SPLIT", None, n, at)])
    for n, flag in enumerate(flags):
        if method == "usage":
            rows = pipeline.usage.query("shop", "production", flag, NOON, end)
            assert [row.counts["SPLIT/on"] for row in rows] == [n]
        else:
            assert [each.position for each in pipeline.recorded(flag)] == [n]


def test_records_newest_first_within_a_time(pipeline: Pipeline) -> None:
    at = int(NOON.timestamp()) * 1_000
    records = [
        Record(f"p1-{n}", "shop", "production", "f", "on", "SPLIT", f"user-{n}", 42, at + n)
        for n in range(60)
    ]
    pipeline.records.put(records + records)
    pipeline.records.put(records[:30])
    assert pipeline.recorded("f") == records[::-1]
    assert pipeline.recorded("f", limit=7) == records[:-8:-1]
    moment = timedelta(milliseconds=1)
    found = pipeline.records.query("shop", "production", "f", NOON + 5 * moment, NOON + 8 * moment, limit=100)
    assert [record.at - at for record in found] == [7, 6, 5]


def test_the_queue_and_the_tables_may_exist_already(pipeline: Pipeline) -> None:
    name, usage, records = pipeline.names
    assert create_queue(pipeline.sqs, name) == pipeline.queue_url
    assert create_tables(pipeline.dynamodb, usage, records) == []
    found = pipeline.dynamodb.describe_time_to_live(TableName=records)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_the_table_has_its_own_idea_of_how_long_to_keep_records(pipeline: Pipeline) -> None:
    at = int(NOON.timestamp()) * 1_000
    table = RecordsTable(pipeline.dynamodb, pipeline.names[2], retention_seconds=60)
    table.put([Record("p1-1", "shop", "production", "f", "on", "SPLIT", "user-1", 42, at)])
    (item,) = pipeline.dynamodb.scan(TableName=pipeline.names[2])["Items"]
    assert item["expires_at"] == {"N": str(int(NOON.timestamp()) + 60)}


def test_log_is_silent_about_subjects(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    pipeline.send(
        '{"v":1,"kind":"evaluations","producer":"p1","counts":[],"records":[["alice@example.org"]]}'
    )
    with pipeline.consuming() as consumer:
        eventually(lambda: consumer.invalid == 1)
    assert "is not of evaluations" in caplog.text
    assert "alice" not in caplog.text
