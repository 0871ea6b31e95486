"""Takes evaluations from SQS and puts them into the usage tables; workers/messages.py has the format.

A message is deleted when all that it says is stored, and storing again changes nothing, so that a consumer
may be killed at any point and any number of them may run. While DynamoDB is away a consumer holds on to the
messages it has and asks for no others: a message given back five times would end in the dead-letter queue.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from pydantic import ValidationError

from projections.aws import VISIBILITY_SECONDS, Queue
from projections.item_writes import Throttled
from projections.records_table import oldest_kept
from projections.usage_table import oldest_taken
from workers.evaluation_store import Batch
from workers.held_messages import HeldMessages
from workers.messages import TRACE_ATTRIBUTE
from workers.pulse import Pulse
from workers.received import FIRST_ID, Received, last_told, newest, parse, told

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageTypeDef

RECEIVE_MESSAGES = 10  # SQS's limit for ReceiveMessage
WAIT_SECONDS = 5  # at most 20 for SQS; a stop is noticed after this long
STUCK_SECONDS = (
    600.0  # a batch may be long on its way into a slow DynamoDB, and a restart costs it a delivery
)
FIRST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 10.0

log = logging.getLogger(__name__)

Failure = (BotoCoreError, ClientError, Throttled)


class Store(Protocol):
    def write(self, batch: Batch, /) -> None: ...


Around = Callable[[Sequence[str]], AbstractContextManager[object]]
"""Given the traces of messages, what to store them within."""


def _nothing_around(traces: Sequence[str]) -> AbstractContextManager[object]:
    del traces
    return nullcontext()


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
        store: Store,
        *,
        wait_seconds: int = WAIT_SECONDS,
        visibility_seconds: float = VISIBILITY_SECONDS,
        clock: Callable[[], float] = time.time,
        around: Around = _nothing_around,
    ) -> None:
        """The client has to wait longer for an answer than `wait_seconds`."""
        self.received = 0
        self.invalid = 0  # not a message of evaluations
        self.refused = 0  # a message of evaluations that DynamoDB will not have
        self.expired = 0  # rows and records from before what is kept
        self.counts_written = 0
        self.records_written = 0
        self.deleted = 0
        self.failures = 0
        self.batches = 0
        self.batch_seconds = 0.0  # from received to deleted, in all
        self.pulse = Pulse(f"consumer of {queue.name}", STUCK_SECONDS)
        self._queue = queue
        self._store = store
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        self._clock = clock
        self._around = around
        self._held = HeldMessages(queue, visibility_seconds, self._failed)

    def run(self, stop: threading.Event) -> None:
        """Returns after `stop` is set and the messages at hand are stored, or were tried once more."""
        back_off = BackOff(stop)
        with self._held.beating():
            while not stop.is_set():
                try:
                    self._take(stop)
                    self.pulse.works()
                    back_off.reset()
                except Exception as problem:
                    self._failed("SQS", problem)
                    back_off.wait()

    def _take(self, stop: threading.Event) -> None:
        messages = self._receive()
        if messages:
            began = time.monotonic()
            traces = [message.trace for message in messages if message.trace]
            with self._held.holding([message.receipt for message in messages]), self._around(traces):
                self._delete(self._stored(messages, stop))
            self.batches += 1
            self.batch_seconds += time.monotonic() - began

    def _receive(self) -> list[Received]:
        answer = self._queue.sqs.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=RECEIVE_MESSAGES,
            MessageAttributeNames=[FIRST_ID, TRACE_ATTRIBUTE],
            VisibilityTimeout=max(1, round(self._visibility_seconds)),
            WaitTimeSeconds=self._wait_seconds,
        )
        messages = answer.get("Messages", [])
        self.received += len(messages)
        return [self._fresh(parsed) for message in messages if (parsed := self._parse(message))]

    def _parse(self, message: "MessageTypeDef") -> Received | None:
        """None for what cannot be read: it is left in the queue, which gives it to the dead-letter queue."""
        try:
            return parse(message)
        except ValidationError as problem:
            self.invalid += 1
            log.warning("message %s is not of evaluations: %s", message["MessageId"], told(problem))
            return None

    def _fresh(self, message: Received) -> Received:
        """What would expire before it is added up is not stored, and nobody can help that."""
        now = self._clock()
        oldest, oldest_record = oldest_taken(now), oldest_kept(now)
        counts = [row for row in message.counts if row.minute >= oldest]
        records = [record for record in message.records if record.at >= oldest_record]
        if late := len(message.counts) + len(message.records) - len(counts) - len(records):
            self.expired += late
            log.error(
                "message %s: %s rows and records are older than what is kept; they are not stored",
                message.id,
                late,
            )
        return message._replace(counts=counts, records=records)

    def _stored(self, messages: list[Received], stop: threading.Event) -> list[Received]:
        """Those that are stored; it tries for as long as DynamoDB is away."""
        back_off = BackOff(stop)
        while True:
            try:
                self._write(messages)
            except Exception as problem:
                if _is_refusal(problem):
                    return self._stored_singly(messages, problem, stop)
                self._failed("DynamoDB", problem)
            else:
                return messages
            if stop.is_set():
                return []
            back_off.wait()

    def _stored_singly(
        self, messages: list[Received], problem: Exception, stop: threading.Event
    ) -> list[Received]:
        """So that the one which cannot be stored takes no other to the dead-letter queue with it."""
        if len(messages) == 1:
            self.refused += 1
            log.error("message %s cannot be stored: %s", messages[0].id, _reason(problem))
            return []
        return [stored for message in messages for stored in self._stored([message], stop)]

    def _write(self, messages: Sequence[Received]) -> None:
        counts = newest(row for message in messages for row in message.counts)
        records = [record for message in messages for record in message.records]
        originals = [event for message in messages for event in message.originals]
        dropped = last_told(told for message in messages for told in message.dropped)
        self._store.write(Batch(counts, records, originals, dropped))
        self.counts_written += len(counts)
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
        self.pulse.fails(f"{what} failed: {_reason(problem)}")
        log.warning("%s failed, trying again: %s", what, _reason(problem))


def _is_refusal(problem: Exception) -> bool:
    """Whether trying again will not help; what is no fault of SQS or DynamoDB is one of ours."""
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"] == "ValidationException"
    return isinstance(problem, ParamValidationError) or not isinstance(problem, Failure)


def _reason(problem: Exception) -> str:
    """A fault of ours by its place: its text may quote what it was given, and that may be a subject."""
    if isinstance(problem, Failure) and not isinstance(problem, ParamValidationError):
        return str(problem)
    place = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} at {place.filename}:{place.lineno}"
