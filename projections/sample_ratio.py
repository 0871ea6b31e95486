"""Whether the answers of a split are shared out as its weights say (sample ratio mismatch).

Pearson's chi-square test, its p-value by the closed forms of Abramowitz and Stegun, Handbook of Mathematical
Functions, 26.4.4 (odd degrees of freedom) and 26.4.5 (even).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.wording import Why

MISMATCH_BELOW = 0.0005
"""The convention for this check, stricter than for an experiment's result: it is looked at again and again,
and whoever acts on it throws data away (Fabijan and others, Diagnosing Sample Ratio Mismatch, KDD 2019)."""

EXPECTED_AT_LEAST = 5
"""Of each variant; with fewer the statistic is not distributed as the test takes it to be (Cochran 1954)."""

Verdict = Literal["match", "mismatch"]


class Counted(NamedTuple):
    """`error` is the standard error of an estimated number as a share of it; 0 where it was counted."""

    number: float
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Without a verdict where it cannot be told, and then `reason` says why."""

    statistic: float | None = None
    degrees: int | None = None
    p_value: float | None = None
    verdict: Verdict | None = None
    reason: Why | None = None


def sample_ratio(counted: Mapping[str, Counted], weights: Mapping[str, float]) -> SampleRatio:
    """`weights` are of any sum; a variant that is counted but has none is a mismatch however rare it is."""
    served = {variant for variant, weight in weights.items() if weight > 0}
    if strangers := sorted(
        variant for variant, each in counted.items() if each.number and variant not in served
    ):
        return SampleRatio(
            p_value=0.0,
            verdict="mismatch",
            reason=Why("unchecked.stranger", {"variant": strangers[0]}),
        )
    if len(served) < 2:
        return SampleRatio(reason=Why("unchecked.alone"))
    whole = sum(weights.values())
    shares = {variant: weights[variant] / whole for variant in sorted(served)}
    return _tested([counted.get(variant, Counted(0)) for variant in shares], list(shares.values()))


def _tested(counted: Sequence[Counted], shares: Sequence[float]) -> SampleRatio:
    total = sum(each.number for each in counted)
    if (least := min(total * share for share in shares)) < EXPECTED_AT_LEAST:
        few = {"expected": f"{least:.1f}", "needed": EXPECTED_AT_LEAST}
        return SampleRatio(reason=Why("unchecked.few", few))
    distances = (
        (each.number - total * share) ** 2 / (total * share)
        for each, share in zip(counted, shares, strict=True)
    )
    statistic = sum(distances) / _spread(counted, shares, total)
    degrees = len(shares) - 1
    p_value = chi_square_survival(statistic, degrees)
    verdict: Verdict = "mismatch" if p_value < MISMATCH_BELOW else "match"
    return SampleRatio(statistic, degrees, p_value, verdict)


def _spread(counted: Sequence[Counted], shares: Sequence[float], total: float) -> float:
    """How much wider than a multinomial's the counts scatter, as they are estimates: 1 for exact ones.

    The first-order correction of Rao and Scott (Annals of Statistics 12, 1984): the mean design effect. To
    first order an estimated share has p_i^2 ((1 - p_i)^2 e_i^2 + sum over the others of p_j^2 e_j^2) added to
    its variance.
    """
    squares = [(share * each.error) ** 2 for each, share in zip(counted, shares, strict=True)]
    added = (
        total * share * ((1 - share) ** 2 * each.error**2 + sum(squares) - own)
        for each, share, own in zip(counted, shares, squares, strict=True)
    )
    return 1 + sum(added) / (len(shares) - 1)


def chi_square_survival(statistic: float, degrees: int) -> float:
    """The probability of at least this much by chance; 0 where it is less than a float can say."""
    half = statistic / 2
    if degrees % 2:
        tail = math.erfc(math.sqrt(half))
        term = math.sqrt(2 * statistic / math.pi) * math.exp(-half)  # 26.4.4's 2 Z(chi) chi
        steps = range(3, degrees, 2)
    else:
        tail, term = 0.0, math.exp(-half)
        steps = range(2, degrees, 2)
    if degrees == 1:
        return tail
    tail += term
    for step in steps:
        term *= statistic / step
        tail += term
    return min(tail, 1.0)
