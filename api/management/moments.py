"""`at`: what is asked for as it was, at a position of the log or at a time."""

from typing import Annotated

from fastapi import Depends, Query, Response

from api.management.access import permitted
from api.management.context import NoNul, Parts, PartsOf, Read, wait_for
from domain.roles import Permission, Principal
from domain.values import Slug
from projections.moments import moment_of

FOR_EVER = "private, max-age=31536000, immutable"
"""For what is asked for by its position: events are never edited, and none is written before another."""

At = Annotated[
    str,
    NoNul,
    Query(description="as it was then: a position of the log, or a time (RFC 3339); empty is now"),
]


def moment(project: Slug, parts: PartsOf, response: Response, at: At = "") -> int | None:
    """The position that is meant; None for now. Refused where it is none, or is not over yet."""
    if not at:
        return None
    position = position_of(parts, project, at)
    if at.isdecimal():
        response.headers["Cache-Control"] = FOR_EVER
    return position


def position_of(parts: Parts, project: str, at: str) -> int:
    head = parts.store.head()
    found = moment_of(at, head)
    if isinstance(found, int):
        return found
    wait_for(parts, parts.audit, head)
    return parts.audit.position_at(project, found)


Moment = Annotated[int | None, Depends(moment)]


def read_then(
    parts: PartsOf,
    response: Response,
    who: Annotated[Principal, Depends(permitted(Permission.READ))],
    at: Moment,
) -> Read:
    return Read(parts, who, response, at)


PastReader = Annotated[Read, Depends(read_then)]
"""A read of now, or of what `at` says."""
