"""What the analytics routes answer with."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from projections.sample_ratio import Verdict
from projections.stale_flags import FlagStatus
from projections.usage_series import UsageSeries


class FlagUsage(UsageSeries):
    """`last_evaluated` is the minute of it, whatever the window; null for never."""

    last_evaluated: datetime | None


class TotalsBucket(BaseModel):
    start: datetime
    total: int
    reasons: dict[str, int]


class Totals(BaseModel):
    total: int
    reasons: dict[str, int]
    series: list[TotalsBucket]


class VariantShare(BaseModel):
    """Shares are of 1; `expected` is what the split's weights say."""

    variant: str
    counted: int
    share: float
    expected: float


class Shares(BaseModel):
    """`checked` false has a `reason` in words. `since` is when the split became what it is."""

    checked: bool
    reason: str | None
    verdict: Verdict | None = Field(description="mismatch when p_value is below 0.0005")
    basis: Literal["subjects", "evaluations"] | None = Field(description="what was counted")
    since: datetime | None
    start: datetime | None = Field(serialization_alias="from")
    end: datetime | None = Field(serialization_alias="to")
    variants: list[VariantShare]
    statistic: float | None = Field(description="Pearson's chi-square")
    degrees_of_freedom: int | None
    p_value: float | None


class SubjectsEstimate(BaseModel):
    """`lower` and `upper` are two standard deviations away: the truth is between them in 95 of 100 cases."""

    estimate: int
    lower: int
    upper: int


class Subjects(BaseModel):
    """Of whole days of UTC. A subject that was served two variants is counted for each, and once in all."""

    first_day: date
    last_day: date
    all: SubjectsEstimate
    variants: dict[str, SubjectsEstimate]


class FlagSeen(BaseModel):
    """`variants` were served within the days asked for; "" is the caller's code default. `new` flags are not
    older than those days. `last_evaluated` is the beginning of that hour."""

    key: str
    status: FlagStatus
    new: bool
    created_at: datetime
    last_evaluated: datetime | None
    variants: list[str]


class FlagsSeenPage(BaseModel):
    flags: list[FlagSeen]
    next: str | None
    position: int


class HourlyUsage(BaseModel):
    """How often each flag was evaluated, hour by hour from `start` on; one that was not has no entry."""

    start: datetime
    hours: int
    flags: dict[str, list[int]]


class UnknownFlagShape(BaseModel):
    """Times are the beginnings of hours. `archived` says that there was such a flag."""

    name: str
    first_asked: datetime
    last_asked: datetime
    last_24_hours: int
    archived: bool


class UnknownFlags(BaseModel):
    names: list[UnknownFlagShape]
    next: str | None


class RecordShape(BaseModel):
    """One evaluation. `variant` is empty for the code default; `position` is of the ruleset that answered.
    `subject` is null where none was sent, or where it was forgotten."""

    event_id: str
    flag: str
    variant: str
    reason: str
    subject: str | None
    position: int
    at: datetime
    attributes: dict[str, JsonValue]


class RecordsAnswer(BaseModel):
    """The newest first."""

    records: list[RecordShape]
