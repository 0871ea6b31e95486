"""The canary process."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from api.timings import Timing
from deploy.canary import Canary, Failed
from deploy.processes.common import until_signalled
from deploy.processes.worker_metrics import serve_metrics
from deploy.settings import Settings
from workers.pulse import Pulse

STAGES = ("management", "evaluation", "late")
TURN_SECONDS = 10.0  # it rests in turns of this length, however long it rests

log = logging.getLogger(__name__)


class CanaryMetrics(Collector):
    def __init__(self) -> None:
        self.served = Timing()
        self.failures: Counter[str] = Counter()

    def collect(self) -> Iterator[Metric]:
        yield HistogramMetricFamily(
            "togglemaster_canary_served_seconds",
            "Time from a command's answer until it is served",
            list(self.served.buckets()),
            self.served.seconds,
        )
        failures = CounterMetricFamily("togglemaster_canary_failures", "Flips that failed", labels=["stage"])
        for stage in STAGES:
            failures.add_metric([stage], self.failures[stage])
        yield failures


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; the flip that is under way is finished."""
    stop, pulse, metrics = until_signalled(), Pulse("canary"), CanaryMetrics()
    with closing(Canary(settings)) as canary:
        serve_metrics(settings, "canary", [pulse], [metrics], stop)
        while not stop.is_set():
            flip(canary, pulse, metrics)
            _rest(stop, pulse, settings.canary_seconds)


def run_once(settings: Settings) -> float:
    """Seconds. Raises Failed."""
    with closing(Canary(settings)) as canary:
        return canary.flip()


def flip(canary: Canary, pulse: Pulse, metrics: CanaryMetrics) -> None:
    try:
        metrics.served.add(canary.flip())
        pulse.works()
    except Failed as problem:
        metrics.failures[problem.stage] += 1
        pulse.fails(str(problem))
        log.error("%s", problem)  # noqa: TRY400 - it says all there is


def _rest(stop: threading.Event, pulse: Pulse, seconds: float) -> None:
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0 and not stop.wait(min(left, TURN_SECONDS)):
        pulse.moves()
