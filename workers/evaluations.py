"""Evaluations on their way to SQS: exact counts, and records of single ones."""

import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from domain.values import Slug
from projections.aws import Queue
from projections.records_table import SUBJECT_LENGTH
from projections.usage_table import FlagAsked, Producer, ReasonName, VariantServed, outcome_of
from workers.messages import chunks, encode, pack

BATCH_ENTRIES = 10  # SQS's limit for SendMessageBatch
BATCH_BYTES = 256 * 1024  # SQS's limit for a batch and for a message; 1 MiB since 2025, not everywhere
FLUSH_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 30.0
RETRY_SECONDS = 0.1  # between attempts while stopping
STOP_SECONDS = 5.0
MAX_COUNTERS = 100_000  # about 20 MB: 100 flags with four answers each, through four hours without SQS
MAX_RECORDS = 50_000  # about 15 MB: five seconds of 10,000 evaluations each

log = logging.getLogger(__name__)

Counter = tuple[Slug, Slug, FlagAsked, ReasonName, VariantServed]
"""Project, environment, flag, reason, variant."""


class Tally:
    """What is counted in one step: answers that are always given together, and mostly just one.

    Hashed by identity, which costs a fraction of hashing its names.
    """

    __slots__ = ("counters",)

    def __init__(self, *counters: Counter) -> None:
        self.counters = counters


_counter = TypeAdapter(Counter)
_producer: TypeAdapter[str] = TypeAdapter(Producer)


class Publisher(Protocol):
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        """At most ten messages; answers with those that were not taken. May raise anything."""


class SqsPublisher:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        answer = self._queue.sqs.send_message_batch(
            QueueUrl=self._queue.url,
            Entries=[{"Id": str(n), "MessageBody": message.decode()} for n, message in enumerate(batch)],
        )
        failed = answer.get("Failed", [])
        for code in {each["Code"] for each in failed}:
            log.warning("SQS refused a message of evaluations: %s", code)
        return [batch[int(each["Id"])] for each in failed]


