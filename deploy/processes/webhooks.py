"""The process that tells webhooks, and what else sends to them."""

from contextlib import closing

from commands.event_store import EventStore
from deploy.processes.common import PATIENCE_SECONDS, installation_secret, until_signalled
from deploy.processes.webhooks_metrics import BacklogMetrics, WebhookMetrics
from deploy.processes.worker_metrics import Sampled, serve_metrics
from deploy.settings import Settings
from projections.webhook_deliveries import WebhookDeliveries
from workers.outbound import Outbound
from workers.webhook_messages import Sender
from workers.webhooks import WebhookWorker


def sender(settings: Settings) -> Sender:
    """Raises NotConfigured without a secret."""
    return Sender(Outbound(allow_private=settings.webhook_allow_private), installation_secret(settings))


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what is being sent then is finished."""
    with (
        closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store,
        closing(WebhookDeliveries(settings.postgres_url, PATIENCE_SECONDS)) as deliveries,
    ):
        worker = WebhookWorker(store, deliveries, sender(settings), stopping=until_signalled())
        collectors = [WebhookMetrics(worker), Sampled(BacklogMetrics(store, deliveries))]
        serve_metrics(settings, "webhooks", [worker.pulse], collectors, worker.stopping)
        worker.run()
