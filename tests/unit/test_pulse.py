"""What is said of loops that stand still, and of those that fail."""

import json

import pytest
from prometheus_client import Metric

from deploy.processes.worker_metrics import Answer, Sampled, live, ready
from workers.pulse import Pulse


def said(answer: Answer) -> str:
    return str(json.loads(answer.body).get("problem", ""))


def test_a_loop_that_stands_still_is_not_live_and_is_named() -> None:
    answer = live([Pulse("moving"), Pulse("still", stuck_seconds=-1)])
    assert (answer.status, said(answer)) == (503, "still: stands still for 0 s")


def test_a_loop_that_fails_is_live_but_not_ready() -> None:
    pulse = Pulse("ruleset")
    pulse.fails("Redis is away")
    assert live([pulse]).status == 200
    assert (ready([pulse]).status, said(ready([pulse]))) == (503, "ruleset: Redis is away")
    assert pulse.failures == 1


def test_ready_is_what_has_worked_and_did_not_fail_since() -> None:
    pulse = Pulse("scheduler")
    assert ready([pulse]).status == 503
    pulse.moves()
    assert ready([pulse]).status == 503
    pulse.works()
    assert ready([pulse]).status == 200


def test_what_does_not_answer_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    problems = [OSError("away"), OSError("away"), None, OSError("away again")]

    def sample() -> list[Metric]:
        if (problem := problems.pop(0)) is not None:
            raise problem
        return [Metric("m", "a metric", "gauge")]

    sampled = Sampled(sample)
    seen = []
    for _ in range(4):
        sampled.ask()
        seen.append(len(list(sampled.collect())))
    assert seen == [0, 0, 1, 0]
    assert [each.message for each in caplog.records] == [
        "not all metrics can be told now: away",
        "not all metrics can be told now: away again",
    ]
