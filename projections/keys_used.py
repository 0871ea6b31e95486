"""When each key was last used, in Redis: told by those who saw it, asked by those who list keys.

A sorted set beside the ruleset, `{togglemaster}:keys-used`, with the seconds since 1970 as scores. It belongs
to no generation, so a rebuild leaves it alone. Nothing depends on it: whoever cannot reach it goes on.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from redis import Redis, RedisError

from projections.ruleset_store import TAG

KEYS_USED = f"{TAG}:keys-used"

log = logging.getLogger(__name__)


class KeysUsed:
    def __init__(self, redis: Redis) -> None:
        """`redis` is to have a short timeout: nobody is to wait for this."""
        self._redis = redis

    def tell(self, used: Mapping[str, float]) -> bool:
        """Seconds since 1970 by name; never back. False when Redis did not take them."""
        try:
            if used:
                self._redis.zadd(KEYS_USED, {name: int(at) for name, at in used.items()}, gt=True)
        except (RedisError, OSError) as problem:
            log.warning("when keys were last used could not be told: %s", problem)
            return False
        return True

    def last(self, names: Sequence[str]) -> list[datetime | None]:
        """One for each; None where it was never used, or nobody can say."""
        try:
            scores = cast("list[float | None]", self._redis.zmscore(KEYS_USED, list(names)) if names else [])
        except (RedisError, OSError) as problem:
            log.warning("when keys were last used cannot be asked: %s", problem)
            return [None] * len(names)
        return [None if score is None else datetime.fromtimestamp(score, UTC) for score in scores]
