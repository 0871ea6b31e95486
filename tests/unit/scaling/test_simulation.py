"""Traffic through evaluators, queue and consumers, against figures worked out by hand."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.scaling.profiles import SHAPES, Name, Point, Profile, named, read
from deploy.scaling.report import Limits, problems, summarise
from deploy.scaling.scalers import CpuSpec
from deploy.scaling.simulation import (
    CONSUMER_MESSAGES,
    EVALUATION_MICROSECONDS,
    MESSAGE_EVALUATIONS,
    Plan,
    play,
)
from deploy.scaling.workload import Pods, Waiting
from deploy.told import Told

PERFORMANCE = (Path(__file__).parents[3] / "docs/performance.md").read_text()
MACHINES_DIFFER = 0.3

SMALL = Plan(
    cpu=CpuSpec(1, 1),
    evaluation_microseconds=10,  # 100,000 a second
    message_evaluations=1_000,
    consumer_messages=2,  # four in flight at each that is busy: a message is held for 2 s
    pod_start_seconds=10,
)


def test_a_queue_that_one_consumer_cannot_empty() -> None:
    """From second 1 on 10,000 evaluations, which are 10 messages; one consumer does 2 of them.

    15: 15 * 8 = 120 wait, 24 are wanted, 5 may be: ready at 25, when 24 * 8 = 192 wait. Oldest: 240 came, 48
        are done, so number 49, of second 5.
    30: 5 consumers do 10, still 192. 39 are wanted, 10 may be: ready at 40. They do 20: 10 fewer each second.
    59: 192 - 20 * 10 is below nothing: the queue is empty.
    345: 10 done in a second, held for 2 s, are 20 in flight: 4 are wanted, but at 45 there were 27, for 132
        messages, and that counts for 300 s. 4 do 8: from 346 on 2 more wait each second.
    """
    seconds = list(play(SMALL, Profile("step", [Point(0, 0), Point(1, 10_000), Point(350, 10_000)])))
    consumer = [second.consumer for second in seconds]
    assert [consumer[now].backlog for now in (15, 24, 30, 40, 45, 58, 59)] == [120, 192, 192, 182, 132, 2, 0]
    assert (consumer[24].lag, consumer[59].lag) == (19, 0)
    assert changes(each.replicas for each in consumer) == {16: 5, 31: 10, 346: 4}
    assert changes(each.ready for each in consumer) == {25: 5, 40: 10, 346: 4}
    assert [consumer[now].backlog for now in (345, 346, 348)] == [0, 2, 6]
    assert {second.evaluation.backlog for second in seconds} == {0}


def changes(numbers: Iterable[int]) -> dict[int, int]:
    """The seconds from which on there were other numbers."""
    return {now: after for now, (before, after) in enumerate(pairwise(numbers), 1) if before != after}


def test_evaluators_that_are_full_double_until_there_are_enough() -> None:
    """One does 100,000 a second, so that 2 are full with 300,000, and 100,000 wait more every second.

    15: full, 1 / 0.5 = 2: 4 are wanted, ready at 25. From second 1 to 24, 24 * 100,000 wait.
    30: 4 of 4 are full since 25, but 9 seconds of the mean are from before: the two were full as well. 8.
    45: ready since 40, 10 are wanted and may be.
    """
    plan = SMALL._replace(cpu=CpuSpec(2, 10))
    seconds = list(play(plan, Profile("step", [Point(0, 0), Point(1, 300_000), Point(50, 300_000)])))
    evaluation = [second.evaluation for second in seconds]
    assert changes(each.replicas for each in evaluation) == {16: 4, 31: 8, 46: 10}
    assert changes(each.ready for each in evaluation) == {25: 4, 40: 8}
    assert evaluation[24].backlog == pytest.approx(2_400_000)
    assert evaluation[39].backlog == pytest.approx(2_400_000 - 15 * 100_000)
    assert evaluation[40].backlog == pytest.approx(2_400_000 - 15 * 100_000 - 500_000)


def test_it_begins_with_what_the_first_second_asks_for() -> None:
    """400,000 a second keep 4 busy, and 8 busy by half; they are 400 messages, more than 10 consumers do."""
    first = next(play(SMALL._replace(cpu=CpuSpec(2, 10)), Profile("on", [Point(0, 400_000), Point(9, 0)])))
    assert (first.evaluation.replicas, first.consumer.replicas) == (8, 10)
    assert first.evaluation.backlog == 0


def test_every_evaluator_sends_two_messages_a_second_at_least() -> None:
    steady = Profile("steady", [Point(0, 900), Point(9, 900)])
    seconds = list(play(SMALL._replace(cpu=CpuSpec(3, 3), message_evaluations=1_000), steady))
    assert {second.consumer.arrived for second in seconds} == {6}


def test_what_came_first_is_done_first() -> None:
    work = Waiting()
    assert [work.second(now, each, 4) for now, each in enumerate((10, 1, 0, 0))] == [4, 4, 3, 0]
    assert (work.arrived, work.done, work.backlog, work.lag(4)) == (11, 11, 0, 0)


def test_lag_is_the_age_of_what_waits_longest() -> None:
    work = Waiting()
    lags = []
    for now, arriving in enumerate((10, 10, 0, 0, 0, 0)):
        work.second(now, arriving, 4)
        lags.append(work.lag(now))
    assert lags == [0, 1, 1, 2, 0, 0]  # 6; 2 of the first; 8; 4; 0 of second 1's


def test_pods_that_are_not_ready_go_first() -> None:
    pods = Pods(2, start_seconds=10)
    pods.scale(0, 4)
    assert (len(pods), pods.ready(9), pods.ready(10)) == (4, 2, 4)
    pods.scale(5, 6)
    pods.scale(11, 4)
    assert (len(pods), pods.ready(11)) == (4, 4)


def test_the_measured_rates_are_those_of_the_documentation() -> None:
    """As near as one machine is to another: the figures there are measured anew now and then."""
    ours = float(_found(r"^\| ours \|.*\| ([\d.]+) \|$"))
    evaluations, messages = (float(each.replace(",", "")) for each in _consumer_row().groups()[:2])
    wall = float(_found(r"^\| wall clock \| ([\d.]+) \|"))
    assert pytest.approx(ours + 1.0, rel=MACHINES_DIFFER) == EVALUATION_MICROSECONDS
    assert pytest.approx(evaluations / messages, rel=MACHINES_DIFFER) == MESSAGE_EVALUATIONS
    assert pytest.approx(messages / wall, rel=MACHINES_DIFFER) == CONSUMER_MESSAGES


def _found(pattern: str) -> str:
    found = re.search(pattern, PERFORMANCE, re.MULTILINE)
    assert found, f"docs/performance.md has nothing like {pattern}"
    return found[1]


def _consumer_row() -> re.Match[str]:
    found = re.search(r"^\| ([\d,]+) evaluations in ([\d,]+) messages \|", PERFORMANCE, re.MULTILINE)
    assert found
    return found


def test_what_does_not_hold_is_told_with_what_to_do() -> None:
    late = Profile("late", [Point(0, 0), Point(1, 500_000), Point(400, 500_000)])
    told = problems(summarise(play(SMALL, late), Limits(), 1, 10))
    assert told[0].startswith("evaluation: evaluations waited up to")
    assert "1 replicas, the maximum, are too few" in told[0]
    assert "10 replicas, the maximum, are too few" in told[1]
    soon = Profile("soon", [Point(0, 0), Point(1, 150_000), Point(60, 150_000)])
    [slow] = problems(summarise(play(SMALL._replace(cpu=CpuSpec(1, 4)), soon), Limits(1, 600), 4, 10))
    assert "More came too late" in slow


def test_quiet_traffic_holds() -> None:
    quiet = summarise(play(SMALL, Profile("quiet", [Point(0, 100), Point(3_600, 100)])), Limits(), 1, 10)
    assert problems(quiet) == []
    assert [each.replica_hours for each in quiet] == [pytest.approx(1), pytest.approx(1)]
    assert [each.arrived for each in quiet] == [pytest.approx(360_000), pytest.approx(7_200)]


@pytest.mark.parametrize("name", Name)
def test_a_named_profile_reaches_its_peak_and_no_more(name: Name) -> None:
    profile = named(name, 1_000)
    rates = [profile.rate(second) for second in range(profile.seconds)]
    assert max(rates) == pytest.approx(1_000) == profile.peak
    assert min(rates) >= 0
    assert set(SHAPES) == set(Name)


def test_between_points_the_rate_is_a_straight_line(tmp_path: Path) -> None:
    file = tmp_path / "sale.csv"
    file.write_text("seconds,rate\n0,100\n10,300\n20,0\n")
    profile = read(file)
    assert (profile.name, profile.seconds, profile.peak) == ("sale", 20, 300)
    assert [profile.rate(second) for second in (0, 5, 10, 15, 20)] == [100, 200, 300, 150, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two points"),
        ("0,1\n", "two points"),
        ("5,1\n10,1\n", "second 0"),
        ("0,1\n10,1\n10,2\n", "second 10 stands after 10"),
        ("0,1\n10,-1\n", "rate at second 10 is -1"),
        ("0,1\n10,nan\n", "rate at second 10 is nan"),
        ("0,1\n10,many\n", "many"),
        ("0,1\n10\n", "'10' has 1 fields"),
    ],
)
def test_a_file_that_is_no_profile_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    with pytest.raises(Told, match=re.escape(said)) as told:
        read(file)
    assert str(file) in str(told.value)
    with pytest.raises(Told, match="No such file"):
        read(tmp_path / "none.csv")
