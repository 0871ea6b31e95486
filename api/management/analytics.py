"""Routes that answer from the usage tables."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime

from api.http import StrictRoute
from api.management.context import Reader
from domain.project import require_environment
from domain.values import FlagKey, Slug
from projections.usage_series import UsageSeries

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/analytics",
    tags=["analytics"],
    route_class=StrictRoute,
)

DEFAULT_WINDOW = timedelta(hours=24)


@router.get("/flags/{key}")
def flag_usage(
    project: Slug,
    environment: Slug,
    key: FlagKey,
    read: Reader,
    start: Annotated[
        AwareDatetime | None, Query(alias="from", description="RFC 3339; default: 24 hours ago")
    ] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="RFC 3339; default: now")] = None,
    granularity: Literal["minute", "hour", "day"] = "hour",
) -> UsageSeries:
    """How often the flag was evaluated, by variant and by reason.

    `series` has every step of the window, empty ones too. A flag that never was evaluated has zeros.
    """
    require_environment(read.project(project), environment)
    end = end or datetime.now(UTC)
    start = start or end - DEFAULT_WINDOW
    if start >= end:
        raise HTTPException(422, "'from' has to be before 'to'")
    try:
        return read.parts.usage.series(project, environment, key, start, end, granularity)
    except ValueError as problem:
        raise HTTPException(422, str(problem)) from problem
