"""The console, put into the management API's application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api.console.client import Door
from api.console.framework import STATIC, Served, nicegui_shell
from api.console.gate import Gate
from api.console.live import Live
from api.console.screens import SCREENS
from api.console.sessions import Links, Sessions
from api.console.sign_in import SigningIn
from api.console.start import start

MOUNTED_AT = "/console"


def install(app: FastAPI) -> None:
    """Serves the console at /console for as long as the application runs.

    NiceGUI is one to a process, so two applications of one process may have it, but not at the same time.
    """
    sessions = Sessions()
    door = Door(app, sessions)
    served = Served(app, sessions, door, Live(door, sessions))
    shell = nicegui_shell(SCREENS)
    front = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    front.include_router(SigningIn(sessions, Links(), door).router())
    front.add_api_route("/", start, methods=["GET"])
    front.mount("/static", StaticFiles(directory=STATIC))
    front.mount("/", shell)
    app.mount(MOUNTED_AT, Gate(_Known(front, served), sessions))
    _run_with(app, shell, served.live)


class _Known:
    """ASGI middleware: tells the pages which application they are of."""

    def __init__(self, inner: ASGIApp, served: Served) -> None:
        self._inner = inner
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["console"] = self._served
        await self._inner(scope, receive, send)


def _run_with(app: FastAPI, shell: FastAPI, live: Live) -> None:
    """Applications that are mounted are not told of starting and stopping."""
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(whole: Any) -> AsyncIterator[Any]:
        async with shell.router.lifespan_context(shell), own(whole) as state:
            live.start()
            yield state
            await live.stop()

    app.router.lifespan_context = lifespan
