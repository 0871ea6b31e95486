"""Messages that are being stored, kept from being given to anybody else while that takes long."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from projections.aws import Queue

log = logging.getLogger(__name__)

EXTENSIONS = 3  # in the time that a message stays ours: two may fail


class HeldMessages:
    """Those of one consumer. `failed` is told of what went wrong."""

    def __init__(
        self, queue: Queue, visibility_seconds: float, failed: Callable[[str, Exception], None]
    ) -> None:
        self._queue = queue
        self._visibility_seconds = visibility_seconds
        self._failed = failed
        self._receipts: Sequence[str] = ()

    @contextmanager
    def holding(self, receipts: Sequence[str]) -> Iterator[None]:
        self._receipts = receipts
        try:
            yield
        finally:
            self._receipts = ()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Extends what is held, from a thread of its own, and ends it."""
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=[done], name="held messages", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(self._visibility_seconds / EXTENSIONS):
            if receipts := self._receipts:
                self._extend(receipts)

    def _extend(self, receipts: Sequence[str]) -> None:
        """What it cannot extend comes again, and changes nothing."""
        seconds = max(1, round(self._visibility_seconds))
        try:
            self._queue.sqs.change_message_visibility_batch(
                QueueUrl=self._queue.url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for n, receipt in enumerate(receipts)
                ],
            )
        except Exception as problem:  # whatever it is, the next beat tries again
            self._failed("SQS", problem)
