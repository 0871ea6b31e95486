"""Sends what is in the spool, this process's and that of killed ones, from a thread of its own."""

import logging
import threading
import time
from functools import partial
from math import inf

from workers.adopted import Adopted, Uncertain
from workers.counting import Counting
from workers.messages import pack
from workers.outgoing import Outgoing
from workers.records_log import RecordsLog
from workers.sender import BATCH_BYTES, Publisher, Sender
from workers.spool import Spool

FLUSH_SECONDS = 1.0
STOP_SECONDS = 5.0
LONGEST_BACK_OFF_SECONDS = 30.0
RETRY_SECONDS = 0.1  # between attempts while stopping
ADOPT_SECONDS = 5.0
BLOCK_BYTES = 512  # what stat counts in

log = logging.getLogger(__name__)


class Flusher:
    """Each attribute is written by its thread alone, but for `uncertain`, whose single steps cannot be
    interrupted.
    """

    def __init__(
        self,
        publisher: Publisher,
        spool: Spool,
        counting: Counting,
        records: RecordsLog,
        *,
        flush_seconds: float,
        uncertain_seconds: float,
        max_batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.sender = Sender(publisher, max_batch_bytes)
        self.adopted_producers = 0
        self.adopted_bytes = 0
        self.uncertain: dict[bytes, Uncertain] = {}  # by the client's id of the request
        self.all_sent_at = time.time()
        self._own = counting.own
        self._counting = counting
        self._log = records
        self._adopted: list[Adopted] = []
        self._inherited = (0, 0)
        self._spool = spool
        self._flush_seconds = flush_seconds
        self._uncertain_seconds = uncertain_seconds
        self._max_batch_bytes = max_batch_bytes
        self._adopt_at = 0.0
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """What is uncertain is known when this returns, before there is a request that asks again."""
        self.adopt()
        self._thread = threading.Thread(target=self._run, name="evaluations", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Sends what is left; whether everything was, in that time."""
        self._stop_at = time.monotonic() + timeout
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        else:
            self._drain()
        for each in self._adopted:
            each.home.let_go()
        return self._own.is_done()

    def adopt(self) -> None:
        """Takes over what those left whose process has ended."""
        self._adopt_at = time.monotonic() + ADOPT_SECONDS
        try:
            for home in self._spool.abandoned():
                self._take_over(Adopted(home, time.monotonic() + self._uncertain_seconds))
        except OSError as problem:
            log.warning("what killed evaluators left in %s cannot be read now: %s", self._spool.path, problem)

    def flush(self) -> bool:
        """Sends what is new; False when some of it is left for the next time."""
        began = time.time()
        if not self.sender.send_on():
            return False
        self._settle()
        everyone = [*self._adopted, self._own]
        if not all(map(self._send_counts, everyone)) or not all(map(self._send_records, everyone)):
            return False
        self._bury()
        self.all_sent_at = began
        return True

    def inherited(self, which: int) -> int:
        """DROPPED_COUNTS or DROPPED_RECORDS of processes that were killed."""
        return self._inherited[which] + sum(
            each.home.dropped[which] + each.inherited[which] for each in list(self._adopted)
        )

    def spooled_bytes(self) -> int:
        return sum(
            each.stat().st_blocks * BLOCK_BYTES
            for home in [self._own.home, *(adopted.home for adopted in self._adopted)]
            for each in home.path.iterdir()
        )

    def _take_over(self, adopted: Adopted) -> None:
        self._adopted.append(adopted)
        self.adopted_producers += 1
        if adopted.uncertain is not None:
            self.uncertain[adopted.uncertain.mark.request_id] = adopted.uncertain

    def _send_counts(self, outgoing: Outgoing) -> bool:
        open_from = self._counting.minute if outgoing is self._own else outgoing.open_from
        rows = outgoing.count_rows(open_from)
        counts = pack(outgoing.home.producer, rows, [], self._max_batch_bytes)
        messages = [*counts, *outgoing.drops.messages()]
        return self.sender.send(messages, lambda: outgoing.counts_taken(open_from))

    def _send_records(self, outgoing: Outgoing) -> bool:
        newest = self._log.newest if outgoing is self._own else inf
        for batch in outgoing.records.batches(newest):
            messages = pack(outgoing.home.producer, [], batch.rows, self._max_batch_bytes)
            if not self.sender.send(messages, partial(outgoing.records_taken, batch)):
                return False
        return True

    def _settle(self) -> None:
        now = time.monotonic()
        for each in self._adopted:
            each.load()
            if (waiting := each.uncertain) is not None:
                if now >= each.settles_at:
                    self.uncertain.pop(waiting.mark.request_id, None)
                each.settle(is_open=self.uncertain.get(waiting.mark.request_id) is waiting)
        self._counting.adopted_slots = sum(each.slots() for each in self._adopted)
        self.adopted_bytes = sum(each.records.size() for each in self._adopted)

    def _bury(self) -> None:
        for each in [each for each in self._adopted if each.is_done()]:
            self._own.home.inherit(each.home)
            self._inherited = self._own.home.inherited()
            self._adopted.remove(each)
            each.home.remove()

    def _run(self) -> None:
        delay = self._flush_seconds
        while not self._stopping.wait(delay):
            if time.monotonic() >= self._adopt_at:
                self.adopt()
            delay = self._flush_seconds if self._try_flush() else min(2 * delay, LONGEST_BACK_OFF_SECONDS)
        self._drain()

    def _drain(self) -> None:
        while not self._try_flush() and time.monotonic() < self._stop_at:
            time.sleep(RETRY_SECONDS)

    def _try_flush(self) -> bool:
        try:
            return self.flush()
        except OSError as problem:  # the disk's; what is in the spool is tried again
            log.warning("evaluations cannot be read from %s now: %s", self._spool.path, problem)
            return False
