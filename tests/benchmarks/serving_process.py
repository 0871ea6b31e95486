"""The processes of the benchmark: each on its core, and stopped in its tracks while it is not its turn."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deploy.embedded import die_with_parent

ROOT = Path(__file__).parents[2]
START_SECONDS = 120  # an evaluator of 100,000 flags compiles them all before it is ready
STOP_SECONDS = 15
POLL_SECONDS = 0.02
AWAKE_SECONDS = 0.1  # what was put off while it was stopped is done by then
TAIL_BYTES = 2_000
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """There are no figures, or they would say nothing; the text says why."""


class Cores(NamedTuple):
    """`parts` are PostgreSQL, Valkey, SQS, projector and commands; of two cores they share the load's."""

    server: int
    load: int
    parts: frozenset[int]


def cores() -> Cores:
    """Raises Failed where there is but one."""
    if not hasattr(os, "sched_getaffinity"):
        raise Failed("processes can be held on a core of their own on Linux only")
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise Failed("this needs two cores, one for the server and one for the load, and there is one")
    return Cores(first, others[0], frozenset(others[1:] or others))


@dataclass
class Child:
    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time so far, threads and children included."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    @contextmanager
    def awake(self) -> Iterator[None]:
        self._signal(signal.SIGCONT)
        time.sleep(AWAKE_SECONDS)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def sleep(self) -> None:
        self._signal(signal.SIGSTOP)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Raises Failed when it ends, or takes too long."""
        give_up = time.monotonic() + START_SECONDS
        while not holds():
            if self.popen.poll() is not None:
                raise self.failed(f"ended with status {self.popen.returncode}")
            if time.monotonic() > give_up:
                raise self.failed(f"had not {what} after {START_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def failed(self, how: str) -> Failed:
        tail = self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        return Failed(f"{self.name} {how}. Its log ends:\n{tail or '(empty)'}")

    def stop(self) -> None:
        self._signal(signal.SIGCONT)
        self.popen.terminate()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def _signal(self, number: int) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        pid = self.popen.pid
        if self.popen.poll() is not None:
            return []
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def busy_seconds(core: int) -> float:
    """For how long processes, or other machines on the same hardware, have had that core so far."""
    lines = Path("/proc/stat").read_text().splitlines()
    fields = next(line.split() for line in lines if line.startswith(f"cpu{core} "))
    user, nice, system, steal = (int(fields[place]) for place in (1, 2, 3, 8))
    return (user + nice + system + steal) / TICKS


def _cpu_seconds(pid: int) -> float:
    """Fields 14 and 15 of proc(5)'s stat; the name before them may have spaces and brackets in it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def child(
    name: str,
    command: Sequence[str | Path],
    on: frozenset[int],
    logs: Path,
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Iterator[Child]:
    """Stopped on the way out. Its standard input ends with us."""
    log = logs / f"{name.replace(' ', '-')}.log"
    parent = os.getpid()

    def prepare() -> None:
        os.sched_setaffinity(0, on)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for a thousand slow clients
        die_with_parent(signal.SIGKILL, parent)

    with log.open("ab") as output:
        popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=output if stdout is None else stdout,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us, and we stop them in order
            preexec_fn=prepare,  # noqa: PLW1509 - this process has no threads of its own when it starts one
        )
    found = Child(name, popen, log)
    with popen:
        try:
            yield found
        finally:
            found.stop()


def togglemaster(*arguments: str, environment: Mapping[str, str]) -> None:
    """One command of the command line, to its end."""
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise Failed(f"`togglemaster {' '.join(arguments)}` failed:\n{ended.stderr.strip()}")
