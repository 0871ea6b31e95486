"""Evaluations on their way to SQS: exact counts, and records of single ones.

What is counted is in the spool before the answer leaves, and what is recorded is there when it is kept, so
that a process may be killed at any time: the next one on the same spool sends what it left.
"""

import logging
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from domain.recording import Recording, RecordingMode
from domain.targeting import TARGETING_KEY
from workers.adopted import UNCERTAIN_SECONDS
from workers.counting import MAX_COUNTERS, Counting
from workers.exposures import Exposures
from workers.flusher import FLUSH_SECONDS, STOP_SECONDS, Flusher
from workers.keeping import NO_PSEUDONYMS, Context, Keeping, keeping_of, subject_of
from workers.records_log import SEGMENT_BYTES, RecordsLog
from workers.sender import BATCH_BYTES, Publisher
from workers.spool import DROPPED_COUNTS, DROPPED_RECORDS, Spool
from workers.tally import Counter, Tally

__all__ = ["NOT_RECORDED", "EvaluationRecorder", "Tally"]

RECORD_BYTES = 64 * 1024 * 1024  # half a million records: a minute of 8,000 evaluations a second
KEEPINGS_KNOWN = 10_000  # a ruleset that changes brings new ones
NOT_RECORDED = Recording(mode="none")

log = logging.getLogger(__name__)


