"""Whose an access token is."""

import hmac
from time import time
from typing import cast

from commands.event_store import EventStore
from domain.access import TOKEN_PREFIX, digest, selector_of
from domain.aggregates import fold_all
from domain.envelope import token_stream
from domain.lifetimes import in_force
from domain.roles import Principal
from domain.token import AccessToken
from workers.key_use import KeyUse


def token_name(token_id: str) -> str:
    """What the log keeps of whoever asks with the token."""
    return f"token:{token_id}"


class AccessTokens:
    """Asks the log each time, so that a token that was revoked is of no use from then on.

    What cannot be a token is refused without a look-up. Raises StoreUnavailable.
    """

    def __init__(self, store: EventStore, use: KeyUse) -> None:
        self._store = store
        self._use = use

    def principal(self, credential: str) -> Principal | None:
        token_id = selector_of(credential) if credential.startswith(TOKEN_PREFIX) else None
        token = self._token(token_id) if token_id else None
        if token is None or not hmac.compare_digest(digest(credential), token.digest):
            return None
        if not self._in_force(token):
            return None
        name = token_name(token.id)
        self._use.note(name, time())
        return Principal(name, token.grants)

    def _token(self, token_id: str) -> AccessToken | None:
        folded = fold_all(self._store.load(token_stream(token_id)))
        return cast("AccessToken", folded.state) if folded else None

    def _in_force(self, token: AccessToken) -> bool:
        """The clock is asked only where there is an end to compare it with."""
        if token.revoked or token.expires_at is None:
            return not token.revoked
        return in_force(token, self._store.now())
