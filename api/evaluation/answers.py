"""What a request is answered with, whichever way it came: through FastAPI or the fast lane."""

from collections.abc import Callable
from math import ceil
from time import time

import mmh3
import orjson

from api.evaluation.access import Caller, Callers
from api.evaluation.contexts import read_context
from api.evaluation.encoding import OK, Made, made
from api.evaluation.event_tokens import event_streams, token_window
from api.evaluation.original_query import INCOMPLETE, UNREADY, read_question
from api.evaluation.parts import Parts
from api.evaluation.refusal import NO_HEADERS, Answer, Refusal
from domain.conditions import Context
from domain.evaluation import Evaluation, evaluate
from domain.ruleset import Ruleset
from domain.targeting import TARGETING_KEY
from workers.evaluations import NOT_RECORDED

NO_FLAGS = Ruleset()
NOT_FOUND = 404
FRESH, STALE = b"}}", b',"stale":true}}'
NOTED_SECONDS = 1.0  # it is told by the day, so this is often enough
STALE_CHECK_SECONDS = 0.25  # how late an answer may be in saying that it is stale


class Answers:
    """For one thread, that of the event loop."""

    def __init__(self, parts: Parts, clock: Callable[[], float] = time) -> None:
        """`clock` tells seconds since 1970."""
        self._parts = parts
        self._follower = parts.follower
        self._recorder = parts.recorder
        self._callers = Callers(parts.requests_per_second)
        self._clock = clock
        self._end = FRESH
        self._check_at = 0.0
        self._now = 0.0  # when the request that is being answered came

    def one(self, presented: str, flag: str, raw: bytes, request_id: bytes = b"") -> Answer:
        """The value, variant and reason of one flag for the context in that body.

        `request_id` is the client's own, where `answered` will be told that the answer is on its way.
        """
        try:
            who = self._caller(presented)
            context = read_context(raw)
        except Refusal as refusal:
            return refusal.answer(flag)
        this: Made = self._evaluate(who, flag, context, request_id).made
        return this.status, NO_HEADERS, this.closed(who.digits, context, self._end)

    def all(self, presented: str, raw: bytes, if_none_match: str, request_id: bytes = b"") -> Answer:
        """Every flag that the key may see; 304 when that is what the client has already."""
        try:
            who = self._caller(presented)
            context = read_context(raw)
        except Refusal as refusal:
            return refusal.answer()
        flags, tallies, digest = self._callers.plan(who).answer(context)
        if request_id:
            self._recorder.record_marked(request_id, tallies, who.recording, context, who.position, self._now)
        else:
            self._recorder.record(tallies, who.recording, context, who.position, self._now)
        window = token_window(self._now)
        headers = {"ETag": f'"{mmh3.mmh3_x64_128_digest(digest, window).hex()}"'}
        if headers["ETag"] in if_none_match:
            return 304, headers, b""
        return 200, headers, b'{"flags":[%b]%b}' % (flags, self._about(who))

    def original(self, query: bytes, request_id: bytes = b"") -> Answer:
        """Whether a flag is on for a user, as the original system's `/evaluate` says it. No key is needed."""
        if (question := read_question(query)) is None:
            return INCOMPLETE
        if not (snapshot := self._follower.snapshot).generation:
            return UNREADY
        self._now = self._clock()
        who, context = self._callers.anybody(snapshot), {TARGETING_KEY: question.user_id}
        answer = self._evaluate(who, question.flag, context, request_id)
        return OK, NO_HEADERS, question.answer(result=answer.value is True)

    def answered(self) -> None:
        """The kernel has the answer that was given last."""
        self._recorder.answered()

    def _evaluate(self, who: Caller, flag: str, context: Context, request_id: bytes) -> Evaluation:
        """Counted, and recorded where that is wished; with what was made of it."""
        found = who.flag(flag)
        try:
            answer = found.decide(context, who.ruleset)  # type: ignore[union-attr]
        except Exception:  # there is no such flag, or it is broken; this says which
            answer = evaluate(who.ruleset if found else NO_FLAGS, flag, context)
        this = answer.made or made(answer, flag, who.key)
        tally, recording = this.tally, who.recording
        if this.status == NOT_FOUND:
            recording = NOT_RECORDED
            tally = self._recorder.unknown(who.key.project, who.key.environment, flag, self._now)
        if request_id:
            self._recorder.record_marked(request_id, (tally,), recording, context, who.position, self._now)
        else:
            self._recorder.record_one(tally, recording, context, who.position, self._now)
        return answer

    def _caller(self, presented: str) -> Caller:
        self._now = now = self._clock()
        who = self._callers.find(self._follower.snapshot, presented, now)
        if wait := who.meter.wait(now):
            details = f"this key asks more often than it may; try again in {wait:.2f} seconds"
            raise Refusal(429, "GENERAL", details, {"Retry-After": str(ceil(wait))})
        if now - who.noted_at > NOTED_SECONDS:
            who.noted_at = now
            self._parts.key_use.note(who.key.id, now)
        if now >= self._check_at:
            self._check_at = now + STALE_CHECK_SECONDS
            self._end = STALE if self._follower.stale else FRESH
        return who

    def _about(self, who: Caller) -> bytes:
        """What is said beside the flags."""
        streams = orjson.dumps(event_streams(who.key, who.digest, self._parts.public_url, self._now))
        stale = b',"metadata":{"stale":true}' if self._end is STALE else b""
        return b',"eventStreams":' + streams + stale
