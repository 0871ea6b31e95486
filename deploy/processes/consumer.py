"""The analytics consumer process."""

from deploy.processes.common import until_signalled
from deploy.settings import Settings
from projections.aws import Queue, dynamodb_client, sqs_client
from projections.records_table import RecordsTable
from projections.usage_table import UsageTable
from workers.consumer import Consumer


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what it has received by then it finishes."""
    wait = settings.queue_wait_seconds
    sqs = sqs_client(settings.aws_endpoint_url, settings.aws_region, wait_seconds=wait)
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    usage = UsageTable(dynamodb, settings.usage_table)
    records = RecordsTable(dynamodb, settings.records_table)
    Consumer(Queue(sqs, settings.queue_name), usage, records, wait_seconds=wait).run(until_signalled())
