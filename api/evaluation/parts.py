"""What an evaluation process is made of."""

from dataclasses import dataclass, field
from time import monotonic

from api.evaluation.rate_limit import RateLimit
from projections.follower import Follower
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

STALE_AFTER_SECONDS = 5.0  # five missed polls: Redis is away, not late


@dataclass(frozen=True, slots=True)
class Parts:
    """`public_url` is where clients find this API; empty leaves it to them."""

    follower: Follower
    recorder: EvaluationRecorder
    key_use: KeyUse
    limit: RateLimit = field(default_factory=lambda: RateLimit(0))
    public_url: str = ""

    @property
    def staleness(self) -> float:
        """Seconds since Redis last confirmed what is served."""
        confirmed = self.follower.synced_at
        return float("inf") if confirmed is None else monotonic() - confirmed

    @property
    def stale(self) -> bool:
        return self.staleness > STALE_AFTER_SECONDS
