"""What every HTTP process does alike: request ids, body limits, strict JSON, health and metrics."""

import re
import secrets
from collections.abc import Awaitable, Callable
from itertools import count
from time import perf_counter
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.current import CURRENT_REQUEST
from api.strict_json import BODY_BYTES_AT_MOST, BadJson, parse
from api.timings import Timings

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS = secrets.token_hex(6).encode()  # once: asking the system at each request costs more than the answer
_numbers = count()

Check = Callable[[], dict[str, Any]]
"""What a process knows of its readiness; `ready` false means it is to get no traffic."""


def request_id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


class BodyTooLarge(HTTPException):
    def __init__(self) -> None:
        super().__init__(413, f"a body has at most {BODY_BYTES_AT_MOST} bytes")


class StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return parse(await self.body())
        except BadJson as problem:
            raise HTTPException(400, str(problem)) from problem


class StrictRoute(APIRoute):
    """Reads bodies with the strict JSON reader."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class Envelope:
    """ASGI middleware: gives each request an id, bounds its body, and times it."""

    def __init__(self, app: ASGIApp, timings: Timings) -> None:
        self._app = app
        self._timings = timings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = request_id_for(dict(scope["headers"]).get(b"x-request-id", b""))
        CURRENT_REQUEST.set(scope["request_id"])  # for this request's own task, which ends with it
        began, status = perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", scope["request_id"].encode())]
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._timings.of(scope["method"], route, str(status)).add(perf_counter() - began)


def request_id_for(given: bytes) -> str:
    """What the client calls its request, if that can be repeated; else a name that no other request has."""
    return (given if REQUEST_ID.fullmatch(given) else new_request_id()).decode()


def new_request_id() -> bytes:
    return b"%b%08x" % (_PROCESS, next(_numbers))


def _bounded(scope: Scope, receive: Receive) -> Receive:
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    read = 0

    async def bounded() -> Message:
        nonlocal read
        if declared.isdigit() and int(declared) > BODY_BYTES_AT_MOST:
            raise BodyTooLarge
        message = await receive()
        read += len(message.get("body", b""))
        if read > BODY_BYTES_AT_MOST:
            raise BodyTooLarge
        return message

    return bounded


def install(app: FastAPI, registry: CollectorRegistry, check: Check) -> Timings:
    """Adds the middleware and the routes for health and metrics; answers with what times the requests."""
    timings = Timings()
    registry.register(timings)
    app.add_middleware(Envelope, timings=timings)

    @app.get("/health/live", tags=["health"])
    def live() -> dict[str, str]:
        """Answers as long as the process can answer anything."""
        return {"status": "ok"}

    @app.get("/health/ready", tags=["health"])
    def ready() -> JSONResponse:
        """503 while this process should get no traffic."""
        state = check()
        return JSONResponse(state, 200 if state["ready"] else 503)

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return timings
