"""What has to be there before any process is of use."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from commands.event_store import EventStore, StoreUnavailable
from commands.handlers import Commands
from commands.models import CreateProject
from commands.private_tables import PrivateTables
from commands.unit_of_work import utc_now
from deploy.processes.common import PATIENCE_SECONDS
from deploy.processes.projector import POSTGRES_VIEWS
from deploy.settings import Settings
from deploy.told import Told
from domain.envelope import Stamp
from domain.errors import AlreadyExists
from projections.aws import (
    OtherKeys,
    create_queue,
    create_tables,
    dead_name,
    dynamodb_client,
    queue_exists,
    sqs_client,
)
from projections.fold_snapshots import FoldSnapshots
from projections.item_writes import Throttled
from projections.original_table import create_original_table
from projections.postgres_views import ViewUnavailable
from projections.webhook_deliveries import WebhookDeliveries


class Found(NamedTuple):
    """Something in SQS or DynamoDB that has to be there."""

    kind: str
    name: str
    made: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {'is made' if self.made else 'was there'}"


FIRST_PROJECT = CreateProject(project="default", name="Default")


def set_up(settings: Settings) -> list[Found]:
    """Makes the tables, the queues and the first project where they are missing; safe to run again.

    Raises Told for what is away.
    """
    try:
        set_up_postgres(settings)
    except (StoreUnavailable, ViewUnavailable) as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem
    return set_up_analytics(settings)


def set_up_analytics(settings: Settings) -> list[Found]:
    """The queues and the tables, each as it was found. Raises Told."""
    with aws_told():
        return [*_set_up_queues(settings), *_set_up_tables(settings)]


@contextmanager
def aws_told() -> Iterator[None]:
    """What SQS and DynamoDB raise, told to whoever runs a command."""
    try:
        yield
    except OtherKeys as problem:
        raise Told(str(problem)) from problem
    except (BotoCoreError, ClientError, Throttled) as problem:
        raise Told(f"SQS or DynamoDB at TOGGLEMASTER_AWS_ENDPOINT_URL: {problem}") from problem


def set_up_postgres(settings: Settings) -> None:
    with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store:
        store.create_tables()
        _create_first_project(store)
    with closing(PrivateTables(settings.postgres_url, PATIENCE_SECONDS)) as tables:
        tables.create_tables()
    for view in (*POSTGRES_VIEWS, WebhookDeliveries, FoldSnapshots):
        with closing(view(settings.postgres_url, PATIENCE_SECONDS)) as opened:
            opened.create_tables()


def _set_up_queues(settings: Settings) -> list[Found]:
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region)
    names = (settings.queue_name, dead_name(settings.queue_name))
    found = [Found("queue", name, made=not queue_exists(sqs, name)) for name in names]
    create_queue(sqs, settings.queue_name)
    return found


def _set_up_tables(settings: Settings) -> list[Found]:
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    made = create_tables(dynamodb, settings.usage_table, settings.records_table)
    names = (settings.usage_table, settings.records_table)
    found = [Found("table", name, made=name in made) for name in names]
    if settings.original_table:
        made_original = create_original_table(dynamodb, settings.original_table)
        found.append(Found("table", settings.original_table, made=made_original))
    return found


def _create_first_project(store: EventStore) -> None:
    try:
        Commands(store).execute(FIRST_PROJECT, Stamp("togglemaster", utc_now(), "first start"))
    except AlreadyExists:
        return
