"""The scheduler process."""

from contextlib import closing

from commands.event_store import EventStore
from deploy.processes.common import until_signalled
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
        Scheduler(store, due, keep_requests_seconds=keep).run(until_signalled())
