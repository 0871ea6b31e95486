"""The evaluation process."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI
from redis import Redis

from api.evaluation.app import create_app
from api.evaluation.parts import Parts
from deploy.processes.collector import no_full_collection, set_aside_survivors
from deploy.processes.common import redis_client
from deploy.settings import Settings
from projections.aws import Queue, sqs_client
from projections.copy_keeper import CopyKeeper
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.last_known_good import LastKnownGood
from workers.evaluations import EvaluationRecorder, Publisher, SqsPublisher
from workers.key_use import KeyUse

INSTALLATION_LENGTH = 16  # of a file's name; no two addresses share them by chance
REDIS_SECONDS = 0.1  # Redis is asked in the background; one that hangs must not hold the thread for long


def build(settings: Settings) -> FastAPI:
    """Connects to nothing yet: neither Redis nor SQS has to be there for it to start."""
    recorder = EvaluationRecorder(
        LatePublisher(lambda: publisher(settings)),
        records=settings.records,
        flush_seconds=settings.flush_seconds,
    )
    redis = redis_client(settings, REDIS_SECONDS)
    set_aside_survivors()
    follower = Follower(redis, copies(settings, redis), no_full_collection)
    key_use = KeyUse(KeysUsed(redis))
    return create_app(Parts(follower, recorder, key_use, settings.requests_per_second, settings.public_url))


class LatePublisher:
    """Made when there is something to send, in the thread that sends: answers do not wait for boto3."""

    def __init__(self, make: Callable[[], Publisher]) -> None:
        self._make = cache(make)

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        return self._make().send(batch)


def publisher(settings: Settings) -> Publisher:
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region)
    return SqsPublisher(Queue(sqs, settings.queue_name))


def copies(settings: Settings, redis: Redis) -> CopyKeeper | None:
    if not settings.copy_dir:
        return None
    return CopyKeeper(LastKnownGood(Path(settings.copy_dir), installation_of(redis)))


def installation_of(redis: Redis) -> str:
    """The same for everybody who asks this Redis, whoever they are to it."""
    address = redis.connection_pool.connection_kwargs
    parts = [str(address.get(part, "")) for part in ("host", "port", "path", "db")]
    return sha256("\n".join(parts).encode()).hexdigest()[:INSTALLATION_LENGTH]
