"""Tells clients that the flags of their environment changed, as server-sent events: they ask for them again.

    event: message
    id: 1207
    data: {"type":"refetchEvaluation","etag":"1207","lastModified":1795384800}

`id` and `etag` are a position in the log. A client sends the first back as `Last-Event-ID` when it connects
again, and the second as `flagConfigEtag` when it asks for its flags, maybe of an evaluator that lags behind.
"""

import asyncio
import secrets
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, HTTPException, Query, Request, Response
from starlette.types import Receive, Scope, Send

from api.evaluation.event_hub import Hub, Listener
from api.evaluation.event_tokens import PATH
from projections.follower import Follower

RETRY_MS, RETRY_SPREAD_MS = 1_000, 4_000  # so that not all clients come back at once
RETRY_AFTER = {"Retry-After": "5"}
FRESH_SECONDS, LOOK_SECONDS = 2.0, 0.01  # two polls of a follower whose hints are lost
DIGITS_AT_MOST = 18  # of a position

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",  # nginx would hold events back
}

router = APIRouter(tags=["OFREP"])


@router.get(
    PATH,
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events, until either side hangs up"},
        401: {"description": "The token does not hold, or no longer"},
        503: {"description": "Too many streams are open, or the flags have not been read yet"},
    },
)
async def listen(
    request: Request,
    token: str = "",
    seen: Annotated[str, Query(alias="lastEventId")] = "",
    seen_header: Annotated[str, Header(alias="Last-Event-ID")] = "",
) -> Response:
    """Server-sent events: `refetchEvaluation` after each change of a flag of the key's environment.

    The URL with its token is in `eventStreams` of the answer with all flags. The first event comes at once,
    unless `Last-Event-ID` shows that nothing was missed.
    """
    hub = _hub(request.app)
    if hub.full:
        details = f"{hub.open} event streams are open, and there may be no more; poll, or try again later"
        raise HTTPException(503, details, RETRY_AFTER)
    if not hub.ready:
        raise HTTPException(503, "this evaluator has not read the flags yet; try again shortly", RETRY_AFTER)
    listener = hub.listener(token)
    if listener is None:
        details = (
            "this token does not hold, or no longer; ask for all flags again, 'eventStreams' has another"
        )
        raise HTTPException(401, details, {"WWW-Authenticate": "Bearer"})
    return EventStream(hub, listener, _position(seen_header or seen))


async def as_fresh_as(follower: Follower, etag: str) -> None:
    """Waits until the snapshot has what an event with this `etag` told of, but not longer than 2 seconds."""
    wanted = _position(etag) or 0
    for _ in range(round(FRESH_SECONDS / LOOK_SECONDS)):
        if follower.snapshot.position >= wanted:
            return
        await asyncio.sleep(LOOK_SECONDS)


def end_streams(app: FastAPI) -> None:
    """For a server that stops: it would wait for them. To be called in the event loop."""
    if hub := _found(app):
        hub.end()


def open_streams(app: FastAPI) -> int:
    hub = _found(app)
    return hub.open if hub else 0


class EventStream(Response):
    """Written by hand, as ten thousand of them are to fit: a task, and another that waits for the end."""

    def __init__(self, hub: Hub, listener: Listener, seen: int | None) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._hub, self._listener, self._seen = hub, listener, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._hub.join(self._listener, self._seen)
        hung_up = asyncio.ensure_future(_hung_up(receive))
        hung_up.add_done_callback(lambda _: self._listener.end())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._speak(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._hub.leave(self._listener)
            hung_up.cancel()

    async def _speak(self, send: Send) -> None:
        hub, listener = self._hub, self._listener
        retry = b"retry: %d\n\n" % (RETRY_MS + secrets.randbelow(RETRY_SPREAD_MS))
        await send({"type": "http.response.body", "body": retry, "more_body": True})
        while not listener.ended and (left := hub.seconds_left(listener.digest)) > 0:
            await send({"type": "http.response.body", "body": listener.take(), "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(min(hub.heartbeat_seconds, left)):
                    await listener.woken.wait()


async def _hung_up(receive: Receive) -> None:
    with suppress(HTTPException):  # a body without end
        while (await receive())["type"] != "http.disconnect":
            pass


def _hub(app: FastAPI) -> Hub:
    """Made for the first who listens: until then nothing is to be followed."""
    found = _found(app)
    if found is None:
        found = app.state.event_hub = Hub(app.state.parts.follower)
    return found


def _found(app: FastAPI) -> Hub | None:
    return getattr(app.state, "event_hub", None)


def _position(text: str) -> int | None:
    """None for anything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_AT_MOST else None
