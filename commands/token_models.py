"""What can be wanted of access tokens."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from domain import limits
from domain.roles import Grant
from domain.values import Model

Overlap = Annotated[int, Field(ge=0, le=limits.OVERLAP_SECONDS)]
Grants = Annotated[tuple[Grant, ...], Field(min_length=1, max_length=limits.GRANTS)]


class IssueToken(Model):
    """As with IssueKey, the caller makes the token. `expires_at` None is never."""

    id: str
    name: Annotated[str, Field(min_length=1, max_length=200)]
    grants: Grants
    digest: str
    expires_at: datetime | None = None


class RotateToken(Model):
    """`successor` and `digest` are of the token that takes its place; without `expires_at` that one is in
    force for as long as the first one was when it was issued."""

    id: str
    successor: str
    digest: str
    overlap_seconds: Overlap
    expires_at: datetime | None = None


class RevokeToken(Model):
    id: str


TokenCommand = IssueToken | RotateToken | RevokeToken
