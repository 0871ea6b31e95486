"""Compacts hours once they are over. Any number may run, as projections/compaction.py says."""

import logging
import threading

from botocore.exceptions import BotoCoreError, ClientError

from projections.compaction import Compaction

PASS_SECONDS = 60.0  # an hour is read from its minutes for this much longer, which costs a request

log = logging.getLogger(__name__)


class Compactor:
    """Its counters are for metrics."""

    def __init__(self, compaction: Compaction, *, pass_seconds: float = PASS_SECONDS) -> None:
        self.hours = 0
        self.failures = 0
        self._compaction = compaction
        self._pass_seconds = pass_seconds

    def run(self, stop: threading.Event) -> None:
        """Returns when `stop` is set and the hours at hand are done."""
        while not stop.is_set():
            try:
                self.hours += self._compaction.run(stop).hours
            except (BotoCoreError, ClientError) as problem:
                self.failures += 1
                log.warning("hours could not be compacted, trying again: %s", problem)
            stop.wait(self._pass_seconds)
