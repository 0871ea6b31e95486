"""Who is in which share of a GrowthBook rule: hashes, coverage, weights and ranges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.importers.growthbook_conditions import ID
from commands.importers.imported import Unsayable
from commands.importers.saying import NEVER, all_of, clause, is_number, listing, literal_name
from domain.bucketing import ALGORITHMS, AlgorithmName
from domain.targeting import TARGETING_KEY, Condition, Gate, InBucket

HASHES: Mapping[int, AlgorithmName] = {1: "growthbook1", 2: "growthbook2"}
LEAST_TOTAL, LARGEST_TOTAL = 0.99, 1.01


@dataclass(frozen=True)
class Bucket:
    """What a rule hashes, and how."""

    by: str
    salt: str
    algorithm: AlgorithmName

    @property
    def steps(self) -> int:
        steps = ALGORITHMS[self.algorithm].steps
        assert steps is not None
        return steps

    def first(self, limit: float, *, after: bool = False) -> int:
        """The first bucket not under this share, or with `after` the first above it."""
        found = bisect_right if after else bisect_left
        return found(range(self.steps), limit, key=lambda bucket: bucket / self.steps)

    def within(self, start: float, end: float) -> Condition:
        return self._between(self.first(start), self.first(end))

    def up_to(self, share: float) -> Condition:
        """Nobody for 0, else whoever has just this share too, as GrowthBook's rollouts have it."""
        return self._between(0, self.first(share, after=True)) if share else NEVER

    def _between(self, at_least: int, below: int) -> Condition:
        if at_least >= below:
            return NEVER
        gate = Gate(by=self.by, at_least=at_least, below=below, salt=self.salt, algorithm=self.algorithm)
        return all_of(self.hashed, InBucket(bucket=gate))

    @property
    def hashed(self) -> Condition:
        """Neither the empty text nor 0 identifies anybody."""
        return clause(self.by, "in", "", 0, negate=True)


def bucket_of(document: Mapping[str, Any], attribute: Any, salt: str, hash_version: int) -> Bucket | None:
    """None for a hash that GrowthBook does not know, which takes nobody in."""
    name = str(attribute or ID)
    by = TARGETING_KEY if name == ID else literal_name(name)
    version = document.get("hashVersion") or hash_version
    algorithm = HASHES.get(version) if is_number(version) else None
    return None if algorithm is None else Bucket(by, salt, algorithm)


def shares(rule: Mapping[str, Any], weights: Any, count: int) -> list[tuple[float, float]]:
    """From where to where each variation goes; ranges, where there are any, take the place of weights."""
    if rule.get("ranges"):
        return [range_of(each) for each in listing(rule["ranges"], "'ranges'")]
    coverage = 1.0 if rule.get("coverage") is None else min(1.0, max(0.0, share(rule["coverage"])))
    found, start = [], 0.0
    for weight in weights if are_weights(weights, count) else [1 / count] * count:
        found.append((start, start + coverage * weight))
        start += weight
    return found


def are_weights(weights: Any, count: int) -> bool:
    """Whether there is one for each, which sum up to 1."""
    if not isinstance(weights, list) or len(weights) != count:
        return False
    usable = all(is_number(each) and each >= 0 for each in weights)
    return usable and LEAST_TOTAL <= sum(weights) <= LARGEST_TOTAL


def apart(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Place, start and end of what each has for itself: where they overlap, the first has it."""
    for place, (start, end) in enumerate(ranges):
        free = start
        for low, high in sorted(ranges[:place]):
            if free < min(low, end):
                yield place, free, min(low, end)
            free = max(free, high) if low < high else free
        if free < end:
            yield place, free, end


def range_of(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise Unsayable(f"the range {value!r}")
    return share(value[0]), share(value[1])


def share(value: Any) -> float:
    if not is_number(value):
        raise Unsayable(f"a share of {value!r}")
    return float(value)
