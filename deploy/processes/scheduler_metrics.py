"""What a scheduler process tells of itself and of what is due."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from projections.due import Due
from workers.scheduler import Scheduler


class SchedulerMetrics(Collector):
    """What this process did."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def collect(self) -> Iterator[Metric]:
        found = self._scheduler
        yield CounterMetricFamily("togglemaster_scheduler_applied", "what was carried out", found.applied)
        yield CounterMetricFamily("togglemaster_scheduler_failed", "what could not be", found.failed)
        yield GaugeMetricFamily(
            "togglemaster_scheduler_held_back", "due things that rest after a fault", found.held_back()
        )


class DueMetrics:
    """What waits in PostgreSQL, for whichever scheduler."""

    def __init__(self, due: Due) -> None:
        self._due = due

    def __call__(self) -> Iterator[Metric]:
        waiting = self._due.waiting()
        yield GaugeMetricFamily("togglemaster_scheduler_due", "what is due and not done", waiting.due)
        yield GaugeMetricFamily("togglemaster_scheduler_later", "what will be due", waiting.later)
        yield GaugeMetricFamily(
            "togglemaster_scheduler_overdue_seconds",
            "for how long the first has been due",
            waiting.overdue_seconds,
        )
