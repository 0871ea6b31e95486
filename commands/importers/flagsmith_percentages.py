"""Flagsmith's percentages in buckets, by the identity's key or, without one, the key that it makes."""

from collections.abc import Callable

from commands.importers.flagsmith_paths import IDENTITY_KEY
from commands.importers.flagsmith_values import Scalar
from commands.importers.saying import all_of, any_of, exists, negated
from domain.bucketing import ALGORITHMS, FLAGSMITH_STEPS
from domain.targeting import TARGETING_KEY, Condition, Gate, InBucket


def has_identity() -> Condition:
    return any_of(exists(IDENTITY_KEY), exists(TARGETING_KEY))


def by_identity(prefix: str, say: Callable[[str, str], Condition]) -> Condition:
    """`say` is given the attribute to hash, and what stands before it."""
    given = say(IDENTITY_KEY, "")
    return (
        any_of(given, all_of(negated(exists(IDENTITY_KEY)), say(TARGETING_KEY, prefix))) if prefix else given
    )


def at_most(percentage: float, by: str, salt: str, prefix: str = "") -> Condition:
    below = _steps(lambda share: share <= percentage)
    return InBucket(bucket=Gate(by=by, prefix=prefix, below=below, salt=salt, algorithm="flagsmith"))


def percentage_holds(salt: str, known: Scalar, percentage: float) -> bool:
    bucket = ALGORITHMS["flagsmith"].hash(salt, str(known), FLAGSMITH_STEPS)
    return share_of(bucket) <= percentage


def first_step(limit: float) -> int:
    """The first bucket that is not under this percentage."""
    return _steps(lambda share: share < limit)


def _steps(inside: Callable[[float], bool]) -> int:
    """How many buckets from 0 on are inside, by the very division that Flagsmith makes."""
    low, high = 0, FLAGSMITH_STEPS
    while low < high:
        middle = (low + high) // 2
        if inside(share_of(middle)):
            low = middle + 1
        else:
            high = middle
    return low


def share_of(bucket: int) -> float:
    return bucket / (FLAGSMITH_STEPS - 1) * 100
