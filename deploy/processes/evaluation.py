"""The evaluation process."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from redis import Redis

from api.evaluation.app import create_app
from api.evaluation.parts import Parts
from deploy.processes.collector import no_full_collection, set_aside_survivors
from deploy.processes.common import NotConfigured, redis_client
from deploy.settings import Settings
from deploy.telemetry import tracing
from projections.aws import Queue, sqs_client
from projections.copy_keeper import CopyKeeper
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.last_known_good import LastKnownGood
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse
from workers.sender import Publisher, SqsPublisher

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from deploy.traces import Tracing

MEGABYTE = 1024 * 1024
INSTALLATION_LENGTH = 16  # of a file's name; no two addresses share them by chance
REDIS_SECONDS = 0.1  # Redis is asked in the background; one that hangs must not hold the thread for long


def build(settings: Settings) -> FastAPI:
    """Connects to nothing yet: neither Redis nor SQS has to be there for it to start."""
    redis = redis_client(settings, REDIS_SECONDS)
    set_aside_survivors()
    follower = Follower(redis, copies(settings, redis), no_full_collection)
    traces = tracing("evaluation")
    key_use, recorder = KeyUse(KeysUsed(redis)), recorder_of(settings, traces)
    app = create_app(Parts(follower, recorder, key_use, settings.requests_per_second, settings.public_url))
    if traces:
        app.add_middleware(traces.requests)
    return app


def recorder_of(settings: Settings, traces: "Tracing | None" = None) -> EvaluationRecorder:
    """Raises NotConfigured where the spool cannot be written to."""
    try:
        return EvaluationRecorder(
            LatePublisher(lambda: publisher(settings, traces)),
            spool_dir=Path(settings.spool_dir) if settings.spool_dir else None,
            records=settings.records,
            secret=settings.secret or settings.admin_key,
            flush_seconds=settings.flush_seconds,
            max_counters=settings.spool_counters,
            record_bytes=settings.spool_megabytes * MEGABYTE,
        )
    except OSError as problem:
        where = settings.spool_dir or "a temporary directory"
        raise NotConfigured(
            f"evaluations cannot be kept in {where} ({problem}): make room, or set TOGGLEMASTER_SPOOL_DIR to"
            " a directory that this process may write to"
        ) from problem


class LatePublisher:
    """Made when there is something to send, in the thread that sends: answers do not wait for boto3."""

    def __init__(self, make: Callable[[], Publisher]) -> None:
        self._make = cache(make)

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        return self._make().send(batch)


def publisher(settings: Settings, traces: "Tracing | None" = None) -> Publisher:
    queue = Queue(sqs_client(settings.aws_endpoint_url, settings.aws_region), settings.queue_name)
    return traces.publisher(queue) if traces else SqsPublisher(queue)


def copies(settings: Settings, redis: Redis) -> CopyKeeper | None:
    if not settings.copy_dir:
        return None
    return CopyKeeper(LastKnownGood(Path(settings.copy_dir), installation_of(redis)))


def installation_of(redis: Redis) -> str:
    """The same for everybody who asks this Redis, whoever they are to it."""
    address = redis.connection_pool.connection_kwargs
    parts = [str(address.get(part, "")) for part in ("host", "port", "path", "db")]
    return sha256("\n".join(parts).encode()).hexdigest()[:INSTALLATION_LENGTH]
