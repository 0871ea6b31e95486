"""Who asks: the original's keys, and its master key."""

import hmac
from collections.abc import Mapping
from time import time
from typing import cast

from api.legacy.answers import Answered, flask_error
from api.legacy.parts import Asked, Original
from commands.original.views import ENVIRONMENT, PROJECT
from domain.access import ApiKey, digest, is_original, original_id
from domain.aggregates import fold_all
from domain.envelope import key_stream
from domain.lifetimes import in_force

ADMINISTRATOR = "administrator"
NO_KEY, BAD_KEY = "Authorization header obrigatório", "Chave de API inválida"


def presented(headers: Mapping[str, str]) -> str:
    """`Bearer ` is taken off where it is there; a bare key is one too."""
    return headers.get("authorization", "").removeprefix("Bearer ")


def holder_of(original: Original, key: str) -> str | None:
    """Who has that key, as the log keeps it; None for one that is not in force.

    The log is asked each time, so that a key that was revoked is of no use from then on.
    """
    if not is_original(key):
        return None
    sha = digest(key)
    folded = fold_all(original.store.load(key_stream(PROJECT, original_id(sha))))
    found = cast("ApiKey", folded.state) if folded else None
    if found is None or not _may(original, found, sha):
        return None
    original.key_use.note(found.id, time())
    return f"key:{found.id}"


def _may(original: Original, key: ApiKey, sha: str) -> bool:
    if (key.kind, key.environment) != ("original", ENVIRONMENT) or not hmac.compare_digest(key.digest, sha):
        return False
    if key.revoked or key.expires_at is None:  # the clock is asked only where there is an end
        return not key.revoked
    return in_force(key, original.store.now())


def required_holder(asked: Asked) -> str:
    """As flags and rules want it."""
    if "authorization" not in asked.headers:
        raise Answered(flask_error(401, NO_KEY))
    holder = holder_of(asked.original, presented(asked.headers))
    if holder is None:
        raise Answered(flask_error(401, BAD_KEY))
    return holder
