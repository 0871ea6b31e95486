"""A server as a child process: how it is started, watched and ended."""

import ctypes
import itertools
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from deploy.embedded.place import EmbeddedError, Place

log = logging.getLogger(__name__)

START_SECONDS = 30
POLL_SECONDS = 0.02
ASK_AGAIN_SECONDS = 1.0
PR_SET_PDEATHSIG = 1
# To PostgreSQL SIGTERM means "when the last client has gone", SIGINT means now and cleanly.
STOP_SIGNALS = {"postgres": signal.SIGINT}
# Below what Linux gives outgoing connections (32768 and up): one could take a port before its server does.
PORTS = range(20_000, 32_000)
# What finding and running a program needs. A stray PGDATA or AUTH=true must not change what a server is.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")

# Found here, since after the fork there is no safe time to load a library.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
# A shuffled round: no port twice in one process, since the first may not be bound when the next is chosen.
_candidates = itertools.cycle(secrets.SystemRandom().sample(PORTS, len(PORTS)))


@dataclass(frozen=True)
class Part:
    """A server that runs as our child."""

    name: str
    process: subprocess.Popen[bytes]
    url: str


@dataclass(frozen=True)
class Launch:
    """A server that was started and may not answer yet."""

    part: Part
    place: Place
    is_healthy: Callable[[], bool]


@dataclass(frozen=True)
class User:
    """Who a server runs as; without numbers, as whoever we are."""

    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True)
class Program:
    command: Sequence[str | Path]
    cwd: Path
    user: User = field(default_factory=User)
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(self.settings)


def die_with_parent(signum: int = signal.SIGTERM, parent: int | None = None) -> None:
    """A `preexec_fn`: Linux sends `signum` when the thread that started this process ends; others do not."""
    if _prctl is None:
        return
    _prctl(PR_SET_PDEATHSIG, signum)
    if parent is not None and os.getppid() != parent:  # it ended before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, and that this process was not given before."""
    for port in itertools.islice(_candidates, len(PORTS)):
        if not why_not_bindable(port):
            return port
    raise EmbeddedError(f"no port between {PORTS.start} and {PORTS.stop} is free on 127.0.0.1")


def why_not_bindable(port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def usable_port(name: str, port: int | None) -> int:
    if port is None:
        return free_port()
    if reason := why_not_bindable(port):
        raise EmbeddedError(
            f"{name} cannot use port {port} on 127.0.0.1: {reason}. Stop what uses it or choose another port."
        )
    return port


def spawn(place: Place, program: Program, *, url: str, lock: IO[str]) -> Part:
    """Start the server of a place, and leave its claim on the place with it."""
    process = _start(place, program, lock, STOP_SIGNALS.get(place.name, signal.SIGTERM))
    return Part(place.name, process, url)


def run(place: Place, program: Program, *, lock: IO[str], seconds: float) -> None:
    """Run a program that prepares the place, to its end."""
    process = _start(place, program, lock, signal.SIGKILL)
    try:
        status: int | str = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = f"none after {seconds} s"
    finally:
        process.kill()
        process.wait()
    if status != 0:
        raise EmbeddedError(
            f"{place.name} could not be prepared, {program.command[0]} ended with status {status}.\n"
            f"{place.log_tail()}"
        )


def _start(place: Place, program: Program, lock: IO[str], orphan_signal: int) -> subprocess.Popen[bytes]:
    try:
        with place.new_log() as output:
            process = _popen(program, output, lock, orphan_signal)
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"{place.name} could not be run: {program.command[0]}: {error}") from error
    place.record_holder(lock, process.pid)
    return process


def _popen(program: Program, output: IO[bytes], lock: IO[str], orphan_signal: int) -> subprocess.Popen[bytes]:
    user = program.user
    return subprocess.Popen(  # noqa: S603 (the packages' own servers)
        program.command,
        cwd=program.cwd,
        env=program.environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=[lock.fileno()],
        start_new_session=True,  # the terminal's Ctrl-C is for us, and we stop the servers in order
        preexec_fn=partial(die_with_parent, orphan_signal, os.getpid()),  # noqa: PLW1509 (one call into libc)
        user=user.uid,
        group=user.gid,
        extra_groups=None if user.uid is None else [],
    )


def await_health(launch: Launch) -> Part:
    """Wait until the server answers; one that does not is stopped before the error is raised."""
    try:
        _poll(launch, time.monotonic() + START_SECONDS)
    except BaseException:
        stop(launch.part)
        raise
    return launch.part


def _poll(launch: Launch, deadline: float) -> None:
    while not launch.is_healthy():
        if (status := launch.part.process.poll()) is not None:
            _fail(launch, f"ended with status {status} while starting")
        if time.monotonic() > deadline:
            _fail(launch, f"did not answer at {launch.part.url} within {START_SECONDS} seconds")
        time.sleep(POLL_SECONDS)


def _fail(launch: Launch, what: str) -> NoReturn:
    raise EmbeddedError(f"{launch.place.name} {what}.\n{launch.place.log_tail()}")


def stop(part: Part, *, timeout: float = 10) -> None:
    """End a server cleanly; after `timeout` seconds by SIGKILL, and then SQS and DynamoDB forget this run."""
    deadline = time.monotonic() + timeout
    try:
        while part.process.poll() is None and time.monotonic() < deadline:
            _ask_to_stop(part, min(ASK_AGAIN_SECONDS, timeout))
        if part.process.poll() is None:
            log.warning("%s, process %s, did not stop in %s s: killed", part.name, part.process.pid, timeout)
    finally:
        part.process.kill()
        part.process.wait()


def _ask_to_stop(part: Part, seconds: float) -> None:
    """Once may be too early: a server that begins with SIGINT ignored does not hear it until it is up."""
    part.process.send_signal(STOP_SIGNALS.get(part.name, signal.SIGTERM))
    with suppress(subprocess.TimeoutExpired):
        part.process.wait(seconds)
