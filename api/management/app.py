"""The management process's HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from api import http, problems
from api.management import (
    analytics,
    analytics_flags,
    bisect,
    bulk,
    changes,
    diff,
    endpoint,
    evaluate,
    explain,
    flags,
    health,
    history,
    keys,
    origins,
    people,
    plans,
    preview,
    projects,
    reach,
    segments,
    sign_in,
    tokens,
    undo,
    webhooks,
    what_if,
)
from api.management.context import Parts
from api.management.description import describe
from api.process_metrics import process_registry
from commands.event_store import StoreUnavailable

ROUTERS = (
    projects.router,
    endpoint.router,
    bulk.router,
    preview.router,
    history.router,
    diff.router,
    undo.router,
    origins.router,
    bisect.router,
    flags.router,
    segments.router,
    changes.router,
    plans.router,
    keys.router,
    webhooks.router,
    tokens.router,
    explain.router,
    evaluate.router,
    what_if.router,
    reach.router,
    analytics.router,
    analytics_flags.router,
    people.router,
    sign_in.router,
    health.router,
)


def create_app(parts: Parts) -> FastAPI:
    app = FastAPI(
        title="ToggleMaster management API",
        description="Commands and what they led to. Every answer to a write has its position in the log.",
        version="1",
        lifespan=_lifespan,
    )
    app.state.parts = parts
    problems.install(app)
    api = APIRouter(prefix="/api/v1")
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    app.include_router(sign_in.public)
    http.install(app, process_registry("management"), lambda: _readiness(app.state.parts))
    setattr(app, "openapi", partial(describe, app))  # noqa: B010 - as FastAPI has it done, but for its type
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    for each in parts.background:
        each.start()
    yield
    for each in parts.background:
        each.stop()


def _readiness(parts: Parts) -> dict[str, Any]:
    try:
        return {"ready": True, "head": parts.store.head()}
    except StoreUnavailable as problem:
        return {"ready": False, "problem": str(problem)}
