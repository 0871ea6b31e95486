"""The management process."""

from fastapi import FastAPI

from api.management.access import AdministratorKey
from api.management.app import create_app
from api.management.context import Parts
from commands.event_store import EventStore
from commands.handlers import Commands
from deploy.processes.common import NotConfigured
from deploy.settings import Settings
from projections.audit_trail import AuditTrail
from projections.aws import dynamodb_client
from projections.catalogue import Catalogue
from projections.usage_table import UsageTable


def build(settings: Settings) -> FastAPI:
    """Connects to nothing yet. Raises NotConfigured without an administrator's key."""
    return create_app(parts(settings))


def parts(settings: Settings) -> Parts:
    if not settings.admin_key:
        raise NotConfigured(
            "the management API needs an administrator's key: set TOGGLEMASTER_ADMIN_KEY"
            " (`togglemaster key` makes one)"
        )
    store = EventStore(settings.postgres_url)
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    return Parts(
        store=store,
        commands=Commands(store),
        catalogue=Catalogue(settings.postgres_url),
        audit=AuditTrail(settings.postgres_url),
        usage=UsageTable(dynamodb, settings.usage_table),
        authenticators=(AdministratorKey(settings.admin_key),),
    )
