"""How often one key may ask, in one evaluator: a bucket of tokens that fills at a steady rate."""

BURST_SECONDS = 1.0  # what may be asked at once after a pause: the rate of so many seconds


class Meter:
    """The generic cell rate algorithm (ITU-T I.371, annex A) for one key: when it will be even again."""

    __slots__ = ("_burst_seconds", "_cost", "_even_at")

    def __init__(self, per_second: float) -> None:
        """A rate of 0 is no limit."""
        self._cost = 1 / per_second if per_second else 0.0
        self._burst_seconds = max(BURST_SECONDS, self._cost)
        self._even_at = 0.0

    def wait(self, now: float) -> float:
        """0 for a request that may go on, which is then counted; else in how many seconds one may."""
        even_at = self._even_at if self._even_at > now else now
        even_at += self._cost
        if (too_early := even_at - now - self._burst_seconds) > 0:
            return too_early
        self._even_at = even_at
        return 0.0
