"""One trace from a request to PostgreSQL, and from an evaluator through SQS to a consumer."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from redis import Redis

from api.management.app import create_app
from commands.event_store import EventStore
from deploy.embedded import Stack
from deploy.logs import formatter
from deploy.processes.common import NotConfigured
from deploy.processes.management import parts
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from deploy.telemetry import tracing
from deploy.traces import Tracing
from tests.integration.analytics import WAIT_SECONDS, Analytics, message
from tests.integration.exported import COMMANDS, environment, processes
from tests.integration.management import ADMIN, BOOLEAN, close
from tests.waiting import eventually
from workers.consumer import Consumer
from workers.evaluation_store import EvaluationStore
from workers.sender import BATCH_BYTES, BATCH_ENTRIES

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-API-Key": ADMIN}
FLAGS = "/api/v1/projects/default/flags"
STOP_SECONDS = 8.0  # less than whoever stops a process waits
SQS_BATCH_BYTES = 256 * 1024


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    found = Tracing(provider)
    yield found
    found.close()


@pytest.fixture
def client(store: EventStore, traces: Tracing) -> Iterator[TestClient]:
    settings = Settings(postgres_url=store.url, admin_key=ADMIN, postgres_seconds=30)
    set_up_postgres(settings)
    found = parts(settings, traces)
    app = create_app(found)
    app.add_middleware(traces.requests)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
    close(found)


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    return next(each for each in exporter.get_finished_spans() if each.name == name)


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Of its trace and of its parent."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}" if span.parent else ""


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def test_a_callers_trace_goes_on_through_the_command_to_postgresql(
    client: TestClient, exporter: InMemorySpanExporter
) -> None:
    body = {"key": "hero", "type": "boolean", "variants": BOOLEAN}
    answer = client.post(f"{FLAGS}?token=s3cret", json=body, headers={**GIVEN, "X-Request-Id": "r-1"})
    assert answer.status_code == 201
    request = named(exporter, "POST /projects/{project}/flags")
    command, append = named(exporter, "command CreateFlag"), named(exporter, "postgresql append")
    assert ids(request) == (TRACE, PARENT)
    assert ids(command) == (TRACE, span_id(request))
    assert ids(append) == (TRACE, span_id(command))
    assert (request.kind, append.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/projects/{project}/flags",
        "http.response.status_code": 201,
        "togglemaster.request_id": "r-1",
    }
    assert dict(append.attributes or {})["togglemaster.events"] == 1


def test_no_span_has_a_secret_and_a_failed_one_says_of_which_kind(
    client: TestClient, exporter: InMemorySpanExporter
) -> None:
    assert client.post(f"{FLAGS}/none/environments/production/on", headers=GIVEN).status_code == 404
    assert client.get("/health/live").status_code == 200
    command = named(exporter, "command TurnFlagOn")
    assert command.status.status_code == StatusCode.ERROR
    assert dict(command.attributes or {})["error.type"] == "NotFound"
    written = " ".join(each.to_json() for each in exporter.get_finished_spans())
    assert ADMIN not in written
    assert "/health" not in written


def test_a_request_without_a_trace_begins_one(client: TestClient, exporter: InMemorySpanExporter) -> None:
    for _ in range(2):
        client.get(FLAGS, headers={"X-API-Key": ADMIN})
    requests = [each for each in exporter.get_finished_spans() if each.kind == SpanKind.SERVER]
    assert [each.parent for each in requests] == [None, None]
    assert len({ids(each)[0] for each in requests}) == 2


def test_a_log_line_within_a_span_has_its_ids(traces: Tracing, exporter: InMemorySpanExporter) -> None:
    record = logging.LogRecord("l", logging.INFO, "f.py", 1, "m", (), None)
    assert traces.stamp(record)
    assert "trace_id" not in json.loads(formatter(Settings(log_format="json")).format(record))
    with traces.span("work", {}):
        traces.stamp(record)
    line = json.loads(formatter(Settings(log_format="json")).format(record))
    work = named(exporter, "work")
    assert (line["trace_id"], line["span_id"]) == (ids(work)[0], span_id(work))


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


def test_what_an_evaluator_sends_and_a_consumer_stores_is_one_trace(
    analytics: Analytics, traces: Tracing, exporter: InMemorySpanExporter
) -> None:
    sent = [message(producer=f"p{number}").encode() for number in range(3)]
    assert traces.publisher(analytics.queue).send(sent) == []
    store = EvaluationStore(analytics.tables)
    consumer = Consumer(analytics.queue, store, wait_seconds=WAIT_SECONDS, around=traces.receiving)
    with analytics.consuming(consumer):
        eventually(lambda: consumer.deleted == 3)
    send = named(exporter, "send evaluations")
    processed = [each for each in exporter.get_finished_spans() if each.kind == SpanKind.CONSUMER]
    assert {ids(each) for each in processed} == {(ids(send)[0], span_id(send))}
    assert sum(dict(each.attributes or {})["messaging.batch.message_count"] for each in processed) == 3  # type: ignore[misc]


def test_messages_of_several_evaluators_are_linked(traces: Tracing, exporter: InMemorySpanExporter) -> None:
    other = f"00-{TRACE[::-1]}-{PARENT}-01"
    with traces.receiving([GIVEN["traceparent"], other, other]):
        pass
    with traces.receiving([]):
        pass
    with traces.receiving(["not a trace"]):
        pass
    first, alone, spoilt = exporter.get_finished_spans()
    assert ids(first) == (TRACE, PARENT)
    assert [f"{each.context.trace_id:032x}" for each in first.links] == [TRACE[::-1]]
    assert (alone.parent, spoilt.parent) == (None, None)


def test_a_trace_fits_into_a_full_batch(traces: Tracing, analytics: Analytics) -> None:
    publisher = traces.publisher(analytics.queue)
    with traces.span("work", {}):
        attributes = publisher.attributes()
    size = sum(len(name) + len(str(value)) for name, value in attributes.items())
    assert size > 0
    assert BATCH_BYTES + BATCH_ENTRIES * size <= SQS_BATCH_BYTES


class Collector(ThreadingHTTPServer):
    """Takes what is exported, as a collector does."""

    def __init__(self) -> None:
        self.got: list[tuple[str, ExportTraceServiceRequest]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.got.append((self.path, ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> dict[str, tuple[str, bytes]]:
        """Of each name the first, with its process and its trace."""
        found: dict[str, tuple[str, bytes]] = {}
        for _, exported in list(self.got):
            for resource in exported.resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    found.setdefault(span.name, (names["service.name"], span.trace_id))
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_reach_a_collector_over_http(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    found = tracing("consumer")
    assert found is not None
    with found.span("work", {"n": 1}):
        pass
    found.close()
    assert [path for path, _ in collector.got] == ["/v1/traces"]
    assert {name: process for name, (process, _) in collector.spans().items()} == {
        "work": "togglemaster-consumer"
    }


def test_processes_that_are_told_of_a_collector_send_it_one_trace_from_evaluator_to_consumer(
    stack: Stack, postgres_url: str, redis: Redis, collector: Collector
) -> None:
    assert not redis.dbsize()
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    needed = {name: COMMANDS[name] for name in ("management", "evaluation", "projector", "consumer")}
    with processes(environment(stack, postgres_url) | endpoint, needed) as found:
        found.evaluate_one()
        eventually(lambda: {"send evaluations", "process evaluations"} <= set(collector.spans()))
    spans = collector.spans()
    assert spans["send evaluations"][0] == "togglemaster-evaluation"
    assert spans["process evaluations"] == ("togglemaster-consumer", spans["send evaluations"][1])
    assert spans["command CreateFlag"] == (
        "togglemaster-management",
        spans["POST /projects/{project}/flags"][1],
    )


def test_a_collector_that_says_nothing_does_not_keep_a_process_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        found = tracing("consumer")
        assert found is not None
        with found.span("work", {}):
            pass
        began = time.monotonic()
        found.close()
        assert time.monotonic() - began < STOP_SECONDS


def test_without_an_endpoint_no_exporter_is_loaded() -> None:
    """Redis' client loads the SDK wherever it is installed, and does nothing with it."""
    asked = (
        "import sys; from deploy.settings import Settings; from deploy.processes import consumer, evaluation;"
        " evaluation.build(Settings()); consumer.build(Settings());"
        " sys.exit(any(each.startswith('opentelemetry.exporter') for each in sys.modules))"
    )
    without = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    assert subprocess.run([sys.executable, "-c", asked], env=without, check=False).returncode == 0


def test_an_endpoint_without_the_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "deploy.traces", None)
    with pytest.raises(NotConfigured, match=r"install togglemaster\[telemetry\]"):
        tracing("management")
