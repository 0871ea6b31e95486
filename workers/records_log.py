"""Records of single evaluations, in files of up to 1 MiB, from the moment they are kept until SQS has them.

A file `7.records` begins with three numbers of 64 bits: how many bytes count, how many of these were sent,
and how many records these were. A record's line is all of its row but the event id, which is made of the
producer, the file and the line: what is sent again has the same id.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import orjson

from workers.mapped import mapped
from workers.messages import escaped

SUFFIX = ".records"
SEGMENT_BYTES = 1024 * 1024  # a few seconds' worth; so much is read and sent at a time
HEADER = struct.Struct("=QQQ")
RECORD_FIELDS = 9  # without the event id


class RecordsLog:
    """For the thread that keeps records."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.segment_bytes = segment_bytes
        self.newest = 0
        self.end = 0  # of what counts in the newest file
        self._directory = directory
        self._size = 0
        self._file = self._committed = memoryview(b"")

    def append(self, lines: bytes) -> bool:
        """False where they do not fit into the file."""
        end = self.end + len(lines)
        if end > self._size:
            return False
        self._file[self.end : end] = lines
        self._committed[0] = self.end = end
        return True

    def next_size(self, lines: bytes) -> int:
        """Of the next file, if these lines are to be its first."""
        return max(self.segment_bytes, HEADER.size + len(lines))

    def begin(self, lines: bytes) -> None:
        """Another file, with these lines. Raises OSError when the disk has no room; it is as before then."""
        size = self.next_size(lines)
        file = memoryview(mapped(_path(self._directory, self.newest + 1), size))
        self._file, self._size = file, size
        self._committed = file[:8].cast("Q")
        self._committed[0] = self.end = HEADER.size
        self.newest += 1
        self.append(lines)


@dataclass(frozen=True, slots=True)
class Batch:
    """`end` and `count` are where the file's header will be when it is sent; `last` is all of the file."""

    segment: int
    rows: list[bytes]
    end: int
    count: int
    last: bool


class KeptRecords:
    """For the thread that sends. Nothing beyond `until`, which is a file and a place in it, is told of."""

    def __init__(self, directory: Path, producer: str) -> None:
        self.until: tuple[int, int] | None = None
        self._directory = directory
        self._producer = producer

    def segments(self) -> list[int]:
        found = (each.stem for each in self._directory.glob(f"*{SUFFIX}"))
        return sorted(int(stem) for stem in found if stem.isdecimal())

    def size(self) -> int:
        return sum(self.path(each).stat().st_size for each in self.segments())

    def path(self, segment: int) -> Path:
        return _path(self._directory, segment)

    def batches(self, newest: float = inf) -> Iterator[Batch]:
        """Each file's new records; it is for the caller to say when they are sent. `newest` is the file that
        is still written to."""
        for segment in self.segments():
            if self.until is None or segment <= self.until[0]:
                batch = self._batch(segment, segment < newest)
                if batch.rows or batch.last:
                    yield batch

    def sent(self, batch: Batch) -> None:
        path = self.path(batch.segment)
        if batch.last:
            path.unlink()
            return
        with path.open("r+b") as file:  # never the first of the numbers, which is the other thread's
            os.pwrite(file.fileno(), struct.pack("=QQ", batch.end, batch.count), 8)

    def cut(self, segment: int, end: int) -> None:
        """What was kept after that is gone."""
        for each in self.segments():
            if each > segment:
                self.path(each).unlink()
            elif each == segment:
                with self.path(each).open("r+b") as file:
                    os.pwrite(file.fileno(), struct.pack("=Q", end), 0)

    def _batch(self, segment: int, final: bool) -> Batch:
        with self.path(segment).open("rb") as file:
            head = file.read(HEADER.size)
            committed, sent, count = HEADER.unpack(head.ljust(HEADER.size, b"\0"))
            if self.until is not None and segment == self.until[0]:
                committed, final = min(committed, self.until[1]), False
            begin = max(sent, HEADER.size)
            file.seek(begin)
            lines = file.read(max(committed - begin, 0)).split(b"\n")[:-1]
        rows = [self._row(segment, count + n, line) for n, line in enumerate(lines)]
        return Batch(segment, rows, max(committed, begin), count + len(rows), final)

    def _row(self, segment: int, number: int, line: bytes) -> bytes:
        return escaped(b'["%s-%d.%d",%s]' % (self._producer.encode(), segment, number, line))


def is_whole(path: Path) -> bool:
    """Whether all that counts in the file is lines of records."""
    data = path.read_bytes()
    if len(data) < HEADER.size:
        return not any(data)
    committed, sent, _ = HEADER.unpack_from(data)
    if not committed:
        return not any(data)
    if not (HEADER.size <= committed <= len(data) and sent <= committed):
        return False
    lines = data[HEADER.size : committed].split(b"\n")
    return not lines.pop() and all(map(_is_record, lines))


def _is_record(line: bytes) -> bool:
    try:
        return len(orjson.loads(b"[%s]" % line)) == RECORD_FIELDS
    except orjson.JSONDecodeError:
        return False


def _path(directory: Path, segment: int) -> Path:
    return directory / f"{segment}{SUFFIX}"
