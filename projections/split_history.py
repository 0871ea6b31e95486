"""Which split serves a flag in an environment, and since when."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from domain.envelope import Recorded
from domain.events import FlagEvent
from domain.flag import Flag, evolve
from domain.targeting import ServeSplit, Split, Targeting
from domain.wording import Why

NO_SPLIT = Why("unchecked.no_split")


class Served(NamedTuple):
    split: Split
    since: datetime


def split_served(events: Iterable[Recorded], environment: str) -> Served | Why:
    """The one split there is, or why there is none to look at.

    `since` is when the split became what it is; what else is changed about the flag changes no share of it.
    """
    flag: Flag | None = None
    served: Served | Why = NO_SPLIT
    for recorded in events:
        flag = evolve(flag, _flag_event(recorded))
        found = _only_split(flag.targeting(environment))
        if isinstance(found, Why):
            served = found
        elif isinstance(served, Why) or served.split != found:
            served = Served(found, recorded.stamp.at)
    return served


def shares_of(split: Split) -> Mapping[str, float]:
    """Of any sum: whoever is outside of ranges or coverage is as if the split were not there."""
    if split.weights:
        return split.weights
    shares: dict[str, float] = {}
    for each in split.ranges:
        shares[each.variant] = shares.get(each.variant, 0) + each.end - each.start
    return shares


def _flag_event(recorded: Recorded) -> FlagEvent:
    event = recorded.event
    assert isinstance(event, FlagEvent)  # a flag's stream has no others
    return event


def _only_split(targeting: Targeting) -> Split | Why:
    serves = (targeting.default, *(rule.serve for rule in targeting.rules))
    splits = [serve.split for serve in serves if isinstance(serve, ServeSplit)]
    if len(splits) == 1:
        return splits[0]
    return Why("unchecked.splits", {"number": len(splits)}) if splits else NO_SPLIT
