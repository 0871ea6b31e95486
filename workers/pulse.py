"""Whether a loop still comes round, and whether it does what it is for."""

from time import monotonic

STUCK_SECONDS = 90.0  # PostgreSQL is given 30 s for one thing, and a turn may ask it twice


class Pulse:
    """Of one loop; asked from other threads. `problem` is empty while all is well."""

    def __init__(self, name: str, stuck_seconds: float = STUCK_SECONDS) -> None:
        """A loop that stands still for longer than `stuck_seconds` is taken for stuck."""
        self.name = name
        self.stuck_seconds = stuck_seconds
        self.problem = "has done nothing yet"
        self.failures = 0
        self._moved_at = monotonic()

    def moves(self) -> None:
        """For each turn of the loop, and within turns that may take long."""
        self._moved_at = monotonic()

    def works(self) -> None:
        self.moves()
        self.problem = ""

    def fails(self, problem: str) -> None:
        self.moves()
        self.failures += 1
        self.problem = problem

    def still_seconds(self) -> float:
        """For how long it has not come round."""
        return monotonic() - self._moved_at
