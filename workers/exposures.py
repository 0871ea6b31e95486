"""Who was served what lately, so that it is recorded once in a while and not each time."""

from workers.tally import Counter, Tally, exposure_of, exposure_to

EXPOSURE_SECONDS = 3_600
EXPOSURES_AT_MOST = 250_000  # in each of two generations; 35 MB in all when both are full


class Exposures:
    """One that came up is remembered for half of the time at least, and all of it at most.

    What is remembered are hashes, in two generations: when the younger is full or old, the elder is
    forgotten. To forget early means only that something is recorded again.
    """

    def __init__(self, at_most: int = EXPOSURES_AT_MOST, seconds: float = EXPOSURE_SECONDS) -> None:
        self.suppressed = 0  # evaluations that were not recorded since the same was lately
        self._at_most = at_most
        self._generation_seconds = seconds / 2
        self._turn_at = 0.0
        self._younger: set[int] = set()
        self._elder: set[int] = set()

    def new(self, tally: Tally, subject: str, now: float) -> tuple[Counter, ...]:
        """Those of the tally that the subject was not served lately."""
        if now >= self._turn_at or len(self._younger) >= self._at_most:
            self._turn(now)
        who = hash(subject)
        counters = tally.counters
        if not self._is_new(who ^ (tally.exposure or exposure_of(tally))):
            self.suppressed += len(counters)
            return ()
        if len(counters) == 1:
            return counters
        found = tuple([each for each in counters if self._is_new(who ^ exposure_to(each))])
        self.suppressed += len(counters) - len(found)
        return found

    def _is_new(self, key: int) -> bool:
        if key in self._younger or key in self._elder:
            return False
        self._younger.add(key)
        return True

    def _turn(self, now: float) -> None:
        lately = now < self._turn_at + self._generation_seconds
        self._elder = self._younger if lately else set()
        self._younger = set()
        self._turn_at = now + self._generation_seconds
