"""What evaluators had no room for, as the health of the installation tells it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from projections.dropped_table import SHOWN_DAYS, Dropped

SHOWN = 10  # evaluators that are named; whoever has more looks at what they have in common

TO_DO = {
    "counts": "charts lack the evaluations that were not counted; evaluators' logs say why they had to wait"
    " (SQS away, a full disk), and TOGGLEMASTER_SPOOL_COUNTERS lets more of them wait",
    "records": "what-if and numbers of subjects lack those that were not recorded; evaluators' logs say why"
    " they had to wait, and TOGGLEMASTER_SPOOL_MEGABYTES lets more of them wait. A subject above 256"
    " characters is never recorded",
}


class DroppedBy(BaseModel):
    """One start of an evaluator, by the name that its rows in the table bear."""

    producer: str
    counts: int
    records: int
    first: datetime
    last: datetime


class DroppedShape(BaseModel):
    """`producers` are the first 10, the latest first, and `more` how many others there are. `since`, `last`
    and `to_do` are null where nothing was dropped. Evaluations were answered all the same."""

    days: int = Field(description="all that those dropped since they began that did so in so many last days")
    counts: int = Field(description="evaluations that are not counted")
    records: int = Field(description="single evaluations that are not recorded")
    since: datetime | None
    last: datetime | None
    producers: list[DroppedBy]
    more: int
    to_do: str | None


def dropped_shape(found: Sequence[Dropped]) -> DroppedShape:
    """`found` is the latest first."""
    dropped = {
        "counts": sum(each.counts for each in found),
        "records": sum(each.records for each in found),
    }
    return DroppedShape(
        days=SHOWN_DAYS,
        **dropped,
        since=_moment(min(each.first for each in found)) if found else None,
        last=_moment(found[0].last) if found else None,
        producers=[_by(each) for each in found[:SHOWN]],
        more=len(found[SHOWN:]),
        to_do="; ".join(TO_DO[what] for what, number in dropped.items() if number) or None,
    )


def _by(each: Dropped) -> DroppedBy:
    first, last = _moment(each.first), _moment(each.last)
    return DroppedBy(producer=each.producer, counts=each.counts, records=each.records, first=first, last=last)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
