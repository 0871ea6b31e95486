"""What happened to access tokens; part of the storage format, as `domain/events.py`."""

from pydantic import AwareDatetime

from domain.roles import Grant
from domain.values import ABSENT, Model


class TokenIssued(Model):
    """`digest` and `replaces` are as in KeyIssued."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    digest: str
    expires_at: AwareDatetime | None = ABSENT
    replaces: str | None = ABSENT


class TokenExpiryChanged(Model):
    """`replaced_by` is the id of the token that takes its place, where that is why."""

    expires_at: AwareDatetime
    replaced_by: str | None = ABSENT


class TokenRevoked(Model):
    pass


TokenEvent = TokenIssued | TokenExpiryChanged | TokenRevoked
