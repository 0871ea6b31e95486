"""Messages on their way to SQS, in batches, sent again until they are taken."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from projections.aws import Queue
from workers.messages import chunks

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, SendMessageBatchRequestEntryTypeDef

BATCH_ENTRIES = 10  # SQS's limit for SendMessageBatch
# SQS's limit for a message and for a batch: 1 MiB today, says SendMessageBatch at docs.aws.amazon.com, and
# this until 2025, which queues made before may still have as their MaximumMessageSize. More gains little.
BATCH_BYTES = 254 * 1024  # the rest is for attributes: ten times a name, a type and a trace

log = logging.getLogger(__name__)


class Publisher(Protocol):
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        """At most ten messages; answers with those that were not taken. May raise anything."""


class SqsPublisher:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def attributes(self) -> "Mapping[str, MessageAttributeValueTypeDef]":
        """Of every message."""
        return {}

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        entries = [self._entry(str(n), message) for n, message in enumerate(batch)]
        answer = self._queue.sqs.send_message_batch(QueueUrl=self._queue.url, Entries=entries)
        failed = answer.get("Failed", [])
        for code in {each["Code"] for each in failed}:
            log.warning("SQS refused a message of evaluations: %s", code)
        return [batch[int(each["Id"])] for each in failed]

    def _entry(self, id_: str, message: bytes) -> "SendMessageBatchRequestEntryTypeDef":
        entry: SendMessageBatchRequestEntryTypeDef = {"Id": id_, "MessageBody": message.decode()}
        if attributes := self.attributes():
            entry["MessageAttributes"] = attributes
        return entry


class Sender:
    """Holds a parcel at a time, and calls `taken` when all of it was."""

    def __init__(self, publisher: Publisher, max_batch_bytes: int = BATCH_BYTES) -> None:
        self.sent_messages = 0
        self.failures = 0
        self._publisher = publisher
        self._max_batch_bytes = max_batch_bytes
        self._outbox: list[bytes] = []
        self._taken: Callable[[], None] = _nothing

    def send(self, messages: Iterable[bytes], taken: Callable[[], None]) -> bool:
        """As `send_on`, which has to have been True before."""
        self._outbox, self._taken = list(messages), taken
        return self.send_on()

    def send_on(self) -> bool:
        """Batch after batch up to the first failure; what failed is sent again as it is, after the others."""
        while self._outbox:
            batch = next(chunks(self._outbox, BATCH_ENTRIES, self._max_batch_bytes))
            refused = self._publish(batch)
            self._outbox = self._outbox[len(batch) :] + refused
            self.sent_messages += len(batch) - len(refused)
            if refused:
                self.failures += 1
                return False
        taken, self._taken = self._taken, _nothing
        taken()
        return True

    def _publish(self, batch: list[bytes]) -> list[bytes]:
        try:
            return self._publisher.send(batch)
        except Exception as problem:  # whatever it was, SQS may have the batch or not: it is sent again
            log.warning("evaluations could not be sent, they are kept: %s", problem)
            return batch


def _nothing() -> None:
    pass
