"""SQS and DynamoDB as ToggleMaster uses them: clients that give up in time, the queue and the tables."""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:  # stubs are for development only, and boto3 is imported by what needs it
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")
R = TypeVar("R")

# Partition and sort key of each table; usage_table.py and records_table.py say what is in them.
USAGE_KEYS = ("part", "place")
RECORD_KEYS = ("flag", "at_event")
SUBJECT_KEY = "subject_key"
SUBJECT_INDEX = "by_subject"
TTL = "expires_at"

CONNECT_SECONDS = 2
READ_SECONDS = 5
ATTEMPTS = 3
CONNECTIONS = 10  # kept open by a client, as botocore has it
REQUESTS_AT_ONCE = 8  # of one thread; a put takes 5-10 ms, so this is about 1,000/s

INDEX_SECONDS = 60  # an index of a full table takes longer, and is of use when it is done

MAX_RECEIVE_COUNT = 5
VISIBILITY_SECONDS = 30  # how long what a killed consumer held is away; those that live ask for more in time
RETENTION_SECONDS = 14 * 24 * 3_600  # the longest that SQS keeps a message


def sqs_client(
    endpoint_url: str | None, region: str, *, wait_seconds: int = 0, connections: int = CONNECTIONS
) -> "SQSClient":
    """`wait_seconds` is the longest poll it will be used for, `connections` how many threads will use it.

    Credentials are where boto3 looks for them.
    """
    from boto3.session import Session

    return Session().client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name=region,
        config=_config(READ_SECONDS + wait_seconds, connections),
    )


def dynamodb_client(
    endpoint_url: str | None, region: str, *, connections: int = CONNECTIONS
) -> "DynamoDBClient":
    from boto3.session import Session

    return Session().client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=region,
        config=_config(READ_SECONDS, connections),
    )


class Queue:
    """A queue by name; its URL is asked for when first needed, so a process starts while SQS is away."""

    def __init__(self, sqs: "SQSClient", name: str, *, url: str = "") -> None:
        self.sqs = sqs
        self.name = name or url.rsplit("/", 1)[-1]
        self._url = url

    @property
    def url(self) -> str:
        """Raises botocore's errors."""
        if not self._url:
            self._url = self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._url

    def messages(self) -> int:
        """How many wait, about. Raises botocore's errors."""
        waiting: Literal["ApproximateNumberOfMessages"] = "ApproximateNumberOfMessages"
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[waiting])
        return int(answer["Attributes"][waiting])


def dead_queue(queue: Queue) -> Queue:
    """Where messages go that are given back too often."""
    return Queue(queue.sqs, dead_name(queue.name))


def dead_name(queue_name: str) -> str:
    return f"{queue_name}-dead"


def _config(read_seconds: int, connections: int) -> "Config":
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        parameter_validation=False,  # a third of a consumer's time, for what the service finds out anyway
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )


def at_once(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The answers in the order of the items. Raises the first error; items not begun by then are left."""
    items = list(items)
    if len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        return list(pool.map(work, items))


def create_queue(sqs: "SQSClient", name: str) -> str:
    """The URL of the queue; one that exists is left as it is. What it cannot deliver goes to NAME-dead."""
    dead = _queue(sqs, dead_name(name), {})
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
    return _queue(
        sqs, name, {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)}
    )


def queue_exists(sqs: "SQSClient", name: str) -> bool:
    try:
        sqs.get_queue_url(QueueName=name)
    except sqs.exceptions.QueueDoesNotExist:
        return False
    return True


def _queue(sqs: "SQSClient", name: str, attributes: dict[str, str]) -> str:
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        retention = {"MessageRetentionPeriod": str(RETENTION_SECONDS)}
        created: Any = attributes | retention  # the stubs want literal keys
        return sqs.create_queue(QueueName=name, Attributes=created)["QueueUrl"]


class OtherKeys(Exception):
    """A table of that name has other keys than this version writes; the text says which and what to do."""


def create_tables(dynamodb: "DynamoDBClient", usage_table_name: str, records_table_name: str) -> list[str]:
    """The names of those it made; tables that exist are given what they lack. Returns when both can be used.

    Raises OtherKeys.
    """
    usage = create_table(dynamodb, usage_table_name, USAGE_KEYS)
    records = create_table(dynamodb, records_table_name, RECORD_KEYS)
    _index(dynamodb, records_table_name)
    for name in (usage_table_name, records_table_name):
        _expire(dynamodb, name)
    made = {usage_table_name: usage, records_table_name: records}
    return [name for name in made if made[name]]


def create_table(dynamodb: "DynamoDBClient", name: str, keys: tuple[str, ...]) -> bool:
    """With a partition key and perhaps a sort key, all strings; False when it was there."""
    wanted: Any = [
        {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
    ]
    made = False
    with suppress(dynamodb.exceptions.ResourceInUseException):  # it exists, or another process is making it
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=wanted,
        )
        made = True
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
    if found != wanted:
        raise OtherKeys(
            f"the table {name} has the keys {[each['AttributeName'] for each in found]}, and this version"
            f" writes {list(keys)}: name another table in the settings, or delete that one with all it holds"
        )
    return made


def _index(dynamodb: "DynamoDBClient", name: str) -> None:
    if not _index_status(dynamodb, name):
        keys: Any = [
            {"AttributeName": SUBJECT_KEY, "KeyType": "HASH"},
            {"AttributeName": RECORD_KEYS[1], "KeyType": "RANGE"},
        ]
        dynamodb.update_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in (*RECORD_KEYS, SUBJECT_KEY)
            ],
            GlobalSecondaryIndexUpdates=[
                {
                    "Create": {
                        "IndexName": SUBJECT_INDEX,
                        "KeySchema": keys,
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                }
            ],
        )
    deadline = time.monotonic() + INDEX_SECONDS
    while _index_status(dynamodb, name) != "ACTIVE" and time.monotonic() < deadline:
        time.sleep(1)


def _index_status(dynamodb: "DynamoDBClient", name: str) -> str:
    """Empty when there is none."""
    indexes = dynamodb.describe_table(TableName=name)["Table"].get("GlobalSecondaryIndexes", [])
    return next((each["IndexStatus"] for each in indexes if each["IndexName"] == SUBJECT_INDEX), "")


def _expire(dynamodb: "DynamoDBClient", name: str) -> None:
    found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if found["TimeToLiveStatus"] == "DISABLED":
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL}
        )
