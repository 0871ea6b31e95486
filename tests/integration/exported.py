"""Every process as it runs, once, and what each says of itself at /metrics."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2 as httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded import Stack, free_port
from deploy.processes.setup import set_up
from deploy.settings import Settings
from tests.waiting import eventually

ADMIN = "an administrator's key"
HTTP = {"management": ("serve", "management"), "evaluation": ("serve", "evaluation")}
WORKERS = {name: ("work", name) for name in ("projector", "consumer", "scheduler", "webhooks")}
COMMANDS: Mapping[str, tuple[str, ...]] = {**HTTP, **WORKERS, "canary": ("canary",)}
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass
class Processes:
    urls: Mapping[str, str]
    client: httpx.Client
    running: Mapping[str, "subprocess.Popen[bytes]"]

    def get(self, process: str, path: str) -> httpx.Response:
        return self.client.get(f"{self.urls[process]}{path}")

    def is_up(self, process: str, path: str = "/health/ready") -> bool:
        try:
            return self.get(process, path).status_code == 200
        except httpx.TransportError:
            return False

    def metrics(self, process: str) -> dict[str, Metric]:
        """By the name that a row of the documentation has."""
        families = text_string_to_metric_families(self.get(process, "/metrics").text)
        return {f"{each.name}_total" if each.type == "counter" else each.name: each for each in families}

    def value(self, process: str, sample: str, **labels: str) -> float | None:
        found = [
            each.value
            for family in self.metrics(process).values()
            for each in family.samples
            if each.name == sample and each.labels == labels
        ]
        return found[0] if found else None

    def give(self, path: str, body: Any = None, method: str = "POST") -> Any:
        url = f"{self.urls['management']}/api/v1/projects/default{path}"
        answer = self.client.request(method, url, json=body, headers={"X-API-Key": ADMIN})
        assert answer.status_code < 300, answer.text
        return answer.json()

    def evaluate_one(self) -> None:
        """A flag, a key, a change and an evaluation of it."""
        self.give("/flags", {"key": "hero", "type": "boolean", "variants": {"on": True, "off": False}})
        key = self.give("/environments/production/keys", {"name": "n", "kind": "server"})["key"]
        self.give("/flags/hero/environments/production/on")
        url = f"{self.urls['evaluation']}/ofrep/v1/evaluate/flags/hero"
        asked: dict[str, Any] = {"json": {"context": {"targetingKey": "u"}}, "headers": {"X-API-Key": key}}
        eventually(lambda: self.client.post(url, **asked).status_code == 200)


def environment(stack: Stack, postgres_url: str) -> dict[str, str]:
    name = uuid4().hex
    return {
        "TOGGLEMASTER_POSTGRES_URL": postgres_url,
        "TOGGLEMASTER_REDIS_URL": stack.valkey.url,
        "TOGGLEMASTER_AWS_ENDPOINT_URL": stack.aws.url,
        "TOGGLEMASTER_ADMIN_KEY": ADMIN,
        "TOGGLEMASTER_QUEUE_NAME": f"queue-{name}",
        "TOGGLEMASTER_USAGE_TABLE": f"usage-{name}",
        "TOGGLEMASTER_RECORDS_TABLE": f"records-{name}",
        "TOGGLEMASTER_QUEUE_WAIT_SECONDS": "1",
        "TOGGLEMASTER_CANARY_SECONDS": "5",
    }


@contextmanager
def processes(given: Mapping[str, str], commands: Mapping[str, tuple[str, ...]]) -> Iterator[Processes]:
    """Set up and started together; SIGTERM at the end."""
    set_up(settings(given))
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in commands}
    apis = {f"TOGGLEMASTER_CANARY_{name.upper()}_URL": urls[name] for name in HTTP}
    with ExitStack() as started, httpx.Client(trust_env=False, timeout=10) as client:
        running = {
            name: process(command, {**given, **apis}, urls[name]) for name, command in commands.items()
        }
        started.callback(end, running.values())
        found = Processes(urls, client, running)
        for name in commands:
            eventually(partial(found.is_up, name), START_SECONDS)
        yield found


def settings(given: Mapping[str, str]) -> Settings:
    fields = {name.removeprefix("TOGGLEMASTER_").lower(): value for name, value in given.items()}
    return Settings.model_validate(fields)


def process(command: tuple[str, ...], given: Mapping[str, str], url: str) -> "subprocess.Popen[bytes]":
    port = url.rpartition(":")[2]
    ports = {"TOGGLEMASTER_PORT": port, "TOGGLEMASTER_METRICS_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *command], env=os.environ | dict(given) | ports
    )


def end(running: Collection["subprocess.Popen[bytes]"]) -> None:
    for each in running:
        each.terminate()
    for each in running:
        each.wait(STOP_SECONDS)
