"""What holds for any traffic and any limits: nothing is lost, and nobody has more replicas than they may."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.scaling.hpa import Autoscaler, Policy, Rules
from deploy.scaling.profiles import Point, Profile
from deploy.scaling.scalers import CpuSpec, QueueSpec
from deploy.scaling.simulation import Plan, State, play

SECONDS = 400

counts = st.integers(0, 12)
policies = st.builds(Policy, st.sampled_from(("Pods", "Percent")), st.integers(1, 200), st.integers(1, 120))
rules = st.builds(
    Rules,
    st.integers(0, 120),
    st.lists(policies, min_size=1, max_size=3).map(tuple),
    st.sampled_from(("Max", "Min", "Disabled")),
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    rates = draw(st.lists(st.floats(0, 3e6), min_size=2, max_size=8))
    step = SECONDS / (len(rates) - 1)
    return Profile("any", (Point(number * step, rate) for number, rate in enumerate(rates)))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    few, more, some, many = draw(st.tuples(counts, counts, counts, counts))
    return Plan(
        CpuSpec(1 + few, 1 + few + more, draw(st.floats(0.1, 1))),
        QueueSpec(draw(st.floats(0.5, 50)), some, max(1, some + many), draw(st.integers(1, 90))),
        evaluation_microseconds=draw(st.floats(1, 1_000)),
        cores_requested=draw(st.floats(0.05, 4)),
        cores=draw(st.floats(0.05, 1)),
        message_evaluations=draw(st.floats(1, 50_000)),
        consumer_messages=draw(st.floats(0.1, 500)),
        pod_start_seconds=draw(st.integers(0, 120)),
    )


@given(plans(), profiles())
@settings(max_examples=60, deadline=None)
def test_what_arrived_is_done_or_waits_and_replicas_keep_their_limits(plan: Plan, profile: Profile) -> None:
    seconds = list(play(plan, profile))
    conserved([second.evaluation for second in seconds])
    conserved([second.consumer for second in seconds])
    for second in seconds:
        assert plan.cpu.minimum <= second.evaluation.replicas <= plan.cpu.maximum
        assert plan.queue.minimum <= second.consumer.replicas <= plan.queue.maximum


def conserved(states: list[State]) -> None:
    arrived = sum(state.arrived for state in states)
    assert sum(state.done for state in states) + states[-1].backlog == pytest.approx(
        arrived, rel=1e-6, abs=1e-3
    )
    for now, state in enumerate(states):
        assert 0 <= state.ready <= state.replicas
        assert 0 <= state.done <= state.capacity
        assert state.backlog >= 0
        assert 0 <= state.lag <= now
        assert state.backlog > 0 or state.lag == 0


@given(rules, rules, counts, counts, st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_an_autoscaler_never_leaves_its_limits_and_never_turns_the_wrong_way(
    up: Rules, down: Rules, minimum: int, more: int, wanted: list[int]
) -> None:
    hpa, replicas = Autoscaler(minimum, minimum + more, up, down), minimum
    for number, each in enumerate(wanted):
        before, replicas = replicas, hpa.decide(15 * number, replicas, each)
        assert minimum <= replicas <= minimum + more
        if replicas != before:
            assert (replicas > before) == (each > before)
