"""GrowthBook's rules: values that are forced, experiments, and what has to hold for both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.importers.growthbook_buckets import (
    Bucket,
    apart,
    are_weights,
    bucket_of,
    range_of,
    share,
    shares,
)
from commands.importers.growthbook_conditions import Conditions, holds_for
from commands.importers.growthbook_values import CODE_DEFAULT, Values, values_of, variations_of
from commands.importers.saying import ALWAYS, NEVER, all_of, any_of, listing, mapping, negated
from domain.targeting import Condition, FlagIs, Range, Rule, Serve, ServeSplit, Split

NAME_LENGTH = 200


@dataclass(frozen=True)
class Rules:
    """The rules of one feature, in a payload with others."""

    key: str
    features: Mapping[str, Any]
    groups: Mapping[str, Any]
    bandits: Mapping[str, Any]
    values: Values

    @property
    def conditions(self) -> Conditions:
        return Conditions(self.groups)

    def said(self, rule: Mapping[str, Any], number: int) -> Iterator[Rule]:
        met: Condition = ALWAYS
        for parent in listing(rule.get("parentConditions") or [], "'parentConditions'"):
            passed = self._parent(mapping(parent, "a parent condition"))
            if parent.get("gate"):
                yield Rule(name="Prerequisite", when=all_of(met, negated(passed)), serve=CODE_DEFAULT)
            met = all_of(met, passed)
        asked = self.conditions.whole(rule.get("condition") or {})
        filters = listing(rule.get("filters") or [], "'filters'")
        when = all_of(met, asked, *(_filter(each) for each in filters))
        said = self._forced if "force" in rule else self._experiment
        for condition, serve in said(rule, number):
            if (both := all_of(when, condition)) != NEVER:
                name = str(rule.get("name") or rule.get("id") or "")[:NAME_LENGTH]
                yield Rule(name=name, when=both, serve=serve)

    def _parent(self, parent: Mapping[str, Any]) -> Condition:
        key, condition = parent.get("id"), parent.get("condition")
        if not isinstance(key, str) or condition is None:
            return ALWAYS
        asked = Conditions(self.groups, of_user=False).whole(condition)
        others = values_of(self.features[key]).by_name if key in self.features else {}
        passing = tuple(name for name, value in others.items() if holds_for(asked, value))
        if not holds_for(asked, None):
            return FlagIs(flag=key, variants=passing) if passing else NEVER
        failing = tuple(name for name in others if name not in passing)
        return negated(FlagIs(flag=key, variants=failing)) if failing else ALWAYS

    def _forced(self, rule: Mapping[str, Any], number: int) -> Iterator[tuple[Condition, Serve]]:
        yield self._included(rule), self.values.serve(rule["force"], f"force-{number}")

    def _included(self, rule: Mapping[str, Any]) -> Condition:
        if not rule.get("range") and rule.get("coverage") is None:
            return ALWAYS
        bucket = bucket_of(rule, rule.get("hashAttribute"), str(rule.get("seed") or self.key), 1)
        if bucket is None:
            return NEVER
        if rule.get("range"):
            return bucket.within(*range_of(rule["range"]))
        return bucket.up_to(share(rule["coverage"]))

    def _experiment(self, rule: Mapping[str, Any], number: int) -> Iterator[tuple[Condition, Serve]]:
        variations = variations_of(rule)
        salt = str(rule.get("seed") or rule.get("key") or self.key)
        bucket = bucket_of(rule, rule.get("hashAttribute"), salt, 1)
        if bucket is None or not variations:
            return
        names = [
            self.values.named(value, f"variation-{number}-{place}") for place, value in enumerate(variations)
        ]
        for condition, weights in self._leaves(rule, len(variations)):
            ranges = tuple(_ranges(rule, weights, names, bucket))
            if ranges:
                split = Split(by=bucket.by, salt=bucket.salt, algorithm=bucket.algorithm, ranges=ranges)
                yield all_of(bucket.hashed, _namespace(rule, bucket), condition), ServeSplit(split=split)

    def _leaves(self, rule: Mapping[str, Any], count: int) -> Iterator[tuple[Condition, Any]]:
        """A bandit's weights, each with those whom they are for; a leaf without good ones has the rule's."""
        bandit = self.bandits.get(str(rule.get("contextualBanditRef") or ""))
        leaves = bandit.get("contexts") if isinstance(bandit, Mapping) else None
        others: Condition = ALWAYS
        for each in listing(leaves or [], "'contexts' of a bandit"):
            leaf = mapping(each, "a context of a bandit")
            holds, weights = self.conditions.whole(leaf.get("condition") or {}), leaf.get("weights")
            yield all_of(others, holds), weights if are_weights(weights, count) else rule.get("weights")
            others = all_of(others, negated(holds))
        yield others, rule.get("weights")


def _filter(document: Any) -> Condition:
    document = mapping(document, "a filter")
    bucket = bucket_of(document, document.get("attribute"), str(document.get("seed", "")), 2)
    if bucket is None:
        return NEVER
    ranges = listing(document.get("ranges"), "'ranges'")
    return any_of(*(bucket.within(*range_of(each)) for each in ranges))


def _namespace(rule: Mapping[str, Any], bucket: Bucket) -> Condition:
    """A share of a hash of its own, the first; filters, where there are any, take its place."""
    namespace = rule.get("namespace")
    if not namespace or rule.get("filters"):
        return ALWAYS
    name, *share_of_it = listing(namespace, "'namespace'")
    return Bucket(bucket.by, f"__{name}", "growthbook1").within(*range_of(share_of_it))


def _ranges(rule: Mapping[str, Any], weights: Any, names: list[str], bucket: Bucket) -> Iterator[Range]:
    """A variation that passes through leaves its buckets to the next rule."""
    limits = [(bucket.first(start), bucket.first(end)) for start, end in shares(rule, weights, len(names))]
    for place, start, end in apart(limits):
        if place < len(names) and not _passes_through(rule.get("meta"), place):
            yield Range(variant=names[place], start=start, end=end)


def _passes_through(meta: Any, place: int) -> bool:
    about = meta[place] if isinstance(meta, list) and place < len(meta) else None
    return isinstance(about, Mapping) and bool(about.get("passthrough"))
