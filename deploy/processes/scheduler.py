"""The scheduler process."""

from contextlib import closing

from commands.event_store import EventStore
from deploy.processes.common import until_signalled
from deploy.processes.scheduler_metrics import DueMetrics, SchedulerMetrics
from deploy.processes.worker_metrics import Sampled, serve_metrics
from deploy.settings import Settings
from projections.due import Due
from workers.scheduler import Scheduler

SECONDS_AN_HOUR = 3600


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; the command that is under way then is finished."""
    with (
        closing(EventStore(settings.postgres_url)) as store,
        closing(Due(settings.postgres_url)) as due,
    ):
        keep = settings.idempotency_hours * SECONDS_AN_HOUR
        stop, scheduler = until_signalled(), Scheduler(store, due, keep_requests_seconds=keep)
        collectors = [SchedulerMetrics(scheduler), Sampled(DueMetrics(due))]
        serve_metrics(settings, "scheduler", [scheduler.pulse], collectors, stop)
        scheduler.run(stop)
