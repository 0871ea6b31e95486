from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from api.management.app import create_app
from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import CreateProject
from domain.envelope import Stamp
from tests.integration.management import Management, parts_at


@pytest.fixture
def api(store: EventStore) -> Iterator[Management]:
    found = parts_at(store.url)
    for view in (found.catalogue, found.audit):
        view.create_tables()
    stamp = Stamp("test", datetime.now(UTC))
    Commands(store).execute(CreateProject(project="default", name="Default"), stamp)
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        yield Management(client, store, found)
    for part in (found.store, found.catalogue, found.audit):
        part.close()
