"""The OpenFeature Remote Evaluation Protocol, 0.3: one flag, or all of them, for a context."""

import hashlib
from collections.abc import Mapping
from time import time
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.evaluation.access import Caller, caller, presented_key
from api.evaluation.parts import Parts, variant_name
from api.strict_json import BadJson, parse
from domain.evaluation import Evaluation, evaluate
from domain.ruleset import Ruleset

router = APIRouter(prefix="/ofrep/v1", tags=["OFREP"])

STATUS_OF_ERROR = {"FLAG_NOT_FOUND": 404, "GENERAL": 500}  # every other error code is 400
NO_FLAGS = Ruleset()
RETRY_AFTER = {"Retry-After": "1"}

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"context": {"type": "object"}}},
                "example": {"context": {"targetingKey": "user-1", "country": "BR"}},
            }
        }
    }
}


class Refusal(Exception):
    """A request that is answered without evaluating anything."""

    def __init__(
        self, status: int, code: str, details: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(details)
        self.status, self.code, self.details, self.headers = status, code, details, headers


@router.post("/evaluate/flags/{key}", openapi_extra=REQUEST_BODY)
async def evaluate_one(key: str, request: Request) -> Response:
    """The value, variant and reason of one flag for the context."""
    try:
        who, context = _authorised(request), await _context(request)
    except Refusal as refusal:
        return _refused(refusal, key)
    answer = _evaluate(request.app.state.parts, who, key, context)
    status = STATUS_OF_ERROR.get(answer.error_code, 400) if answer.error_code else 200
    return _json(body_of(key, answer, context, who.position), status)


@router.post("/evaluate/flags", openapi_extra=REQUEST_BODY)
async def evaluate_all(request: Request) -> Response:
    """Every flag that the key may see. `If-None-Match` with the last ETag gives 304 while nothing differs."""
    try:
        who, context = _authorised(request), await _context(request)
    except Refusal as refusal:
        return _refused(refusal)
    parts = request.app.state.parts
    flags = [body_of(key, _evaluate(parts, who, key, context), context, None) for key in who.visible_flags()]
    body = orjson.dumps({"flags": flags})
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={"ETag": etag}, media_type="application/json")


def body_of(key: str, answer: Evaluation, context: Mapping[str, Any], position: int | None) -> dict[str, Any]:
    """The protocol's object for one flag; the position is left out of bulk answers, to keep their ETag."""
    if answer.error_code:
        return {"key": key, "errorCode": answer.error_code, "errorDetails": answer.error_details}
    body: dict[str, Any] = {
        "key": key,
        "reason": answer.reason,
        "metadata": answer.metadata(context, position),
    }
    body["variant"] = variant_name(answer)
    if answer.variant is not None:
        body["value"] = answer.value
    return body


def _evaluate(parts: Parts, who: Caller, key: str, context: Mapping[str, Any]) -> Evaluation:
    """A flag that a client key may not see does not exist for it."""
    answer = evaluate(who.ruleset if who.may_see(key) else NO_FLAGS, key, context)
    if answer.error_code != "FLAG_NOT_FOUND":
        parts.record(who, key, answer, context)
    return answer


def _authorised(request: Request) -> Caller:
    snapshot = request.app.state.parts.follower.snapshot
    if not snapshot.generation:
        details = "this evaluator has not read the flags yet; try again shortly"
        raise Refusal(503, "GENERAL", details, RETRY_AFTER)
    presented = presented_key(request)
    if not presented:
        details = "send an evaluation key as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
        raise Refusal(401, "GENERAL", details, {"WWW-Authenticate": "Bearer"})
    now = time()
    found = caller(snapshot, presented, now)
    if found is None:
        details = "this is not an evaluation key that is in force"
        raise Refusal(401, "GENERAL", details, {"WWW-Authenticate": "Bearer"})
    request.app.state.parts.key_use.note(found.key.id, now)
    return found


async def _context(request: Request) -> Mapping[str, Any]:
    """No body at all is an empty context."""
    raw = await request.body()
    try:
        body = parse(raw) if raw else {}
    except BadJson as problem:
        raise Refusal(400, "PARSE_ERROR", str(problem)) from problem
    context = body.get("context") if isinstance(body, dict) else body
    if not isinstance(body, dict) or not isinstance(context, dict | None):
        details = 'the body has to be an object like {"context": {"targetingKey": "user-1"}}'
        raise Refusal(400, "INVALID_CONTEXT", details)
    return context or {}


def _refused(refusal: Refusal, key: str | None = None) -> Response:
    body: dict[str, Any] = {} if key is None else {"key": key}
    body |= {"errorCode": refusal.code, "errorDetails": refusal.details}
    return _json(body, refusal.status, refusal.headers)


def _json(body: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
