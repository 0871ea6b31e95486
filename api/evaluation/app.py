"""The evaluation process's HTTP application."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException

from api import http
from api.evaluation import event_streams, ofrep, original
from api.evaluation.answers import Answers
from api.evaluation.event_streams import open_streams
from api.evaluation.fast_lane import FastLane
from api.evaluation.parts import Parts
from api.process_metrics import process_registry
from workers.evaluations import EvaluationRecorder

CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Authorization", "X-API-Key", "If-None-Match", "Content-Type"],
    "expose_headers": ["ETag", "Retry-After"],
}

log = logging.getLogger(__name__)


def create_app(parts: Parts, *, cors_origins: Sequence[str] = ("*",)) -> FastAPI:
    """What the parts do in the background is started and stopped with the application."""
    app = FastAPI(
        title="ToggleMaster evaluation API",
        description="Which variant a context gets, over OpenFeature's remote evaluation protocol (OFREP).",
        version="1",
        lifespan=_lifespan,
    )
    app.state.parts = parts
    app.state.answers = Answers(parts)
    app.add_middleware(CORSMiddleware, allow_origins=cors_origins, **CORS)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    app.include_router(ofrep.router)
    app.include_router(event_streams.router)
    app.router.routes.extend(original.ROUTES)
    registry = process_registry("evaluation")
    registry.register(Figures(app, parts))
    timings = http.install(app, registry, lambda: _readiness(parts))
    cors = CORSMiddleware(app, allow_origins=cors_origins, **CORS)
    app.state.lane = FastLane(app.state.answers, timings, cors)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    parts.follower.start()
    parts.recorder.start()
    parts.key_use.start()
    yield
    parts.follower.stop()
    parts.recorder.stop()
    parts.key_use.stop()


def _readiness(parts: Parts) -> dict[str, Any]:
    follower = parts.follower
    return {
        "ready": follower.ready,
        "position": follower.snapshot.position,
        "generation": follower.snapshot.generation,
        "source": follower.source,
        "stale": follower.stale,
    }


class Figures(Collector):
    """What the parts count, read when somebody asks."""

    def __init__(self, app: FastAPI, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        snapshot, recorder = self._parts.follower.snapshot, self._parts.recorder
        yield GaugeMetricFamily("togglemaster_ruleset_position", "Log position served", snapshot.position)
        yield GaugeMetricFamily(
            "togglemaster_ruleset_staleness_seconds",
            "Time since Redis last confirmed what is served",
            self._parts.follower.staleness(),
        )
        yield GaugeMetricFamily(
            "togglemaster_ruleset_broken",
            "Flags and segments that do not compile",
            sum(len(ruleset.broken) for ruleset in snapshot.environments.values()),
        )
        for name, (meaning, count) in counters_of(recorder).items():
            yield CounterMetricFamily(f"togglemaster_evaluations_{name}", meaning, count)
        for name, (meaning, value) in gauges_of(recorder).items():
            yield GaugeMetricFamily(f"togglemaster_evaluations_{name}", meaning, value)
        yield GaugeMetricFamily("togglemaster_event_streams", "Open event streams", open_streams(self._app))


def counters_of(recorder: EvaluationRecorder) -> dict[str, tuple[str, int]]:
    flusher = recorder.flusher
    return {
        "recorded": ("Evaluations counted or dropped", recorder.recorded),
        "sent": ("Evaluations whose counts SQS has taken", recorder.sent),
        "sent_messages": ("Messages that SQS has taken", recorder.sent_messages),
        "send_failures": ("Times that sending to SQS failed", recorder.send_failures),
        "dropped_records": ("Records of single evaluations that were not kept", recorder.dropped_records),
        "dropped_counts": ("Evaluations that were not counted", recorder.dropped_counts),
        "suppressed": ("Evaluations like one that was recorded lately", recorder.exposures.suppressed),
        "adopted_producers": ("Killed processes whose spool was taken over", flusher.adopted_producers),
        "withdrawn": ("Requests counted here in place of a killed process", recorder.withdrawn),
    }


def gauges_of(recorder: EvaluationRecorder) -> dict[str, tuple[str, float]]:
    return {
        "pending": ("Counted, and not yet sent", recorder.pending),
        "unsent_seconds": ("For how long something has been waiting to be sent", recorder.unsent_seconds()),
        "spool_bytes": ("What the spool takes on disk", recorder.flusher.spooled_bytes()),
        "uncertain": ("Counted by killed processes, perhaps never answered", len(recorder.flusher.uncertain)),
    }


def _http_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    details = fault.detail if fault.detail != "Not Found" else f"there is nothing at {request.url.path}"
    return _error(request, fault.status_code, str(details), fault.headers)


def _unexpected(request: Request, fault: Exception) -> Response:
    log.error("request %s failed", http.request_id(request), exc_info=fault)
    details = "something failed here that should not; the log has it under the request id"
    return _error(request, 500, details, {"X-Request-Id": http.request_id(request)})


def _error(request: Request, status: int, details: str, headers: Any = None) -> Response:
    body = {"errorCode": "GENERAL", "errorDetails": details}
    if key := request.path_params.get("key"):
        body = {"key": key, **body}
    return JSONResponse(body, status, headers)
