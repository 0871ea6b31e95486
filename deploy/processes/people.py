"""What the management process needs for people to sign in, here or elsewhere."""

from functools import partial

from api.management.issuer import Issuer, IssuerAddress, is_acceptable
from api.management.people_parts import People, enabled_person
from api.management.person_tokens import PersonTokens
from commands.attempts import Attempts
from commands.event_store import EventStore
from commands.passwords import Passwords
from commands.private_tables import PrivateTables
from commands.secret_keys import derive
from commands.sessions import Sessions
from deploy.processes.common import NotConfigured, installation_secret
from deploy.settings import Settings


def people(settings: Settings, store: EventStore) -> People:
    """Connects to nothing yet. Raises NotConfigured for an issuer of which half is told."""
    secret = installation_secret(settings)
    tables = PrivateTables(settings.postgres_url, settings.postgres_seconds)
    return People(
        store=store,
        tables=tables,
        passwords=Passwords(tables),
        sessions=Sessions(tables, derive(secret, "refresh tokens")),
        attempts=Attempts(tables),
        tokens=PersonTokens(derive(secret, "access tokens", "ed25519")),
        sealing_key=derive(secret, "fingerprints of requests with passwords"),
        issuer=_issuer(settings, store),
    )


def _issuer(settings: Settings, store: EventStore) -> Issuer | None:
    told = settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url
    if not any(told):
        return None
    if not all(told):
        raise NotConfigured(
            "signing in elsewhere needs TOGGLEMASTER_OIDC_ISSUER, TOGGLEMASTER_OIDC_AUDIENCE and"
            " TOGGLEMASTER_OIDC_JWKS_URL: set all three, or none"
        )
    if not is_acceptable(settings.oidc_jwks_url):
        raise NotConfigured(
            f"TOGGLEMASTER_OIDC_JWKS_URL has to begin with https://, or with http:// on this machine;"
            f" it is '{settings.oidc_jwks_url}'"
        )
    return Issuer(IssuerAddress(*told), partial(enabled_person, store))