class EvaluationRecorder:
    """Counts every evaluation in memory and sends what is new from a thread of its own.

    `record` belongs to one thread, that of the event loop. It shares nothing with the flushing thread that
    both write, so there is no lock: each attribute below has one writer, and the flusher reads counters as
    `dict.copy()`, which no other thread can interrupt. A minute's counters are final once `_minute` has
    passed them, since only `record` moves it, and never back.

    At any time `recorded == dropped_counts + pending + those whose counts SQS has taken`.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        producer: str = "",
        records: Literal["all", "none"] = "all",
        flush_seconds: float = FLUSH_SECONDS,
        max_batch_bytes: int = BATCH_BYTES,
        max_counters: int = MAX_COUNTERS,
        max_records: int = MAX_RECORDS,
    ) -> None:
        """`producer` is for this start of this process only; it is made up when not given.

        Raises ValueError for one that the consumer would refuse.
        """
        self.producer = _producer.validate_python(producer or secrets.token_hex(8))
        self._publisher = publisher
        self._flush_seconds = flush_seconds
        self._max_batch_bytes = max_batch_bytes
        self._max_counters = max_counters
        self._max_records = max_records
        self.keeps_records = records == "all"

        # Written by record() alone.
        self.recorded = 0
        self.dropped_counts = 0
        self.dropped_records = 0
        self._minute = -1
        self._minute_ends = 0.0
        self._counts: dict[Tally, int] = {}
        self._counters: set[Counter] = set()  # all that _counts is about
        self._begun = 0

        # Written by the flusher alone.
        self.sent_messages = 0
        self.send_failures = 0
        self._seq = 0
        self._sealed: dict[int, dict[tuple[str, str, str], int]] = {}  # totals by minute and flag
        self._outbox: list[bytes] = []
        self._released = 0
        self._evaluations_sealed = 0
        self._evaluations_sent = 0
        self._event_numbers = itertools.count()

        # Where things change hands, by single steps that cannot be interrupted.
        self._minutes: dict[int, dict[Tally, int]] = {}
        self._records: deque[tuple[Counter, str | None, int, int]] = deque()

        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Evaluations that are counted, but not yet in a message that SQS took."""
        return self.recorded - self.dropped_counts - self._evaluations_sent

    def record_one(self, tally: Tally, subject: str | None, position: int, now: float) -> None:
        """As `record`; for the commonest case, which is to cost next to nothing."""
        counts = self._counts
        if now < self._minute_ends and tally in counts:
            counts[tally] += 1
            self.recorded += len(tally.counters)
            if self.keeps_records:
                self._keep(tally, subject, position, int(now * 1_000))
        else:
            self.record((tally,), subject, position, now)

    def record(self, tallies: Iterable[Tally], subject: str | None, position: int, now: float) -> None:
        """For the event loop: never waits, never raises. What there is no room for is counted as dropped.

        `now` is in seconds since 1970.
        """
        if now >= self._minute_ends:
            self._begin_minute(now)
        counts = self._counts
        for tally in tallies:
            size = len(tally.counters)
            self.recorded += size
            count = counts.get(tally)
            if count is not None:
                counts[tally] = count + 1
            elif self._may_begin(tally):
                counts[tally] = 1
            else:
                self.dropped_counts += size
                self.dropped_records += self.keeps_records * size
                continue
            if self.keeps_records:
                self._keep(tally, subject, position, int(now * 1_000))

    def _keep(self, tally: Tally, subject: str | None, position: int, at: int) -> None:
        for counter in tally.counters:
            if len(self._records) < self._max_records and (subject is None or len(subject) <= SUBJECT_LENGTH):
                self._records.append((counter, subject, position, at))
            else:
                self.dropped_records += 1

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="evaluations", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Sends what is left, for `timeout` seconds at most. Nothing is recorded after this."""
        self._stop_at = time.monotonic() + timeout
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout)
        else:
            self._drain()

    def flush(self) -> bool:
        """Sends what is new; False when some of it is left for the next time. For the flushing thread."""
        if not self._send():
            return False
        self._seal()
        return self._send()

    def _begin_minute(self, now: float) -> None:
        """A clock that is set back goes on in the minute it had reached, which may have been sent already."""
        minute = int(now // 60)
        self._counts = self._minutes[minute] = {}
        self._counters = set()
        self._minute, self._minute_ends = minute, (minute + 1) * 60.0

    def _may_begin(self, tally: Tally) -> bool:
        """Whether there is room for its counters, and the consumer will take their names."""
        new = set(tally.counters) - self._counters
        if self._begun - self._released + len(new) > self._max_counters:
            return False
        try:
            for counter in new:
                _counter.validate_python(counter)
        except ValidationError:
            return False
        self._counters |= new
        self._begun += len(new)
        return True

    def _run(self) -> None:
        delay = self._flush_seconds
        while not self._stopping.wait(delay):
            delay = self._flush_seconds if self.flush() else min(2 * delay, LONGEST_BACK_OFF_SECONDS)
        self._drain()

    def _drain(self) -> None:
        while not self.flush() and time.monotonic() < self._stop_at:
            time.sleep(RETRY_SECONDS)

    def _seal(self) -> None:
        """Makes messages of what is new. Not while others wait: then outages cost no memory but counters."""
        self._seq += 1
        current = self._minute  # read before the copies are made: they are the last of any minute before it
        counts: list[bytes] = []
        for minute, counters in self._minutes.copy().items():
            counts += self._changed(minute, counters.copy())
            if minute < current:
                self._forget(minute)
        records = [self._encode_record(*self._records.popleft()) for _ in range(len(self._records))]
        self._outbox = list(pack(self.producer, counts, records, self._max_batch_bytes))

    def _changed(self, minute: int, tallies: dict[Tally, int]) -> Iterator[bytes]:
        rows: dict[tuple[str, str, str], dict[str, int]] = {}
        for (project, environment, flag, reason, variant), count in _counted(tallies):
            counts = rows.setdefault((project, environment, flag), {})
            outcome = outcome_of(reason, variant)
            counts[outcome] = counts.get(outcome, 0) + count
        totals = self._sealed.setdefault(minute, {})
        for row, counts in rows.items():
            if new := sum(counts.values()) - totals.get(row, 0):
                totals[row] = totals.get(row, 0) + new
                self._evaluations_sealed += new
                yield encode([*row, minute, self._seq, counts])

    def _forget(self, minute: int) -> None:
        self._released += len({counter for counter, _ in _counted(self._minutes.pop(minute))})
        self._sealed.pop(minute)

    def _encode_record(self, key: Counter, subject: str | None, position: int, at: int) -> bytes:
        project, environment, flag, reason, variant = key
        if subject is not None and not subject.isascii():
            subject = subject.encode(errors="replace").decode()  # half a surrogate pair cannot be sent
        event_id = f"{self.producer}-{next(self._event_numbers)}"
        return encode([event_id, project, environment, flag, variant, reason, subject, position, at])

    def _send(self) -> bool:
        """Batch after batch up to the first failure; what failed is sent again as it is, after the others."""
        while self._outbox:
            batch = next(chunks(self._outbox, BATCH_ENTRIES, self._max_batch_bytes))
            refused = self._publish(batch)
            self._outbox = self._outbox[len(batch) :] + refused
            self.sent_messages += len(batch) - len(refused)
            if refused:
                self.send_failures += 1
                return False
        self._evaluations_sent = self._evaluations_sealed
        return True

    def _publish(self, batch: list[bytes]) -> list[bytes]:
        try:
            return self._publisher.send(batch)
        except Exception as problem:  # whatever it was, SQS may have the batch or not: it is sent again
            log.warning("evaluations could not be sent, they are kept: %s", problem)
            return batch


def _counted(tallies: dict[Tally, int]) -> Iterator[tuple[Counter, int]]:
    return ((counter, count) for tally, count in tallies.items() for counter in tally.counters)
