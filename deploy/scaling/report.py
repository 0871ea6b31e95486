"""What a simulation comes to: figures of each Deployment, and whether the limits hold."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table

from deploy.scaling.profiles import HOUR, MINUTE
from deploy.scaling.simulation import Second, State


class Limits(NamedTuple):
    """How long work may wait, in seconds."""

    evaluation_lag: int = 1  # who waits longer for a flag has given up and serves its default
    consumer_lag: int = 60  # as long as an evaluator may take to send, before somebody is to look


@dataclass
class Summary:
    """Of one Deployment. `unit` is what it works on."""

    name: str
    unit: str
    limit: int
    maximum: int
    arrived: float = 0.0
    done: float = 0.0
    least: int = 0
    most: int = 0
    replica_hours: float = 0.0
    at_maximum: int = 0
    backlog: float = 0.0
    lag: int = 0
    late: int = 0
    overwhelmed: int = 0  # seconds of these in which more came in than all that may be could do

    def add(self, state: State) -> None:
        self.arrived += state.arrived
        self.done += state.done
        self.least = min(self.least, state.replicas) if self.replica_hours else state.replicas
        self.most = max(self.most, state.replicas)
        self.replica_hours += state.replicas / HOUR
        self.at_maximum += state.replicas == self.maximum
        self.backlog = max(self.backlog, state.backlog)
        self.lag = max(self.lag, state.lag)
        self.late += state.lag > self.limit
        full = state.ready == self.maximum and state.arrived > state.capacity
        self.overwhelmed += full and state.lag > self.limit

    def problem(self) -> str:
        """Empty when its limit holds."""
        if not self.late:
            return ""
        said = f"{self.name}: {self.unit} waited up to {duration(self.lag)}"
        return f"{said}, more than {self.limit} s for {duration(self.late)}. {self._advice()}"

    def _advice(self) -> str:
        if self.overwhelmed:
            return f"{self.maximum} replicas, the maximum, are too few: allow more."
        return "More came too late: have more to begin with, aim lower, or let pods start sooner."


def summarise(seconds: Iterable[Second], limits: Limits, evaluators: int, consumers: int) -> list[Summary]:
    """`evaluators` and `consumers` are how many there may be at most."""
    found = [
        Summary("evaluation", "evaluations", limits.evaluation_lag, evaluators),
        Summary("consumer", "messages", limits.consumer_lag, consumers),
    ]
    for second in seconds:
        found[0].add(second.evaluation)
        found[1].add(second.consumer)
    return found


def problems(summaries: Iterable[Summary]) -> list[str]:
    return [problem for each in summaries if (problem := each.problem())]


ROWS: dict[str, Callable[[Summary], str]] = {
    "arrived": lambda each: f"{each.arrived:,.0f} {each.unit}",
    "done at the end": lambda each: f"{each.done:,.0f}",
    "replicas, least to most": lambda each: f"{each.least} to {each.most}",
    "replica-hours": lambda each: f"{each.replica_hours:,.1f}",
    "at the maximum of replicas": lambda each: f"{duration(each.at_maximum)}",
    "most that waited": lambda each: f"{each.backlog:,.0f} {each.unit}",
    "longest wait": lambda each: duration(each.lag),
    "waits longer than": lambda each: f"{each.limit} s for {duration(each.late)}",
}


def table(title: str, summaries: Sequence[Summary]) -> Table:
    found = Table("", *(each.name for each in summaries), title=title)
    for column in found.columns[1:]:
        column.justify = "right"
    for name, say in ROWS.items():
        found.add_row(name, *(say(each) for each in summaries))
    return found


def duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.3g} h"
