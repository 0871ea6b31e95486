"""PostgreSQL's data directory: made whole or not at all, and used by one server at a time."""

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from deploy.embedded.place import EmbeddedError, Place
from deploy.embedded.postgres_binaries import Binaries
from deploy.embedded.process import User, run

INITDB_SECONDS = 120
INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions")


def ensure_cluster(place: Place, binaries: Binaries, lock: IO[str], *, durable: bool) -> None:
    for unfinished in place.data_dir.glob("postgres.new-*"):  # an initdb that was killed; the claim is ours
        shutil.rmtree(unfinished)
    if (place.state / "PG_VERSION").exists():
        _check_owner(place, binaries.user)
        _check_pid_file(place)
        return
    if place.state.exists():
        place.state.rename(place.state.with_name(f"postgres.unusable-{time.time_ns()}"))
    _make(place, binaries, lock, () if durable else ("--no-sync",))


def end_orphans(place: Place) -> None:
    """End sessions that compute on and have not noticed that their server was killed; they hold its claim."""
    for process in Path("/proc").glob("[1-9]*"):
        if _is_orphan(process, place.state):
            with suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGQUIT)  # what their server sends when one of them crashes


def _is_orphan(process: Path, directory: Path) -> bool:
    """A server is called by its command line, its sessions and helpers "postgres: " and what they do."""
    if not _works_in(process, directory):
        return False
    try:
        title = (process / "cmdline").read_bytes()
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:  # it has gone
        return False
    return title.startswith(b"postgres: ") and not _works_in(process.with_name(parent), directory)


def _make(place: Place, binaries: Binaries, lock: IO[str], options: tuple[str, ...]) -> None:
    """Made beside its place and renamed when it is whole."""
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=place.data_dir))
    if binaries.user.uid is not None and binaries.user.gid is not None:
        os.chown(fresh, binaries.user.uid, binaries.user.gid)
    run(place, binaries.program("initdb", "-D", fresh, *INITDB, *options), lock=lock, seconds=INITDB_SECONDS)
    fresh.rename(place.state)
    _sync_directory(place.data_dir)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_owner(place: Place, user: User) -> None:
    owner, wanted = place.state.stat().st_uid, os.geteuid() if user.uid is None else user.uid
    if owner != wanted:
        raise EmbeddedError(
            f"{place.state} belongs to user {owner}, PostgreSQL would run as {wanted}. Choose another data "
            f"directory, start as who made it, or change the owner: chown -R {wanted} {place.state}"
        )


def _check_pid_file(place: Place) -> None:
    """Refuse a cluster in use by a server not started here; forget a number that is another process's now.

    A pid file whose process is gone stays for PostgreSQL, which then also checks the old one's shared memory.
    """
    file = place.state / "postmaster.pid"
    pid = _recorded_pid(file)
    if pid is None or not Path(f"/proc/{pid}").exists():
        return
    if _works_in(Path(f"/proc/{pid}"), place.state):
        raise EmbeddedError(
            f"{place.state} is in use by a running PostgreSQL, process {pid}. "
            "Stop that one, or choose another data directory."
        )
    file.unlink()


def _recorded_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _works_in(process: Path, directory: Path) -> bool:
    """The working directory of PostgreSQL's processes is the data directory."""
    try:
        return (process / "cwd").readlink() == directory
    except OSError:  # gone, or another user's, who could not use our files
        return False
