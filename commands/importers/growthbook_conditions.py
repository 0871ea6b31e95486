"""GrowthBook's targeting conditions, which are MongoDB's in JavaScript's reading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from commands.importers.growthbook_operators import is_in, is_list, on_attribute, same
from commands.importers.saying import (
    ALWAYS,
    NEVER,
    all_of,
    any_of,
    clause,
    constant,
    exists,
    listing,
    mapping,
    negated,
    pointer,
)
from domain.conditions import compile_condition
from domain.ruleset import Ruleset
from domain.targeting import (
    TARGETING_KEY,
    All,
    Any_,
    AnyElement,
    Condition,
    Not,
    Unanswerable,
)

ID = "id"
ELEMENT = "value"
OF_CONDITIONS = {"$or", "$and", "$nor", "$savedGroup"}
UNKNOWN: Final = Unanswerable(unanswerable="what GrowthBook does not know")
"""Holds for nobody, negated or not; `decided` takes it out."""


@dataclass(frozen=True)
class Conditions:
    """`of_user`: whether the attributes are the user's, whose `id` is our targeting key."""

    saved_groups: Mapping[str, Any]
    of_user: bool = True
    within: frozenset[str] = frozenset()
    """The saved groups whose conditions this one is part of."""

    def whole(self, condition: Any) -> Condition:
        return decided(self.condition(condition))

    def condition(self, condition: Any) -> Condition:
        parts = mapping(condition, "a condition")
        return all_of(*(self._entry(name, value) for name, value in parts.items()))

    def _entry(self, name: str, value: Any) -> Condition:
        if name in GROUPS:
            return GROUPS[name](self, value)
        return self.value(self.attribute(name), value)

    def each(self, conditions: Any) -> list[Condition]:
        return [self.condition(each) for each in listing(conditions, "a list of conditions")]

    def attribute(self, path: str) -> str:
        return TARGETING_KEY if self.of_user and path == ID else pointer(path.split("."))

    def value(self, attribute: str, wanted: Any) -> Condition:
        if is_operators(wanted):
            return all_of(*(self._operator(attribute, name, value) for name, value in wanted.items()))
        return same(attribute, wanted)

    def _operator(self, attribute: str, name: str, value: Any) -> Condition:
        if (plain := on_attribute(attribute, name, value)) is not None:
            return plain
        if name in NESTED:
            return NESTED[name](self, attribute, value)
        return NEVER if name in OF_CONDITIONS else UNKNOWN


def is_operators(wanted: Any) -> bool:
    return isinstance(wanted, dict) and all(key.startswith("$") for key in wanted)


def decided(condition: Condition, unknown: bool = False) -> Condition:
    """With what is unknown said so that neither it nor what it is part of holds."""
    match condition:
        case Unanswerable():
            return constant(unknown)
        case All(all=parts):
            return all_of(*(decided(part, unknown) for part in parts))
        case Any_(any=parts):
            return any_of(*(decided(part, unknown) for part in parts))
        case Not(negated=part):
            return negated(decided(part, not unknown))
        case AnyElement(where=part):
            return condition.model_copy(update={"where": decided(part, unknown)})
        case _:
            return condition


def _either(said: Conditions, conditions: Any) -> Condition:
    parts = said.each(conditions)
    return any_of(*parts) if parts else ALWAYS


def _saved_group(said: Conditions, reference: Any) -> Condition:
    """Whatever is not as it should be has no members."""
    if not isinstance(reference, Mapping):
        return NEVER
    key, group = reference.get("id"), said.saved_groups.get(str(reference.get("id")))
    if not isinstance(key, str) or key in said.within or not isinstance(group, Mapping):
        return NEVER
    if not isinstance(reference.get("attributeKey", ""), str):
        return NEVER
    kind = group.get("type")
    return GROUP_KINDS[kind](said, reference, group) if kind in list(GROUP_KINDS) else UNKNOWN


