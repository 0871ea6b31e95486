"""The platform as a newcomer starts it: `togglemaster dev`, on ports and in a directory of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from deploy.embedded import free_port
from tests.conftest import open_directory
from tests.waiting import eventually

START_SECONDS = 90
STOP_SECONDS = 30


@dataclass
class Platform:
    """`ready` is the ready file as it was at the start; `now` reads it again, since pids change."""

    directory: Path
    ready_file: Path
    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    management: httpx.Client
    environment: dict[str, str] = field(default_factory=dict)

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def give(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.management.request(method, f"/api/v1/projects/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def flag(self, key: str, flag_type: str = "boolean", **variants: Any) -> Any:
        body = {"key": key, "type": flag_type, "variants": variants or {"on": True, "off": False}}
        return self.give("POST", "default/flags", body, status=201)

    def target(self, key: str, environment: str = "production", **targeting: Any) -> int:
        """The position of the change."""
        body = {"enabled": True, "off_variant": None, "default": {"variant": "on"}, **targeting}
        path = f"default/flags/{key}/environments/{environment}"
        return int(self.give("PUT", path, body)["position"])

    def key(self, environment: str = "production", kind: str = "server") -> str:
        """A key that the evaluation API knows already."""
        path = f"default/environments/{environment}/keys"
        issued = self.give("POST", path, {"name": "test", "kind": kind}, status=201)
        self.wait_for(issued["position"])
        return str(issued["key"])

    def wait_for(self, position: int) -> None:
        url = f"{self.ready['evaluation_url']}/health/ready"
        eventually(lambda: httpx.get(url).json()["position"] >= position)

    def evaluation(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.ready["evaluation_url"], headers={"Authorization": f"Bearer {key}"})

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line, on this platform's parts."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def start(directory: Path, *options: str) -> Platform:
    ready_file = directory / "ready.json"
    command = [sys.executable, "-m", "deploy.cli", "dev", "--data-dir", str(directory / "data")]
    command += ["--ready-file", str(ready_file), "--port", str(free_port())]
    command += ["--evaluation-port", str(free_port()), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    give_up = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > give_up:
            process.kill()
            raise AssertionError(f"the platform did not start: {process.communicate()[0]}")
        time.sleep(0.05)
    ready = json.loads(ready_file.read_text())
    management = httpx.Client(base_url=ready["management_url"], headers={"X-API-Key": ready["admin_key"]})
    environment = {
        "TOGGLEMASTER_POSTGRES_URL": ready["postgres_url"],
        "TOGGLEMASTER_REDIS_URL": ready["redis_url"],
        "TOGGLEMASTER_AWS_ENDPOINT_URL": ready["aws_endpoint_url"],
    }
    return Platform(directory, ready_file, process, ready, management, environment)


def stop(platform: Platform) -> str:
    """Everything it printed."""
    platform.management.close()
    platform.process.send_signal(signal.SIGINT)
    return str(platform.process.communicate(timeout=STOP_SECONDS)[0])


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    directory = open_directory()
    running = start(directory)
    try:
        yield running
    finally:
        stop(running)
        shutil.rmtree(directory)
