"""How many different subjects were served each variant, as sketches estimate it."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from datasketches import hll_union

from projections.aws import at_once
from projections.subjects_table import LG_K, subjects_of_day

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

DEVIATIONS = 2  # on either side of the estimate: what is counted lies within in 95 of 100 cases


class Estimate(NamedTuple):
    estimate: float
    lower: float
    upper: float

    @property
    def error(self) -> float:
        """The standard error as a share of the estimate."""
        return (self.upper - self.lower) / (2 * DEVIATIONS * self.estimate) if self.estimate else 0.0


class UniqueSubjects(NamedTuple):
    """A subject that was served two variants is counted for each, and once in all."""

    all: Estimate
    variants: Mapping[str, Estimate]


class SubjectsReader:
    """Raises botocore's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", usage_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = usage_table

    def unique(self, project: str, environment: str, flag: str, days: Iterable[date]) -> UniqueSubjects:
        read = partial(subjects_of_day, self._dynamodb, self._table, project, environment, flag)
        whole = hll_union(LG_K)
        merged: dict[str, hll_union] = {}
        for day in at_once(read, days):
            for variant, subjects in day.items():
                merged.setdefault(variant, hll_union(LG_K)).update(subjects.get_result())
                whole.update(subjects.get_result())
        return UniqueSubjects(_estimate(whole), {each: _estimate(merged[each]) for each in sorted(merged)})


def _estimate(subjects: hll_union) -> Estimate:
    sketch = subjects.get_result()
    return Estimate(
        sketch.get_estimate(), sketch.get_lower_bound(DEVIATIONS), sketch.get_upper_bound(DEVIATIONS)
    )
