"""The analytics consumer process."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from deploy.processes.common import until_signalled
from deploy.processes.consumer_metrics import ConsumerMetrics, QueueMetrics
from deploy.processes.worker_metrics import serve_metrics
from deploy.settings import Settings
from deploy.telemetry import tracing
from projections.aws import REQUESTS_AT_ONCE, Queue, dead_queue, dynamodb_client, sqs_client
from projections.compaction import Compaction
from workers.compactor import Compactor
from workers.consumer import Consumer
from workers.evaluation_store import EvaluationStore, Tables

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from deploy.traces import Tracing

STOP_SECONDS = 8.0  # whoever starts us waits 10; a call to DynamoDB may hang for longer

log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what it has received by then it finishes, unless that takes too long."""
    stop = until_signalled()
    traces = tracing("consumer")
    consumers, compactor, queue_metrics = build(settings, traces)
    collectors = [ConsumerMetrics(consumers, compactor), queue_metrics]
    serve_metrics(settings, "consumer", [each.pulse for each in consumers], collectors, stop)
    work = [*(consumer.run for consumer in consumers), compactor.run]
    threads = [threading.Thread(target=each, args=[stop], daemon=True) for each in work]
    if settings.metrics_port is not None:
        threads.append(threading.Thread(target=queue_metrics.run, args=[stop], daemon=True))
    for thread in threads:
        thread.start()
    stop.wait()
    end(threads, traces.close if traces else lambda: None)


def build(
    settings: Settings, traces: "Tracing | None" = None
) -> tuple[list[Consumer], Compactor, QueueMetrics]:
    """Connects to nothing yet."""
    wait, count = settings.queue_wait_seconds, settings.consumer_threads
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region, wait_seconds=wait, connections=3 * count)
    dynamodb = dynamodb_client(
        settings.aws_endpoint_url, settings.aws_region, connections=REQUESTS_AT_ONCE * (count + 2)
    )
    tables = Tables(dynamodb, settings.usage_table, settings.records_table, settings.original_table)
    ours = Queue(sqs, settings.queue_name)
    queues = [ours] * count
    if settings.original_queue_url:
        queues.append(Queue(sqs, "", url=settings.original_queue_url))
    more: dict[str, Any] = {"around": traces.receiving} if traces else {}
    consumers = [Consumer(queue, EvaluationStore(tables), wait_seconds=wait, **more) for queue in queues]
    compactor = Compactor(Compaction(dynamodb, settings.usage_table))
    return consumers, compactor, QueueMetrics(ours, dead_queue(ours))


def end(threads: Sequence[threading.Thread], finish: Callable[[], None]) -> NoReturn:
    """What is not stored by then comes again."""
    deadline = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        log.warning("not all that was received is stored after %s s; SQS will give it again", STOP_SECONDS)
    finish()
    logging.shutdown()
    os._exit(0)  # otherwise threads that hang are waited for, and datasketches complains of what is left