def _members(said: Conditions, reference: Mapping[str, Any], group: Mapping[str, Any]) -> Condition:
    attribute, values = reference.get("attributeKey", group.get("attributeKey")), group.get("values")
    if not isinstance(attribute, str):
        return NEVER
    return is_in(said.attribute(attribute), values)


def _group_condition(said: Conditions, reference: Mapping[str, Any], group: Mapping[str, Any]) -> Condition:
    condition = group.get("condition")
    inside = replace(said, within=said.within | {reference["id"]})
    return inside.condition(condition) if isinstance(condition, Mapping) else NEVER


GROUP_KINDS: Mapping[Any, Callable[[Conditions, Mapping[str, Any], Mapping[str, Any]], Condition]] = {
    "list": _members,
    "condition": _group_condition,
}
GROUPS: Mapping[str, Callable[[Conditions, Any], Condition]] = {
    "$and": lambda said, wanted: all_of(*said.each(wanted)),
    "$or": _either,
    "$nor": lambda said, wanted: negated(_either(said, wanted)),
    "$not": lambda said, wanted: negated(said.condition(wanted)),
    "$savedGroup": _saved_group,
    "$savedGroups": lambda said, wanted: NEVER,
}


def _element_matches(said: Conditions, attribute: str, wanted: Any) -> Condition:
    """Null is no element."""
    element = replace(said, of_user=False)
    if not is_operators(wanted) or OF_CONDITIONS & set(wanted):
        return AnyElement(any_element=attribute, where=element.condition(wanted))
    where = all_of(exists(ELEMENT), element.value(ELEMENT, wanted))
    return AnyElement(any_element=attribute, where=where, whole=True)


def _all(said: Conditions, attribute: str, wanted: Any, **options: Any) -> Condition:
    if not isinstance(wanted, list):
        return NEVER
    element = replace(said, of_user=False)
    parts = [
        clause(attribute, "equals", each, **options)
        if isinstance(each, str | int | float)
        else AnyElement(any_element=attribute, where=element.value(ELEMENT, each), whole=True)
        for each in wanted
    ]
    return all_of(is_list(attribute), *parts)


def _all_in_any_case(said: Conditions, attribute: str, wanted: Any) -> Condition:
    return _all(said, attribute, wanted, case_insensitive=True)


def _size(said: Conditions, attribute: str, wanted: Any) -> Condition:
    length = (attribute if attribute.startswith("/") else f"/{escaped(attribute)}") + "/length"
    return all_of(is_list(attribute), said.value(length, wanted))


def escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _group_values(said: Conditions, wanted: Any) -> Any:
    """A group that is not there is empty; one of another kind is no list at all."""
    group = said.saved_groups.get(wanted, []) if isinstance(wanted, str) else None
    return group.get("values") if isinstance(group, Mapping) and group.get("type") == "list" else group


def _in_group(said: Conditions, attribute: str, wanted: Any, negate: bool = False) -> Condition:
    values = _group_values(said, wanted)
    if isinstance(values, list):
        found = is_in(attribute, values)
        return negated(found) if negate else found
    is_new = isinstance(values, Mapping) and values.get("type") not in list(GROUP_KINDS)
    return UNKNOWN if is_new else NEVER


def _not_in_group(said: Conditions, attribute: str, wanted: Any) -> Condition:
    return _in_group(said, attribute, wanted, negate=True)


NESTED: Mapping[str, Callable[[Conditions, str, Any], Condition]] = {
    "$not": lambda said, attribute, wanted: negated(said.value(attribute, wanted)),
    "$elemMatch": _element_matches,
    "$all": _all,
    "$alli": _all_in_any_case,
    "$size": _size,
    "$inGroup": _in_group,
    "$notInGroup": _not_in_group,
}


def holds_for(condition: Condition, value: Any) -> bool:
    """Whether a prerequisite's condition is met by this value of the other feature."""
    return compile_condition(condition, "")({ELEMENT: value}, Ruleset())
