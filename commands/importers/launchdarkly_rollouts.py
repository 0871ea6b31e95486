"""What LaunchDarkly serves: one variation, or a percentage of each.

A share of a variation that does not exist is an error for whoever is in it and nobody else, so it becomes a
case of its own before the split.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from commands.importers.launchdarkly_attributes import bucketing_attribute
from commands.importers.launchdarkly_document import FlagPlace, objects, optional, required
from commands.importers.saying import ALWAYS, mapping
from domain.targeting import Condition, Gate, InBucket, Range, Serve, ServeSplit, Split
from domain.values import SCALE

Case = tuple[Condition, Serve]
Share = tuple[int, int, int]
"""A variation, and the buckets from where to under where that get it."""


def cases_of(outcome: Mapping[str, Any], flag: FlagPlace) -> list[Case]:
    """The first whose condition holds is served; the last one's always does."""
    variation = optional(outcome, "variation", int)
    if variation is not None:
        return [(ALWAYS, flag.serve(variation))]
    rollout = mapping(outcome.get("rollout") or {}, "'rollout'")
    shares = list(_shares(objects(rollout, "variations")))
    if not shares:
        return [(ALWAYS, flag.error("neither a variation nor a percentage is given"))]
    by = _bucketing_attribute(rollout, flag)
    if by is None:
        return [(ALWAYS, flag.place.error("percentages of an attribute that none can be"))]
    return _cases_of_shares(shares, by, _salt(rollout, flag), flag)


def _bucketing_attribute(rollout: Mapping[str, Any], flag: FlagPlace) -> str | None:
    """An experiment is always on keys."""
    if rollout.get("kind") != "experiment":
        return bucketing_attribute(rollout)
    flag.place.note("an experiment: its percentages are imported, what it measures is not")
    return bucketing_attribute({**rollout, "bucketBy": None})


def _salt(rollout: Mapping[str, Any], flag: FlagPlace) -> str:
    seed = optional(rollout, "seed", int)
    return flag.salt if seed is None else str(seed)


def _shares(weighted: list[Mapping[str, Any]]) -> Iterator[Share]:
    """Whatever the weights leave over is the last one's."""
    end, total = 0, 0
    for each in weighted:
        total += required(each, "weight", int)
        start, end = end, max(end, min(total, SCALE))
        yield required(each, "variation", int), start, end
    if weighted:
        yield required(weighted[-1], "variation", int), end, SCALE


def _cases_of_shares(shares: list[Share], by: str, salt: str, flag: FlagPlace) -> list[Case]:
    filled = [share for share in shares if share[1] < share[2]]
    bad: list[Case] = [
        (_in_share(start, end, by, salt), flag.serve(variation))
        for variation, start, end in filled
        if not flag.has(variation)
    ]
    ranges = [
        Range(variant=str(variation), start=start, end=end)
        for variation, start, end in filled
        if flag.has(variation)
    ]
    if not ranges:
        return [(ALWAYS, bad[0][1])]
    split = Split(by=by, ranges=tuple(ranges), salt=salt, algorithm="launchdarkly")
    return [*bad, (ALWAYS, ServeSplit(split=split))]


def _in_share(start: int, end: int, by: str, salt: str) -> Condition:
    return InBucket(bucket=Gate(by=by, at_least=start, below=end, salt=salt, algorithm="launchdarkly"))
