"""SQS and DynamoDB on their bad days: throttled, half done, or away."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import ANY, Stubber

from projections.aws import Queue, dynamodb_client, sqs_client
from projections.item_writes import WRITE_ATTEMPTS, Items, Throttled
from projections.records_table import Record, RecordsTable
from projections.usage_table import CountRow, UsageTable
from workers import consumer as consumer_module
from workers.consumer import Consumer
from workers.evaluation_store import Batch
from workers.sender import SqsPublisher

REGION = "us-east-1"
ROW = CountRow("p1", "shop", "production", "f", 29_896_666, 1, {"SPLIT/on": 1})
BODY = (
    '{"v":1,"kind":"evaluations","producer":"p1",'
    '"counts":[["shop","production","f",29896666,1,{"SPLIT/on":1}]],"records":[]}'
)

DELETED: dict[str, Any] = {"Successful": [{"Id": "0"}], "Failed": []}


def record(n: int) -> Record:
    return Record(f"p1-{n}", "shop", "production", "f", "on", "SPLIT", "user-1", 42, 1_793_800_000_000 + n)


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    client = dynamodb_client("http://127.0.0.1:1", REGION)
    with Stubber(client) as stubber:
        yield stubber
    client.close()


@pytest.fixture
def sqs() -> Iterator[Stubber]:
    client = sqs_client("http://127.0.0.1:1", REGION)
    with Stubber(client) as stubber:
        yield stubber
    client.close()


def client_of(stubber: Stubber) -> Any:
    return stubber.client


def queue_of(stubber: Stubber) -> Queue:
    return Queue(client_of(stubber), "q", url="q")


class Sleeps(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def items(*numbers: int) -> list[dict[str, Any]]:
    table = RecordsTable(None, "records")  # type: ignore[arg-type]
    return [table._item(record(n)) for n in numbers]


def put_requests(*numbers: int) -> dict[str, Any]:
    return {"records": [{"PutRequest": {"Item": item}} for item in items(*numbers)]}


def test_records_that_were_left_are_written_again_and_no_others(dynamodb: Stubber) -> None:
    dynamodb.add_response(
        "batch_write_item", {"UnprocessedItems": put_requests(1, 2)}, {"RequestItems": put_requests(0, 1, 2)}
    )
    dynamodb.add_response(
        "batch_write_item", {"UnprocessedItems": put_requests(2)}, {"RequestItems": put_requests(1, 2)}
    )
    dynamodb.add_response("batch_write_item", {"UnprocessedItems": {}}, {"RequestItems": put_requests(2)})
    sleeps = Sleeps()
    Items(client_of(dynamodb), "records", sleep=sleeps).put(items(0, 1, 2))
    dynamodb.assert_no_pending_responses()
    assert sleeps == [0.05, 0.1]


def test_records_that_are_always_left_are_given_up(dynamodb: Stubber) -> None:
    for _ in range(WRITE_ATTEMPTS):
        dynamodb.add_response("batch_write_item", {"UnprocessedItems": put_requests(0)})
    with pytest.raises(Throttled, match="1 of 2 items"):
        Items(client_of(dynamodb), "records", sleep=Sleeps()).put(items(0, 1))
    dynamodb.assert_no_pending_responses()


def test_a_row_that_is_not_newer_is_no_failure(dynamodb: Stubber) -> None:
    dynamodb.add_client_error("put_item", "ConditionalCheckFailedException")
    UsageTable(client_of(dynamodb), "usage").put([ROW])


def test_throttling_is_one(dynamodb: Stubber) -> None:
    dynamodb.add_client_error("put_item", "ProvisionedThroughputExceededException")
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        UsageTable(client_of(dynamodb), "usage").put([ROW])


def test_the_publisher_gives_back_what_sqs_refused(sqs: Stubber, caplog: pytest.LogCaptureFixture) -> None:
    failed = {"Id": "1", "Code": "InternalError", "SenderFault": False}
    taken = [{"Id": each, "MessageId": each, "MD5OfMessageBody": each} for each in ("0", "2")]
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(["a", "é", "c"])]
    sqs.add_response(
        "send_message_batch", {"Successful": taken, "Failed": [failed]}, {"QueueUrl": "q", "Entries": entries}
    )
    assert SqsPublisher(queue_of(sqs)).send([b"a", "é".encode(), b"c"]) == ["é".encode()]
    assert "InternalError" in caplog.text


class FlakyStore:
    """Raises what it is given, call by call, and then works; `stop` is set when all was put."""

    def __init__(self, *problems: Exception, stop: threading.Event) -> None:
        self._problems = list(problems)
        self._stop = stop
        self.rows: list[CountRow] = []

    def write(self, batch: Batch, /) -> None:
        if self._problems:
            raise self._problems.pop(0)
        self.rows += batch.counts
        self._stop.set()


def received(body: str = BODY) -> dict[str, Any]:
    return {"Messages": [{"MessageId": "m1", "ReceiptHandle": "r1", "Body": body}]}


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "PutItem")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "FIRST_BACK_OFF_SECONDS", 0.001)


@pytest.mark.parametrize(
    "problem",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        Throttled("records were left"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_while_dynamodb_is_away_the_consumer_keeps_what_it_has(sqs: Stubber, problem: Exception) -> None:
    """One receive is all that the stub allows: a second would bring the message nearer to its last."""
    stop = threading.Event()
    sqs.add_response("receive_message", received())
    sqs.add_response(
        "delete_message_batch",
        DELETED,
        {"QueueUrl": "q", "Entries": [{"Id": "0", "ReceiptHandle": "r1"}]},
    )
    store = FlakyStore(*[problem] * 7, stop=stop)
    consumer = Consumer(queue_of(sqs), store)
    consumer.run(stop)
    sqs.assert_no_pending_responses()
    assert store.rows == [ROW]
    assert (consumer.failures, consumer.deleted, consumer.counts_written) == (7, 1, 1)


def test_a_stop_while_dynamodb_is_away_deletes_nothing(sqs: Stubber) -> None:
    sqs.add_response("receive_message", received())
    stop = threading.Event()

    class Gone:
        def write(self, batch: Batch, /) -> None:
            stop.set()
            raise client_error("InternalServerError")

    consumer = Consumer(queue_of(sqs), Gone())
    consumer.run(stop)
    assert (consumer.received, consumer.deleted) == (1, 0)


def test_while_sqs_is_away_the_consumer_asks_again(sqs: Stubber, caplog: pytest.LogCaptureFixture) -> None:
    for code in ("ServiceUnavailable", "AWS.SimpleQueueService.NonExistentQueue"):
        sqs.add_client_error("receive_message", code)
    sqs.add_response("receive_message", {})
    sqs.add_response("receive_message", received())
    sqs.add_client_error("delete_message_batch", "ServiceUnavailable")
    stop = threading.Event()
    store = FlakyStore(stop=stop)
    with caplog.at_level(logging.WARNING):
        consumer = Consumer(queue_of(sqs), store, wait_seconds=7)
        consumer.run(stop)
    assert (store.rows, consumer.failures, consumer.deleted) == ([ROW], 3, 0)


def test_it_asks_for_ten_messages_and_waits_for_them(sqs: Stubber) -> None:
    wanted: dict[str, Any] = {"QueueUrl": "q", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
    wanted |= {"VisibilityTimeout": 30, "MessageAttributeNames": ["first-id", "traceparent"]}
    sqs.add_response("receive_message", received(), wanted)
    sqs.add_response("delete_message_batch", DELETED, {"QueueUrl": "q", "Entries": ANY})
    stop = threading.Event()
    Consumer(queue_of(sqs), FlakyStore(stop=stop), wait_seconds=20).run(stop)
    sqs.assert_no_pending_responses()
