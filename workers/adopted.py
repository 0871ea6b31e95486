"""What a killed process left in the spool, to be sent under its name."""

from collections import Counter as Multiset
from contextlib import suppress
from math import inf

from workers.mapped import WORD_BYTES, words
from workers.minute_counts import NO_WORDS, FoundCounts, Unreadable, files_of, minutes_in
from workers.outgoing import Minute, Outgoing
from workers.records_log import KeptRecords, is_whole
from workers.spool import Home, Mark

UNCERTAIN_SECONDS = 60.0  # for the client to ask again; clients give up sooner


class Uncertain:
    """An evaluation that was counted, and may not have been answered since the process was killed."""

    def __init__(self, mark: Mark, home: Home, view: memoryview, records: KeptRecords) -> None:
        self.mark = mark
        self._home = home
        self._view = view
        self._records = records

    def withdraw(self) -> None:
        """For the thread that counts. Done twice, or half and then again, it is the same as once."""
        for slot, before in zip(self.mark.slots, self.mark.before, strict=True):
            self._view[slot] = before
        for place, before in enumerate(self.mark.dropped):
            self._home.dropped[place] = before
        self._records.cut(self.mark.segment, self.mark.segment_end)


class Adopted(Outgoing):
    """For the thread that sends, but for what is uncertain."""

    def __init__(self, home: Home, settles_at: float) -> None:
        """Reads no more than it takes to know what is uncertain; `load` reads the rest. Raises OSError.

        It stays uncertain until `settles_at` on the monotonic clock.
        """
        minutes: dict[int, Minute] = {}
        super().__init__(home, minutes)
        self.settles_at = settles_at
        self.inherited = home.inherited()
        self.uncertain = _uncertain(home, self.records)
        self._closing = False
        self._loaded = False
        if self.uncertain is not None:
            mark = self.uncertain.mark
            self.open_from, self.records.until = mark.minute, (mark.segment, mark.segment_end)

    def load(self) -> None:
        """What cannot be read is set aside. Raises OSError."""
        if self._loaded:
            return
        self._loaded = True
        for minute in minutes_in(self.home.path):
            try:
                self.minutes[minute] = FoundCounts(self.home.path, minute)
            except Unreadable as problem:
                self.home.set_aside(*files_of(self.home.path, minute), why=str(problem))
        for path in map(self.records.path, self.records.segments()):
            if not is_whole(path):
                self.home.set_aside(path, why=f"{path.name} is not all records")

    def slots(self) -> int:
        return sum(len(each.slots) - 1 for each in self.minutes.values())

    def settle(self, *, is_open: bool) -> None:
        """In two turns, since the other thread may just be withdrawing."""
        if self._closing:
            self.uncertain, self.records.until, self.open_from = None, None, inf
        self._closing = self.uncertain is not None and not is_open

    def is_done(self) -> bool:
        return self._loaded and not self.uncertain and super().is_done()


def _uncertain(home: Home, records: KeptRecords) -> Uncertain | None:
    """None where nothing was counted of what was marked, or where it is not known how much."""
    mark = home.marked()
    if mark is None:
        return None
    view = _counts(home, mark)
    if view is None or max(mark.slots, default=-1) >= len(view):
        return None
    times = Multiset(mark.slots)
    more = {slot: view[slot] - before for slot, before in zip(mark.slots, mark.before, strict=True)}
    dropped = [now - before for now, before in zip(home.dropped, mark.dropped, strict=True)]
    possible = all(0 <= each <= times[slot] for slot, each in more.items()) and min(dropped) >= 0
    if possible and (any(more.values()) or any(dropped)):
        return Uncertain(mark, home, view, records)
    return None


def _counts(home: Home, mark: Mark) -> memoryview | None:
    _, path = files_of(home.path, mark.minute)
    if not mark.slots:
        return NO_WORDS
    with suppress(FileNotFoundError):
        if path.stat().st_size % WORD_BYTES == 0:
            return words(path, 1)
    return None
