"""What is counted in one step."""

from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter

from domain.values import FLAG_KEY_LENGTH, Slug
from projections.usage_table import ReasonName, VariantServed

FlagCounted = Annotated[str, StringConstraints(min_length=1, max_length=FLAG_KEY_LENGTH)]

Counter = tuple[Slug, Slug, FlagCounted, ReasonName, VariantServed]
"""Project, environment, flag, reason, variant."""

COUNTER: TypeAdapter[Counter] = TypeAdapter(Counter)
EXPOSURES_KEPT = 10_000


class Tally:
    """Answers that are always given together, and mostly just one.

    The rest is the recorder's: `slot` holds in its minute of that `epoch`; `exposure` stands for what was
    served, whatever the reason.
    """

    __slots__ = ("counters", "epoch", "exposure", "slot")

    def __init__(self, *counters: Counter) -> None:
        self.counters = counters
        self.slot = 0
        self.epoch = 0
        self.exposure = 0


def exposure_of(tally: Tally) -> int:
    """A 64-bit hash, never 0, of projects, environments, flags and variants; for this process only."""
    each = [exposure_to(counter) for counter in tally.counters]
    tally.exposure = (each[0] if len(each) == 1 else hash(tuple(each))) or 1
    return tally.exposure


@lru_cache(EXPOSURES_KEPT)
def exposure_to(counter: Counter) -> int:
    project, environment, flag, _, variant = counter
    return hash((project, environment, flag, variant)) or 1
