"""The management process."""

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from api.legacy import app as legacy
from api.legacy.evaluators import Evaluators
from api.legacy.parts import Original
from api.management.access import AdministratorKey
from api.management.analytics_parts import Analytics
from api.management.app import create_app
from api.management.context import Parts
from api.management.health_parts import Health
from api.management.token_access import AccessTokens
from commands.event_store import EventStore
from commands.handlers import Commands
from deploy.processes.collector import set_aside_survivors
from deploy.processes.common import PATIENCE_SECONDS, NotConfigured, installation_secret, redis_client
from deploy.processes.people import people
from deploy.processes.webhooks import sender
from deploy.settings import Settings
from deploy.telemetry import tracing
from deploy.traced_commands import TracedEventStore, traced_commands
from projections.audit_trail import AuditTrail
from projections.aws import Queue, dynamodb_client, sqs_client
from projections.catalogue import Catalogue
from projections.dropped_table import DroppedTable
from projections.fold_snapshots import FoldSnapshots
from projections.keys_used import KeysUsed
from projections.past import Pasts
from projections.postgres_views import PostgresView
from projections.records_table import RecordsTable
from projections.ruleset_store import RulesetStore
from projections.stale_flags import FlagsSeen
from projections.unique_subjects import SubjectsReader
from projections.usage_reader import UsageReader
from projections.webhook_deliveries import WebhookDeliveries
from workers.key_use import KeyUse

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from deploy.traces import Tracing

REDIS_SECONDS = 0.25  # nothing but when keys were last used is asked there, and nobody waits long for that
VERIFYING_SECONDS = 2.0  # Redis may take a moment to find a thousand large documents


def build(settings: Settings) -> FastAPI:
    """Connects to nothing yet. Raises NotConfigured without an administrator's key."""
    set_aside_survivors()  # or a chart of a month waits a tenth of a second for it, now and then
    traces = tracing("management")
    found = parts(settings, traces)
    facade = original(settings, found)
    app = create_app(replace(found, background=(*found.background, facade)))
    legacy.install(app, facade)
    if settings.console:
        from api.console.console import install

        install(app)
    if traces:
        app.add_middleware(traces.requests)
    return app


def parts(settings: Settings, traces: "Tracing | None" = None) -> Parts:
    if not settings.admin_key:
        raise NotConfigured(
            "the management API needs an administrator's key: set TOGGLEMASTER_ADMIN_KEY"
            " (`togglemaster key` makes one)"
        )
    where = settings.postgres_url, settings.postgres_seconds
    store = TracedEventStore(*where, traces) if traces else EventStore(*where)
    found = people(settings, store)
    catalogue = Catalogue(settings.postgres_url, settings.postgres_seconds)
    audit = AuditTrail(settings.postgres_url, settings.postgres_seconds)
    keys_used = KeysUsed(redis_client(settings, REDIS_SECONDS))
    key_use = KeyUse(keys_used)
    return Parts(
        store=store,
        commands=traced_commands(store, traces) if traces else Commands(store),
        catalogue=catalogue,
        audit=audit,
        analytics=analytics(settings),
        deliveries=WebhookDeliveries(settings.postgres_url, settings.postgres_seconds),
        sender=sender(settings),
        people=found,
        authenticators=(
            AdministratorKey(settings.admin_key),
            AccessTokens(store, key_use),
            *found.authenticators(),
        ),
        secret=installation_secret(settings),
        keys_used=keys_used,
        pasts=Pasts(store, FoldSnapshots(settings.postgres_url, settings.postgres_seconds)),
        health=health(settings, store, (catalogue, audit)),
        background=(key_use, *found.background()),
        evaluation_url=(settings.public_url or settings.evaluation_url).rstrip("/"),
    )


def original(settings: Settings, found: Parts) -> Original:
    """What answers the clients of the original system, on the same log."""
    rulesets = RulesetStore(redis_client(settings, REDIS_SECONDS))
    return Original(
        store=found.store,
        commands=found.commands,
        administrator=AdministratorKey(settings.admin_key),
        key_use=KeyUse(found.keys_used),
        evaluators=Evaluators(rulesets, settings.evaluation_url),
    )


def health(settings: Settings, store: EventStore, views: tuple[PostgresView, ...]) -> Health:
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    return Health(
        log=store,
        patient_log=partial(EventStore, settings.postgres_url, PATIENCE_SECONDS),
        rulesets=RulesetStore(redis_client(settings, VERIFYING_SECONDS)),
        views=views,
        queue=cache(
            lambda: Queue(sqs_client(settings.aws_endpoint_url, settings.aws_region), settings.queue_name)
        ),
        dynamodb=dynamodb,
        tables=(settings.usage_table, settings.records_table),
        dropped=DroppedTable(dynamodb, settings.usage_table),
    )


def analytics(settings: Settings) -> Analytics:
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    return Analytics(
        usage=UsageReader(dynamodb, settings.usage_table),
        seen=FlagsSeen(dynamodb, settings.usage_table),
        subjects=SubjectsReader(dynamodb, settings.usage_table),
        records=RecordsTable(dynamodb, settings.records_table),
    )
