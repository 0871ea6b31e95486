"""How long a key or a token is in force, and how one takes another's place.

All of it by one clock, which is given: that of PostgreSQL, where a decision is made.
"""

from datetime import datetime, timedelta
from typing import Protocol

from domain import limits
from domain.errors import Invalid, NotFound, WrongStatus

LONGEST = timedelta(days=limits.KEY_DAYS)


class Ending(Protocol):
    """What a key and a token have in common."""

    @property
    def id(self) -> str: ...

    @property
    def revoked(self) -> bool: ...

    @property
    def expires_at(self) -> datetime | None: ...

    @property
    def replaced_by(self) -> str | None: ...


def in_force(secret: Ending, now: datetime) -> bool:
    return not secret.revoked and (secret.expires_at is None or now < secret.expires_at)


def refuse_wrong_end(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is None:
        return
    if expires_at <= now:
        raise Invalid(f"expires_at, {expires_at.isoformat()}, is past; it is {now.isoformat()} now")
    if expires_at > now + LONGEST:
        raise Invalid(
            f"expires_at is more than {limits.KEY_DAYS} days away; leave it out for what is not to expire"
        )


def end_once_replaced(secret: Ending | None, now: datetime, overlap: timedelta) -> datetime:
    """When it ends if another takes its place now: after the overlap, or when it would have ended anyway.

    Raises NotFound, and WrongStatus for what is no longer in force or has a successor already.
    """
    if secret is None:
        raise NotFound("there is no such key or token")
    if secret.replaced_by is not None:
        raise WrongStatus(f"'{secret.id}' was replaced by '{secret.replaced_by}' already; rotate that one")
    if not in_force(secret, now):
        ended = "was revoked" if secret.revoked else "has expired"
        raise WrongStatus(f"'{secret.id}' {ended} and cannot be rotated; issue another")
    return min(now + overlap, secret.expires_at or now + overlap)


def as_long(secret: Ending, issued: datetime, now: datetime) -> datetime | None:
    """The end of what is issued now for as long as this one was when it was issued."""
    return None if secret.expires_at is None else now + min(LONGEST, secret.expires_at - issued)
