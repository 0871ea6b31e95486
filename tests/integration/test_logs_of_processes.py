"""The logs of real processes while keys, tokens, passwords and secrets go through them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from redis import Redis

from deploy.embedded import Stack, free_port
from deploy.processes.setup import set_up
from tests.integration.exported import ADMIN, START_SECONDS, STOP_SECONDS, environment, settings
from tests.waiting import eventually

PASSWORD, WRONG = "correct horse battery staple", "Tr0ub4dor and three more"
SUBJECT = "subject-4711@example.com"
PROJECT = "/api/v1/projects/default"
FIELDS = {"ts", "level", "logger", "message", "request_id", "trace_id", "span_id", "exception"}
JSON = {"TOGGLEMASTER_LOG_FORMAT": "json", "TOGGLEMASTER_LOG_LEVEL": "debug"}
BREAKING = """
import deploy.cli, commands.handlers
def execute(self, *given, **more):
    raise RuntimeError(f"nobody foresaw {{given}} {{more}}, nor Bearer {key}")
commands.handlers.Commands.execute = execute
deploy.cli.main()
"""


class Logged:
    """A process, and every line of its log."""

    def __init__(self, path: Path, port: int) -> None:
        self.path, self.url = path, f"http://127.0.0.1:{port}"

    def text(self) -> str:
        return self.path.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/live", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def logging_process(directory: Path, name: str, given: dict[str, str], *command: str) -> Iterator[Logged]:
    port, path = free_port(), directory / f"{name}.log"
    ports = {"TOGGLEMASTER_PORT": str(port), "TOGGLEMASTER_METRICS_PORT": str(port)}
    with path.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], env=os.environ | given | JSON | ports, stdout=output, stderr=output
        )
    try:
        yield Logged(path, port)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


@pytest.fixture
def given(stack: Stack, postgres_url: str, redis: Redis) -> dict[str, str]:
    assert not redis.dbsize()
    found = environment(stack, postgres_url) | {
        "TOGGLEMASTER_SECRET": "what others are derived from",
        "TOGGLEMASTER_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    set_up(settings(found))
    return found


class Secrets:
    """Whatever was sent or shown that nobody else is to see."""

    def __init__(self, *known: str) -> None:
        self.known = {*known}

    def of(self, answer: httpx.Response, *fields: str) -> list[str]:
        assert answer.status_code < 300, answer.text
        found = [str(answer.json()[field]) for field in fields]
        self.known |= set(found)
        return found


def play_management(client: httpx.Client, secrets: Secrets) -> str:
    """An evaluation key, after everything that can be done with secrets was done."""
    admin = {"Authorization": f"Bearer {ADMIN}"}
    flag = {"key": "hero", "type": "boolean", "variants": {"on": True, "off": False}}
    assert client.post(f"{PROJECT}/flags", json=flag, headers=admin).status_code == 201
    keys = f"{PROJECT}/environments/production/keys"
    made = client.post(keys, json={"name": "n", "kind": "server"}, headers=admin)
    (key,) = secrets.of(made, "key")
    secrets.of(client.post(f"{keys}/{made.json()['id']}/rotate", headers=admin), "key")
    grants = [{"role": "editor", "project": "default", "environment": ""}]
    token = client.post("/api/v1/tokens", json={"name": "t", "grants": grants}, headers=admin)
    (token_text,) = secrets.of(token, "token")
    hook = {"url": f"https://user:{WRONG.split(maxsplit=1)[0]}@192.0.2.1/hook"}
    client.post(f"{PROJECT}/webhooks", json=hook, headers=admin)
    made = client.post(f"{PROJECT}/webhooks", json={"url": "https://192.0.2.1/hook"}, headers=admin)
    secrets.of(made, "secret")
    for credential in (token_text, f"{token_text}x", "tm_admin_forged", WRONG, key):
        client.get(f"{PROJECT}/flags", headers={"Authorization": f"Bearer {credential}"})
        client.get(f"{PROJECT}/flags", headers={"X-API-Key": credential})
    return key


def play_sign_in(client: httpx.Client, secrets: Secrets) -> None:
    person = {"email": "ana@example.com", "name": "Ana", "password": PASSWORD}
    made = client.post("/api/v1/people", json=person, headers={"X-API-Key": ADMIN})
    assert made.status_code == 201, made.text
    sign_in = "/api/v1/auth/token"
    for body in (
        {"email": "ana@example.com", "password": WRONG},
        {"email": "ana@example.com", "password": [PASSWORD]},
        {"email": PASSWORD, "password": PASSWORD},
        {"email": "ana@example.com", "password": PASSWORD, "again": PASSWORD},
    ):
        assert client.post(sign_in, json=body).status_code in {401, 422}
    raw = f'{{"email": "ana@example.com", "password": "{PASSWORD}"'
    assert client.post(sign_in, content=raw, headers={"Content-Type": "application/json"}).status_code == 400
    signed_in = client.post(sign_in, json={"email": "ana@example.com", "password": PASSWORD})
    access, refresh = secrets.of(signed_in, "access_token", "refresh_token")
    client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {access}"})
    client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {access[:-4]}AAAA"})
    refreshed = client.post("/api/v1/auth/refresh", json={"refresh_token": refresh})
    secrets.of(refreshed, "access_token", "refresh_token")
    assert client.post("/api/v1/auth/refresh", json={"refresh_token": refresh}).status_code == 401


def play_evaluation(client: httpx.Client, key: str) -> None:
    flags = "/ofrep/v1/evaluate/flags"
    asked: dict[str, Any] = {"json": {"context": {"targetingKey": SUBJECT}}, "headers": {"X-API-Key": key}}
    eventually(lambda: client.post(flags, **asked).status_code == 200)
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": f"{key}x"}, {"X-API-Key": WRONG}):
        client.post(flags, json={"context": {"targetingKey": SUBJECT}}, headers=headers)
        client.post(f"{flags}/hero", content=b'{"context": ' + SUBJECT.encode(), headers=headers)
    (stream,) = client.post(flags, **asked).json()["eventStreams"]
    client.get(f"{stream['endpoint']['requestUri']}x")


def test_no_secret_and_no_subject_is_in_any_log_and_every_line_is_json(
    given: dict[str, str], tmp_path: Path
) -> None:
    secrets = Secrets(ADMIN, PASSWORD, WRONG, SUBJECT, given["TOGGLEMASTER_SECRET"])
    cli = ("-m", "deploy.cli")
    with (
        logging_process(tmp_path, "projector", given, *cli, "work", "projector") as projector,
        logging_process(tmp_path, "webhooks", given, *cli, "work", "webhooks") as webhooks,
        logging_process(tmp_path, "management", given, *cli, "serve", "management") as management,
        logging_process(tmp_path, "evaluation", given, *cli, "serve", "evaluation") as evaluation,
        httpx.Client(base_url=management.url, trust_env=False, timeout=30) as client,
    ):
        processes = (projector, webhooks, management, evaluation)
        eventually(lambda: all(each.is_up() for each in processes), START_SECONDS)
        key = play_management(client, secrets)
        play_sign_in(client, secrets)
        with httpx.Client(base_url=evaluation.url, trust_env=False) as asking:
            play_evaluation(asking, key)
    assert len(secrets.known) > 10
    for each in processes:
        assert all(set(line) <= FIELDS and {"ts", "level", "logger"} <= set(line) for line in each.lines())
        assert not [secret for secret in secrets.known if secret in each.text()]
    assert projector.lines()
    assert {"uvicorn.error"} <= {line["logger"] for line in management.lines()}


def test_an_error_that_quotes_what_it_was_given_is_told_without_it_under_the_id_of_its_request(
    given: dict[str, str], tmp_path: Path
) -> None:
    secret = "tm_server_0123456789abcdef"  # noqa: S105 - nobody's
    breaking = BREAKING.format(key=secret)
    with (
        logging_process(tmp_path, "management", given, "-c", breaking, "serve", "management") as management,
        httpx.Client(base_url=management.url, trust_env=False, timeout=30) as client,
    ):
        eventually(management.is_up, START_SECONDS)
        headers = {"X-API-Key": ADMIN, "X-Request-Id": "asked-by-ana"}
        answer = client.post(f"{PROJECT}/flags/hero/environments/production/on", headers=headers)
        assert answer.status_code == 500
    found = [line for line in management.lines() if "nobody foresaw" in line.get("exception", "")]
    assert found
    assert {line.get("request_id") for line in found} == {"asked-by-ana"}
    assert secret not in management.text()
    assert ADMIN not in management.text()


def test_an_address_that_cannot_be_read_is_told_without_its_password() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "work", "scheduler"],
        env=os.environ | JSON | {"TOGGLEMASTER_POSTGRES_URL": "postgresql://ana:s3cret%zz@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert told.returncode == 1
    (line,) = [json.loads(each) for each in told.stderr.splitlines()]
    assert (line["level"], "percent-encoded" in line["exception"]) == ("critical", True)
    assert "s3cret" not in told.stderr
