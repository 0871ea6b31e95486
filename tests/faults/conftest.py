"""A PostgreSQL and a management process of one's own, to be done bad things to; and the figures of it all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from commands.event_store import EventStore
from deploy.embedded import Part, free_port, start_postgres, stop
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from tests.conftest import open_directory

ADMIN = "an administrator's key"
START_SECONDS = 60


@dataclass
class Database:
    """Can be killed, stopped in its tracks and started again in the same place."""

    directory: Path
    part: Part
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = int(self.part.url.rsplit(":", 1)[1].split("/")[0])

    @property
    def url(self) -> str:
        return self.part.url

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.part.process.wait()

    def start(self) -> None:
        self.part = start_postgres(self.directory, port=self.port)

    def signal(self, number: int) -> None:
        """To the server and every session it has."""
        for pid in [self.part.process.pid, *_children(self.part.process.pid)]:
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


@pytest.fixture
def database() -> Iterator[Database]:
    directory = open_directory()
    found = Database(directory, start_postgres(directory))
    set_up_postgres(Settings(postgres_url=found.url))
    try:
        yield found
    finally:
        stop(found.part)
        shutil.rmtree(directory)


@pytest.fixture
def store(database: Database) -> Iterator[EventStore]:
    store = EventStore(database.url)
    yield store
    store.close()


@dataclass
class Process:
    """A management process, and whoever asks it."""

    client: httpx.Client
    popen: "subprocess.Popen[bytes]"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/api/v1/projects/default{path}", json=body, headers=sent)

    def flag(self, key: str, **headers: str) -> httpx.Response:
        body = {"key": key, "type": "boolean", "variants": {"on": True, "off": False}}
        return self.ask("POST", "/flags", body, **headers)


@contextmanager
def management(postgres_url: str, *command: str, stdout: int | None = None) -> Iterator[Process]:
    """`serve management`, or what is given instead; SIGTERM at the end."""
    port = free_port()
    environment = os.environ | {
        "TOGGLEMASTER_POSTGRES_URL": postgres_url,
        "TOGGLEMASTER_REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "TOGGLEMASTER_AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "TOGGLEMASTER_ADMIN_KEY": ADMIN,
        "TOGGLEMASTER_PORT": str(port),
        "TOGGLEMASTER_LOG_LEVEL": "error",
    }
    arguments = command or ("deploy.cli", "serve", "management")
    popen = subprocess.Popen([sys.executable, "-m", *arguments], env=environment, stdout=stdout)
    try:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": ADMIN}, timeout=30, trust_env=False
        )
        with client:
            until(lambda: _answers(client), START_SECONDS)
            yield Process(client, popen)
    finally:
        popen.terminate()
        popen.wait(30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool], seconds: float) -> float:
    """How long it took; fails when it takes longer than that."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it never came about"
        time.sleep(0.02)
    return time.monotonic() - began
