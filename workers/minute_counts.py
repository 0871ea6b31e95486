"""How often each answer was given in a minute, in two files that outlive the process.

`29896666.names` says in line n what slot n counts: the counters that no line before it had, and the numbers
of all of its counters, in the order in which they first came up.

    [[["shop","production","new-checkout","SPLIT","on"]],[0]]

`29896666.counts` is one number of 64 bits for each slot. A line is written before its slot is counted in.
"""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from workers.mapped import WORD_BYTES, append, words
from workers.tally import Counter

NAMES, COUNTS = ".names", ".counts"
FIRST_SLOTS = 512  # a page of memory; it doubles when it is full

_line: TypeAdapter[tuple[list[Counter], list[int]]] = TypeAdapter(tuple[list[Counter], list[int]])


class Unreadable(Exception):
    """A file of the spool is not what was written; the text says how."""


class MinuteCounts:
    """Slots are given and counted in by one thread; any other may read."""

    def __init__(self, directory: Path, minute: int) -> None:
        """Raises OSError."""
        self.minute = minute
        self.counters: list[Counter] = []
        self.slots: list[tuple[int, ...]] = [()]  # the numbers of each slot's counters; slot 0 is none
        self.names_bytes = 0
        self._files = files_of(directory, minute)
        self._numbers: dict[Counter, int] = {}
        self._known: dict[tuple[Counter, ...], int] = {}
        self._final: list[int] | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self.view = words(self._files[1], FIRST_SLOTS)
        self._names = os.open(self._files[0], flags, 0o600)
        self._close = weakref.finalize(self, os.close, self._names)  # of the minute in which its owner stops

    def slot_of(self, counters: tuple[Counter, ...]) -> int:
        """0 where there is none yet."""
        return self._known.get(counters, 0)

    def add(self, tallied: Sequence[tuple[Counter, ...]]) -> None:
        """Raises OSError when the disk has no room; nothing has changed then."""
        known, numbers = self._numbers, dict[Counter, int]()
        lines, slots = [], []
        for counters in tallied:
            new = [each for each in dict.fromkeys(counters) if each not in known and each not in numbers]
            for each in new:
                numbers[each] = len(known) + len(numbers)
            slots.append(tuple([known[each] if each in known else numbers[each] for each in counters]))
            lines.append(orjson.dumps([new, slots[-1]]))
        self._make_room(len(self.slots) + len(slots))
        written = b"\n".join([*lines, b""])
        append(self._names, written)
        self.names_bytes += len(written)
        self._numbers |= numbers
        self.counters += numbers
        self._known |= {counters: len(self.slots) + n for n, counters in enumerate(tallied)}
        self.slots += slots

    def end(self) -> None:
        """No slot is given after this."""
        self._close()
        self._known, self._numbers = {}, {}

    def values(self) -> list[int]:
        """By slot; all that there are now."""
        return self.view[: len(self.slots)].tolist() if self._final is None else self._final

    def settle(self) -> list[int]:
        """The last values of a minute that has ended; the file is not held open after this."""
        if self._final is None:
            self._final = self.values()
            self.view = NO_WORDS
        return self._final

    def total(self) -> int:
        return sum(count * len(slot) for count, slot in zip(self.values(), self.slots, strict=False))

    def remove(self) -> None:
        """The counts first: names without counts say nothing, counts without names say too much."""
        for file in reversed(self._files):
            file.unlink(missing_ok=True)

    def _make_room(self, slots: int) -> None:
        size = len(self.view)
        while size < slots:
            size *= 2
        if size > len(self.view):
            self.view = words(self._files[1], size)


NO_WORDS = memoryview(b"").cast("Q")


class FoundCounts:
    """The files of a minute that another process wrote. It may be counted back, and nothing else."""

    def __init__(self, directory: Path, minute: int) -> None:
        """Raises OSError, and Unreadable."""
        self.minute = minute
        self._files = files_of(directory, minute)
        self.counters, self.slots = _read_names(self._files[0])
        size = self._files[1].stat().st_size
        if size % WORD_BYTES or not size:
            raise Unreadable(f"{self._files[1].name} has {size} bytes, which are no counts")
        self.view = words(self._files[1], 1)
        if any(self.view[len(self.slots) :].tolist()):
            raise Unreadable(f"{self._files[1].name} counts what {self._files[0].name} does not name")

    def settle(self) -> list[int]:
        return self.view[: len(self.slots)].tolist()

    values = settle

    def remove(self) -> None:
        for file in reversed(self._files):
            file.unlink(missing_ok=True)


def files_of(directory: Path, minute: int) -> tuple[Path, Path]:
    return directory / f"{minute}{NAMES}", directory / f"{minute}{COUNTS}"


def minutes_in(directory: Path) -> list[int]:
    """Those that have counts; what has only names was never counted in."""
    return sorted(int(each.stem) for each in directory.glob(f"*{COUNTS}") if each.stem.isdecimal())


def _read_names(path: Path) -> tuple[list[Counter], list[tuple[int, ...]]]:
    """A last line without its end is one that was just being written, so nothing was counted in its slot."""
    counters: list[Counter] = []
    slots: list[tuple[int, ...]] = [()]
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            new, slot = _line.validate_json(line)
        except ValidationError as problem:
            raise Unreadable(f"line {number} of {path.name} names no counters") from problem
        counters += new
        slots.append(tuple(slot))
        if not all(0 <= each < len(counters) for each in slot):
            raise Unreadable(f"line {number} of {path.name} names counters that are not there")
    return counters, slots
