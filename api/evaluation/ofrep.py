"""The OpenFeature Remote Evaluation Protocol, 0.3: one flag, or all of them, for a context."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.evaluation.access import presented_key
from api.evaluation.answers import Answers
from api.evaluation.event_streams import as_fresh_as
from api.evaluation.refusal import Answer

ONE, ALL = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"

router = APIRouter(tags=["OFREP"])

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


@router.post(ONE, openapi_extra=REQUEST_BODY)
async def evaluate_one(key: str, request: Request) -> Response:
    """The value, variant and reason of one flag for the context."""
    answers: Answers = request.app.state.answers
    return _response(answers.one(presented_key(request.headers), key, await request.body()))


@router.post(ALL, openapi_extra=REQUEST_BODY)
async def evaluate_all(request: Request) -> Response:
    """Every flag that the key may see. `If-None-Match` with the last ETag gives 304 while nothing differs.

    `flagConfigEtag`, as an event has it, waits for what the event told of, two seconds at most.
    """
    answers: Answers = request.app.state.answers
    await as_fresh_as(request.app.state.parts.follower, request.query_params.get("flagConfigEtag", ""))
    known = request.headers.get("if-none-match", "")
    return _response(answers.all(presented_key(request.headers), await request.body(), known))


def _response(answer: Answer) -> Response:
    status, headers, body = answer
    return Response(body, status, headers, media_type="application/json" if body else None)
