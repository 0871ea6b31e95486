"""Routes that answer from the tables of evaluations."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import AwareDatetime

from api.http import StrictRoute
from api.management.analytics_shapes import (
    FlagUsage,
    RecordsAnswer,
    RecordShape,
    Shares,
    Subjects,
    SubjectsEstimate,
    Totals,
    TotalsBucket,
)
from api.management.context import PAGE_LIMIT, Reader, RecordsReader
from api.management.languages import WordingOf
from api.management.split_check import Where, check, days_of, unchecked
from domain.envelope import flag_stream
from domain.errors import NotFound
from domain.project import require_environment
from domain.values import FlagKey, Slug
from domain.wording import Why
from projections.records_table import Record
from projections.split_history import split_served
from projections.unique_subjects import Estimate
from projections.usage_series import Granularity, buckets_of
from projections.usage_table import ENVIRONMENT_FLAG, EPOCH, moment_of

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/analytics",
    tags=["analytics"],
    route_class=StrictRoute,
)

DEFAULT_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


def window(
    start: Annotated[
        AwareDatetime | None, Query(alias="from", description="RFC 3339; default: 24 hours before 'to'")
    ] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="RFC 3339; default: now")] = None,
) -> Window:
    """422 for more than can be asked for, and for what is no range of time."""
    end = (end or datetime.now(UTC)).astimezone(UTC)
    try:
        start = (start or end - DEFAULT_WINDOW).astimezone(UTC)
        buckets_of(start, end, "day")
    except (ValueError, OverflowError) as problem:
        raise HTTPException(422, f"'from' and 'to': {problem}") from problem
    return Window(start, end)


Within = Annotated[Window, Depends(window)]


@router.get("/flags/{key}")
def flag_usage(
    project: Slug,
    environment: Slug,
    key: FlagKey,
    read: Reader,
    within: Within,
    granularity: Granularity = "hour",
) -> FlagUsage:
    """How often the flag was evaluated, by variant and by reason, and when it was last.

    `series` has every step of the window, empty ones too. A flag that never was evaluated has zeros. Minutes
    are kept for 90 days. By the hour and by the day, the first hour is a whole one.
    """
    require_environment(read.project(project), environment)
    _refuse_too_many(within, granularity)
    analytics = read.parts.analytics
    found = analytics.usage.series(project, environment, key, within.start, within.end, granularity)
    seen = analytics.seen.last_seen(project, environment, key, key).get(key)
    last = seen and moment_of(analytics.usage.last_minute(project, environment, key, seen.last))
    return FlagUsage(**dict(found), last_evaluated=last)


@router.get("/totals")
def totals(
    project: Slug, environment: Slug, read: Reader, within: Within, granularity: Granularity = "hour"
) -> Totals:
    """Every evaluation of the environment by reason, those of flags that do not exist included."""
    require_environment(read.project(project), environment)
    _refuse_too_many(within, granularity)
    found = read.parts.analytics.usage.series(
        project, environment, ENVIRONMENT_FLAG, within.start, within.end, granularity
    )
    series = [TotalsBucket(start=each.start, total=each.total, reasons=each.reasons) for each in found.series]
    return Totals(total=found.total, reasons=found.reasons, series=series)


@router.get("/flags/{key}/shares")
def flag_shares(
    project: Slug, environment: Slug, key: FlagKey, read: Reader, within: Within, wording: WordingOf
) -> Shares:
    """Whether the split's answers are shared out as its weights say (sample ratio mismatch).

    Of the window it counts what came after the split last changed: unique subjects of whole days where there
    are records and nothing but the split served the flag, else evaluations, of which those of one subject are
    not independent. Needs exactly one split, in the default or in one rule.
    """
    require_environment(read.project(project), environment)
    events = read.parts.store.load(flag_stream(project, key))
    if not events:
        raise NotFound(f"there is no flag '{key}' in project '{project}'")
    served = split_served(events, environment)
    if isinstance(served, Why):
        return unchecked(wording.why(served))
    where = Where(project, environment, key)
    return check(read.parts.analytics, where, served, within.start, within.end, wording)


@router.get("/flags/{key}/subjects")
def flag_subjects(project: Slug, environment: Slug, key: FlagKey, read: Reader, within: Within) -> Subjects:
    """How many different subjects were served each variant, estimated from the records of whole days."""
    require_environment(read.project(project), environment)
    days = days_of(within.start, within.end)
    found = read.parts.analytics.subjects.unique(project, environment, key, days)
    return Subjects(
        first_day=days[0],
        last_day=days[-1],
        all=_estimate(found.all),
        variants={variant: _estimate(each) for variant, each in found.variants.items()},
    )


@router.get("/records")
def records(
    project: Slug,
    environment: Slug,
    read: RecordsReader,
    within: Within,
    flag: FlagKey,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
) -> RecordsAnswer:
    """Single evaluations of a flag, the newest first. They say who was served what: not for viewers."""
    require_environment(read.project(project), environment)
    found = read.parts.analytics.records.query(
        project, environment, flag, within.start, within.end, limit=limit
    )
    return RecordsAnswer(records=[_record(each) for each in found])


def _refuse_too_many(within: Window, granularity: Granularity) -> None:
    try:
        buckets_of(within.start, within.end, granularity)
    except ValueError as problem:
        raise HTTPException(422, str(problem)) from problem


def _estimate(found: Estimate) -> SubjectsEstimate:
    return SubjectsEstimate(
        estimate=round(found.estimate), lower=round(found.lower), upper=round(found.upper)
    )


def _record(record: Record) -> RecordShape:
    at = EPOCH + timedelta(milliseconds=record.at)
    shown = record._asdict() | {"at": at}
    return RecordShape(**{name: shown[name] for name in RecordShape.model_fields})
