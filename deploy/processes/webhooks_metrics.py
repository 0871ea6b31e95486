"""What a webhooks process tells of itself and of what its receivers wait for."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from commands.event_store import EventStore
from domain.envelope import Recorded
from projections.webhook_deliveries import WebhookDeliveries
from workers.webhooks import WebhookWorker


class WebhookMetrics(Collector):
    """What this process did."""

    def __init__(self, worker: WebhookWorker) -> None:
        self._attempts = worker.attempts

    def collect(self) -> Iterator[Metric]:
        delivered, failed = self._attempts.delivered, self._attempts.failed
        yield CounterMetricFamily("togglemaster_webhooks_delivered", "events that receivers took", delivered)
        yield CounterMetricFamily("togglemaster_webhooks_failed", "attempts that failed", failed)


class BacklogMetrics:
    """What waits, whichever process is to deliver it."""

    def __init__(self, log: EventStore, deliveries: WebhookDeliveries) -> None:
        self._log, self._deliveries = log, deliveries

    def __call__(self) -> Iterator[Metric]:
        found = self._deliveries.backlog(self._log.head())
        for name, meaning, value in (
            ("pending", "webhooks behind the head of the log", found.pending),
            ("failing", "webhooks whose last attempt failed", found.failing),
            ("paused", "webhooks that are paused", found.paused),
            ("oldest_seconds", "age of the oldest event that one waits for", self._age(found.after)),
        ):
            yield GaugeMetricFamily(f"togglemaster_webhooks_{name}", meaning, value)

    def _age(self, after: int | None) -> float:
        """Of the first event after that position; of none, and of one that this version cannot read, 0."""
        first = [] if after is None else self._log.read_each(after=after, limit=1)
        times = [each.stamp.at for each in first if isinstance(each, Recorded)]
        return max(0.0, (self._log.now() - times[0]).total_seconds()) if times else 0.0
