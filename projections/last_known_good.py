"""The ruleset on disk, so that an evaluator that starts while Redis is away answers as the last one did.

A copy is a text file for one position:

    ToggleMaster evaluation copy 1                  what it is, and the version of this format
    {"installation": ..., "generation": ..., "position": ...}
    [[scope, field, document], ...]                 documents as Redis had them, some hundred a line
    (more of these)
    SHA-256 of everything above

It appears under its name only when it is whole and on the disk. Several evaluators may share a directory.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from domain.ruleset import Pause
from projections.snapshot import Held

FORMAT = 1
TITLE = b"ToggleMaster evaluation copy "
TITLE_AT_MOST = 100  # bytes; what has a longer first line is something else
LINE = 200  # documents; some 100 KB, which take a fraction of a millisecond
KEPT = 2
ABANDONED_SECONDS = 3_600  # a file still unfinished after this belongs to a process that was killed

Check = Callable[[bytes], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    generation: str
    position: int
    documents: Held


class Unusable(Exception):
    """Why a file is not used."""


class LastKnownGood:
    """The copies of one installation in a directory, newest first: the newest and the one before.

    `installation` is a word that other installations do not have, and that fits into a file's name.
    """

    def __init__(self, directory: Path, installation: str) -> None:
        self.directory = directory
        self._installation = installation
        self._unusable: set[Path] = set()

    def load(self, pause: Pause) -> Copy | None:
        """The newest that is whole; the log names those that are not, and why."""
        for path in self.paths():
            try:
                return read_copy(path, self._installation, pause)
            except (Unusable, OSError) as problem:
                log.warning("the copy of the ruleset in %s is passed over: %s", path, problem)
                if isinstance(problem, Unusable):
                    self._unusable.add(path)
        return None

    def write(self, copy: Copy, pause: Pause) -> None:
        """Raises OSError, and then the copies are what they were."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{self._installation}-{copy.position:020d}.copy"
        write_copy(path, copy, self._installation, pause)
        self._unusable.discard(path)
        self._remove_old()

    def paths(self) -> list[Path]:
        return sorted(self.directory.glob(f"{self._installation}-*.copy"), reverse=True)

    def _remove_old(self) -> None:
        good = [path for path in self.paths() if path not in self._unusable]
        for path in [*good[KEPT:], *self._unusable, *self._abandoned()]:
            path.unlink(missing_ok=True)
        self._unusable.clear()

    def _abandoned(self) -> Iterator[Path]:
        for path in self.directory.glob(f"{self._installation}-*.new"):
            try:
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    yield path
            except FileNotFoundError:  # another evaluator has just given it its name
                continue


def write_copy(path: Path, copy: Copy, installation: str, pause: Pause) -> None:
    """On disk under its name, or not there at all; only this user may read it. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{installation}-", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            _write_lines(file, copy, installation, pause)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _write_lines(file: IO[bytes], copy: Copy, installation: str, pause: Pause) -> None:
    digest = sha256()
    for line in _lines(copy, installation):
        file.write(line)
        digest.update(line)
        pause()
    file.write(digest.hexdigest().encode() + b"\n")


def _lines(copy: Copy, installation: str) -> Iterator[bytes]:
    yield TITLE + b"%d\n" % FORMAT
    header = {"installation": installation, "generation": copy.generation, "position": copy.position}
    yield orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
    documents = (
        (scope, field, document)
        for scope, fields in copy.documents.items()
        for field, document in fields.items()
    )
    while some := list(islice(documents, LINE)):
        yield orjson.dumps(some, option=orjson.OPT_APPEND_NEWLINE)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_copy(path: Path, installation: str, pause: Pause) -> Copy:
    """Raises Unusable, or OSError."""
    with path.open("rb") as file:
        _check_title(title := file.readline(TITLE_AT_MOST))
        digest = sha256(title)
        try:
            header, documents, last = _read_lines(file, digest.update, pause)
        except (ValueError, TypeError) as problem:
            raise Unusable("it is damaged: a line cannot be read") from problem
        if last != digest.hexdigest().encode() + b"\n" or file.read(1):
            raise Unusable("it is damaged: its checksum is not that of what it holds")
    if header["installation"] != installation:
        raise Unusable(f"it is of another installation, {header['installation']}")
    return Copy(header["generation"], header["position"], documents)


def _check_title(title: bytes) -> None:
    if not title.startswith(TITLE) or not title.endswith(b"\n"):
        raise Unusable("it is not a copy of a ruleset")
    version = title.removeprefix(TITLE).strip().decode(errors="replace")
    if version != str(FORMAT):
        raise Unusable(f"it is written in format {version}, and this program reads format {FORMAT}")


def _read_lines(file: IO[bytes], check: Check, pause: Pause) -> tuple[dict[str, Any], Held, bytes]:
    """The header, the documents, and the line after them. Raises ValueError or TypeError for nonsense."""
    check(line := file.readline())
    header, documents = orjson.loads(line), dict[str, dict[str, str]]()
    for line in file:
        if not line.startswith(b"["):
            return header, documents, line
        check(line)
        for scope, field, document in orjson.loads(line):
            documents.setdefault(scope, {})[field] = document
        pause()
    return header, documents, b""
