"""The evaluation process."""

from fastapi import FastAPI

from api.evaluation.app import create_app
from api.evaluation.parts import Parts
from deploy.processes.common import redis_client
from deploy.settings import Settings
from projections.aws import Queue, sqs_client
from projections.follower import Follower
from projections.keys_used import KeysUsed
from workers.evaluations import EvaluationRecorder, SqsPublisher
from workers.key_use import KeyUse

REDIS_SECONDS = 0.1  # Redis is asked in the background; one that hangs must not hold the thread for long


def build(settings: Settings) -> FastAPI:
    """Connects to nothing yet: neither Redis nor SQS has to be there for it to start."""
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region)
    recorder = EvaluationRecorder(
        SqsPublisher(Queue(sqs, settings.queue_name)),
        records=settings.records,
        flush_seconds=settings.flush_seconds,
    )
    redis = redis_client(settings, REDIS_SECONDS)
    return create_app(Parts(Follower(redis), recorder, KeyUse(KeysUsed(redis))))
