"""A Valkey of one's own, to be done bad things to, and projectors that write to it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.embedded import Part, start_valkey

WAIT_SECONDS = 2.0


@dataclass
class Server:
    """Can be killed, stopped in its tracks, and started again with other data, at the same address."""

    directory: Path
    part: Part
    client: Redis = field(init=False)

    def __post_init__(self) -> None:
        self.client = Redis.from_url(self.part.url, socket_timeout=WAIT_SECONDS, retry=Retry(NoBackoff(), 0))

    @property
    def url(self) -> str:
        return self.part.url

    @property
    def state(self) -> Path:
        return self.directory / "valkey"

    def signal(self, number: int) -> None:
        os.kill(self.part.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.part.process.wait()

    def start(self) -> None:
        self.part = start_valkey(self.directory, port=int(self.url.rsplit(":", 1)[1].split("/")[0]))

    def copy(self) -> Path:
        """What is on disk now; an AOF may be cut anywhere."""
        copied = self.directory / "copy"
        shutil.copytree(self.state, copied)
        return copied

    def replace(self, copied: Path | None) -> None:
        """While it is killed: with that copy, or with nothing."""
        shutil.rmtree(self.state)
        if copied is None:
            self.state.mkdir()
        else:
            copied.rename(self.state)


@dataclass
class Worker:
    """A process of the command line, and what it says."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    @property
    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def worker(postgres_url: str, redis_url: str, log: Path, *command: str) -> Iterator[Worker]:
    """Ended by SIGTERM; `command` as after `python -m`, or else a projector."""
    environment = os.environ | {
        "TOGGLEMASTER_POSTGRES_URL": postgres_url,
        "TOGGLEMASTER_REDIS_URL": redis_url,
    }
    arguments = command or ("deploy.cli", "work", "projector")
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment, stdout=output, stderr=output
        )
    try:
        yield Worker(popen, log)
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGCONT)
            popen.terminate()
        popen.wait(30)
