"""A chart's numbers: whole minutes, hours and days of UTC, none left out and nothing counted twice."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from projections.usage_series import series
from projections.usage_table import CountRow, minutes_of

NOON = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)


def row(at: datetime, *, producer: str = "p1", seq: int = 1, **counts: int) -> CountRow:
    """Counts by variant, all of them with reason SPLIT."""
    minute = int(at.timestamp() // 60)
    by_outcome = {f"SPLIT/{variant}": count for variant, count in counts.items()}
    return CountRow(producer, "shop", "production", "new-checkout", minute, seq, by_outcome)


def test_evaluators_and_minutes_add_up() -> None:
    rows = [
        row(NOON, on=3, off=1),
        row(NOON, producer="p2", on=4),
        row(NOON + timedelta(minutes=59), on=5),
        row(NOON + timedelta(minutes=60), off=6),
    ]
    usage = series(rows, NOON, NOON + timedelta(hours=2), "hour")
    assert (usage.total, usage.variants, usage.reasons) == (19, {"off": 7, "on": 12}, {"SPLIT": 19})
    assert [(each.total, each.variants) for each in usage.series] == [
        (13, {"off": 1, "on": 12}),
        (6, {"off": 6}),
    ]


def test_reasons_are_told_apart_and_variants_may_hold_anything() -> None:
    counts = {"SPLIT/a/b": 1, "DEFAULT/a/b": 2, "DEFAULT/": 4}
    rows = [CountRow("p1", "shop", "production", "f", int(NOON.timestamp() // 60), 1, counts)]
    usage = series(rows, NOON, NOON + timedelta(minutes=1), "minute")
    assert usage.variants == {"": 4, "a/b": 3}
    assert usage.reasons == {"DEFAULT": 6, "SPLIT": 1}


def test_as_json() -> None:
    usage = series([row(NOON, on=3)], NOON, NOON + timedelta(minutes=2), "minute")
    assert usage.model_dump(mode="json") == {
        "total": 3,
        "variants": {"on": 3},
        "reasons": {"SPLIT": 3},
        "series": [
            {"start": "2026-11-04T12:00:00Z", "total": 3, "variants": {"on": 3}, "reasons": {"SPLIT": 3}},
            {"start": "2026-11-04T12:01:00Z", "total": 0, "variants": {}, "reasons": {}},
        ],
    }


@pytest.mark.parametrize(
    ("granularity", "first", "buckets"),
    [
        ("minute", "2026-11-04T11:58:00Z", 4),
        ("hour", "2026-11-04T11:00:00Z", 2),
        ("day", "2026-11-04T00:00:00Z", 1),
    ],
)
def test_buckets_begin_on_whole_units_of_utc(granularity: str, first: str, buckets: int) -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    start = (NOON - timedelta(minutes=2)).astimezone(zone)
    usage = series([], start, NOON + timedelta(minutes=2), granularity)  # type: ignore[arg-type]
    assert usage.model_dump(mode="json")["series"][0]["start"] == first
    assert len(usage.series) == buckets


def test_a_week_by_the_minute_is_the_most() -> None:
    assert len(series([], NOON, NOON + timedelta(days=7), "minute").series) == 10_080
    with pytest.raises(ValueError, match="10081 minutes were asked for; at most 10080"):
        series([], NOON, NOON + timedelta(days=7, minutes=1), "minute")


@pytest.mark.parametrize("end", [NOON, NOON - timedelta(days=1)])
def test_an_end_that_does_not_come_after_the_start_is_refused(end: datetime) -> None:
    with pytest.raises(ValueError, match="the end is to come after the start"):
        series([], NOON, end, "hour")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its zone"):
        series([], NOON.replace(tzinfo=None), NOON, "hour")


def test_only_the_minutes_asked_for_count() -> None:
    noon, half = NOON.timestamp() // 60, timedelta(seconds=30)
    assert minutes_of(NOON + half, NOON + timedelta(minutes=1, seconds=1)) == (noon, noon + 2), (
        "from the minute that holds the start to the one that holds the end"
    )
    assert minutes_of(NOON, NOON + timedelta(minutes=1)) == (noon, noon + 1), "an end belongs to what follows"
