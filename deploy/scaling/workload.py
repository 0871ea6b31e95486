"""Work that arrives, waits and is done, and the pods that do it."""

from collections import deque

DUST = 1e-6  # of one evaluation or message: what rounding leaves, not work


class Waiting:
    """Done in the order in which it arrived. Amounts may be fractions: a rate has no whole evaluations."""

    def __init__(self) -> None:
        self.arrived = self.done = self.backlog = 0.0
        self._batches: deque[tuple[int, float]] = deque()

    def second(self, now: int, arriving: float, capacity: float) -> float:
        """How much was done in this second."""
        self.arrived += arriving
        self.backlog += arriving
        self._batches.append((now, arriving))
        doing = min(capacity, self.backlog)
        self.done += doing
        self.backlog -= doing
        self._take(doing)
        return doing

    def lag(self, now: int) -> int:
        """Seconds since what is oldest of the backlog arrived."""
        return now - self._batches[0][0] if self._batches else 0

    def _take(self, amount: float) -> None:
        while self._batches and amount >= self._batches[0][1] - DUST:
            amount -= self._batches.popleft()[1]
        if self._batches:
            began, left = self._batches[0]
            self._batches[0] = began, left - max(0.0, amount)


class Pods:
    """A Deployment's. One that is told to start is ready `start_seconds` later; one told to end is gone."""

    def __init__(self, count: int, start_seconds: int) -> None:
        self._start_seconds = start_seconds
        self._ready_at = [0] * count

    def __len__(self) -> int:
        return len(self._ready_at)

    def ready(self, now: int) -> int:
        return sum(at <= now for at in self._ready_at)

    def scale(self, now: int, count: int) -> None:
        """As a ReplicaSet does: those that are not ready go first, and then the youngest."""
        more = [now + self._start_seconds] * max(0, count - len(self))
        self._ready_at = (self._ready_at + more)[:count]
