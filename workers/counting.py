"""Counts evaluations in the spool, before they are answered."""

import itertools
import logging
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from domain.values import FlagKey
from projections.usage_table import OVERFLOW_FLAG
from workers.minute_counts import NO_WORDS, MinuteCounts
from workers.outgoing import Minute, Outgoing
from workers.spool import DROPPED_COUNTS, Home
from workers.tally import COUNTER, Counter, Tally

DISK_RETRY_SECONDS = 1.0  # after the disk had no room for a minute
MAX_COUNTERS = 100_000  # 100 flags with four answers each, through four hours without SQS
NAMES_BYTES_EACH = 1_000  # on the average; a counter has 100, a tally of many counters a few for each
UNKNOWN_FLAGS = 1_000  # names in a minute that are counted one by one; a client may make up any number

log = logging.getLogger(__name__)
_epochs = itertools.count(1)
_flag_key: TypeAdapter[str] = TypeAdapter(FlagKey)


class Counting:
    """For one thread, which is the only one that moves `minute`, and never back."""

    def __init__(self, home: Home, max_counters: int = MAX_COUNTERS) -> None:
        self.minute = -1
        self.minutes: dict[int, Minute] = {}  # shared with the thread that sends
        self.own = Outgoing(home, self.minutes)
        self.adopted_slots = 0  # of killed processes, which take room too
        self._home = home
        self._dropped = home.dropped
        self._max_counters = max_counters
        self._unknown: dict[tuple[str, str, str], Tally] = {}
        self._ends = 0.0
        self._full_until = 0.0  # the disk, as far as is known
        self._epoch = next(_epochs)
        self._current: MinuteCounts | None = None
        self._counts = NO_WORDS
        self._slots_begun = 0
        self._names_begun = 0

    def count_one(self, tally: Tally, now: float) -> bool:
        """False when it was dropped."""
        if tally.epoch == self._epoch and now < self._ends:
            self._counts[tally.slot] += 1
            return True
        return bool(self.count((tally,), now))

    def count(self, tallies: Sequence[Tally], now: float) -> Sequence[Tally]:
        """Those that were counted; the others were dropped."""
        if now >= self._ends:
            self._turn(now)
        epoch, counts = self._epoch, self._counts
        without = []
        for tally in tallies:
            if tally.epoch == epoch:
                counts[tally.slot] += 1
            else:
                without.append(tally)
        if without and not self._count_first(without, now):
            return [each for each in tallies if each.epoch == epoch]
        return tallies

    def mark(self, request_id: bytes, tallies: Sequence[Tally], records: tuple[int, int], now: float) -> None:
        """What is about to be counted for that request. `records` is where its records are going to be."""
        self._give_slots(tallies, now)
        counts = self._counts
        slots = [tally.slot for tally in tallies if tally.epoch == self._epoch]
        self._home.mark(request_id, self.minute, slots, [counts[slot] for slot in slots], records)

    def unknown(self, project: str, environment: str, flag: str, now: float) -> Tally:
        """Counts a question about a flag that does not exist, by its name where that could be a flag's."""
        if now >= self._ends:
            self._turn(now)
        key = (project, environment, flag)
        return self._unknown.get(key) or self._first_asked(*key)

    def _first_asked(self, project: str, environment: str, flag: str) -> Tally:
        if len(self._unknown) >= UNKNOWN_FLAGS or not _is_flag_key(flag):
            flag = OVERFLOW_FLAG
        tally = Tally((project, environment, flag, "FLAG_NOT_FOUND", ""))
        return self._unknown.setdefault((project, environment, flag), tally)

    def _count_first(self, tallies: Sequence[Tally], now: float) -> bool:
        """Whether all of them were counted."""
        self._give_slots(tallies, now)
        dropped = 0
        for tally in tallies:
            if tally.epoch == self._epoch:
                self._counts[tally.slot] += 1
            else:
                dropped += len(tally.counters)
        if dropped:
            self._dropped[DROPPED_COUNTS] += dropped
        return not dropped

    def _give_slots(self, tallies: Sequence[Tally], now: float) -> None:
        """But to those for which there is no room."""
        if now >= self._ends:
            self._turn(now)
        if (current := self._current) is None:
            return
        without = [tally for tally in tallies if tally.epoch != self._epoch]
        new = list(dict.fromkeys(each.counters for each in without if not current.slot_of(each.counters)))
        if new and now >= self._full_until:
            self._add(current, new, now)
        for tally in without:
            if slot := current.slot_of(tally.counters):
                tally.slot, tally.epoch = slot, self._epoch

    def _add(self, current: MinuteCounts, tallied: list[tuple[Counter, ...]], now: float) -> None:
        fit = [each for each in tallied[: self._room()] if _are_sound(each)]
        before = current.names_bytes
        try:
            current.add(fit)
        except OSError as problem:
            self._full(problem, now)
            return
        self._counts = current.view
        self._slots_begun += len(fit)
        self._names_begun += current.names_bytes - before

    def _room(self) -> int:
        """For slots."""
        if self._names_begun - self.own.names_released > NAMES_BYTES_EACH * self._max_counters:
            return 0
        used = self._slots_begun - self.own.slots_released + self.adopted_slots
        return max(self._max_counters - used, 0)

    def _turn(self, now: float) -> None:
        """A clock that is set back goes on in the minute it had reached, which may have been sent already."""
        if self._current is not None:
            self._current.end()
        self._epoch, self._current, self._counts = next(_epochs), None, NO_WORDS
        self._unknown.clear()
        minute = int(now // 60)
        try:
            current = MinuteCounts(self._home.path, minute)
        except OSError as problem:
            self._full(problem, now)
            self._ends = self._full_until
            return
        self.minutes[minute] = self._current = current
        self._counts = current.view
        self.minute, self._ends = minute, (minute + 1) * 60.0

    def _full(self, problem: OSError, now: float) -> None:
        self._full_until = now + DISK_RETRY_SECONDS
        log.warning("evaluations are dropped, they cannot be counted in %s: %s", self._home.path, problem)


def _are_sound(counters: tuple[Counter, ...]) -> bool:
    """Whether the consumer will take their names."""
    try:
        for counter in counters:
            COUNTER.validate_python(counter)
    except ValidationError:
        return False
    return True


def _is_flag_key(name: str) -> bool:
    try:
        return bool(_flag_key.validate_python(name))
    except ValidationError:
        return False
