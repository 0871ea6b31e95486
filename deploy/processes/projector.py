"""The projector process, and what else needs to write the ruleset."""

import logging
from contextlib import ExitStack, closing

from redis import RedisError

from commands.event_store import EventStore
from deploy.processes.collector import collect_at_leisure
from deploy.processes.common import PATIENCE_SECONDS, redis_client, until_signalled
from deploy.processes.projector_metrics import Model, Positions, ProjectionMetrics
from deploy.processes.worker_metrics import Sampled, serve_metrics
from deploy.settings import Settings
from deploy.told import Told
from projections.audit_trail import AuditTrail
from projections.catalogue import Catalogue
from projections.eviction import eviction_policy, what_is_wrong
from projections.postgres_views import PostgresView
from projections.ruleset_store import RulesetStore
from workers.projector import Projection

POSTGRES_VIEWS = (Catalogue, AuditTrail)
REDIS_SECONDS = 2.0  # writing a large batch may take Redis a moment

log = logging.getLogger(__name__)


def rulesets(settings: Settings) -> RulesetStore:
    return RulesetStore(redis_client(settings, REDIS_SECONDS))


def refuse_eviction(store: RulesetStore) -> None:
    """Raises Told for a Redis that would throw flags away; RedisError when it is away."""
    policy = eviction_policy(store.redis)
    if policy is None:
        log.warning("Redis does not say its maxmemory-policy; see to it that it is noeviction")
    if wrong := what_is_wrong(policy):
        raise Told(f"{wrong}. Nothing was written.")


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. A Redis that is away now is looked at when it is there."""
    model = rulesets(settings)
    try:
        refuse_eviction(model)
    except (RedisError, OSError) as problem:
        log.warning("Redis at TOGGLEMASTER_REDIS_URL: %s; trying again", problem)
    with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store, ExitStack() as open_views:
        views: list[PostgresView] = [
            open_views.enter_context(closing(view(settings.postgres_url, PATIENCE_SECONDS)))
            for view in POSTGRES_VIEWS
        ]
        stop = until_signalled()
        # A change would wait a fifth of a second for the garbage collector, now and then.
        projection = Projection(store, model, views, stop, collect_at_leisure())
        pulses = [each.pulse for each in projection.loops]
        collectors = [
            ProjectionMetrics(projection),
            Sampled(Positions(store, model, views)),
            Sampled(Model(model)),
        ]
        serve_metrics(settings, "projector", pulses, collectors, stop)
        projection.run()
