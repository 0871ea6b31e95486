"""The real parts that tests run on: started once, with a database and a Redis of its own for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from redis import Redis

from commands.event_store import EventStore
from deploy.embedded import Stack, embedded_stack
from tests.figures import TOLD

os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")


TEMPORARY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """What killed processes leave behind goes with this directory."""
    config.stash[TEMPORARY] = os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="tm-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[TEMPORARY], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TOLD:
        terminalreporter.section("bad days, in figures")
        for line in TOLD:
            terminalreporter.write_line(line)


def open_directory() -> Path:
    """A directory that PostgreSQL's own user may enter, which pytest's tmp_path is not."""
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    return directory


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    directory = open_directory()
    try:
        with embedded_stack(directory, durable=False) as running:
            yield running
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def postgres_url(stack: Stack) -> Iterator[str]:
    """A database that no other test has. It is dropped, as a thousand of them make the next one slow."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield stack.postgres.url.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def store(postgres_url: str) -> Iterator[EventStore]:
    store = EventStore(postgres_url, patience_seconds=30)  # this machine may be busy with other tests
    store.create_tables()
    yield store
    store.close()


@pytest.fixture
def redis(stack: Stack) -> Iterator[Redis]:
    with Redis.from_url(stack.valkey.url) as client:
        client.flushall()
        yield client
