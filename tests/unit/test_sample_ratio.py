"""The check of a split's shares, against published tables and against chance itself."""

import math
import random
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.wording import ENGLISH, Why
from projections.sample_ratio import MISMATCH_BELOW, Counted, chi_square_survival, sample_ratio

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4: upper critical values of chi-square.
TABLE = {
    0.10: {1: 2.706, 2: 4.605, 3: 6.251, 4: 7.779, 5: 9.236, 10: 15.987, 15: 22.307, 30: 40.256, 99: 117.407},
    0.05: {
        1: 3.841,
        2: 5.991,
        3: 7.815,
        4: 9.488,
        5: 11.070,
        10: 18.307,
        15: 24.996,
        30: 43.773,
        99: 123.225,
    },
    0.01: {
        1: 6.635,
        2: 9.210,
        3: 11.345,
        4: 13.277,
        5: 15.086,
        10: 23.209,
        15: 30.578,
        30: 50.892,
        99: 134.642,
    },
    0.001: {
        1: 10.828,
        2: 13.816,
        3: 16.266,
        4: 18.467,
        5: 20.515,
        10: 29.588,
        15: 37.697,
        30: 59.703,
        99: 148.230,
    },
}
ERROR = 0.0163  # of a sketch of 4,096 registers


def counts(**of: float) -> dict[str, Counted]:
    return {variant: Counted(count) for variant, count in of.items()}


@pytest.mark.parametrize(
    ("p_value", "degrees", "critical"),
    [(p_value, degrees, critical) for p_value, row in TABLE.items() for degrees, critical in row.items()],
)
def test_the_p_value_is_that_of_the_published_table(p_value: float, degrees: int, critical: float) -> None:
    steep = 0.0005  # the table is rounded to three places
    assert chi_square_survival(critical - steep, degrees) >= p_value * 0.999
    assert chi_square_survival(critical + steep, degrees) <= p_value * 1.001


@given(st.integers(1, 99), st.floats(0, 1e6), st.floats(0, 1e3))
def test_it_is_a_probability_that_falls_as_the_statistic_grows(degrees: int, at: float, more: float) -> None:
    low, high = chi_square_survival(at, degrees), chi_square_survival(at + more, degrees)
    assert 0 <= high <= low + 1e-12 <= 1 + 1e-12
    assert chi_square_survival(0, degrees) == 1


@given(st.integers(1, 97), st.floats(0.001, 300))
def test_two_more_degrees_add_the_term_between_them(degrees: int, at: float) -> None:
    """Abramowitz and Stegun 26.4.8, the recurrence that ties all degrees together."""
    between = math.exp(degrees / 2 * math.log(at / 2) - at / 2 - math.lgamma(degrees / 2 + 1))
    assert chi_square_survival(at, degrees + 2) - chi_square_survival(at, degrees) == pytest.approx(
        between, abs=1e-12
    )


def test_the_example_of_a_hand_calculation() -> None:
    """821,588 and 815,482 users of an even split: a mismatch that no eye sees (Kohavi and others, Trustworthy
    Online Controlled Experiments, 2020, chapter 21; p = 1.8E-6)."""
    found = sample_ratio(counts(on=821_588, off=815_482), {"on": 50_000, "off": 50_000})
    assert found.degrees == 1
    assert found.statistic == pytest.approx(22.77, abs=0.01)
    assert found.p_value == pytest.approx(1.8e-6, rel=0.02)
    assert found.verdict == "mismatch"


def test_shares_as_the_weights_say_match_whatever_the_weights_sum_to() -> None:
    for scale in (1, 7, 100_000):
        found = sample_ratio(counts(a=9_010, b=990), {"a": 9 * scale, "b": scale, "c": 0})
        assert (found.verdict, found.degrees) == ("match", 1)
        assert found.statistic == pytest.approx(1 / 9, rel=1e-9)


def test_what_has_no_share_and_is_served_is_a_mismatch_however_rare() -> None:
    found = sample_ratio(counts(a=1_000, b=1_000, c=1), {"a": 1, "b": 1, "c": 0})
    assert (found.verdict, found.p_value) == ("mismatch", 0.0)
    assert found.reason == Why("unchecked.stranger", {"variant": "c"})


@pytest.mark.parametrize(
    ("counted", "weights", "words"),
    [
        (counts(a=400), {"a": 1.0}, "one variant has the whole split"),
        (
            counts(a=400, b=3),
            {"a": 0.99, "b": 0.01},
            "a variant is expected 4.0 times, and the check needs 5",
        ),
        ({}, {"a": 1.0, "b": 1.0}, "a variant is expected 0.0 times, and the check needs 5"),
    ],
)
def test_what_cannot_be_told_has_a_reason_and_no_verdict(
    counted: dict[str, Counted], weights: dict[str, float], words: str
) -> None:
    found = sample_ratio(counted, weights)
    assert (found.statistic, found.p_value, found.verdict) == (None, None, None)
    assert found.reason
    assert words in ENGLISH.why(found.reason)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=5), st.integers(0, 2**32))
def test_p_values_of_true_splits_are_spread_evenly(weights: list[int], seed: int) -> None:
    """Among 400 honest experiments those below each tenth are as many as chance allows (five deviations)."""
    chance = random.Random(seed)  # noqa: S311 - a test wants the same every time
    names = [str(n) for n in range(len(weights))]
    assume(min(weights) / sum(weights) * 300 >= 10)
    shares = dict(zip(names, map(float, weights), strict=True))
    found = [
        sample_ratio(
            {name: Counted(n) for name, n in Counter(chance.choices(names, weights, k=300)).items()}, shares
        ).p_value
        for _ in range(400)
    ]
    for tenth in range(1, 10):
        expected = tenth / 10
        below = sum(p is not None and p < expected for p in found) / len(found)
        # the statistic has few values at these counts, which is as much as 0.06 off at a step
        assert abs(below - expected) < 0.06 + 5 * math.sqrt(expected * (1 - expected) / len(found))


@pytest.mark.parametrize("weights", [{"a": 1.0, "b": 1.0}, {"a": 8.0, "b": 1.0, "c": 1.0}])
def test_the_error_of_an_estimate_is_not_taken_for_a_mismatch(weights: dict[str, float]) -> None:
    """A million subjects a sketch: without the correction nearly every honest split would be a mismatch."""
    chance = random.Random(1)  # noqa: S311 - a test wants the same every time
    whole = sum(weights.values())

    def rejected(error: float) -> float:
        drawn = [
            {
                name: Counted(1_000_000 * weight / whole * (1 + chance.gauss(0, ERROR)), error)
                for name, weight in weights.items()
            }
            for _ in range(2_000)
        ]
        results = [sample_ratio(each, weights).p_value for each in drawn]
        return sum(p is not None and p < 0.05 for p in results) / len(results)

    assert rejected(0.0) > 0.8
    assert rejected(ERROR) < 0.08


def test_a_large_mismatch_is_seen_through_the_error_of_the_estimates() -> None:
    counted = {"a": Counted(1_000_000, ERROR), "b": Counted(800_000, ERROR)}
    found = sample_ratio(counted, {"a": 1, "b": 1})
    assert found.p_value is not None
    assert found.p_value < MISMATCH_BELOW
    assert found.verdict == "mismatch"
