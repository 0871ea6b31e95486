"""A simulation told and drawn."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deploy.scaling.picture import Words, columns, draw
from deploy.scaling.profiles import Profile
from deploy.scaling.report import Limits, duration, problems, summarise, table
from deploy.scaling.simulation import Plan, play
from deploy.told import Told


def show(plan: Plan, profile: Profile, limits: Limits, picture: Path | None, out: Console) -> bool:
    """Whether the limits hold. Raises Told for a plan that cannot be, and as `draw`."""
    check(plan)
    seconds = list(play(plan, profile))
    found = summarise(seconds, limits, plan.cpu.maximum, plan.queue.maximum)
    wrong = problems(found)
    out.print(table(_title(profile), found))
    for problem in wrong:
        out.print(problem, highlight=False, markup=False, soft_wrap=True)
    if not wrong:
        out.print(_holds(limits), highlight=False, markup=False, soft_wrap=True)
    if picture:
        words = Words(_title(profile), _verdict(wrong, limits), _small_print(plan), not wrong)
        draw(seconds, words, columns(*limits), picture)
        out.print(f"The picture is {picture}.", highlight=False, markup=False, soft_wrap=True)
    return not wrong


def check(plan: Plan) -> None:
    for name, least, most in (
        ("evaluation", plan.cpu.minimum, plan.cpu.maximum),
        ("consumer", plan.queue.minimum, plan.queue.maximum),
    ):
        if least > most:
            raise Told(f"--{name}-min is {least}, which is more than --{name}-max, {most}")


def _title(profile: Profile) -> str:
    most, lasts = f"{profile.peak:,.0f} evaluations a second", duration(profile.seconds)
    return f"{profile.name.capitalize()}: up to {most}, {lasts}"


def _holds(limits: Limits) -> str:
    waits = (
        f"no evaluation waited longer than {limits.evaluation_lag} s, no message than {limits.consumer_lag} s"
    )
    return f"The limits hold: {waits}."


def _verdict(wrong: Sequence[str], limits: Limits) -> str:
    return "\n".join(wrong) if wrong else _holds(limits)


def _small_print(plan: Plan) -> str:
    cpu, queue = plan.cpu, plan.queue
    return (
        f"HPA: {cpu.target:.0%} of {plan.cores_requested:g} requested cores, {cpu.minimum} to {cpu.maximum}"
        f" replicas; an evaluation takes {plan.evaluation_microseconds:g} µs, so an evaluator does"
        f" {plan.evaluator_rate:,.0f} a second.   KEDA: {queue.queue_length:g} messages a replica,"
        f" {queue.minimum} to {queue.maximum}\nreplicas; a consumer does {plan.consumer_messages:g} messages"
        f" a second, of {plan.message_evaluations:,.0f} evaluations each.   A pod is ready"
        f" {plan.pod_start_seconds} s after it was asked for.   Dashed: the longest wait allowed."
    )
