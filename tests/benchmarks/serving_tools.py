"""wrk and nginx: those of this machine, else Debian's, unpacked beside the results and installed nowhere."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/sbin:/sbin"  # where nginx is, and where an ordinary user's PATH does not lead


class Unavailable(Exception):
    """A program is neither here nor to be had; the text says why."""


@dataclass(frozen=True)
class Tool:
    """`libraries` is where the linker has to look besides its usual places; empty for an installed one."""

    program: Path
    libraries: str = ""

    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}

    def version(self) -> str:
        """From the first line that it has to say about itself."""
        said = subprocess.run(
            [self.program, "-v"],
            env=os.environ | self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,  # wrk says its version and ends with 1
        )
        return next(word for word in said.stdout.split() if set(word) & set("0123456789"))


def find(name: str, cache: Path) -> Tool:
    """Raises Unavailable."""
    if (found := _installed(name) or _unpacked(name, cache)) is None:
        fetch(name, cache)
        found = _unpacked(name, cache)
    if found is None:
        raise Unavailable(f"Debian's package {name} has no program {name}")
    return found


def _installed(name: str) -> Tool | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}")
    return Tool(Path(found)) if found else None


def _unpacked(name: str, cache: Path) -> Tool | None:
    root = root_of(cache)
    programs = [root / "usr" / place / name for place in ("bin", "sbin")]
    libraries = ":".join(sorted({str(file.parent) for file in root.glob("**/lib*.so*")}))
    return next((Tool(program, libraries) for program in programs if program.is_file()), None)


def root_of(cache: Path) -> Path:
    """Beside those of other kinds of machine, should they share the directory."""
    return cache.resolve() / f"root-{platform.machine()}"


def fetch(name: str, cache: Path) -> None:
    """The package and those that it needs and this machine lacks, with lists and cache of our own: so neither
    root nor an `apt-get update` is needed."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Unavailable("there is no apt-get here to fetch it with")
    downloads, lists = (cache.resolve() / each for each in ("packages", "lists"))
    for directory in (downloads, lists / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache.resolve()}"]
    _run([*apt, "update"], downloads)
    plan = _run([*apt, "install", "--simulate", "--no-install-recommends", name], downloads)
    packages = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    if packages:  # none, where all of it is there
        _run([*apt, "download", *packages], downloads)
    for package in downloads.glob("*.deb"):
        _run(["dpkg", "-x", package, root_of(cache)], downloads)
        package.unlink()


def _run(command: Sequence[str | Path], directory: Path) -> str:
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        last = (ended.stderr.strip() or ended.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Unavailable(f"`{' '.join(map(str, command[:1]))} {command[-1]}` failed: {last}")
    return ended.stdout
