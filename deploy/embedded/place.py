"""Where one server keeps its things below the data directory, and that only one server does."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.told import Told

LOCK_SECONDS = 5  # servers that lost their parent a moment ago: ministack gives its clients 3, then saves
TAIL_BYTES = 2_000


class EmbeddedError(Told):
    """Says what failed, where, and what to do."""


@dataclass(frozen=True)
class Place:
    data_dir: Path
    name: str

    @property
    def state(self) -> Path:
        return self.data_dir / self.name

    @property
    def log(self) -> Path:
        return self.data_dir / "logs" / f"{self.name}.log"

    def new_log(self) -> IO[bytes]:
        """One log a run; the one before it stays beside it."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.old"))
        return self.log.open("wb")

    def log_tail(self) -> str:
        text = self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        return f"Its log, {self.log}, ends:\n{text or '(empty)'}"

    @contextmanager
    def claim(self) -> Iterator[IO[str]]:
        """Hold the place; a child that inherits the file goes on holding it, whatever becomes of us."""
        with self._lock_file() as file:
            self._lock(file)
            yield file

    def _lock_file(self) -> IO[str]:
        try:
            return (self.data_dir / f"{self.name}.lock").open("a+")
        except OSError as error:
            raise _unusable(self, error) from error

    def _lock(self, file: IO[str]) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._in_use(file) from None
            time.sleep(0.05)

    def _in_use(self, file: IO[str]) -> EmbeddedError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        return EmbeddedError(
            f"{self.state} is in use by a running {self.name}, process {holder}. "
            "Stop that one, or choose another data directory."
        )

    def record_holder(self, file: IO[str], pid: int) -> None:
        file.truncate(0)
        file.write(f"{pid}\n")
        file.flush()


def open_place(data_dir: Path, name: str, *, private: Sequence[str] = ()) -> Place:
    """The place of a server, with the directories that it wants to itself made inside."""
    place = Place(data_dir.resolve(), name)
    try:
        # As root PostgreSQL runs as another user, who has to get in.
        _make_directory(place.data_dir, 0o755 if os.geteuid() == 0 else 0o700)
        for inside in ("logs", *private):
            _make_directory(place.data_dir / inside, 0o700)
    except OSError as error:
        raise _unusable(place, error) from error
    return place


def _unusable(place: Place, reason: object) -> EmbeddedError:
    return EmbeddedError(
        f"the data directory {place.data_dir} cannot be used for {place.name}: {reason}. "
        "Choose one that belongs to you."
    )


def _make_directory(path: Path, mode: int) -> None:
    """Make it and what is missing above it with this mode, whatever the umask; leave what is there."""
    for missing in [step for step in reversed([path, *path.parents]) if not step.exists()]:
        missing.mkdir(exist_ok=True)
        missing.chmod(mode)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} may not be written to")


def first_closed(path: Path, uid: int, gid: int) -> Path | None:
    """The first step on the way to an existing path (itself included) that this user may not enter."""
    return next((step for step in reversed([path, *path.parents]) if not _may_enter(step, uid, gid)), None)


def _may_enter(path: Path, uid: int, gid: int) -> bool:
    status = path.stat()
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
