"""What several processes are started with."""

import signal
import threading

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.settings import Settings
from deploy.told import Told

PATIENCE_SECONDS = 30.0  # with PostgreSQL, for what nobody waits for at a screen: large reads, new tables


class NotConfigured(Told):
    """A setting is missing; the text says which one and how to give it."""


def installation_secret(settings: Settings) -> str:
    """What other secrets are derived from. Raises NotConfigured without one."""
    if not (secret := settings.secret or settings.admin_key):
        raise NotConfigured(
            "there is nothing to derive secrets from: set TOGGLEMASTER_SECRET, or TOGGLEMASTER_ADMIN_KEY, as"
            " the management API has it"
        )
    return secret


def redis_client(settings: Settings, seconds: float) -> Redis:
    """No retries inside the client: whoever uses it tries again with what is true by then."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


def until_signalled() -> threading.Event:
    """Set by SIGTERM or SIGINT. For the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