class EvaluationRecorder:
    """Counts every evaluation in the spool, and has a Flusher that sends what is new.

    `record` and its like belong to one thread, that of the event loop. It shares nothing with the flusher's
    thread that both write, so there is no lock: each attribute and each word of the spool has one writer.

    At any time `recorded == dropped_counts + pending + those whose counts SQS has taken`, but for what killed
    processes dropped, which is in `dropped_counts` too.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        producer: str = "",
        spool_dir: Path | None = None,
        records: RecordingMode = "all",
        secret: str = "",
        flush_seconds: float = FLUSH_SECONDS,
        max_batch_bytes: int = BATCH_BYTES,
        max_counters: int = MAX_COUNTERS,
        record_bytes: int = RECORD_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        uncertain_seconds: float = UNCERTAIN_SECONDS,
    ) -> None:
        """`producer` is for this start of this process only; it is made up when not given. Without a
        `spool_dir` there is a temporary one. `records` is for environments that do not say. Pseudonyms are
        made with `secret`.

        Raises OSError where the spool cannot be written to, ValueError for a producer that the consumer would
        refuse.
        """
        self._spool = Spool(spool_dir or Path(tempfile.mkdtemp(prefix="togglemaster-")))
        private = spool_dir is None
        self._clean_up = weakref.finalize(self, _remove, self._spool.path if private else None)
        self._home = self._spool.begin(producer or secrets.token_hex(8))
        self.producer = self._home.producer
        self.withdrawn = 0  # evaluations counted by a killed process that are counted here in its place
        self.exposures = Exposures()
        self._installed: RecordingMode = records
        self._secret = secret
        self._record_bytes = record_bytes
        self._dropped = self._home.dropped
        self._log = RecordsLog(self._home.path, segment_bytes)
        self._keepings: dict[int, Keeping] = {}
        self._bytes_begun = 0
        self._warned = False
        self._counting = Counting(self._home, max_counters)
        self._own = self._counting.own
        self.flusher = Flusher(
            publisher,
            self._spool,
            self._counting,
            self._log,
            flush_seconds=flush_seconds,
            uncertain_seconds=uncertain_seconds,
            max_batch_bytes=max_batch_bytes,
        )
        self.unknown = self._counting.unknown
        self._count_one = self._counting.count_one
        self._exposed = self.exposures.new

    @property
    def recorded(self) -> int:
        return self._own.recorded() + self._dropped[DROPPED_COUNTS]

    @property
    def pending(self) -> int:
        """Evaluations that are counted, but not yet in a message that SQS took."""
        return self._own.recorded() - self._own.evaluations_sent

    @property
    def sent(self) -> int:
        return self._own.evaluations_sent

    @property
    def dropped_counts(self) -> int:
        """By this process, and by those whose spool it took over."""
        return self._dropped[DROPPED_COUNTS] + self.flusher.inherited(DROPPED_COUNTS)

    @property
    def dropped_records(self) -> int:
        return self._dropped[DROPPED_RECORDS] + self.flusher.inherited(DROPPED_RECORDS)

    @property
    def sent_messages(self) -> int:
        return self.flusher.sender.sent_messages

    @property
    def send_failures(self) -> int:
        return self.flusher.sender.failures

    def unsent_seconds(self) -> float:
        """For how long something has been waiting for SQS."""
        return time.time() - self.flusher.all_sent_at if self.pending else 0.0

    def start(self) -> None:
        self.flusher.start()

    def flush(self) -> bool:
        """Sends what is new; False when some of it is left for the next time. For the flusher's thread."""
        return self.flusher.flush()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Sends what is left, for `timeout` seconds at most; what is not sent then stays in the spool.

        Nothing is recorded after this.
        """
        if self.flusher.stop(timeout) and not self.dropped_counts and not self.dropped_records:
            self._home.remove()
        else:
            self._home.let_go()
        self._clean_up()  # a process that a signal ends does not come to its finalizers

    def record_one(
        self, tally: Tally, recording: Recording, context: Context, position: int, now: float
    ) -> None:
        """As `record`; for the commonest case, which is to cost next to nothing."""
        counted = self._count_one(tally, now)
        keeping = self._keepings.get(id(recording)) or self._keeping(recording)
        if keeping.mode == "none":
            return
        if not counted:
            self._drop((tally,), keeping)
            return
        subject = context.get(TARGETING_KEY)
        if subject.__class__ is not str:
            subject = None
        counters = tally.counters
        if keeping.mode == "exposures":
            counters = self._exposed(tally, subject, now) if subject is not None else ()
        if counters:
            self._write(keeping.lines(counters, subject, context, position, now), len(counters))

    def record(
        self, tallies: Sequence[Tally], recording: Recording, context: Context, position: int, now: float
    ) -> None:
        """For the event loop: never waits, never raises. What there is no room for is counted as dropped.

        `now` is in seconds since 1970.
        """
        counted = self._counting.count(tallies, now)
        keeping = self._keepings.get(id(recording)) or self._keeping(recording)
        if keeping.mode != "none":
            self._keep(counted, keeping, context, position, now)
            if counted is not tallies:
                known = set(counted)
                self._drop([tally for tally in tallies if tally not in known], keeping)

    def record_marked(
        self,
        request_id: bytes,
        tallies: Sequence[Tally],
        recording: Recording,
        context: Context,
        position: int,
        now: float,
    ) -> None:
        """As `record`, for a request that its client names, and asks again by that name where no answer came.

        If this process is killed before `answered`, the next one knows that it may have been counted for
        nothing, and if the client asks again it is counted once.
        """
        if self.flusher.uncertain:
            self._withdraw(request_id)
        self._counting.mark(request_id, tallies, (self._log.newest, self._log.end), now)
        self.record(tallies, recording, context, position, now)

    def answered(self) -> None:
        """The kernel has the answer to what was recorded last."""
        self._home.unmark()

    def _withdraw(self, request_id: bytes) -> None:
        if waiting := self.flusher.uncertain.get(request_id):
            waiting.withdraw()
            self.withdrawn += 1
            self.flusher.uncertain.pop(request_id, None)

    def _keep(
        self, tallies: Sequence[Tally], keeping: Keeping, context: Context, position: int, now: float
    ) -> None:
        subject = subject_of(context)
        counters: list[Counter] = []
        if keeping.mode == "all":
            counters = [counter for tally in tallies for counter in tally.counters]
        elif subject is not None:
            new = self.exposures.new
            counters = [counter for tally in tallies for counter in new(tally, subject, now)]
        if counters:
            self._write(keeping.lines(counters, subject, context, position, now), len(counters))

    def _drop(self, tallies: Sequence[Tally], keeping: Keeping) -> None:
        """Who is not counted is not kept either: their names may be what nobody takes."""
        if keeping.mode == "all":
            self._dropped[DROPPED_RECORDS] += sum(len(tally.counters) for tally in tallies)

    def _write(self, lines: bytes, count: int) -> None:
        if not lines or not (self._log.append(lines) or self._begin_file(lines)):
            self._dropped[DROPPED_RECORDS] += count

    def _begin_file(self, lines: bytes) -> bool:
        """With these lines in it; False where there is no room."""
        size = self._log.next_size(lines)
        used = self._bytes_begun - self._own.bytes_released + self.flusher.adopted_bytes
        if used + size > self._record_bytes:
            return False
        try:
            self._log.begin(lines)
        except OSError as problem:
            log.warning("records of evaluations are dropped, %s: %s", self._spool.path, problem)
            return False
        self._bytes_begun += size
        return True

    def _keeping(self, recording: Recording) -> Keeping:
        if len(self._keepings) >= KEEPINGS_KNOWN:
            self._keepings.clear()
        found = self._keepings[id(recording)] = keeping_of(recording, self._installed, self._secret)
        if recording.pseudonymise and not self._secret and not self._warned:
            self._warned = True
            log.warning(NO_PSEUDONYMS)
        return found


def _remove(directory: Path | None) -> None:
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
