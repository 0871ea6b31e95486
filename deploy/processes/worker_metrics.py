"""Metrics and health of processes that answer no requests otherwise."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.process_metrics import process_registry
from deploy.processes.common import NotConfigured
from deploy.settings import Settings
from workers.pulse import Pulse

SAMPLE_SECONDS = 5.0
RETRY_SECONDS = 1.0
CLIENT_SECONDS = 5.0  # whoever asks says what within this time

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = "application/json"


class Sampled(Collector):
    """Metrics that somebody else has to be asked for. A thread asks now and then, so that no scrape waits for
    an answer; what is not answered is left out, and said once."""

    def __init__(self, sample: Callable[[], Iterable[Metric]], every_seconds: float = SAMPLE_SECONDS) -> None:
        self._sample, self._every = sample, every_seconds
        self._found: Sequence[Metric] = ()
        self._said = False

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.ask()
            stop.wait(self._every if self._found else RETRY_SECONDS)

    def ask(self) -> None:
        try:
            self._found = list(self._sample())
            self._said = False
        except Exception as problem:  # whatever it is, the work itself goes on, and tells more
            self._found = ()
            if not self._said:
                log.warning("not all metrics can be told now: %s", problem)
            self._said = True

    def collect(self) -> Iterator[Metric]:
        yield from self._found


def serve_metrics(
    settings: Settings,
    process: str,
    pulses: Sequence[Pulse],
    collectors: Sequence[Collector],
    stop: threading.Event,
) -> ThreadingHTTPServer | None:
    """From threads of its own, where a port is set. Raises NotConfigured for one that is taken."""
    if settings.metrics_port is None:
        return None
    registry = process_registry(process)
    for collector in collectors:
        registry.register(collector)
    server = _server(settings.host, settings.metrics_port, registry, pulses)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    for sampled in (each for each in collectors if isinstance(each, Sampled)):
        threading.Thread(target=sampled.run, args=[stop], name="samples", daemon=True).start()
    return server


def live(pulses: Sequence[Pulse]) -> Answer:
    """Whether every loop still comes round, however little it can do."""
    still = ((each, each.still_seconds()) for each in pulses)
    stuck = {each.name: f"stands still for {time:.0f} s" for each, time in still if time > each.stuck_seconds}
    if stuck:
        return _answer(503, {"status": "stuck", "problem": _said(stuck)})
    return _answer(200, {"status": "ok"})


def ready(pulses: Sequence[Pulse]) -> Answer:
    """Whether every loop does what it is for."""
    problems = {each.name: each.problem for each in pulses if each.problem}
    if problems:
        return _answer(503, {"ready": False, "problem": _said(problems)})
    return _answer(200, {"ready": True})


def _said(problems: dict[str, str]) -> str:
    return "; ".join(f"{name}: {problem}" for name, problem in problems.items())


def _answer(status: int, body: Mapping[str, object]) -> Answer:
    return Answer(status, json.dumps(body).encode())


def _server(
    host: str, port: int, registry: CollectorRegistry, pulses: Sequence[Pulse]
) -> ThreadingHTTPServer:
    answers: dict[str, Callable[[], Answer]] = {
        "/metrics": lambda: Answer(200, generate_latest(registry), CONTENT_TYPE_LATEST),
        "/health/live": lambda: live(pulses),
        "/health/ready": lambda: ready(pulses),
    }
    handler = type("Handler", (_Handler,), {"answers": answers})
    try:
        return ThreadingHTTPServer((host, port), handler)
    except OSError as problem:
        raise NotConfigured(
            f"metrics cannot be served on {host}:{port} ({problem}): set TOGGLEMASTER_METRICS_PORT to a port"
            " that is free"
        ) from problem


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS
    answers: dict[str, Callable[[], Answer]]

    def do_GET(self) -> None:
        answer = self.answers.get(self.path.partition("?")[0], self._unknown)()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _unknown(self) -> Answer:
        return _answer(404, {"problem": f"there is nothing here; there is {', '.join(self.answers)}"})

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
        """There is no access log."""
