"""How often one key may ask, in one evaluator: a bucket of tokens that fills at a steady rate."""

BURST_SECONDS = 1.0  # what may be asked at once after a pause: the rate of so many seconds


class RateLimit:
    """The generic cell rate algorithm (ITU-T I.371, annex A): for each key, when it is even again."""

    def __init__(self, per_second: float, *, burst_seconds: float = BURST_SECONDS) -> None:
        """A rate of 0 is no limit."""
        self.per_second = per_second
        self._cost = 1 / per_second if per_second else 0.0
        self._burst_seconds = max(burst_seconds, self._cost)
        self._even_at: dict[str, float] = {}

    def wait(self, key: str, now: float) -> float:
        """0 for a request that may go on, which is then counted; else in how many seconds one may."""
        if not self._cost:
            return 0.0
        even_at = max(now, self._even_at.get(key, 0.0)) + self._cost
        if (too_early := even_at - now - self._burst_seconds) > 0:
            return too_early
        self._even_at[key] = even_at
        return 0.0
