"""NiceGUI as the console uses it: its pages behind our gate, and its scripts with a nonce.

NiceGUI is one to a process: it is set up once, and the application that is asked is in the scope.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import nicegui.client
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from jinja2 import BaseLoader, Environment
from nicegui import Client, app, ui
from nicegui.language import Language
from starlette.types import ASGIApp, Receive, Scope, Send

from api.console.client import Api, Door, Refused, SignedOut, in_project
from api.console.frame import MOST_PROJECTS, framed, problem_page
from api.console.gate import sign_in_url
from api.console.live import Live
from api.console.page import Page, Screen
from api.console.sessions import Session, Sessions
from api.console.texts import texts_for
from api.console.wishes import theme_of

BUILD_SECONDS = 10.0  # the API answers within two seconds, and a page asks it a few times in turn
AWAY_SECONDS = 10.0  # a page that loses its connection is kept as it is for so long
DARK = {"auto": None, "light": False, "dark": True}
LANGUAGE_OF_QUASAR: dict[str, Language] = {"en": "en-US", "pt-BR": "pt-BR"}
STATIC = Path(__file__).parent / "static"
HEAD = (
    '<link rel="stylesheet" href="/console/static/console.css">'
    '<script src="/console/static/console.js"></script>'
)


class Served:
    """What the pages of one application are made with. In the scope as `console`."""

    def __init__(self, api: ASGIApp, sessions: Sessions, door: Door, live: Live) -> None:
        self.api, self.sessions, self.door, self.live = api, sessions, door, live

    def api_of(self, session: Session, language: str) -> Api:
        return Api(self.api, self.sessions, session, language)


class WithNonce(BaseLoader):
    """NiceGUI's own templates, in which each script that is part of them gets this answer's nonce.

    Only what stands in the template gets one: a script that somebody smuggled into the page has none.
    """

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, name, fresh = self._loader.get_source(environment, template)
        nonce = "{{ request.scope.console_nonce }}"
        return source.replace("<script", f'<script nonce="{nonce}"'), name, fresh


class OwnPages:
    """ASGI middleware: a websocket is for the page of whoever opened that."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not _is_own(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._inner(scope, receive, send)


def _is_own(scope: Scope) -> bool:
    client = Client.instances.get(parse_qs(scope["query_string"].decode()).get("client_id", [""])[0])
    return client is None or client.request.scope.get("console_session") is scope["console_session"]


@cache
def nicegui_shell(screens: tuple[Screen, ...]) -> FastAPI:
    """NiceGUI with a page for each screen, once for the process."""
    environment = nicegui.client.templates.env
    assert environment.loader is not None
    environment.loader = WithNonce(environment.loader)
    Client.shared_head_html = HEAD
    app.config.socket_io_js_transports = ["websocket"]
    app.config.quasar_config["loadingBar"]["skipHijack"] = True  # its bar has no name to be read aloud
    app.add_middleware(OwnPages)
    for screen in screens:
        ui.page(f"/{{project}}/{{environment}}/{screen.path}", response_timeout=BUILD_SECONDS)(
            partial(_show, screens, screen)
        )
    shell = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    ui.run_with(
        shell,
        title="ToggleMaster",
        favicon=STATIC / "favicon.svg",
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=AWAY_SECONDS,
        tailwind=False,
        show_welcome_message=False,
    )
    return shell


async def _show(screens: Sequence[Screen], screen: Screen, request: Request) -> Response | None:
    served: Served = request.scope["console"]
    session: Session = request.scope["console_session"]
    texts = texts_for(request)
    ui.context.client.page = ui.page(
        f"/{screen.name}",
        language=LANGUAGE_OF_QUASAR[texts.language],
        dark=DARK[theme_of(request)],
        response_timeout=BUILD_SECONDS,
        reconnect_timeout=AWAY_SECONDS,
    )
    api, place = served.api_of(session, texts.language), request.path_params
    try:
        project, projects = await _project(api, place["project"])
        page = Page(
            request=request,
            api=api,
            who=session.who,
            texts=texts,
            live=served.live,
            screens=screens,
            screen=screen,
            project=project,
            environment=_environment(project, place["environment"]),
        )
        await framed(page, projects)
    except SignedOut:
        return RedirectResponse(sign_in_url(request.scope, request.url.path), 303)
    except Refused as problem:
        problem_page(texts, problem, request.scope["root_path"])
    return None


async def _project(api: Api, key: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = await api.get(in_project(key))
    projects = (await api.get("/api/v1/projects", limit=MOST_PROJECTS))["projects"]
    return found, projects


def _environment(project: dict[str, Any], key: str) -> str:
    """Raises Refused."""
    there = [each["key"] for each in project["environments"]]
    if key not in there:
        raise Refused(
            404, f"project '{project['key']}' has no environment '{key}'; it has {', '.join(there)}"
        )
    return key
