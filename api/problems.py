"""Every refusal as problem+json (RFC 9457): what was wrong, where, and what to do."""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from api.http import request_id
from commands.event_store import StoreUnavailable
from domain.errors import (
    AlreadyExists,
    ApprovalRequired,
    InUse,
    Invalid,
    KeyReused,
    NotAllowed,
    NotFound,
    Outdated,
    Refused,
    VersionConflict,
    WrongStatus,
)
from domain.targeting import CONDITION_KINDS, SERVE_KINDS
from projections.postgres_views import ViewUnavailable

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1
TAGS_OF_UNIONS = {*CONDITION_KINDS.values(), *SERVE_KINDS.values()}

STATUS: Mapping[type[Refused], int] = {
    NotFound: 404,
    ApprovalRequired: 403,
    NotAllowed: 403,
    AlreadyExists: 409,
    InUse: 409,
    VersionConflict: 409,
    WrongStatus: 409,
    Outdated: 409,
    Invalid: 422,
    KeyReused: 422,
}

AWAY: tuple[type[Exception], ...] = (StoreUnavailable, ViewUnavailable, BotoCoreError, ClientError)
"""A part of the installation does not answer."""


class Fault(BaseModel):
    """`where` is a path into the request."""

    where: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `detail` says what was wrong, where, and what to do; `errors` has each fault of a body."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Fault] | None = None


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": f"urn:togglemaster:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id(request),
    }
    if listed := list(errors):
        body["errors"] = listed
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refused, _refused)
    for kind in AWAY:
        app.add_exception_handler(kind, unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _refused(request: Request, refusal: Exception) -> JSONResponse:
    status = next(status for kind, status in STATUS.items() if isinstance(refusal, kind))
    if isinstance(refusal, VersionConflict) and "if-match" in request.headers:
        status = 412
    return problem(request, status, str(refusal))


def unavailable(request: Request, fault: Exception) -> JSONResponse:
    detail = f"the store cannot be reached; nothing is known to have changed. Try again shortly. ({fault})"
    return problem(request, 503, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _invalid(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, RequestValidationError)
    errors = [{"where": _where(each["loc"]), "message": _message(each)} for each in fault.errors()]
    detail = "; ".join(f"{each['where']}: {each['message']}" for each in errors[:3])
    kind = request.headers.get("content-type", "application/json")
    if "json" not in kind:
        detail = f"the body has to be JSON, sent with 'Content-Type: application/json', not '{kind}'"
    return problem(request, 422, detail, errors=errors)


def _http(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, HTTPException)
    return problem(request, fault.status_code, _detail(request, fault), headers=fault.headers)


def _detail(request: Request, fault: HTTPException) -> str:
    path = request.url.path
    if fault.status_code == 404 and fault.detail == "Not Found":
        return f"there is nothing at {path}; /openapi.json lists what there is"
    if fault.status_code == 405:
        return f"{request.method} is not possible at {path}; /openapi.json lists what is"
    return str(fault.detail)


def _unexpected(request: Request, fault: Exception) -> JSONResponse:
    log.error("request %s failed", request_id(request), exc_info=fault)
    detail = "something failed here that should not; the log has it under the request id"
    return problem(request, 500, detail, headers={"X-Request-Id": request_id(request)})


def _where(location: Iterable[Any]) -> str:
    return ".".join(str(part) for part in location if part not in TAGS_OF_UNIONS)


def _message(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")
