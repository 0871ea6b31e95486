"""A consumer to be killed: as the process runs one, with messages that come back after a second."""

import sys
import threading

from projections.aws import Queue, dynamodb_client, sqs_client
from tests.integration.analytics import REGION, WAIT_SECONDS
from workers.consumer import Consumer
from workers.evaluation_store import EvaluationStore, Tables

THREADS = 2
VISIBILITY_SECONDS = 1


def main(url: str, queue_name: str, usage: str, records: str) -> None:
    queue = Queue(sqs_client(url, REGION, wait_seconds=WAIT_SECONDS), queue_name)
    tables = Tables(dynamodb_client(url, REGION, connections=20), usage, records)
    threads = []
    for _ in range(THREADS):
        consumer = Consumer(
            queue, EvaluationStore(tables), wait_seconds=WAIT_SECONDS, visibility_seconds=VISIBILITY_SECONDS
        )
        threads.append(threading.Thread(target=consumer.run, args=[threading.Event()]))
        threads[-1].start()
    threads[0].join()  # a main thread that ends takes the pools of threads with it


if __name__ == "__main__":
    main(*sys.argv[1:])
