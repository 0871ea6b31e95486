"""The scheduler process."""

import threading
from contextlib import closing

from commands.event_store import EventStore
from deploy.processes.common import PATIENCE_SECONDS, until_signalled
from deploy.processes.scheduler_metrics import DueMetrics, SchedulerMetrics
from deploy.processes.worker_metrics import Sampled, serve_metrics
from deploy.settings import Settings
from projections.due import Due
from projections.fold_snapshots import FoldSnapshots
from workers.scheduler import Scheduler
from workers.snapshots import SnapshotMaker

SECONDS_AN_HOUR = 3600


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; the command, or the snapshot, that is under way then is finished.

    Snapshots are made here as nothing else in this process has to be done within milliseconds.
    """
    with (
        closing(EventStore(settings.postgres_url)) as store,
        closing(Due(settings.postgres_url)) as due,
        closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as patient,
        closing(FoldSnapshots(settings.postgres_url, PATIENCE_SECONDS)) as snapshots,
    ):
        keep = settings.idempotency_hours * SECONDS_AN_HOUR
        stop, scheduler = until_signalled(), Scheduler(store, due, keep_requests_seconds=keep)
        collectors = [SchedulerMetrics(scheduler), Sampled(DueMetrics(due))]
        maker = SnapshotMaker(patient, snapshots)
        serve_metrics(settings, "scheduler", [scheduler.pulse, maker.pulse], collectors, stop)
        beside = threading.Thread(target=maker.run, args=[stop], name=maker.pulse.name)
        beside.start()
        scheduler.run(stop)
        beside.join()
