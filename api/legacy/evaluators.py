"""The evaluators behind the facade: what was written is waited for, and `/evaluate` is passed on."""

import time
from collections.abc import Callable, Mapping

import httpx2 as httpx
from redis import RedisError

from api.legacy.answers import Answer, go_error
from projections.ruleset_store import RulesetStore

ANSWER_SECONDS = 1.0  # for one question to the evaluation API
WAIT_SECONDS = 2.0  # for a write to reach the evaluators; usually it takes a few milliseconds
POLL_SECONDS = 0.003
PASSED_ON = ("Content-Type", "X-Content-Type-Options", "Retry-After", "Allow")
NOTHING_TO_EVALUATE_WITH = '{"error": "Erro interno ao avaliar a flag"}'


class Evaluators:
    """`url` is the evaluation API's address; empty where nobody said it."""

    def __init__(self, rulesets: RulesetStore, url: str) -> None:
        """Connects to nothing yet."""
        self._rulesets = rulesets
        self._client = httpx.Client(base_url=url, timeout=ANSWER_SECONDS) if url else None

    def close(self) -> None:
        if self._client:
            self._client.close()

    def wait_for(self, position: int) -> None:
        """Until what is at that position of the log can be served, but no longer than it is worth."""
        give_up = time.monotonic() + WAIT_SECONDS
        if _reached(self._projected, position, give_up) and self._client:
            _reached(self._served, position, give_up)

    def evaluate(self, method: str, query: bytes, headers: Mapping[str, str]) -> Answer:
        if self._client is None:
            return go_error(502, NOTHING_TO_EVALUATE_WITH)
        target = {"target": b"/evaluate?" + query if query else b"/evaluate"}  # as it came, odd escapes too
        try:
            found = self._client.request(method, "/evaluate", headers=dict(headers), extensions=target)
        except httpx.HTTPError:
            return go_error(502, NOTHING_TO_EVALUATE_WITH)
        kept = {name: found.headers[name] for name in PASSED_ON if name in found.headers}
        return Answer(found.status_code, found.content, kept)

    def _projected(self) -> int | None:
        """None where nobody can say."""
        try:
            live = self._rulesets.live()
            return None if live is None else self._rulesets.position(live)
        except RedisError:
            return None

    def _served(self) -> int | None:
        assert self._client is not None
        try:
            return int(self._client.get("/health/ready").json()["position"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return None


def _reached(position_now: Callable[[], int | None], position: int, give_up: float) -> bool:
    """False at once where nobody can say, as waiting would not help."""
    while (found := position_now()) is not None:
        if found >= position:
            return True
        if time.monotonic() > give_up:
            return False
        time.sleep(POLL_SECONDS)
    return False
