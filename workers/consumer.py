"""Takes evaluations from SQS and puts them into the usage tables; workers/evaluations.py has the format.

A message is deleted when all that it says is stored, and storing again changes nothing, so that a consumer
may be killed at any point and any number of them may run. While DynamoDB is away a consumer holds on to the
messages it has and asks for no others: a message given back five times would end in the dead-letter queue.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from pydantic import ValidationError

from domain.values import Model, Slug
from projections.aws import Queue
from projections.item_writes import Throttled
from projections.records_table import Record
from projections.usage_table import CountRow, FlagAsked, Minute, Natural, Outcome, Producer

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageTypeDef

RECEIVE_MESSAGES = 10  # SQS's limit for ReceiveMessage
WAIT_SECONDS = 5  # at most 20 for SQS; a stop is noticed after this long
FIRST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 30.0

log = logging.getLogger(__name__)

Failure = (BotoCoreError, ClientError, Throttled)


class Evaluations(Model):
    """The body of a message."""

    v: Literal[1]
    kind: Literal["evaluations"]
    producer: Producer
    counts: tuple[tuple[Slug, Slug, FlagAsked, Minute, Natural, dict[Outcome, Natural]], ...]
    records: tuple[Record, ...]

    def count_rows(self) -> list[CountRow]:
        return [CountRow(self.producer, *row) for row in self.counts]


class Received(NamedTuple):
    id: str
    receipt: str
    counts: list[CountRow]
    records: tuple[Record, ...]


class Counts(Protocol):
    def put(self, rows: Iterable[CountRow], /) -> None: ...


class Records(Protocol):
    def put(self, records: Iterable[Record], /) -> None: ...


class BackOff:
    """Waits longer after each failure, and no longer at all when told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._seconds = FIRST_BACK_OFF_SECONDS

    def wait(self) -> None:
        self._stop.wait(self._seconds)
        self._seconds = min(2 * self._seconds, LONGEST_BACK_OFF_SECONDS)

    def reset(self) -> None:
        self._seconds = FIRST_BACK_OFF_SECONDS


class Consumer:
    """One for each thread. Its counters are for metrics."""

    def __init__(
        self,
        queue: Queue,
        usage: Counts,
        records: Records,
        *,
        wait_seconds: int = WAIT_SECONDS,
    ) -> None:
        """The client has to wait longer for an answer than `wait_seconds`."""
        self.received = 0
        self.invalid = 0  # not a message of evaluations
        self.refused = 0  # a message of evaluations that DynamoDB will not have
        self.counts_written = 0
        self.records_written = 0
        self.deleted = 0
        self.failures = 0
        self._queue = queue
        self._usage = usage
        self._records = records
        self._wait_seconds = wait_seconds

    def run(self, stop: threading.Event) -> None:
        """Returns after `stop` is set and the messages at hand are stored, or were tried once more."""
        back_off = BackOff(stop)
        while not stop.is_set():
            try:
                messages = self._receive()
                self._delete(self._store(messages, stop))
                back_off.reset()
            except Failure as problem:
                self._failed("SQS", problem)
                back_off.wait()

    def _receive(self) -> list[Received]:
        answer = self._queue.sqs.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=RECEIVE_MESSAGES,
            WaitTimeSeconds=self._wait_seconds,
        )
        messages = answer.get("Messages", [])
        self.received += len(messages)
        return [parsed for message in messages if (parsed := self._parse(message))]

    def _parse(self, message: "MessageTypeDef") -> Received | None:
        """None for what cannot be read: it is left in the queue, which gives it to the dead-letter queue."""
        try:
            body = Evaluations.model_validate_json(message["Body"], strict=True)
        except ValidationError as problem:
            self.invalid += 1
            what = problem.errors(include_input=False)[0]  # the input holds subjects
            log.warning("message %s is not of evaluations: %s", message["MessageId"], what["msg"])
            return None
        return Received(message["MessageId"], message["ReceiptHandle"], body.count_rows(), body.records)

    def _store(self, messages: list[Received], stop: threading.Event) -> list[Received]:
        """Those that are stored; it tries for as long as DynamoDB is away."""
        back_off = BackOff(stop)
        while messages:
            try:
                self._write(messages)
                break
            except Failure as problem:
                if _is_refusal(problem):
                    return self._store_singly(messages, stop)
                self._failed("DynamoDB", problem)
            if stop.is_set():
                return []
            back_off.wait()
        return messages

    def _store_singly(self, messages: list[Received], stop: threading.Event) -> list[Received]:
        """So that the one which cannot be stored takes no other to the dead-letter queue with it."""
        if len(messages) == 1:
            self.refused += 1
            log.error("message %s is refused by DynamoDB", messages[0].id)
            return []
        return [stored for message in messages for stored in self._store([message], stop)]

    def _write(self, messages: Sequence[Received]) -> None:
        counts = newest(row for message in messages for row in message.counts)
        records = [record for message in messages for record in message.records]
        self._usage.put(counts)
        self.counts_written += len(counts)
        self._records.put(records)
        self.records_written += len(records)

    def _delete(self, messages: Sequence[Received]) -> None:
        if not messages:
            return
        answer = self._queue.sqs.delete_message_batch(
            QueueUrl=self._queue.url,
            Entries=[{"Id": str(n), "ReceiptHandle": each.receipt} for n, each in enumerate(messages)],
        )
        self.deleted += len(answer.get("Successful", []))  # the others come again, and change nothing

    def _failed(self, what: str, problem: Exception) -> None:
        self.failures += 1
        log.warning("%s failed, trying again: %s", what, problem)


def newest(rows: Iterable[CountRow]) -> list[CountRow]:
    """The row with the highest `seq` for each producer, flag and minute."""
    best: dict[tuple[str, str, str, str, int], CountRow] = {}
    for row in rows:
        key = (row.producer, row.project, row.environment, row.flag, row.minute)
        if key not in best or best[key].seq < row.seq:
            best[key] = row
    return list(best.values())


def _is_refusal(problem: Exception) -> bool:
    """Whether DynamoDB will never take it; all other errors pass."""
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"] == "ValidationException"
    return isinstance(problem, ParamValidationError)
