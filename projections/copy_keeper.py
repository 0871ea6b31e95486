"""Writes the ruleset to disk now and then, in a thread of its own: nothing waits for a disk."""

import logging
import threading
import time

from domain.ruleset import Pause
from projections.last_known_good import Copy, LastKnownGood
from projections.pauses import Pauses

SECONDS_BETWEEN_AT_LEAST = 2.0  # what a crash can lose while writing is cheap
SHARE_AT_MOST = 0.02  # of a core; 100,000 flags then lose some ten seconds

log = logging.getLogger(__name__)


class CopyKeeper:
    """`keep` may be called for every change; what is written is the latest."""

    def __init__(self, copies: LastKnownGood, between_at_least: float = SECONDS_BETWEEN_AT_LEAST) -> None:
        self._copies = copies
        self._between_at_least = between_at_least
        self._latest: Copy | None = None
        self._written: tuple[str, int] | None = None
        self._problem = ""
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self, pause: Pause) -> Copy | None:
        found = self._copies.load(pause)
        if found is not None:
            self._written = found.generation, found.position
        return found

    def keep(self, copy: Copy) -> None:
        self._latest = copy
        self._changed.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="ruleset-copies", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What is not yet on disk is written first."""
        self._stopping.set()
        self._changed.set()
        if self._thread:
            self._thread.join()

    def write(self) -> float:
        """What is new, if anything is. How long it kept a core, in seconds."""
        copy, began = self._latest, time.thread_time()
        if copy is None or (copy.generation, copy.position) == self._written:
            return 0.0
        try:
            self._copies.write(copy, Pauses())
        except Exception as problem:  # whatever it is, answers do not depend on it
            self._tell(str(problem))
        else:
            self._written, self._problem = (copy.generation, copy.position), ""
        return time.thread_time() - began

    def _tell(self, problem: str) -> None:
        """Once, until it is another problem or there is none; it is tried again."""
        self._changed.set()
        if problem != self._problem:
            log.warning("no copy of the ruleset can be written, answers go on without: %s", problem)
        self._problem = problem

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            self._changed.clear()
            if cost := self.write():
                self._stopping.wait(max(self._between_at_least, cost / SHARE_AT_MOST))
        self.write()
