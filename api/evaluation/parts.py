"""What an evaluation process is made of."""

from dataclasses import dataclass, field

from api.evaluation.rate_limit import RateLimit
from projections.follower import Follower
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse


@dataclass(frozen=True, slots=True)
class Parts:
    """`public_url` is where clients find this API; empty leaves it to them."""

    follower: Follower
    recorder: EvaluationRecorder
    key_use: KeyUse
    limit: RateLimit = field(default_factory=lambda: RateLimit(0))
    public_url: str = ""
