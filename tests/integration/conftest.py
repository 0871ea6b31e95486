from collections.abc import Iterator
from functools import cache

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from redis import Redis

from api.management.app import create_app
from commands.event_store import EventStore
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from projections.follower import Follower
from tests.integration.asking import CommandLine, listening
from tests.integration.handmade import Model
from tests.integration.management import Management, close, parts_at


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
