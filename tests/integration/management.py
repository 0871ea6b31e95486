"""A management API to ask, on the real log."""

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from api.management.context import Parts
from commands.event_store import EventStore
from deploy.embedded import free_port
from deploy.processes.management import parts
from deploy.settings import Settings
from projections.projector import Projector

ADMIN = "an administrator's key"
BOOLEAN = {"on": True, "off": False}
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
OFF = {"enabled": False, "off_variant": "off", "default": {"variant": "on"}}


@dataclass
class Management:
    client: TestClient
    store: EventStore
    parts: Parts

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        sent = {"X-API-Key": ADMIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.request(method, f"/api/v1/projects{path}", json=body, headers=sent)

    def flag(self, key: str = "checkout", **more: Any) -> Response:
        return self.ask(
            "POST", "/default/flags", {"key": key, "type": "boolean", "variants": BOOLEAN, **more}
        )

    def catch_up(self) -> None:
        for view in (self.parts.catalogue, self.parts.audit):
            Projector(self.store, view).catch_up()


def parts_at(postgres_url: str, **settings: Any) -> Parts:
    """Redis, SQS and DynamoDB are away, unless there is an address among the settings."""
    nowhere = f"127.0.0.1:{free_port()}"
    # This machine may be busy with other tests, and PostgreSQL is not to be given up for it.
    away = {
        "postgres_seconds": 30,
        "redis_url": f"redis://{nowhere}",
        "aws_endpoint_url": f"http://{nowhere}",
    }
    return parts(Settings(postgres_url=postgres_url, admin_key=ADMIN, **{**away, **settings}))


def close(found: Parts) -> None:
    for part in (
        found.store,
        found.catalogue,
        found.audit,
        found.deliveries,
        found.people.tables,
        found.pasts,
    ):
        part.close()


def refused(answer: Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    for word in words:
        assert word in problem["detail"]
