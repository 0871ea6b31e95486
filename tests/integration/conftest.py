import time
from collections.abc import Iterator
from functools import cache

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from redis import Redis

from api.management.app import create_app
from commands.event_store import EventStore
from deploy.embedded import Stack
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from projections.aws import dynamodb_client
from projections.follower import Follower
from tests.integration.asking import CommandLine, listening
from tests.integration.handmade import Model
from tests.integration.management import Management, close, parts_at
from tests.integration.usage import Usage


@cache
def application() -> FastAPI:
    """Made once, as its routes take half a second; each test has parts of its own."""
    return create_app(parts_at("postgresql://postgres@127.0.0.1:1/none"))


@pytest.fixture
def api(store: EventStore) -> Iterator[Management]:
    set_up_postgres(Settings(postgres_url=store.url))
    found = parts_at(store.url)
    app = application()
    app.state.parts = found
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Management(client, store, found)
    close(found)


@pytest.fixture(scope="module")
def usage(stack: Stack) -> Iterator[Usage]:
    client = dynamodb_client(stack.aws.url, "us-east-1")
    yield Usage(client, time.time())
    client.close()


@pytest.fixture
def api_with_tables(store: EventStore, stack: Stack, usage: Usage) -> Iterator[Management]:
    """One that answers from those of `usage` too."""
    set_up_postgres(Settings(postgres_url=store.url))
    usage.clear()
    found = parts_at(
        store.url,
        aws_endpoint_url=stack.aws.url,
        usage_table=usage.table,
        records_table=usage.records_table,
    )
    app = application()
    app.state.parts = found
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Management(client, store, found)
    close(found)


@pytest.fixture
def run(api: Management) -> Iterator[CommandLine]:
    """On the parts that `api` gave the application."""
    with listening(application()) as url:
        yield CommandLine(url)


@pytest.fixture
def model(redis: Redis) -> Model:
    return Model(redis)


@pytest.fixture
def follower(redis: Redis) -> Iterator[Follower]:
    found = Follower(redis)
    yield found
    found.stop()
