from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.management.app import create_app
from commands.event_store import EventStore
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from tests.integration.management import Management, close, parts_at


@pytest.fixture
def api(store: EventStore) -> Iterator[Management]:
    set_up_postgres(Settings(postgres_url=store.url))
    found = parts_at(store.url)
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        yield Management(client, store, found)
    close(found)
