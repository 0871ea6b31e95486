"""The management process's HTTP application."""

from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from api import http, problems
from api.management import analytics, bulk, explain, flags, history, keys, projects, segments
from api.management.context import Parts
from commands.event_store import StoreUnavailable

ROUTERS = (
    projects.router,
    bulk.router,
    history.router,
    flags.router,
    segments.router,
    keys.router,
    explain.router,
    analytics.router,
)


def create_app(parts: Parts) -> FastAPI:
    app = FastAPI(
        title="ToggleMaster management API",
        description="Commands and what they led to. Every answer to a write has its position in the log.",
        version="1",
    )
    app.state.parts = parts
    problems.install(app)
    api = APIRouter(prefix="/api/v1")
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    http.install(app, CollectorRegistry(), lambda: _readiness(parts))
    return app


def _readiness(parts: Parts) -> dict[str, Any]:
    try:
        return {"ready": True, "head": parts.store.head()}
    except StoreUnavailable as problem:
        return {"ready": False, "problem": str(problem)}
