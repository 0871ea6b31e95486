"""Who answers: the real evaluation server, nginx with a fixed answer, and what else uvicorn may serve."""

import grp
import json
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from redis import Redis

from deploy.embedded import free_port
from tests.benchmarks.serving_apps import ANSWER_KEY
from tests.benchmarks.serving_flags import Requests, World
from tests.benchmarks.serving_process import Child, Cores, Failed, child
from tests.benchmarks.serving_tools import Tool

ANSWER_SECONDS = 30
COUNTERS = ("recorded", "dropped_counts", "dropped_records")

NGINX = """\
daemon off;
user {user} {group};
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            default_type application/json;
            return 200 '{answer}';
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """`counts` where it is ours, and says in its metrics what it counted."""

    child: Child
    port: int
    counts: bool = False

    def ask(self, method: str, path: str, body: str | None = None, key: str = "") -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def first_answer(self, requests: Requests) -> str:
        """Raises Failed when the first request is not answered as an evaluation is."""
        path, body = requests.first()
        status, answer = self.ask("POST", path, body, requests.key)
        if status != 200 or requests.flags != len(_evaluations(answer)):
            raise Failed(f"{self.child.name} answered {path} with {status}: {answer[:500]!r}")
        return answer.decode()

    def counted(self) -> dict[str, int]:
        """The counters of its evaluations, by name; empty where it has none."""
        if not self.counts:
            return {}
        lines = self.ask("GET", "/metrics")[1].decode().splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: int(float(found[f"togglemaster_evaluations_{name}_total"])) for name in COUNTERS}

    def position(self) -> int:
        """Of the flags that it serves; -1 while there are none."""
        with suppress(OSError, HTTPException):
            status, answer = self.ask("GET", "/health/ready")
            if status == 200:
                return int(json.loads(answer)["position"])
        return -1

    def is_up(self) -> bool:
        with suppress(OSError, HTTPException):
            return bool(self.ask("GET", "/")[0])
        return False


def _evaluations(answer: bytes) -> list[object]:
    """Variants, or what `/evaluate` calls a result."""
    found = json.loads(answer)
    return (
        [found["result"]] if "result" in found else [each["variant"] for each in found.get("flags", [found])]
    )


@dataclass(frozen=True)
class Contenders:
    """Starts them on the server's core; each is stopped on the way out."""

    cores: Cores
    logs: Path

    @contextmanager
    def ours(self, world: World, records: str = "none") -> Iterator[Server]:
        """As an operator starts it, and ready: it has everything that was projected."""
        port, name = free_port(), f"ours {world.name} {records}"
        settings = {"TOGGLEMASTER_PORT": str(port), "TOGGLEMASTER_RECORDS": records}
        command = [sys.executable, "-m", "deploy.cli", "serve", "evaluation"]
        with self._child(name, command, {**world.environment, **settings}) as started:
            server = Server(started, port, counts=True)
            started.wait_until(lambda: server.position() >= world.head, "read its flags")
            yield server

    def nginx(self, tool: Tool, answer: str) -> AbstractContextManager[Server]:
        """A fixed answer from the configuration."""
        if set(answer) & set("'$\\"):
            raise Failed(f"nginx's configuration cannot say this answer: {answer}")
        directory, port = self.logs / "nginx", free_port()
        directory.mkdir()
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        text = NGINX.format(directory=directory, port=port, user=user, group=group, answer=answer)
        configuration = directory / "nginx.conf"
        configuration.write_text(text)
        command = [tool.program, "-p", directory, "-e", "stderr", "-c", configuration]
        return self._started("nginx", [str(part) for part in command], port, tool.environment())

    def app(self, name: str, answer: str) -> AbstractContextManager[Server]:
        """One of serving_apps."""
        port = free_port()
        command = [sys.executable, "-m", "tests.benchmarks.serving_apps", name, str(port), answer]
        return self._started(f"uvicorn {name}", command, port, {})

    def app_with_redis(self, url: str, answer: str) -> AbstractContextManager[Server]:
        with Redis.from_url(url) as redis:
            redis.set(ANSWER_KEY, answer)
        return self.app("redis", url)

    @contextmanager
    def _started(
        self, name: str, command: list[str], port: int, environment: dict[str, str]
    ) -> Iterator[Server]:
        with self._child(name, command, environment) as started:
            server = Server(started, port)
            started.wait_until(server.is_up, "answered")
            yield server

    def _child(
        self, name: str, command: list[str], environment: dict[str, str]
    ) -> AbstractContextManager[Child]:
        return child(name, command, frozenset({self.cores.server}), self.logs, environment)
