"""LaunchDarkly's segments: included before excluded before rules.

Their lists are clauses of the condition, for of our own lists the excluded ones come first.
"""

from collections.abc import Mapping
from typing import Any

from commands.importers.imported import Unsayable
from commands.importers.launchdarkly_attributes import bucketing_attribute, key_of
from commands.importers.launchdarkly_clauses import all_clauses, in_parts
from commands.importers.launchdarkly_document import (
    USER,
    Place,
    context_kind,
    every,
    objects,
    optional,
    salt_of,
    some,
    texts,
)
from commands.importers.saying import ALWAYS, NEVER, clause
from domain import limits
from domain.segment import SegmentDefinition
from domain.targeting import Condition, Gate, InBucket, Not
from domain.values import SCALE


def segment_of(key: str, document: Mapping[str, Any], place: Place) -> SegmentDefinition:
    if optional(document, "unbounded", bool):
        raise Unsayable("a big segment: who is in it is not in the file")
    salt = salt_of(key, document)
    rules = [_rule(each, salt, place) for each in objects(document, "rules")]
    excluded = [Not(negated=each) for each in _listed(document, "excluded")]
    by_rule = every([*excluded, some(rules)]) if rules else NEVER
    return SegmentDefinition(condition=some([*_listed(document, "included"), by_rule]))


def _listed(document: Mapping[str, Any], name: str) -> list[Condition]:
    lists = [(USER, texts(document, name))]
    lists += [(context_kind(each), texts(each, "values")) for each in objects(document, f"{name}Contexts")]
    return [
        clause(key_of(kind), "in", *part) for kind, keys in lists for part in in_parts(keys, limits.VALUES)
    ]


def _rule(document: Mapping[str, Any], salt: str, place: Place) -> Condition:
    clauses = all_clauses(document, place)
    weight = optional(document, "weight", int)
    return every(clauses if weight is None else [*clauses, _share(document, weight, salt, place)])


def _share(document: Mapping[str, Any], weight: int, salt: str, place: Place) -> Condition:
    by = bucketing_attribute(document, "rolloutContextKind")
    if by is None:
        return place.error("a percentage of an attribute that none can be")
    if weight >= SCALE:
        return ALWAYS
    return InBucket(bucket=Gate(by=by, below=max(weight, 0), salt=salt, algorithm="launchdarkly"))
