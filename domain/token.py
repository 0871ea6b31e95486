"""Access tokens: what programs ask the management API with. Each has the roles it was issued with."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from domain.errors import NotFound
from domain.roles import Grant
from domain.token_events import TokenEvent, TokenExpiryChanged, TokenIssued, TokenRevoked


@dataclass(frozen=True, slots=True)
class AccessToken:
    """`replaces` and `replaced_by` are ids of other tokens."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    digest: str
    revoked: bool = False
    expires_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None


def evolve(token: AccessToken | None, event: TokenEvent) -> AccessToken:
    if isinstance(event, TokenIssued):
        return AccessToken(**dict(event))
    assert token is not None
    match event:
        case TokenExpiryChanged(expires_at=end, replaced_by=successor):
            return replace(token, expires_at=end, replaced_by=successor or token.replaced_by)
        case TokenRevoked():
            return replace(token, revoked=True)
        case _:
            assert_never(event)


def revoke(token: AccessToken | None) -> tuple[TokenEvent, ...]:
    if token is None:
        raise NotFound("there is no such token")
    return () if token.revoked else (TokenRevoked(),)
