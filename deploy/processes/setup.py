"""What has to be there before any process is of use."""

from contextlib import closing

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
from projections.aws import create_queue, create_tables, dynamodb_client, sqs_client
from projections.postgres_views import ViewUnavailable
from projections.webhook_deliveries import WebhookDeliveries

FIRST_PROJECT = CreateProject(project="default", name="Default")


def set_up(settings: Settings) -> None:
    """Makes the tables, the queue and the first project where they are missing; safe to run again.

    Raises Told for what is away.
    """
    try:
        set_up_postgres(settings)
        _set_up_aws(settings)
    except (StoreUnavailable, ViewUnavailable) as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem
    except (BotoCoreError, ClientError) as problem:
        raise Told(f"SQS or DynamoDB at TOGGLEMASTER_AWS_ENDPOINT_URL: {problem}") from problem


def set_up_postgres(settings: Settings) -> None:
    with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store:
        store.create_tables()
        _create_first_project(store)
    with closing(PrivateTables(settings.postgres_url, PATIENCE_SECONDS)) as tables:
        tables.create_tables()
    for view in (*POSTGRES_VIEWS, WebhookDeliveries):
        with closing(view(settings.postgres_url, PATIENCE_SECONDS)) as opened:
            opened.create_tables()


def _set_up_aws(settings: Settings) -> None:
    create_queue(sqs_client(settings.aws_endpoint_url, settings.aws_region), settings.queue_name)
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    create_tables(dynamodb, settings.usage_table, settings.records_table)


def _create_first_project(store: EventStore) -> None:
    try:
        Commands(store).execute(FIRST_PROJECT, Stamp("togglemaster", utc_now(), "first start"))
    except AlreadyExists:
        return
