"""A queue and tables that no other test has, and what is in them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from projections.aws import Queue, create_queue, create_tables, dead_queue, dynamodb_client, sqs_client
from projections.original_table import create_original_table
from tests.waiting import eventually
from workers.consumer import Consumer
from workers.evaluation_store import EvaluationStore, Tables

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "us-east-1"
WAIT_SECONDS = 1


def message(
    counts: list[list[Any]] | None = None, records: list[list[Any]] | None = None, *, producer: str = "p1"
) -> str:
    body = {"v": 1, "kind": "evaluations", "producer": producer, "counts": counts or []}
    return orjson.dumps(body | {"records": records or []}).decode()


class Analytics:
    def __init__(self, url: str, *, visibility_seconds: float = 30) -> None:
        name = uuid4().hex
        self.url = url
        self.sqs = sqs_client(url, REGION, wait_seconds=WAIT_SECONDS)
        self.dynamodb = dynamodb_client(url, REGION)
        self.visibility_seconds = visibility_seconds
        self.queue_name, self.usage, self.records, self.original = (
            f"{kind}-{name}" for kind in ("queue", "usage", "records", "original")
        )
        create_queue(self.sqs, self.queue_name)
        create_tables(self.dynamodb, self.usage, self.records)
        create_original_table(self.dynamodb, self.original)
        self.queue = Queue(self.sqs, self.queue_name)
        self.dead = dead_queue(self.queue)
        self.tables = self.new_tables()

    def new_tables(
        self, *, dynamodb: "DynamoDBClient | None" = None, read_again_seconds: float = 0.2
    ) -> Tables:
        return Tables(
            dynamodb or self.dynamodb,
            self.usage,
            self.records,
            self.original,
            read_again_seconds=read_again_seconds,
        )

    def consumer(self, tables: Tables | None = None) -> Consumer:
        return Consumer(
            self.queue,
            EvaluationStore(tables or self.tables),
            wait_seconds=WAIT_SECONDS,
            visibility_seconds=self.visibility_seconds,
        )

    @contextmanager
    def consuming(self, consumer: Consumer | None = None) -> Iterator[Consumer]:
        stop, consumer = threading.Event(), consumer or self.consumer()
        thread = threading.Thread(target=consumer.run, args=[stop])
        thread.start()
        try:
            yield consumer
        finally:
            stop.set()
            thread.join()

    def consume(self, messages: int) -> None:
        """Until that many are deleted."""
        with self.consuming() as consumer:
            eventually(lambda: consumer.deleted >= messages)

    def send(self, *bodies: str) -> list[str]:
        """Their ids."""
        return [
            self.sqs.send_message(QueueUrl=self.queue.url, MessageBody=body)["MessageId"] for body in bodies
        ]

    def is_empty(self) -> bool:
        """Whether no message waits in the queue, or is with a consumer."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue.url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return not sum(map(int, found.values()))

    def items(self, table: str, *, without: tuple[str, ...] = ()) -> dict[tuple[str, ...], dict[str, Any]]:
        """All there are, by their keys."""
        found = self.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
        keys = [each["AttributeName"] for each in found]
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items: list[dict[str, Any]] = [dict(item) for page in pages for item in page["Items"]]
        return {
            tuple(item[key]["S"] for key in keys): {
                name: value for name, value in item.items() if name not in without
            }
            for item in items
        }

    def close(self) -> None:
        self.sqs.close()
        self.dynamodb.close()
