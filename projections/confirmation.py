"""When the live model was last known to be at the head of the log: `{togglemaster}:confirmed`.

A Redis that lost its tail (restarted from an older file, a replica that lagged took over) looks like any
other; but it lost the note of the last moments with them, and so shows by its age how much it lost. Both the
note and its age are by the clock of Redis, so that no two clocks have to agree. A clock that jumps makes an
evaluator wait when it begins, or not wait, and nothing else.
"""

import logging
from time import monotonic
from typing import cast

from redis import Redis

from projections.ruleset_store import CONFIRMED, EPOCH, LIVE, state_key
from projections.scripts import script

NEVER = float("inf")
CONFIRM_SECONDS = 0.5  # how often a projector notes it; a write like its lease's
CONFIRMED_SECONDS = 2.0  # four notes missed: nobody knows how much is missing
MENDED_SECONDS = 10.0  # how long a projector is waited for, before the model is served as it is

log = logging.getLogger(__name__)


class Confirmation:
    """Raises redis.RedisError for anything Redis cannot do."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._confirm = redis.register_script(script("confirm_head.lua"))

    def confirm(self, generation: str, position: int, epoch: int) -> bool:
        """Whether it is so noted; not where the model is elsewhere by now, or a newer epoch is at work."""
        keys = [LIVE, EPOCH, state_key(generation), CONFIRMED]
        return bool(self._confirm(keys=keys, args=[generation, epoch, position]))

    def seconds_ago(self) -> float:
        """NEVER where there is no note."""
        with self._redis.pipeline(transaction=False) as asked:
            asked.get(CONFIRMED)
            asked.time()
            noted, (seconds, microseconds) = cast("tuple[bytes | None, tuple[int, int]]", asked.execute())
        return NEVER if noted is None else seconds + microseconds / 1e6 - int(noted) / 1000


class Beginning:
    """Whether a model in Redis may be what an evaluator begins with that has nothing else to serve.

    One that lost its tail would take answers back that others gave; a projector mends it in a moment. Where
    none does, old answers are better than none.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis, self._confirmation = redis, Confirmation(redis)
        self._waiting_since: float | None = None

    def confirmed(self) -> bool:
        return self._confirmation.seconds_ago() <= CONFIRMED_SECONDS

    def allowed(self) -> bool:
        """Also where there is none yet."""
        if self.confirmed() or not self._redis.exists(LIVE):
            return True
        if self._waiting_since is None:
            self._waiting_since = monotonic()
            log.warning(
                "no projector has confirmed lately that the ruleset in Redis is up to date: waiting up to"
                " %g s for one to, before it is served as it is",
                MENDED_SECONDS,
            )
        return monotonic() - self._waiting_since >= MENDED_SECONDS
