"""What the original system's clients ask an evaluator for, without a key and with any method."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from api.evaluation.refusal import NO_HEADERS, Answer

EVALUATE, HEALTH = "/evaluate", "/health"
HEALTHY: Answer = 200, NO_HEADERS, b'{"status":"ok"}\n'


class Endpoint:
    """A route takes every method where its endpoint is no function."""

    def __init__(self, answer: Callable[[Scope], Answer]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, headers, body = self._answer(scope)
        await Response(body, status, headers, media_type="application/json")(scope, receive, send)


class TimedRoute(Route):
    """Says in the scope who it is, as FastAPI's own routes do: requests are timed by that."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


def _evaluate(scope: Scope) -> Answer:
    found: Answer = scope["app"].state.answers.original(scope["query_string"])
    return found


ROUTES = [TimedRoute(EVALUATE, Endpoint(_evaluate)), TimedRoute(HEALTH, Endpoint(lambda _: HEALTHY))]
