"""Routes that tell which flags are asked for: the list of stale ones, and of those that do not exist."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query

from api.http import StrictRoute
from api.management.analytics_shapes import (
    FlagSeen,
    FlagsSeenPage,
    HourlyUsage,
    UnknownFlags,
    UnknownFlagShape,
)
from api.management.context import PAGE_LIMIT, Lister, Listing, Read, Reader
from domain.aggregates import Folded
from domain.project import require_environment
from domain.values import FlagKey, Slug
from projections.catalogue import place_of
from projections.flag_index import FLAG_NOT_FOUND
from projections.stale_flags import FlagStatus, LastSeen, UnknownFlag, status_of, variants_since
from projections.usage_series import HOUR_MINUTES
from projections.usage_table import DAY_MINUTES, moment_of

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/analytics",
    tags=["analytics"],
    route_class=StrictRoute,
)

HOUR_SECONDS = 3_600
DAY_HOURS = 24
HOURLY_FLAGS = 100  # each that was evaluated lately costs a few queries


@router.get("/flags")
def flags_seen(
    project: Slug,
    environment: Slug,
    listing: Lister,
    read: Reader,
    days: Annotated[int, Query(ge=1, le=400, description="how far back `status` and `variants` look")] = 30,
    status: Annotated[FlagStatus | None, Query(description="only flags of this status")] = None,
) -> FlagsSeenPage:
    """When each flag was last evaluated here: those that are `never` or `unused` for so many days, or always
    give `one_answer`, may be ready to be taken out of the code."""
    require_environment(read.project(project), environment)
    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    found = (
        (folded, shape)
        for folded, seen in _seen(read, listing, project, environment, every=status is None)
        if (shape := _shape(folded, seen, since)).status == (status or shape.status)
    )
    page = list(islice(found, listing.limit + 1))
    more = place_of(page[listing.limit - 1][0], listing.order) if len(page) > listing.limit else None
    return FlagsSeenPage(
        flags=[shape for _, shape in page[: listing.limit]], next=more, position=listing.position
    )


def _seen(
    read: Read, listing: Listing, project: str, environment: str, *, every: bool
) -> Iterator[tuple[Folded, LastSeen | None]]:
    """In larger pages where a status leaves most of them out."""
    after: str | None = listing.after
    while after is not None:
        some = replace(listing, after=after, limit=listing.limit + 1 if every else PAGE_LIMIT)
        page, after = some.of("flag", project)
        keys = sorted((folded.stream.key for folded in page), key=str.encode)
        if keys:
            seen = read.parts.analytics.seen.last_seen(project, environment, keys[0], keys[-1])
            yield from ((folded, seen.get(folded.stream.key)) for folded in page)


def _shape(folded: Folded, seen: LastSeen | None, since: datetime) -> FlagSeen:
    hour = int(since.timestamp()) // HOUR_SECONDS
    return FlagSeen(
        key=folded.stream.key,
        status=status_of(seen, hour),
        new=folded.created.at > since,
        created_at=folded.created.at,
        last_evaluated=moment_of(seen.last * HOUR_MINUTES) if seen else None,
        variants=variants_since(seen, hour),
    )


@router.get("/hourly")
def hourly(
    project: Slug,
    environment: Slug,
    read: Reader,
    flag: Annotated[list[FlagKey], Query(min_length=1, max_length=HOURLY_FLAGS, description="once for each")],
) -> HourlyUsage:
    """The last 24 hours of up to 100 flags in one answer, the hour that is going on included."""
    require_environment(read.project(project), environment)
    now = datetime.now(UTC)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=DAY_HOURS - 1)
    keys, analytics = sorted(set(flag), key=str.encode), read.parts.analytics
    seen = analytics.seen.last_seen(project, environment, keys[0], keys[-1])
    asked = [key for key in keys if key in seen and moment_of(seen[key].last * HOUR_MINUTES) >= start]
    found = {key: analytics.usage.series(project, environment, key, start, now, "hour") for key in asked}
    totals = {key: [bucket.total for bucket in each.series] for key, each in found.items()}
    return HourlyUsage(start=start, hours=DAY_HOURS, flags=totals)


@router.get("/unknown-flags")
def unknown_flags(
    project: Slug,
    environment: Slug,
    read: Reader,
    after: Annotated[str, Query(max_length=300, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
) -> UnknownFlags:
    """Names that were asked for and that no flag has, as one finds after a typing error or a deletion."""
    require_environment(read.project(project), environment)
    found = read.parts.analytics.seen.unknown(project, environment, after, limit)
    names = [each.name for each in found if "\x00" not in each.name]
    archived = read.parts.catalogue.archived("flag", project, names)
    return UnknownFlags(
        names=[
            _unknown(read, project, environment, each, archived=each.name in archived)
            for each in found
            if archived.get(each.name, True)
        ],
        next=found[-1].name if len(found) == limit else None,
    )


def _unknown(
    read: Read, project: str, environment: str, found: UnknownFlag, *, archived: bool
) -> UnknownFlagShape:
    minute = int(datetime.now(UTC).timestamp()) // 60
    recent = (
        read.parts.analytics.usage.counted(
            project, environment, found.name, minute - DAY_MINUTES + 1, minute + 1
        )
        if found.last * HOUR_MINUTES > minute - DAY_MINUTES - HOUR_MINUTES
        else []
    )
    return UnknownFlagShape(
        name=found.name,
        first_asked=moment_of(found.first * HOUR_MINUTES),
        last_asked=moment_of(found.last * HOUR_MINUTES),
        last_24_hours=sum(each.counts.get(f"{FLAG_NOT_FOUND}/", 0) for each in recent),
        archived=archived,
    )
