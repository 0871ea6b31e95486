"""The three hashes that flagd's `fractional` has had.

The first takes the size of a signed hash in hundredths, the second scales an unsigned one by whole weights,
the third does so over the bytes of CBOR, so that more than texts may be hashed.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from domain.bucketing import AlgorithmName

MOST_WEIGHT = 2**31 - 1  # flagd's own limit, of all weights together
SIGNED_STEPS = 2**31

Ends = Callable[[Sequence[int]], tuple[int, ...]]
"""Of the weights: where each share ends."""


class Hashing(NamedTuple):
    """How flagd hashes an attribute's value, a text joined of parts, and its key with the targeting key.

    `steps` None: as many as the weights together. `any_type`: the value need not be a text, and null is an
    error; without it null leaves it to the targeting key.
    """

    value: AlgorithmName
    text: AlgorithmName
    pair: AlgorithmName
    ends: Ends
    steps: int | None = None
    any_type: bool = False


def _ends_in_hundredths(weights: Sequence[int]) -> tuple[int, ...]:
    """The first hash's sums of floating-point percentages, as the first number that is not below each."""
    total = sum(weights)
    percentages = accumulate((100 * float(weight) / float(total) for weight in weights), initial=0.0)
    return tuple(_first_not_below(end) for end in list(percentages)[1:])


def _first_not_below(percentage: float) -> int:
    return bisect_left(range(SIGNED_STEPS), percentage, key=lambda size: float(size) / MOST_WEIGHT * 100)


def _ends(weights: Sequence[int]) -> tuple[int, ...]:
    return tuple(accumulate(weights))


HASHINGS: Mapping[int, Hashing] = {
    1: Hashing("flagd1", "flagd1", "flagd1", _ends_in_hundredths, SIGNED_STEPS),
    2: Hashing("flagd", "flagd", "flagd", _ends),
    3: Hashing("flagd3", "flagd3_text", "flagd3_pair", _ends, any_type=True),
}
