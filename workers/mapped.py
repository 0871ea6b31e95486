"""Files that are written to as memory: what is in them outlives the process, however that ends."""

import errno
import mmap
import os
from pathlib import Path

WORD_BYTES = 8


def mapped(path: Path, size: int) -> mmap.mmap:
    """The file, made `size` bytes long with zeros where it was shorter. Raises OSError.

    The zeros are really written: touching a hole for which the disk has no room would end the process.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if (has := os.fstat(file).st_size) < size:
            _fill(file, has, size - has)
        return mmap.mmap(file, max(has, size))
    finally:
        os.close(file)


def words(path: Path, count: int) -> memoryview:
    """As unsigned numbers of 64 bits; a killed process leaves each of them whole. Raises OSError."""
    return memoryview(mapped(path, count * WORD_BYTES)).cast("Q")


def append(file: int, data: bytes) -> None:
    """All of it or nothing. Raises OSError."""
    end = os.lseek(file, 0, os.SEEK_END)
    try:
        written = os.write(file, data)
    except OSError:
        os.ftruncate(file, end)
        raise
    if written < len(data):
        os.ftruncate(file, end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fill(file: int, start: int, count: int) -> None:
    if os.pwrite(file, bytes(count), start) < count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
