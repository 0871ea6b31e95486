"""Kubernetes' HPA on its documentation's own examples, and on cases worked out by hand."""

from typing import Literal

import pytest

from deploy.scaling.hpa import DOWN, UP, Autoscaler, Policy, Rules, by_average, by_utilisation

EVER = Rules(0, (Policy("Percent", 100, 15),))  # as fast down as can be


@pytest.mark.parametrize(
    ("current", "used", "target", "wanted"),
    [
        (3, 0.2, 0.1, 6),  # ceil(3 * 200m / 100m): "the number of replicas will be doubled"
        (4, 0.05, 0.1, 2),  # ceil(4 * 50m / 100m): "you'll halve the number of replicas"
        (10, 0.55, 0.5, 10),  # 0.55 / 0.5 = 1.1, which is within the tolerance of 0.1
        (10, 0.56, 0.5, 12),  # 1.12 is not: ceil(11.2)
        (10, 0.45, 0.5, 10),  # 0.9 is
        (10, 0.44, 0.5, 9),  # 0.88 is not: ceil(8.8)
        (5, 0.6, 0.5, 6),  # 5 * 1.2 is 6, though binary fractions make it 6.000000000000001
        (7, 0, 0.5, 0),  # the minimum is somebody else's business
    ],
)
def test_replicas_follow_the_ratio_of_use_to_target(
    current: int, used: float, target: float, wanted: int
) -> None:
    assert by_utilisation(current, current, used, target) == wanted


@pytest.mark.parametrize(
    ("ready", "used", "wanted"),
    [
        (2, 1.0, 4),  # 1.0 / 0.5 = 2; two of four are idle, so 2 * 2 / 4 = 1: enough are on their way
        (3, 1.0, 6),  # 2 * 3 / 4 = 1.5: ceil(1.5 * 4)
        (2, 0.2, 1),  # less than planned: only those that are ready count, ceil(0.4 * 2)
        (0, 0.0, 4),  # nobody says how busy they are
    ],
)
def test_pods_that_start_are_idle_when_more_are_wanted(ready: int, used: float, wanted: int) -> None:
    assert by_utilisation(4, ready, used, 0.5) == wanted


def test_the_tolerance_is_for_pods_that_start_too() -> None:
    assert by_utilisation(20, 11, 1.0, 0.5) == 20  # 2 * 11 / 20 = 1.1
    assert by_utilisation(20, 12, 1.0, 0.5) == 24  # 2 * 12 / 20 = 1.2: ceil(1.2 * 20)


@pytest.mark.parametrize(
    ("current", "metric", "wanted"),
    [
        (1, 30, 6),  # ceil(30 / 5)
        (5, 27, 5),  # 27 / (5 * 5) = 1.08 is within the tolerance
        (5, 28, 6),  # 28 / 25 = 1.12 is not: ceil(28 / 5)
        (5, 0, 0),
    ],
)
def test_an_average_value_is_shared_among_replicas(current: int, metric: float, wanted: int) -> None:
    assert by_average(current, metric, 5) == wanted


def test_by_default_it_doubles_or_adds_four_every_15_seconds() -> None:
    hpa = Autoscaler(1, 100)
    assert hpa.decide(0, 1, 100) == 5  # max(1 * 2, 1 + 4)
    assert hpa.decide(5, 5, 100) == 5  # the same 15 seconds began with 1
    assert hpa.decide(15, 5, 100) == 10  # max(5 * 2, 5 + 4)
    assert hpa.decide(30, 10, 100) == 20
    assert hpa.decide(45, 20, 21) == 21


def test_a_percentage_of_few_is_one_at_least() -> None:
    """Rounded up, as otherwise three replicas could never become more by 10 %."""
    assert Autoscaler(1, 100, up=Rules(0, (Policy("Percent", 10, 15),))).decide(0, 3, 10) == 4


def test_the_documented_example_of_two_policies_goes_down_step_by_step() -> None:
    """80 replicas, 10 are wanted, 4 pods or 10 % in a minute: 10 % until there are 40, then 4 at a time."""
    rules = Rules(0, (Policy("Pods", 4, 60), Policy("Percent", 10, 60)))
    hpa, replicas, seen = Autoscaler(1, 100, down=rules), 80, []
    for minute in range(9):
        replicas = hpa.decide(60 * minute, replicas, 10)
        seen.append(replicas)
    assert seen == [72, 64, 57, 51, 45, 40, 36, 32, 28]  # 72 * 0.9 = 64.8, of which 64 remain, and so on


def test_within_a_policys_period_nothing_more_is_taken_away() -> None:
    hpa = Autoscaler(1, 100, down=Rules(0, (Policy("Pods", 4, 60),)))
    assert hpa.decide(0, 40, 10) == 36
    assert hpa.decide(15, 36, 10) == 36  # the minute began with 40, and 40 - 4 are there
    assert hpa.decide(60, 36, 10) == 32


def test_what_was_taken_away_may_come_back_within_the_period() -> None:
    hpa = Autoscaler(1, 100, up=Rules(0, (Policy("Pods", 1, 60),)), down=EVER)
    assert hpa.decide(0, 10, 4) == 4
    assert hpa.decide(15, 4, 20) == 11  # the minute began with 10, and one more is allowed


def test_fewer_are_had_only_when_none_more_were_wanted_for_five_minutes() -> None:
    hpa = Autoscaler(1, 10)
    assert hpa.decide(0, 6, 10) == 10
    decided = {now: hpa.decide(now, 10, 2) for now in range(15, 301, 15)}
    assert {replicas for now, replicas in decided.items() if now < 300} == {10}
    assert decided[300] == 2


def test_a_window_for_more_waits_until_all_of_it_wanted_more() -> None:
    hpa = Autoscaler(1, 10, up=UP._replace(window_seconds=60))
    assert [hpa.decide(now, 2, 6) for now in (0, 15, 30, 45, 60)] == [2, 2, 2, 2, 6]


@pytest.mark.parametrize(
    ("select", "up", "down"),
    [("Max", 20, 5), ("Min", 14, 6), ("Disabled", 10, 10)],  # 10 * 2 or 10 + 4; 10 / 2 or 10 - 4
)
def test_which_policy_counts_can_be_said(
    select: Literal["Max", "Min", "Disabled"], up: int, down: int
) -> None:
    rules = UP._replace(select=select)
    halve = Rules(0, (Policy("Percent", 50, 15), Policy("Pods", 4, 15)), select)
    assert Autoscaler(1, 100, up=rules).decide(0, 10, 100) == up
    assert Autoscaler(1, 100, down=halve).decide(0, 10, 1) == down


def test_the_least_and_the_most_are_kept_to_whatever_is_wanted() -> None:
    hpa = Autoscaler(2, 10, down=DOWN._replace(window_seconds=0))
    assert hpa.decide(0, 8, 50) == 10
    assert hpa.decide(15, 10, 0) == 2
    assert Autoscaler(2, 10).decide(0, 1, 1) == 2
