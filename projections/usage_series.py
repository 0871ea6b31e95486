"""A chart's numbers: what was counted, by whole minutes, hours or days of UTC."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from domain.values import Model
from projections.usage_table import DAY_MINUTES, QUERY_DAYS, CountRow, minutes_of, moment_of

HOUR_MINUTES = 60
SERIES_BUCKETS = 10_080  # a week by the minute, more than a year by the hour

Granularity = Literal["minute", "hour", "day"]
MINUTES: dict[Granularity, int] = {"minute": 1, "hour": HOUR_MINUTES, "day": DAY_MINUTES}


class Counts(NamedTuple):
    """What was counted in a minute, or in the hour that begins with it, by `REASON/variant`."""

    minute: int
    counts: dict[str, int]


class UsageBucket(Model):
    start: datetime
    total: int
    variants: dict[str, int]
    reasons: dict[str, int]


class UsageSeries(Model):
    total: int
    variants: dict[str, int]
    reasons: dict[str, int]
    series: tuple[UsageBucket, ...]


def series(
    found: Iterable[Counts | CountRow], start: datetime, end: datetime, granularity: Granularity
) -> UsageSeries:
    """Buckets begin on whole minutes, hours or days of UTC, empty ones included.

    So the first and the last may reach beyond the range. Raises ValueError as `buckets_of`.
    """
    width = MINUTES[granularity]
    buckets: dict[int, Counter[str]] = {each: Counter() for each in buckets_of(start, end, granularity)}
    whole: Counter[str] = Counter()
    for each in found:
        bucket = buckets.get(each.minute - each.minute % width)
        if bucket is not None:
            bucket.update(each.counts)
            whole.update(each.counts)
    return UsageSeries(
        total=whole.total(),
        variants=by_variant(whole),
        reasons=by_reason(whole),
        series=tuple(_bucket(minute, counts) for minute, counts in buckets.items()),
    )


def _bucket(minute: int, counts: Counter[str]) -> UsageBucket:
    return UsageBucket(
        start=moment_of(minute), total=counts.total(), variants=by_variant(counts), reasons=by_reason(counts)
    )


def buckets_of(start: datetime, end: datetime, granularity: Granularity) -> range:
    """The minutes they begin with. Raises ValueError for more than can be asked for, and as `minutes_of`."""
    first, last = minutes_of(start, end)
    width = MINUTES[granularity]
    starts = range(first - first % width, last, width)
    if len(starts) > SERIES_BUCKETS:
        raise ValueError(f"{len(starts)} {granularity}s were asked for; at most {SERIES_BUCKETS} can be")
    if (days := -(-(last - first) // DAY_MINUTES)) > QUERY_DAYS:
        raise ValueError(f"{days} days were asked for; at most {QUERY_DAYS} can be")
    return starts


def by_variant(counts: Counter[str]) -> dict[str, int]:
    return _summed(counts, 1)


def by_reason(counts: Counter[str]) -> dict[str, int]:
    return _summed(counts, 0)


def _summed(counts: Counter[str], part: int) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for outcome, count in counts.items():
        summed[outcome.split("/", 1)[part]] += count
    return dict(sorted(summed.items()))
