"""What a consumer process tells of itself and of its queue."""

import logging
import threading
from collections.abc import Iterator, Sequence

from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from projections.aws import Queue
from workers.compactor import Compactor
from workers.consumer import Consumer

SAMPLE_SECONDS = 30.0

log = logging.getLogger(__name__)

COUNTERS = {
    "received": "messages that SQS gave us",
    "invalid": "messages that cannot be read",
    "refused": "messages that DynamoDB refuses",
    "expired": "rows and records older than what is kept",
    "counts_written": "count rows",
    "records_written": "single evaluations",
    "deleted": "messages that are stored",
    "failures": "calls to SQS or DynamoDB that failed and were tried again",
}


class ConsumerMetrics(Collector):
    """The sums over the threads of a process."""

    def __init__(self, consumers: Sequence[Consumer], compactor: Compactor) -> None:
        self._consumers = consumers
        self._compactor = compactor

    def collect(self) -> Iterator[Metric]:
        for name, about in COUNTERS.items():
            total = sum(getattr(each, name) for each in self._consumers)
            yield CounterMetricFamily(f"togglemaster_consumer_{name}", about, total)
        yield CounterMetricFamily("togglemaster_compacted_hours", "hours added up", self._compactor.hours)
        yield SummaryMetricFamily(
            "togglemaster_consumer_batch_seconds",
            "time from received to stored and deleted",
            count_value=sum(each.batches for each in self._consumers),
            sum_value=sum(each.batch_seconds for each in self._consumers),
        )


class QueueMetrics(Collector):
    """How many messages wait, about; what SQS did not tell is left out."""

    def __init__(self, *queues: Queue) -> None:
        self._queues = queues
        self._waiting: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for queue in self._queues:
                self._sample(queue)
            stop.wait(SAMPLE_SECONDS)

    def _sample(self, queue: Queue) -> None:
        try:
            self._waiting[queue.name] = queue.messages()
        except (BotoCoreError, ClientError) as problem:
            self._waiting.pop(queue.name, None)
            log.warning("SQS does not say how long queue %s is: %s", queue.name, problem)

    def collect(self) -> Iterator[Metric]:
        metric = GaugeMetricFamily(
            "togglemaster_queue_messages", "messages that wait in the queue, about", labels=["queue"]
        )
        for name, waiting in dict(self._waiting).items():
            metric.add_metric([name], waiting)
        yield metric
