"""What the command line asks the log for as it was."""

import time
from contextlib import closing

from commands.event_store import EventStore, StoreUnavailable
from deploy.processes.common import PATIENCE_SECONDS
from deploy.settings import Settings
from deploy.told import Told
from domain.errors import Refused
from domain.ruleset import Ruleset
from projections.audit_trail import AuditTrail
from projections.fold_snapshots import FoldSnapshots
from projections.moments import moment_of
from projections.past import Pasts
from projections.postgres_views import ViewUnavailable

BEHIND_SECONDS = 2.0  # a projector at work is never so far behind
POLL_SECONDS = 0.02


def ruleset_then(settings: Settings, project: str, environment: str, at: str) -> Ruleset:
    """Of one environment, at that moment; now where `at` is empty. Raises Told."""
    url = settings.postgres_url
    try:
        with (
            closing(EventStore(url, PATIENCE_SECONDS)) as store,
            closing(AuditTrail(url)) as audit,
            closing(Pasts(store, FoldSnapshots(url, PATIENCE_SECONDS))) as pasts,
        ):
            head = store.head()
            position = _position(at, project, head, audit) if at else head
            return pasts.of(project, position).ruleset(environment)
    except Refused as problem:
        raise Told(str(problem)) from problem
    except (StoreUnavailable, ViewUnavailable) as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem


def _position(at: str, project: str, head: int, audit: AuditTrail) -> int:
    found = moment_of(at, head)
    if isinstance(found, int):
        return found
    give_up = time.monotonic() + BEHIND_SECONDS
    while (seen := audit.position()) < head:
        if time.monotonic() > give_up:
            raise Told(f"times are known up to position {seen} of {head}; is a projector at work?")
        time.sleep(POLL_SECONDS)
    return audit.position_at(project, found)
