"""Routes for whoever runs the installation: what answers, how far each model is, and whether it is right."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field
from redis import RedisError

from api.http import StrictRoute
from api.management.access import permitted
from api.management.context import PartsOf
from api.management.health_dropped import DroppedShape, dropped_shape
from api.management.health_parts import Health
from commands.event_store import StoreUnavailable
from domain.errors import WrongStatus
from domain.roles import Permission, Principal
from projections.aws import at_once, dead_queue
from projections.frozen import Frozen
from projections.postgres_views import ViewUnavailable
from projections.verification import Difference, Status, status_of, verify

router = APIRouter(prefix="/health", tags=["health"], route_class=StrictRoute)

SHOWN = 50  # a model that differs in more places than this is rebuilt, not read
AWAY = (StoreUnavailable, ViewUnavailable, RedisError, OSError, BotoCoreError, ClientError)
RETRY_AFTER = {"Retry-After": "1"}

Everything = Annotated[Principal, Depends(permitted(Permission.ADMINISTER))]
Service = Literal["postgresql", "redis", "sqs", "dynamodb"]

TO_DO: dict[Service, str] = {
    "postgresql": "nothing can be changed until it answers; flags are evaluated as before. Start PostgreSQL,"
    " or correct TOGGLEMASTER_POSTGRES_URL",
    "redis": "changes do not reach evaluators until it answers; they serve what they have. Start Redis, or"
    " correct TOGGLEMASTER_REDIS_URL",
    "sqs": "evaluations wait in the evaluators' spools until it answers. Correct the credentials,"
    " TOGGLEMASTER_AWS_ENDPOINT_URL or TOGGLEMASTER_QUEUE_NAME; `togglemaster setup` makes the queues",
    "dynamodb": "insights cannot be shown, and counts wait in the queue, until it answers. Correct the"
    " credentials or TOGGLEMASTER_AWS_ENDPOINT_URL; `togglemaster setup` makes the tables",
}


class ServiceShape(BaseModel):
    """`problem` is what it said, and `to_do` what that means and what mends it; null while it answers."""

    name: Service
    reachable: bool
    problem: str | None
    to_do: str | None


class FrozenShape(BaseModel):
    """What is served of the stream is as it was before the event at `position`, which cannot be read."""

    stream: str
    position: int
    problem: str


class RulesetShape(BaseModel):
    """What evaluators serve. `generation` is null where there is none yet, `previous` where none is kept to
    go back to; `projector` is empty where none is at work."""

    generation: str | None
    previous: str | None
    position: int
    lag: int = Field(description="how many positions it is behind the log")
    projector: str
    frozen: list[FrozenShape]


class ViewShape(BaseModel):
    """Of what lists and the history are read from."""

    name: str
    position: int
    lag: int


class QueueShape(BaseModel):
    """How many messages wait, about; `dead` are those that were given back too often."""

    name: str
    waiting: int
    dead: int


class HealthAnswer(BaseModel):
    """What cannot be told while a service is away is null; `services` says which and what to do.

    `dropped` is what evaluators had no room for, as they told SQS, and consumers stored, since.
    """

    services: list[ServiceShape]
    head: int | None = Field(description="the position of the log's last event")
    ruleset: RulesetShape | None
    views: list[ViewShape] | None
    queue: QueueShape | None
    dropped: DroppedShape | None


class DriftShape(BaseModel):
    """`scope` is the environment, or what else the document belongs to."""

    scope: str
    document: str
    difference: Difference


class Verification(BaseModel):
    """`differ` counts all that differs, of which `drifts` are the first 50."""

    agrees: bool
    generation: str
    position: int
    differ: int
    drifts: list[DriftShape]
    frozen: list[FrozenShape]


@router.get("")
def show_health(_: Everything, parts: PartsOf) -> HealthAnswer:
    """Whether each service answers, how far each model is behind the log, how long the queue is, and what
    evaluators dropped."""
    health = parts.health
    asked: dict[Service, Callable[[], Any]] = {
        "postgresql": lambda: (health.log.head(), _views(health)),
        "redis": health.rulesets.live,
        "sqs": lambda: _queue(health),
        "dynamodb": lambda: _dropped(health),
    }
    found = dict(zip(asked, at_once(_answer, asked.values()), strict=True))
    services = [_service(name, answer) for name, (answer, _) in found.items()]
    head, views = found["postgresql"][1] or (None, None)
    away = found["postgresql"][0] or found["redis"][0]
    status = None if away else _answer(lambda: status_of(health.log, health.rulesets))[1]
    return HealthAnswer(
        services=services,
        head=head,
        ruleset=_ruleset(status) if status else None,
        views=views,
        queue=found["sqs"][1],
        dropped=found["dynamodb"][1],
    )


@router.post("/verify")
def verify_ruleset(_: Everything, parts: PartsOf) -> Verification:
    """Compares every document that evaluators are served with what the log says it should be.

    It reads the whole log: seconds for each million events. Changes nothing. One at a time.
    """
    health = parts.health
    if not health.verifying.acquire(blocking=False):
        raise WrongStatus("the ruleset is being verified for somebody already; try again when that has ended")
    try:
        return _verified(health)
    except (RedisError, OSError) as problem:
        raise HTTPException(503, f"Redis cannot be asked: {problem}; {TO_DO['redis']}", RETRY_AFTER) from None
    finally:
        health.verifying.release()


def _verified(health: Health) -> Verification:
    with closing(health.patient_log()) as log:
        status, drifts = verify(log, health.rulesets)
    if status.generation is None:
        raise WrongStatus(
            "Redis has no ruleset: start the projector, or run `togglemaster projections rebuild`"
        )
    return Verification(
        agrees=not drifts and not status.frozen,
        generation=status.generation,
        position=status.position,
        differ=len(drifts),
        drifts=[
            DriftShape(
                scope=each.place.scope,
                document=each.place.field.replace("/", " ", 1),
                difference=each.difference,
            )
            for each in drifts[:SHOWN]
        ],
        frozen=_frozen(status.frozen),
    )


def _answer(ask: Callable[[], Any]) -> tuple[str, Any]:
    """What is wrong, empty for nothing, and the answer."""
    try:
        return "", ask()
    except AWAY as problem:
        return str(problem) or type(problem).__name__, None


def _service(name: Service, problem: str) -> ServiceShape:
    to_do = TO_DO[name] if problem else None
    return ServiceShape(name=name, reachable=not problem, problem=problem or None, to_do=to_do)


def _ruleset(status: Status) -> RulesetShape:
    return RulesetShape(
        generation=status.generation,
        previous=status.previous,
        position=status.position,
        lag=status.lag,
        projector=status.holders.projector,
        frozen=_frozen(status.frozen),
    )


def _frozen(found: dict[str, Frozen]) -> list[FrozenShape]:
    return [FrozenShape(stream=stream, **each._asdict()) for stream, each in list(found.items())[:SHOWN]]


def _views(health: Health) -> list[ViewShape]:
    """Positions are asked for before the head, so that no lag is negative for want of a moment."""
    positions = {view.name: view.position() for view in health.views}
    head = health.log.head()
    return [ViewShape(name=name, position=at, lag=head - at) for name, at in positions.items()]


def _queue(health: Health) -> QueueShape:
    queue = health.queue()
    return QueueShape(name=queue.name, waiting=queue.messages(), dead=dead_queue(queue).messages())


def _dropped(health: Health) -> DroppedShape:
    """Fails where a table is not there, too."""
    for table in health.tables:
        health.dynamodb.describe_table(TableName=table)
    return dropped_shape(health.dropped.lately(time.time()))
