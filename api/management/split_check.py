"""Whether a flag's split is served as it is configured: what is counted, from when on, and over whom."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from api.management.analytics_parts import Analytics
from api.management.analytics_shapes import Shares, VariantShare
from domain.targeting import TARGETING_KEY
from domain.wording import Wording
from projections.sample_ratio import Counted, sample_ratio
from projections.split_history import Served, shares_of
from projections.usage_table import DAY_MINUTES, minutes_of, moment_of

SETTLING = timedelta(minutes=1)
"""After a change, until every evaluator has it: p99 is under a second, a minute is the unit of the counts."""


class Where(NamedTuple):
    project: str
    environment: str
    flag: str


class Basis(NamedTuple):
    """What the check counts: subjects where it can, since evaluations of one subject are not independent."""

    start: datetime
    counted: Mapping[str, Counted]
    of_subjects: bool


def check(
    parts: Analytics, where: Where, served: Served, start: datetime, end: datetime, wording: Wording
) -> Shares:
    settled = served.since + SETTLING
    settled += timedelta(minutes=1) - timedelta(seconds=settled.second, microseconds=settled.microsecond)
    if (begin := max(start, settled)) >= end:
        return unchecked(wording.say("unchecked.settling"), served)
    basis = _subjects(parts, where, served, settled, start, end) or _evaluations(parts, where, begin, end)
    weights = shares_of(served.split)
    answer = _answer(basis, weights, served, end)
    if served.split.by != TARGETING_KEY:
        reason = wording.say("unchecked.by", attribute=served.split.by)
        return answer.model_copy(update={"reason": reason})
    found = sample_ratio(basis.counted, weights)
    return answer.model_copy(
        update={
            "checked": found.verdict is not None,
            "reason": wording.why(found.reason) if found.reason else None,
            "verdict": found.verdict,
            "statistic": found.statistic,
            "degrees_of_freedom": found.degrees,
            "p_value": found.p_value,
        }
    )


def unchecked(reason: str, served: Served | None = None) -> Shares:
    return Shares(
        checked=False,
        reason=reason,
        verdict=None,
        basis=None,
        since=served.since if served else None,
        start=None,
        end=None,
        variants=[],
        statistic=None,
        degrees_of_freedom=None,
        p_value=None,
    )


def days_of(start: datetime, end: datetime) -> list[date]:
    """Those of UTC that the window touches. Raises ValueError for what is no range of time."""
    first, last = minutes_of(start, end)
    days = range(first // DAY_MINUTES, -(-last // DAY_MINUTES))
    return [moment_of(day * DAY_MINUTES).date() for day in days]


def _subjects(
    parts: Analytics, where: Where, served: Served, settled: datetime, start: datetime, end: datetime
) -> Basis | None:
    """None where subjects cannot be told: days are whole, and a sketch does not say why it was served."""
    days = [day for day in days_of(start, end) if _midnight(day) >= settled]
    if not days or served.split.by != TARGETING_KEY:
        return None
    begin = _midnight(days[0])
    outcomes = _outcomes(parts, where, begin, _midnight(days[-1]) + timedelta(days=1))
    if any(not outcome.startswith("SPLIT/") for outcome, count in outcomes.items() if count):
        return None
    found = parts.subjects.unique(*where, days).variants
    counted = {variant: Counted(each.estimate, each.error) for variant, each in found.items()}
    return Basis(begin, counted, of_subjects=True) if counted else None


def _evaluations(parts: Analytics, where: Where, begin: datetime, end: datetime) -> Basis:
    outcomes = _outcomes(parts, where, begin, end)
    split = {
        outcome.removeprefix("SPLIT/"): Counted(count)
        for outcome, count in outcomes.items()
        if outcome.startswith("SPLIT/")
    }
    return Basis(begin, split, of_subjects=False)


def _outcomes(parts: Analytics, where: Where, start: datetime, end: datetime) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in parts.usage.counted(*where, *minutes_of(start, end)):
        for outcome, count in each.counts.items():
            found[outcome] = found.get(outcome, 0) + count
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _answer(basis: Basis, weights: Mapping[str, float], served: Served, end: datetime) -> Shares:
    total = sum(each.number for each in basis.counted.values())
    whole = sum(weights.values())
    shares = [
        VariantShare(
            variant=variant,
            counted=round(number := basis.counted.get(variant, Counted(0)).number),
            share=number / total if total else 0.0,
            expected=weights.get(variant, 0) / whole,
        )
        for variant in sorted({*weights, *basis.counted})
    ]
    return unchecked("", served).model_copy(
        update={
            "basis": "subjects" if basis.of_subjects else "evaluations",
            "start": basis.start,
            "end": end,
            "variants": shares,
        }
    )
