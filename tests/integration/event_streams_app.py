"""The evaluation API with event streams, until it has them by itself."""

from urllib.parse import parse_qs

import mmh3
import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api.evaluation import event_streams
from api.evaluation.access import Caller
from api.evaluation.answers import Answers
from api.evaluation.contexts import read_context
from api.evaluation.event_tokens import event_streams as streams_of
from api.evaluation.event_tokens import window
from api.evaluation.refusal import Answer, Refusal


class StreamingAnswers(Answers):
    def all(self, presented: str, raw: bytes, if_none_match: str) -> Answer:
        try:
            who, context = self._caller(presented), read_context(raw)
        except Refusal as refusal:
            return refusal.answer()
        flags, tallies = self._callers.plan(who).answer(context)
        subject = context.get("targetingKey")
        self._record(tallies, subject=subject if subject.__class__ is str else None, position=who.position)
        tag = mmh3.mmh3_x64_128_digest(flags, window(self._clock()))
        headers = {"ETag": f'"{tag.hex()}"'}
        if headers["ETag"] in if_none_match:
            return 304, headers, b""
        return 200, headers, b'{"flags":[%b]%b}' % (flags, self._about(who))

    def _about(self, who: Caller) -> bytes:
        streams = streams_of(who.key, who.digest, "", self._clock())
        return super()._about(who) + b',"eventStreams":' + orjson.dumps(streams)


class Fresh:
    """What the route for all flags will do."""

    def __init__(self, app: ASGIApp, of: FastAPI) -> None:
        self._app, self._of = app, of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for etag in parse_qs(scope.get("query_string", b"").decode()).get("flagConfigEtag", []):
            await event_streams.as_fresh_as(self._of.state.parts.follower, etag)
        await self._app(scope, receive, send)


def serve_event_streams(app: FastAPI) -> FastAPI:
    app.include_router(event_streams.router)
    app.state.answers = app.state.lane._answers = StreamingAnswers(app.state.parts)
    app.add_middleware(Fresh, of=app)
    return app
