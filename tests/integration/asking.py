"""The command line as it is typed, asking a management API that listens."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from typer.testing import CliRunner

from deploy.cli import app
from deploy.embedded import free_port
from deploy.told import Told
from tests.integration.management import ADMIN, OFF, Management

START_SECONDS = 30
PATH = "/default/flags/checkout/environments/production"
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}


@dataclass(frozen=True)
class Ran:
    """`told` is the sentence it ended with."""

    code: int
    out: str
    err: str
    told: str

    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class CommandLine:
    url: str

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> Ran:
        asked = {"TOGGLEMASTER_MANAGEMENT_URL": self.url, "TOGGLEMASTER_TOKEN": ADMIN}
        given = {"TOGGLEMASTER_ADMIN_KEY": "", "COLUMNS": "", **asked, **environment}
        result = CliRunner().invoke(app, words, input=stdin, env=given)
        if result.exception and not isinstance(result.exception, Told | SystemExit):
            raise result.exception
        told = str(result.exception) if isinstance(result.exception, Told) else ""
        return Ran(result.exit_code, result.stdout, result.stderr, told)


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Its address."""
    port = free_port()
    config = uvicorn.Config(application, port=port, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    give_up = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < give_up, "it did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def rule(name: str, variant: str = "on") -> dict[str, Any]:
    return {"id": name, "name": name, "when": PRO, "serve": {"variant": variant}}


def target(api: Management, *rules: dict[str, Any], reason: str = "", **more: Any) -> int:
    body = {**OFF, "enabled": True, "rules": list(rules), **more}
    return int(api.ask("PUT", PATH, body, X_Reason=reason).json()["position"])
