"""What an evaluation process is made of."""

from dataclasses import dataclass

from projections.follower import Follower
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse


@dataclass(frozen=True, slots=True)
class Parts:
    """`requests_per_second` is for each key, and 0 no limit. `public_url` is where clients find this API, or
    empty, which leaves it to them.
    """

    follower: Follower
    recorder: EvaluationRecorder
    key_use: KeyUse
    requests_per_second: float = 0
    public_url: str = ""
