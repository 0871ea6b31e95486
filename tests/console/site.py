"""A management process with a console, as it is run, and what its tests ask of it beside the browser."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psycopg

from commands.secret_keys import new_key
from deploy.embedded import Stack, free_port
from projections.aws import dynamodb_client
from projections.flag_index import FlagIndex
from projections.item_writes import Items
from projections.marks import Marks, hours_of
from projections.records_table import Record, RecordsTable
from projections.usage_table import CountRow, UsageTable
from tests.waiting import eventually

BOOLEAN = {"on": True, "off": False}
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
START_SECONDS, END_SECONDS = 180, 60  # this machine may be busy with other tests
EVALUATION_URL = "http://127.0.0.1:9"  # nobody asks it; it is shown


@dataclass
class Site:
    """`url` is where the process answers."""

    url: str
    admin_key: str
    environment: Mapping[str, str]
    client: httpx.Client
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def console(self) -> str:
        return f"{self.url}/console"

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str
    ) -> httpx.Response:
        sent = {"X-API-Key": key or self.admin_key}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/api/v1{path}", json=body, headers=sent)

    def give(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Any:
        answer = self.ask(method, path, body, key=key, **headers)
        assert answer.is_success, answer.text
        return answer.json()

    def project(self, name: str = "Shop") -> str:
        """A project of a test's own, that lists know already."""
        key = f"p{next(self.numbers)}-{os.urandom(3).hex()}"
        made = self.give("POST", "/projects", {"key": key, "name": name})
        self.seen(key, made["position"])
        return key

    def flag(self, project: str, key: str = "checkout", **more: Any) -> Any:
        body = {"key": key, "type": "boolean", "variants": BOOLEAN, **more}
        made = self.give("POST", f"/projects/{project}/flags", body)
        self.seen(project, made["position"])
        return made

    def target(
        self, project: str, environment: str = "development", *, key: str = "", reason: str = "", **more: Any
    ) -> int:
        """The event's position; what `more` does not say is as in a new flag, but turned on."""
        path = f"/projects/{project}/flags/checkout/environments/{environment}"
        wish = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}, **more}
        return int(self.give("PUT", path, wish, key=key, X_Reason=reason)["position"])

    def flags(self, project: str, number: int) -> None:
        """Many at once: `flag-0000` and so on."""
        for start in range(0, number, 500):
            definitions = [
                {"key": f"flag-{n:04}", "type": "boolean", "variants": BOOLEAN, "tags": [f"t{n % 7}"]}
                for n in range(start, min(start + 500, number))
            ]
            commands = [{"command": "create_flag", "definition": each} for each in definitions]
            made = self.give("POST", f"/projects/{project}/commands", {"commands": commands})
        self.seen(project, made["position"])

    def seen(self, project: str, position: int) -> None:
        """Until lists have that position of the log."""
        path = f"/projects/{project}/flags?limit=1&min_position={position}"
        eventually(lambda: self.ask("GET", path).is_success)

    def read(self, project: str, flag: str = "checkout") -> Any:
        return self.give("GET", f"/projects/{project}/flags/{flag}")

    def is_on(self, project: str, environment: str, flag: str = "checkout") -> bool:
        return bool(self.read(project, flag)["environments"][environment]["enabled"])

    def token(self, role: str, project: str) -> str:
        """For a program with that role."""
        grants = [{"role": role, "project": project}]
        return str(self.give("POST", "/tokens", {"name": role, "grants": grants})["token"])

    def person(self, role: str, project: str) -> str:
        """Somebody's address; the password is everybody's."""
        email = f"{role}-{os.urandom(4).hex()}@example.org"
        grants = [{"role": role, "project": project}]
        new = {"email": email, "name": role, "password": PASSWORD, "grants": grants}
        self.give("POST", "/people", new)
        return email

    def link(self, key: str = "") -> str:
        """Signs a browser in, once."""
        answer = self.client.post(
            "/console/link", headers={"Authorization": f"Bearer {key or self.admin_key}"}
        )
        assert answer.is_success, answer.text
        return f"{self.url}{answer.json()['path']}"

    def evaluated(self, *rows: CountRow) -> None:
        """As the consumer writes what evaluators counted."""
        client = dynamodb_client(self.environment["TOGGLEMASTER_AWS_ENDPOINT_URL"], "us-east-1")
        table, hours = self.environment["TOGGLEMASTER_USAGE_TABLE"], hours_of(rows)
        marks = Marks(Items(client, table))
        marks.before(hours)
        UsageTable(client, table).put(rows)
        marks.after(hours)
        FlagIndex(client, table).add(rows)
        client.close()

    def recorded(self, *records: Record) -> None:
        """As the consumer writes single evaluations."""
        client = dynamodb_client(self.environment["TOGGLEMASTER_AWS_ENDPOINT_URL"], "us-east-1")
        RecordsTable(client, self.environment["TOGGLEMASTER_RECORDS_TABLE"]).put(records)
        client.close()


@contextmanager
def running(stack: Stack, directory: Path) -> Iterator[Site]:
    """On a database and tables of its own; ended with its projector."""
    name, port, key = f"console_{os.urandom(4).hex()}", free_port(), new_key("admin")[1]
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    environment = {
        **os.environ,
        "TOGGLEMASTER_POSTGRES_URL": stack.postgres.url.rsplit("/", 1)[0] + f"/{name}",
        "TOGGLEMASTER_POSTGRES_SECONDS": "30",  # this machine may be busy with other tests
        "TOGGLEMASTER_REDIS_URL": stack.valkey.url,
        "TOGGLEMASTER_AWS_ENDPOINT_URL": stack.aws.url,
        "TOGGLEMASTER_QUEUE_NAME": name,
        "TOGGLEMASTER_USAGE_TABLE": f"{name}-usage",
        "TOGGLEMASTER_RECORDS_TABLE": f"{name}-records",
        "TOGGLEMASTER_ADMIN_KEY": key,
        "TOGGLEMASTER_EVALUATION_URL": EVALUATION_URL,
        "TOGGLEMASTER_PORT": str(port),
    }
    _run(environment, "setup").wait(timeout=START_SECONDS)
    url, log = f"http://127.0.0.1:{port}", (directory / "management.log").open("wb")
    processes = [_run(environment, "serve", "management", output=log), _run(environment, "work", "projector")]
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            eventually(lambda: _answers(client), seconds=START_SECONDS)
            yield Site(url, key, environment, client)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=END_SECONDS)
        log.close()
        with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(environment: Mapping[str, str], *arguments: str, output: Any = subprocess.DEVNULL) -> Any:
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").is_success
    except httpx.TransportError:
        return False
