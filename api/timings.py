"""How long requests took, counted so cheaply that every request can be."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (  # seconds; an evaluation takes tens of microseconds, a write milliseconds
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf")),
)
LABELS = ("method", "route", "status")


class Timing:
    """The requests of one method, route and status. For one thread."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> Iterator[tuple[str, float]]:
        """As Prometheus wants them: each with those below it."""
        total = 0
        for bound, count in zip(BOUNDS, self.counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else str(bound)), total


class Timings(Collector):
    """A histogram in Prometheus' sense. The client library's own takes longer than an evaluation."""

    def __init__(self) -> None:
        self._timings: dict[tuple[str, str, str], Timing] = {}

    def of(self, method: str, route: str, status: str) -> Timing:
        return self._timings.setdefault((method, route, status), Timing())

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "togglemaster_http_request_seconds", "Time to answer HTTP requests", labels=LABELS
        )
        for labels, timing in self._timings.copy().items():
            family.add_metric(labels, list(timing.buckets()), timing.seconds)
        yield family
