"""Where evaluations are kept until SQS has them: a directory for each start of each process.

    lock                          held by whoever looks around or makes a directory
    5f0c9a7e41d2b386/             of that producer
        state                     locked while somebody works on the directory; numbers of 64 bits, see below
        dropped                   how many counts, and how many records, there was no room for
        told                      when that first and last was another number, and what SQS was told last
        1b7e0d1f5c6a4f02.dropped  the same of a producer whose directory was worked off
        29896666.names  .counts   see minute_counts.py
        7.records                 see records_log.py
    set aside/                    what could not be read

A killed process leaves its directory, and its lock with it ends: another takes the directory over.
"""

import fcntl
import logging
import os
import shutil
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from projections.usage_table import Producer
from workers.mapped import WORD_BYTES, words

STATE, DROPPED, TOLD, SET_ASIDE = "state", "dropped", "told", "set aside"
STATE_WORDS = 32 * 1024  # 256 KiB
DROPPED_COUNTS, DROPPED_RECORDS = 0, 1
FIRST_DROP, LAST_DROP, TOLD_COUNTS, TOLD_RECORDS = 0, 1, 2, 3  # words of `told`

# Words of `state`. From MARKED on: the evaluation that is being answered.
SEQ, MARKED, MINUTE, SEGMENT, SEGMENT_END, ID_LENGTH, ID, DROPS, SLOTS = 0, 1, 2, 3, 4, 5, 6, 14, 16
HEAD = struct.Struct("=4Q64s2Q")  # from MINUTE to the slots
ID_BYTES = (DROPS - ID) * WORD_BYTES
MARKED_AT_MOST = (STATE_WORDS - SLOTS) // 2  # slots, each with what it counted before

log = logging.getLogger(__name__)
PRODUCER: TypeAdapter[str] = TypeAdapter(Producer)


class Mark(NamedTuple):
    """An evaluation that may have been counted without being answered.

    `before` is what its slots counted, and `dropped` what had been dropped, before it.
    """

    request_id: bytes
    minute: int
    slots: list[int]
    before: list[int]
    dropped: list[int]
    segment: int
    segment_end: int


class Home:
    """A producer's directory, locked. Each word of its files has one writing thread."""

    def __init__(self, path: Path, lock: int) -> None:
        """Raises OSError."""
        self.path = path
        self.producer = path.name
        self.state = words(path / STATE, STATE_WORDS)
        self.dropped = words(path / DROPPED, 2)
        self.told = words(path / TOLD, 4)
        self._lock = lock
        self._id = memoryview(self.state).cast("B")[ID * WORD_BYTES : DROPS * WORD_BYTES]

    def next_seq(self) -> int:
        """Higher than any that was sent, even if this process ends now."""
        self.state[SEQ] += 1
        return self.state[SEQ]

    def drops(self) -> tuple[int, int]:
        """Counts and records."""
        return self.dropped[DROPPED_COUNTS], self.dropped[DROPPED_RECORDS]

    def note_told(self, drops: tuple[int, int], now: int) -> None:
        """Before they are; `now` is in seconds since 1970. What is told again keeps its times."""
        told = self.told
        if (told[TOLD_COUNTS], told[TOLD_RECORDS]) != drops:
            told[FIRST_DROP] = told[FIRST_DROP] or now
            told[LAST_DROP] = now
            told[TOLD_COUNTS], told[TOLD_RECORDS] = drops

    def mark(
        self,
        request_id: bytes,
        minute: int,
        slots: Sequence[int],
        before: Sequence[int],
        records: tuple[int, int],
    ) -> None:
        """Before anything of it is counted or kept. The first word is written last, and makes it hold."""
        state, count = self.state, len(slots)
        if count > MARKED_AT_MOST:
            return
        HEAD.pack_into(
            state, MINUTE * WORD_BYTES, minute, *records, len(request_id), request_id, *self.dropped
        )
        state[SLOTS : SLOTS + 2 * count] = memoryview(array("Q", [*slots, *before]))
        state[MARKED] = 1 + count

    def unmark(self) -> None:
        self.state[MARKED] = 0

    def marked(self) -> Mark | None:
        state, count = self.state, self.state[MARKED] - 1
        if not 0 <= count <= MARKED_AT_MOST or state[ID_LENGTH] > ID_BYTES:
            return None
        slots = state[SLOTS : SLOTS + count].tolist()
        before = state[SLOTS + count : SLOTS + 2 * count].tolist()
        request_id = bytes(self._id[: state[ID_LENGTH]])
        dropped = state[DROPS:SLOTS].tolist()
        return Mark(request_id, state[MINUTE], slots, before, dropped, state[SEGMENT], state[SEGMENT_END])

    def inherit(self, dead: "Home") -> None:
        """What it dropped, which SQS was told under its name; each step is one that is done or not, so that
        nothing is told of twice, here or there."""
        for file in dead.path.glob(f"*.{DROPPED}"):
            file.rename(self.path / file.name)
        (dead.path / TOLD).unlink()  # first: without its drops it would say that they are none now
        if any(dead.dropped):  # else it may have been inherited already, by one that has ended since
            (dead.path / DROPPED).rename(self.path / f"{dead.producer}.{DROPPED}")

    def inherited(self) -> tuple[int, int]:
        """Counts and records that were dropped by those that are gone."""
        found = [words(file, 2).tolist() for file in self.path.glob(f"*.{DROPPED}")]
        return sum(each[DROPPED_COUNTS] for each in found), sum(each[DROPPED_RECORDS] for each in found)

    def set_aside(self, *files: Path, why: str) -> None:
        aside = self.path.parent / SET_ASIDE
        aside.mkdir(exist_ok=True)
        for file in files:
            with suppress(FileNotFoundError):
                file.rename(aside / f"{self.producer}-{file.name}")
        log.error("evaluations of %s cannot be read and were put into %s: %s", self.producer, aside, why)

    def let_go(self) -> None:
        """For somebody else to take."""
        os.close(self._lock)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.let_go()


class Spool:
    """Any number of processes may share one."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be written to."""
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, producer: str) -> Home:
        """Raises OSError, and ValueError for a producer that the consumer would refuse."""
        path = self.path / PRODUCER.validate_python(producer)
        with self._locked():
            path.mkdir(mode=0o700)
            lock = os.open(path / STATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return Home(path, lock)
            except OSError:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)
                raise

    def abandoned(self) -> Iterator[Home]:
        """Those whose process has ended; from now on they are this one's."""
        with self._locked():
            for path in sorted(self.path.iterdir()):
                if path.is_dir() and _is_producer(path.name) and (found := _take(path)):
                    yield found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def _take(path: Path) -> Home | None:
    try:
        lock = os.open(path / STATE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)  # it ended while it was made: there is nothing in it
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return _opened(path, lock)


def _opened(path: Path, lock: int) -> Home | None:
    if os.fstat(lock).st_size == STATE_WORDS * WORD_BYTES:
        return Home(path, lock)
    os.close(lock)
    if not any(path.glob("*.counts")):
        shutil.rmtree(path, ignore_errors=True)
        return None
    aside = path.parent / SET_ASIDE
    aside.mkdir(exist_ok=True)
    path.rename(aside / path.name)
    log.error("the spool of %s has no readable state and was put into %s", path.name, aside)
    return None


def _is_producer(name: str) -> bool:
    try:
        return bool(PRODUCER.validate_python(name))
    except ValidationError:
        return False
