"""Messages of the original system: counted as evaluations, and kept in the table that its users know."""

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from deploy.embedded import Stack
from deploy.processes.consumer import build
from deploy.settings import Settings
from projections.aws import Queue
from tests.integration.analytics import Analytics
from tests.waiting import eventually
from workers.dead_letters import redrive

TIMESTAMPS = [
    "2026-11-22T03:53:56.458672944Z",
    "2026-11-22T03:53:56Z",
    "2026-11-22T03:53:56.4Z",
    "2026-11-22T03:53:56.458672Z",
    "2026-11-22T00:53:56.12-03:00",
]
MINUTE = int(datetime(2026, 11, 22, 3, 53, tzinfo=UTC).timestamp() // 60)


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


def original(
    timestamp: str = TIMESTAMPS[0], *, user: str = "user-1", flag: str = "dash", **more: object
) -> str:
    body = {"user_id": user, "flag_name": flag, "result": True, "timestamp": timestamp}
    return orjson.dumps(body | more).decode()


def test_each_is_in_the_originals_table_byte_for_byte(analytics: Analytics) -> None:
    ids = analytics.send(*(original(each) for each in TIMESTAMPS))
    analytics.consume(len(ids))
    assert analytics.items(analytics.original) == {
        (id_,): {
            "event_id": {"S": id_},
            "user_id": {"S": "user-1"},
            "flag_name": {"S": "dash"},
            "result": {"BOOL": True},
            "timestamp": {"S": timestamp},
        }
        for id_, timestamp in zip(ids, TIMESTAMPS, strict=True)
    }


def test_each_is_counted_in_its_minute_and_recorded_with_its_subject(analytics: Analytics) -> None:
    (yes, no) = analytics.send(original(), original(user="user-2", result=False, more="is left alone"))
    analytics.consume(2)
    items = analytics.items(analytics.usage)
    place = f"{MINUTE % 1440:04d}/original-"
    for id_, outcome in ((yes, "true"), (no, "false")):
        counted = items["default/production/2026-11-22/dash", f"{place}{id_}"]["counts"]
        assert counted == {"M": {f"UNKNOWN/{outcome}": {"N": "1"}}}
        total = items["default/production/2026-11-22/", f"{place}{id_}"]["counts"]
        assert total == {"M": {"UNKNOWN/": {"N": "1"}}}
    records = analytics.items(analytics.records)
    subjects = {sort.split("/")[1]: item["subject"]["S"] for (_, sort), item in records.items()}
    assert subjects == {yes: "user-1", no: "user-2"}


def test_one_that_was_stored_and_died_all_the_same_is_counted_once(analytics: Analytics) -> None:
    (id_,) = analytics.send(original())
    analytics.consume(1)
    before = everything(analytics)
    analytics.sqs.send_message(
        QueueUrl=analytics.dead.url,
        MessageBody=original(),
        MessageAttributes={"first-id": {"DataType": "String", "StringValue": id_}},
    )
    redrive(analytics.dead, analytics.queue, None, lambda _: None)
    analytics.consume(1)
    assert everything(analytics) == before
    assert analytics.dead.messages() == analytics.queue.messages() == 0


def everything(analytics: Analytics) -> set[tuple[str, ...]]:
    """Its keys, but those of sketches, which are merged when they are read."""
    tables = (analytics.usage, analytics.records, analytics.original)
    return {key for table in tables for key in analytics.items(table) if not key[0].startswith("@subjects")}


def test_names_longer_than_ours_are_counted_together_and_kept_in_the_originals_table(
    analytics: Analytics,
) -> None:
    ids = analytics.send(original(flag="f" * 201), original(user="u" * 300))
    analytics.consume(2)
    assert analytics.items(analytics.original).keys() == {(id_,) for id_ in ids}
    assert ("default/production/2026-11-22//", f"{MINUTE % 1440:04d}/original-{ids[0]}") in analytics.items(
        analytics.usage
    )
    (record,) = analytics.items(analytics.records).values()
    assert "subject" not in record


@pytest.mark.parametrize(
    "body",
    [
        original("yesterday"),
        original("1969-12-31T23:59:59Z"),
        original(flag=""),
        original(result="true"),
        '{"user_id": "user-1", "flag_name": "dash", "result": true}',
    ],
)
def test_one_that_says_too_little_is_left_to_the_dead_letter_queue(
    analytics: Analytics, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    analytics.send(body)
    with analytics.consuming() as consumer:
        eventually(lambda: consumer.invalid == 1)
    assert "user-1" not in caplog.text
    assert "is not of evaluations" in caplog.text
    assert analytics.items(analytics.original) == {}


def test_the_originals_own_queue_is_consumed_too(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, stack: Stack
) -> None:
    url = analytics.sqs.create_queue(QueueName=f"{analytics.queue_name}-original")["QueueUrl"]
    analytics.sqs.send_message(QueueUrl=url, MessageBody=original())
    monkeypatch.setenv("AWS_SQS_URL", url)
    monkeypatch.setenv("AWS_DYNAMODB_TABLE", analytics.original)
    settings = Settings(
        aws_endpoint_url=stack.aws.url,
        queue_name=analytics.queue_name,
        usage_table=analytics.usage,
        records_table=analytics.records,
        consumer_threads=1,
        queue_wait_seconds=1,
    )
    ours, theirs = build(settings)[0]
    with analytics.consuming(ours), analytics.consuming(theirs):
        eventually(lambda: theirs.deleted == 1)
    assert len(analytics.items(analytics.original)) == 1
    assert Queue(analytics.sqs, "", url=url).messages() == 0
