"""The original's clients, asking a management process on the real log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from commands.event_store import EventStore
from deploy.embedded import free_port
from deploy.processes.management import build, original, parts
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from domain.envelope import Recorded, flag_stream
from tests.integration.management import close

MASTER = "the master key"
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


@dataclass
class Client:
    http: TestClient
    store: EventStore
    key: str = ""

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any
    ) -> Response:
        """With the client's key, or another; without any where it is empty."""
        presented = self.key if key is None else key
        headers: Mapping[str, str] = {"Authorization": f"Bearer {presented}"} if presented else {}
        sent = {**options, "headers": {**headers, **options.get("headers", {})}}
        if body is not None:
            sent["json"] = body
        return self.http.request(method, path, **sent)

    def issue(self, name: str = "meu-primeiro-servico") -> str:
        answer = self.ask("POST", "/admin/keys", {"name": name}, key=MASTER)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])

    def events(self, flag: str) -> list[Recorded]:
        return self.store.load(flag_stream("default", flag))

    def event_names(self, flag: str) -> list[str]:
        return [type(each.event).__name__ for each in self.events(flag)]


def settings_at(postgres_url: str, **settings: Any) -> Settings:
    """Redis is away, unless there is an address among the settings."""
    nowhere = f"127.0.0.1:{free_port()}"
    away = {
        "postgres_seconds": 30,
        "redis_url": f"redis://{nowhere}",
        "aws_endpoint_url": f"http://{nowhere}",
        "console": False,
    }
    return Settings(postgres_url=postgres_url, admin_key=MASTER, **{**away, **settings})


@cache
def _application() -> FastAPI:
    """Made once, as its routes take half a second; each test has parts of its own."""
    return build(settings_at("postgresql://postgres@127.0.0.1:1/none"))


@contextmanager
def client_of(store: EventStore, **settings: Any) -> Iterator[Client]:
    """The first project is there."""
    set_up_postgres(Settings(postgres_url=store.url))
    wished, app = settings_at(store.url, **settings), _application()
    found = parts(wished)
    facade = original(wished, found)
    app.state.parts = replace(found, background=(*found.background, facade))
    app.state.original = facade
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as http:
        yield Client(http, store)
    close(found)


def gave(answer: Response, status: int, body: str, content_type: str = JSON, **headers: str) -> None:
    """Byte for byte."""
    assert (answer.status_code, answer.text) == (status, body)
    assert answer.headers["content-type"] == content_type
    for name, value in headers.items():
        assert answer.headers[name.replace("_", "-")] == value
