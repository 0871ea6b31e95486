"""What was measured, kept whole, and what is told of it: medians, spreads, ratios within a round."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """One run of wrk.

    `server_us` is the server's CPU time for one request in microseconds, `load_busy` the share of its core
    that wrk used (near 1 it is wrk that is measured), `others_busy` the share of the server's core that
    somebody else had, `dropped` how many counts or records of evaluations the server had no room for.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    server_us: float
    load_busy: float
    others_busy: float
    dropped: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Delays(NamedTuple):
    """Milliseconds from just before the INSERT until an answer had its position, in the order of commits."""

    milliseconds: list[float]
    commands_a_second: float
    evaluations_a_second: float


Samples = dict[str, list[Sample]]
"""By case; the nth of each was taken in the same round."""


class Spread(NamedTuple):
    median: float
    min: float
    max: float


@dataclass
class Results:
    """`about` is the machine, the date and the versions; `notes` what a reader has to know besides.

    `bulk` has its flags by case in `bulk_flags`; the rest have one evaluation a request.
    """

    about: dict[str, str]
    notes: list[str] = field(default_factory=list)
    single: Samples = field(default_factory=dict)
    bulk: Samples = field(default_factory=dict)
    bulk_flags: dict[str, int] = field(default_factory=dict)
    storm: Samples = field(default_factory=dict)
    slow: Samples = field(default_factory=dict)
    outage: Samples = field(default_factory=dict)
    propagation: dict[str, list[Delays]] = field(default_factory=dict)

    def dump(self, file: Path) -> None:
        """Samples as objects, so that whoever reads the file needs nothing else."""
        file.write_text(json.dumps(_plain(asdict(self)), indent=1))


def load(file: Path) -> Results:
    found = json.loads(file.read_text())
    for group in ("single", "bulk", "storm", "slow", "outage"):
        found[group] = _each(found[group], lambda sample: Sample(**sample))
    found["propagation"] = _each(found["propagation"], lambda delays: Delays(**delays))
    return Results(**found)


def _each(group: Mapping[str, list[Any]], make: Callable[[Any], Any]) -> dict[str, list[Any]]:
    return {case: [make(each) for each in samples] for case, samples in group.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Sample | Delays):
        return value._asdict()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def spread(values: Iterable[float]) -> Spread:
    found = list(values)
    return Spread(median(found), min(found), max(found))


def figure(samples: Iterable[Sample], name: str) -> Spread:
    """Of a field or property of Sample, over the rounds."""
    return spread(getattr(sample, name) for sample in samples)


def ratio(samples: Sequence[Sample], base: Sequence[Sample], name: str = "per_second") -> Spread:
    """Round by round, so that what slows down a whole round changes nothing."""
    pairs = zip(samples, base, strict=True)
    return spread(getattr(one, name) / getattr(other, name) for one, other in pairs)


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that is no less than so many percent of them."""
    found = sorted(values)
    return found[max(0, ceil(len(found) * percent / 100) - 1)]


def percentiles(rounds: Iterable[Delays], percent: float) -> Spread:
    return spread(percentile(each.milliseconds, percent) for each in rounds)
