"""The original's paths at the root of the management application.

They answer as the original did whatever is sent, never with the management API's problem documents.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from api.http import request_id
from api.legacy import auth, flags, rules
from api.legacy.access import required_holder
from api.legacy.answers import HTML, Answer, Answered, flask_error, go_error
from api.legacy.parts import Asked, Handler, Original
from commands.event_store import StoreUnavailable
from domain.errors import ApprovalRequired, Invalid, Refused

log = logging.getLogger(__name__)

RETRY_AFTER = {"Retry-After": "1"}
AWAY = "O armazenamento não responde; não se sabe de nada que tenha mudado. Tente de novo em instantes"
FAULT = "Algo falhou aqui que não devia; o registro o tem com o id da requisição"
NOTHING_HERE = "Não há nada neste caminho"
NOT_POSSIBLE = "Método não permitido"
NOT_READ = "O corpo da requisição não pôde ser lido, ou tem mais de 1 MiB"
NEEDS_APPROVAL = (
    "O ambiente 'production' só aceita mudanças aprovadas: proponha esta com"
    " POST /api/v1/projects/default/changes"
)
REFUSALS: Mapping[type[Refused], int] = {ApprovalRequired: 403, Invalid: 400}
CONFLICT = 409  # whatever else stands against it: another flag needs it, somebody else was faster

Failing = Callable[[int, str, Mapping[str, str]], Answer]


@dataclass(frozen=True, slots=True)
class Place:
    """What is at a path: a handler for every method, or for each of some, which then want a key."""

    path: str
    any_method: Handler | None = None
    methods: Mapping[str, Handler] | None = None

    def answer(self, asked: Asked) -> Answer:
        return self.any_method(asked) if self.any_method else self._flask(asked)

    def failing(self, status: int, sentence: str, headers: Mapping[str, str]) -> Answer:
        error = go_error if self.any_method else flask_error
        return error(status, sentence, headers)

    def _flask(self, asked: Asked) -> Answer:
        """The path and the method are looked at first, then the key, then everything else."""
        handlers = self.methods or {}
        if not handlers:
            return flask_error(404, NOTHING_HERE)
        handler = handlers.get("GET" if asked.method == "HEAD" else asked.method)
        allow = {"Allow": ", ".join(_allowed(handlers))}
        if asked.method == "OPTIONS":
            return Answer(200, b"", {**HTML, **allow})
        if handler is None:
            return flask_error(405, NOT_POSSIBLE, allow)
        return handler(replace(asked, by=required_holder(asked)))


def _allowed(handlers: Mapping[str, Handler]) -> list[str]:
    return sorted({*handlers, "OPTIONS", *(("HEAD",) if "GET" in handlers else ())})


def _evaluate(asked: Asked) -> Answer:
    sent = {"X-Request-Id": asked.request_id}
    return asked.original.evaluators.evaluate(asked.method, asked.query, sent)


PLACES: Mapping[str, Place] = {
    place.path: place
    for place in (
        Place("/health", auth.health),
        Place("/admin/keys", auth.issue_key),
        Place("/validate", auth.validate),
        Place("/evaluate", _evaluate),
        Place("/flags", methods={"GET": flags.read_all, "POST": flags.create}),
        Place("/rules", methods={"POST": rules.create}),
    )
}
NAMED: Mapping[str, Place] = {
    "/flags/": Place(
        "/flags/{name}", methods={"GET": flags.read, "PUT": flags.change, "DELETE": flags.delete}
    ),
    "/rules/": Place(
        "/rules/{name}", methods={"GET": rules.read, "PUT": rules.change, "DELETE": rules.delete}
    ),
}
NOTHING = Place("/{nothing}", methods={})
PREFIX_LENGTH = len("/flags/")


class Facade(BaseRoute):
    """All of the original's paths as one route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or (place := _place(scope["path"])) is None:
            return Match.NONE, {}
        return Match.FULL, {"route": place}  # where timings find its path

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, place = Request(scope, receive), scope["route"]
        try:
            asked = _asked(request, await request.body())
        except HTTPException as problem:
            answer = place.failing(problem.status_code, NOT_READ, {"Connection": "close"})
        else:
            answer = await run_in_threadpool(_answer, place, asked)
        response = Response(answer.body, answer.status, dict(answer.headers))
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)


def install(app: FastAPI, original: Original) -> None:
    app.state.original = original
    app.router.routes.insert(0, Facade())


def _asked(request: Request, body: bytes) -> Asked:
    scope, original = request.scope, request.app.state.original
    name = "" if scope["path"] in PLACES else scope["path"][PREFIX_LENGTH:]
    query, headers = scope["query_string"], request.headers
    return Asked(original, request.method, name, query, headers, body, request_id(request))


def _place(path: str) -> Place | None:
    named = NAMED.get(path[:PREFIX_LENGTH])
    if named is None:
        return PLACES.get(path)
    name = path[PREFIX_LENGTH:]
    return named if name and "/" not in name else NOTHING


def _answer(place: Place, asked: Asked) -> Answer:
    try:
        return place.answer(asked)
    except Answered as early:
        return early.answer
    except Refused as refusal:
        return place.failing(*_refused(refusal), {})
    except StoreUnavailable:
        return place.failing(503, AWAY, RETRY_AFTER)
    except Exception:
        log.exception("request %s failed", asked.request_id)
        return place.failing(500, FAULT, {})


def _refused(refusal: Refused) -> tuple[int, str]:
    status = REFUSALS.get(type(refusal), CONFLICT)
    return status, NEEDS_APPROVAL if isinstance(refusal, ApprovalRequired) else str(refusal)
