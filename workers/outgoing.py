"""What one producer has in the spool that is to be sent, this process or one that was killed."""

from collections.abc import MutableMapping
from math import inf
from typing import Protocol

from workers.count_rows import CountRows
from workers.drops import Drops
from workers.records_log import Batch, KeptRecords
from workers.spool import Home
from workers.tally import Counter


class Minute(Protocol):
    counters: list[Counter]
    slots: list[tuple[int, ...]]

    def values(self) -> list[int]: ...

    def settle(self) -> list[int]: ...

    def remove(self) -> None: ...


class Outgoing:
    """For the thread that sends."""

    def __init__(self, home: Home, minutes: MutableMapping[int, Minute]) -> None:
        self.home = home
        self.minutes = minutes
        self.records = KeptRecords(home.path, home.producer)
        self.drops = Drops(home)
        self.open_from = inf  # the minute from which on minutes are not to be taken for ended
        self.evaluations_sent = 0  # their counts
        self.slots_released = 0
        self.names_released = 0
        self.bytes_released = 0
        self._gone = 0
        self._rows: dict[int, CountRows] = {}

    def recorded(self) -> int:
        """Evaluations that are counted, sent or not."""
        return self._gone + sum(_total(each) for each in list(self.minutes.values()))

    def count_rows(self, open_from: float) -> list[bytes]:
        """What is new; the minutes before `open_from` have ended."""
        seq = self.home.next_seq()
        rows: list[bytes] = []
        for number, minute in sorted(dict(self.minutes).items()):
            values = minute.settle() if number < open_from else minute.values()
            known = self._rows.setdefault(number, CountRows())
            rows += known.changed(number, seq, minute.counters, minute.slots, values)
        return rows

    def counts_taken(self, open_from: float) -> None:
        """SQS has those rows, and the drops: nothing more will come of minutes that had ended."""
        self.drops.taken()
        self.evaluations_sent = self._gone + sum(each.total for each in self._rows.values())
        for number in [each for each in self._rows if each < open_from]:
            minute = self.minutes[number]
            minute.remove()
            self._gone += self._rows.pop(number).total
            self.slots_released += len(minute.slots) - 1
            self.names_released += getattr(minute, "names_bytes", 0)
            del self.minutes[number]

    def is_done(self) -> bool:
        """Whether everything was sent, and all drops told."""
        return (
            self.recorded() == self.evaluations_sent
            and self.drops.are_told()
            and not any(batch.rows for batch in self.records.batches())
        )

    def records_taken(self, batch: Batch) -> None:
        if batch.last:
            self.bytes_released += self.records.path(batch.segment).stat().st_size
        self.records.sent(batch)


def _total(minute: Minute) -> int:
    return sum(count * len(slot) for count, slot in zip(minute.values(), minute.slots, strict=False))
