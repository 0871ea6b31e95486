"""Spans of requests, commands, PostgreSQL and SQS, made with OpenTelemetry's API.

Our own, and not the instrumentation packages': those record addresses with their query and statements with
what is in them, and ours have tokens and subjects there. What a span has is a method, a route, a status, the
names of commands and operations, and counts.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.process_metrics import build_version
from projections.aws import Queue
from workers.messages import TRACE_ATTRIBUTE
from workers.sender import SqsPublisher

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

TIMEOUTS = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
EXPORT_SECONDS = 2.0  # a process that stops sends its last spans, and is given 10 seconds in all
UNTRACED = ("/health/", "/metrics")
Attributes = Mapping[str, str | int | Sequence[str]]
CONTEXT = TraceContextTextMapPropagator()


def exporting(process: str) -> "Tracing":
    """Sends to where OTEL_EXPORTER_OTLP_ENDPOINT says; OpenTelemetry's own variables say the rest."""
    name = os.environ.get("OTEL_SERVICE_NAME") or f"togglemaster-{process}"
    provider = TracerProvider(
        resource=Resource.create({"service.name": name, "service.version": build_version()})
    )
    patience = None if any(map(os.environ.get, TIMEOUTS)) else EXPORT_SECONDS
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=patience)))
    return Tracing(provider)


class Tracing:
    """What a process puts in the place of its parts that make no spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("togglemaster", build_version())

    def requests(self, app: ASGIApp) -> ASGIApp:
        return TracedRequests(app, self)

    def publisher(self, queue: Queue) -> SqsPublisher:
        return TracedPublisher(queue, self)

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        context: Context | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        """What is raised in it marks it by its kind alone, as the text may quote what it was given."""
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as problem:
                span.set_attribute("error.type", type(problem).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def client_span(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Around what another process does for this one."""
        return self.span(name, attributes, SpanKind.CLIENT)

    def receiving(self, traces: Sequence[str]) -> AbstractContextManager[object]:
        """Around the storing of messages that came with these `traceparent`s."""
        contexts = [CONTEXT.extract({TRACE_ATTRIBUTE: each}) for each in dict.fromkeys(traces)]
        spans = [get_current_span(each).get_span_context() for each in contexts]
        return self.span(
            "process evaluations",
            _messages(len(traces)),
            SpanKind.CONSUMER,
            context=contexts[0] if contexts else Context(),
            links=[Link(each) for each in spans[1:]],
        )

    def stamp(self, record: logging.LogRecord) -> bool:
        """A filter that lets everything through, with the ids of the span it was logged in."""
        found = get_current_span().get_span_context()
        if found.is_valid:
            record.trace_id = format_trace_id(found.trace_id)
            record.span_id = format_span_id(found.span_id)
        return True

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()


class TracedRequests:
    """ASGI middleware, for what does not take the fast lane."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        context = CONTEXT.extract(given, Context())
        attributes = {"http.request.method": method}
        with self._tracing.span(method, attributes, SpanKind.SERVER, context=context) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                _name(span, scope)


def _messages(count: int) -> Attributes:
    return {"messaging.system": "aws_sqs", "messaging.batch.message_count": count}


def _note(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _name(span: Span, scope: Scope) -> None:
    """By the route, which is known only now."""
    route = getattr(scope.get("route"), "path", "unmatched")
    span.update_name(f"{scope['method']} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("togglemaster.request_id", scope.get("request_id", ""))


class TracedPublisher(SqsPublisher):
    def __init__(self, queue: Queue, tracing: Tracing) -> None:
        super().__init__(queue)
        self._tracing = tracing

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        with self._tracing.span("send evaluations", _messages(len(batch)), SpanKind.PRODUCER) as span:
            refused = super().send(batch)
            span.set_attribute("togglemaster.refused", len(refused))
            return refused

    def attributes(self) -> "Mapping[str, MessageAttributeValueTypeDef]":
        carrier: dict[str, str] = {}
        CONTEXT.inject(carrier)
        return {name: {"DataType": "String", "StringValue": value} for name, value in carrier.items()}
