"""The projector process, and what else needs to write the ruleset."""

from commands.event_store import EventStore
from deploy.processes.common import redis_client, until_signalled
from deploy.settings import Settings
from projections.catalogue import Catalogue
from projections.ruleset_store import RulesetStore
from workers.projector import run_projector

REDIS_SECONDS = 2.0  # writing a large batch may take Redis a moment


def rulesets(settings: Settings) -> RulesetStore:
    return RulesetStore(redis_client(settings, REDIS_SECONDS))


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    store, catalogue = EventStore(settings.postgres_url), Catalogue(settings.postgres_url)
    try:
        run_projector(store, rulesets(settings), catalogue, until_signalled())
    finally:
        store.close()
        catalogue.close()
