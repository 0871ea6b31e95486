"""The projector process, and what else needs to write the ruleset."""

from contextlib import ExitStack, closing

from commands.event_store import EventStore
from deploy.processes.common import PATIENCE_SECONDS, redis_client, until_signalled
from deploy.settings import Settings
from projections.audit_trail import AuditTrail
from projections.catalogue import Catalogue
from projections.ruleset_store import RulesetStore
from workers.projector import run_projector

POSTGRES_VIEWS = (Catalogue, AuditTrail)
REDIS_SECONDS = 2.0  # writing a large batch may take Redis a moment


def rulesets(settings: Settings) -> RulesetStore:
    return RulesetStore(redis_client(settings, REDIS_SECONDS))


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store, ExitStack() as open_views:
        views = [
            open_views.enter_context(closing(view(settings.postgres_url, PATIENCE_SECONDS)))
            for view in POSTGRES_VIEWS
        ]
        run_projector(store, rulesets(settings), views, until_signalled())
