"""GrowthBook's targeting conditions, which are MongoDB's in JavaScript's reading."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from commands.importers.imported import Unsayable
from commands.importers.saying import (
    ALWAYS,
    NEVER,
    all_of,
    any_of,
    by_letters,
    clause,
    exists,
    is_list,
    is_number,
    is_text,
    listing,
    mapping,
    negated,
    pointer,
)
from domain.conditions import compile_condition
from domain.ruleset import Ruleset
from domain.targeting import TARGETING_KEY, AnyElement, Condition
from domain.versions import version

ID = "id"
ORDERS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "$lt": ("lt", operator.lt),
    "$lte": ("le", operator.le),
    "$gt": ("gt", operator.gt),
    "$gte": ("ge", operator.ge),
}
VERSIONS = {"$veq": "eq", "$vlt": "lt", "$vlte": "le", "$vgt": "gt", "$vgte": "ge"}


@dataclass(frozen=True)
class Conditions:
    """`of_user`: whether the attributes are the user's, whose `id` is our targeting key."""

    saved_groups: Mapping[str, Any]
    of_user: bool = True

    def condition(self, condition: Any) -> Condition:
        parts = mapping(condition, "a condition")
        return all_of(*(self._entry(name, value) for name, value in parts.items()))

    def _entry(self, name: str, value: Any) -> Condition:
        if name in {"$savedGroup", "$savedGroups"}:
            raise Unsayable(f"'{name}'")
        if name == "$not":
            return negated(self.condition(value))
        if name not in {"$or", "$nor", "$and"}:
            return self.value(self.attribute(name), value)
        parts = [self.condition(each) for each in listing(value, f"'{name}'")]
        if name == "$and":
            return all_of(*parts)
        either = any_of(*parts) if parts else ALWAYS
        return either if name == "$or" else negated(either)

    def attribute(self, path: str) -> str:
        return TARGETING_KEY if self.of_user and path == ID else pointer(path.split("."))

    def value(self, attribute: str, wanted: Any) -> Condition:
        if is_operators(wanted):
            return all_of(*(self._operator(attribute, name, value) for name, value in wanted.items()))
        return _same(attribute, wanted)

    def _operator(self, attribute: str, name: str, value: Any) -> Condition:
        if name in NEGATED:
            return self._negated(attribute, name, value)
        if name in PLAIN:
            return PLAIN[name](attribute, value)
        if name in LISTS:
            return LISTS[name](self, attribute, value)
        return NEVER  # as GrowthBook, which knows no such operator

    def _negated(self, attribute: str, name: str, value: Any) -> Condition:
        if name in {"$nin", "$nini"} and not isinstance(value, list):
            return NEVER
        if name == "$not":
            return negated(self.value(attribute, value))
        return negated(self._operator(attribute, NEGATED[name], value))


def is_operators(wanted: Any) -> bool:
    return isinstance(wanted, dict) and bool(wanted) and all(key.startswith("$") for key in wanted)


def _same(attribute: str, wanted: Any) -> Condition:
    if wanted is None:
        return negated(exists(attribute))
    if isinstance(wanted, list):
        return _same_list(attribute, wanted)
    if isinstance(wanted, dict):
        raise Unsayable(f"'{attribute}' compared with a whole object")
    return clause(attribute, "equals", wanted)


def _same_list(attribute: str, wanted: list[Any]) -> Condition:
    elements = [_same(_element(attribute, place), each) for place, each in enumerate(wanted)]
    return all_of(_size(attribute, len(wanted)), *elements)


def _element(attribute: str, place: int) -> str:
    return f"{attribute if attribute.startswith('/') else pointer_of(attribute)}/{place}"


def pointer_of(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _strictly(attribute: str, wanted: Any) -> Condition:
    """Lists and objects are never the same one."""
    return NEVER if isinstance(wanted, dict | list) else _same(attribute, wanted)


def _number_of(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value) if value.strip() else 0
        except ValueError:
            return None
    return value if is_number(value) or isinstance(value, bool) else None


def _order(name: str) -> Callable[[str, Any], Condition]:
    """By size where one side is a number, a missing attribute as 0; two texts by their letters."""
    ours, holds = ORDERS[name]

    def say(attribute: str, wanted: Any) -> Condition:
        letters = by_letters(attribute, wanted, ours) if isinstance(wanted, str) else NEVER
        if (number := _number_of(wanted)) is None:
            return letters
        alike = [each for each in (True, False) if holds(int(each), number)]
        coerce = "strict" if isinstance(wanted, str) else "lenient"
        number = int(number) if float(number).is_integer() else number
        size = clause(attribute, ours, number, coerce=coerce)
        missing = negated(exists(attribute)) if holds(0, number) else NEVER
        return any_of(missing, size, clause(attribute, "in", *alike) if alike else NEVER, letters)

    return say


def _version(name: str) -> Callable[[str, Any], Condition]:
    """A missing version is before all others."""

    def say(attribute: str, wanted: Any) -> Condition:
        text = str(wanted) if is_number(wanted) else wanted
        if not isinstance(text, str) or version(text, "lenient") is None:
            raise Unsayable(f"{name} of '{attribute}' with {wanted!r}, which is no version like 1.2.3")
        missing = "match" if name in {"$vlt", "$vlte"} else "no_match"
        return clause(attribute, f"semver_{VERSIONS[name]}", text, coerce="lenient", on_missing=missing)

    return say


def _in(attribute: str, wanted: Any, **options: Any) -> Condition:
    if not isinstance(wanted, list):
        return NEVER
    plain = [each for each in wanted if isinstance(each, str | int | float)]
    missing = negated(exists(attribute)) if None in wanted else NEVER
    return any_of(missing, clause(attribute, "in", *plain, **options) if plain else NEVER)


def _in_any_case(attribute: str, wanted: Any) -> Condition:
    return _in(attribute, wanted, case_insensitive=True)


def _matches(attribute: str, pattern: Any, **options: Any) -> Condition:
    """A pattern that is none at all matches nothing; one that only RE2 does not know cannot be said."""
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError):
        return NEVER
    return clause(attribute, "matches", pattern, **options)


def _matches_any_case(attribute: str, pattern: Any) -> Condition:
    return _matches(attribute, pattern, case_insensitive=True)


def _exists(attribute: str, wanted: Any) -> Condition:
    return exists(attribute) if wanted else negated(exists(attribute))


def _type(attribute: str, wanted: Any) -> Condition:
    return TYPES[wanted](attribute) if isinstance(wanted, str) and wanted in TYPES else NEVER


def _is_number(attribute: str) -> Condition:
    return any_of(clause(attribute, "ge", 0), clause(attribute, "lt", 0))


def _not_list(condition: Callable[[str], Condition]) -> Callable[[str], Condition]:
    return lambda attribute: all_of(negated(is_list(attribute)), condition(attribute))


def _is_plain(attribute: str) -> Condition:
    return any_of(is_text(attribute), _is_number(attribute), clause(attribute, "in", True, False))


def _is_empty(attribute: str) -> Condition:
    return all_of(exists(attribute), negated(is_list(attribute)), negated(_is_plain(attribute)))


TYPES: Mapping[str, Callable[[str], Condition]] = {
    "string": _not_list(is_text),
    "number": _not_list(_is_number),
    "boolean": _not_list(lambda attribute: clause(attribute, "in", True, False)),
    "null": lambda attribute: negated(exists(attribute)),
    "array": is_list,
    "object": _is_empty,
}


def _size(attribute: str, wanted: int) -> Condition:
    if wanted == 0:
        return _is_empty(attribute)
    return all_of(is_list(attribute), _at_least(attribute, wanted), negated(_at_least(attribute, wanted + 1)))


def _at_least(attribute: str, wanted: int) -> Condition:
    return ALWAYS if wanted <= 0 else exists(_element(attribute, wanted - 1))


def _has_size(attribute: str, wanted: Any) -> Condition:
    if not is_operators(wanted):
        is_size = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        return _size(attribute, wanted) if is_size else NEVER
    of_list = any_of(is_list(attribute), _is_empty(attribute))
    return all_of(of_list, *(_size_by(attribute, name, value) for name, value in wanted.items()))


def _size_by(attribute: str, name: str, wanted: Any) -> Condition:
    if name not in SIZES or not isinstance(wanted, int) or isinstance(wanted, bool):
        raise Unsayable(f"$size of '{attribute}' by {name} {wanted!r}")
    return SIZES[name](attribute, wanted)


SIZES: Mapping[str, Callable[[str, int], Condition]] = {
    "$gt": lambda attribute, wanted: _at_least(attribute, wanted + 1),
    "$gte": _at_least,
    "$lt": lambda attribute, wanted: negated(_at_least(attribute, wanted)),
    "$lte": lambda attribute, wanted: negated(_at_least(attribute, wanted + 1)),
    "$eq": _size,
    "$ne": lambda attribute, wanted: negated(_size(attribute, wanted)),
}


def _element_matches(said: Conditions, attribute: str, wanted: Any) -> Condition:
    element = Conditions(said.saved_groups, of_user=False)
    if is_operators(wanted) and not {"$or", "$and", "$nor"} & set(wanted):
        return AnyElement(any_element=attribute, where=element.value("value", wanted))
    return AnyElement(any_element=attribute, where=element.condition(wanted))


def _all(said: Conditions, attribute: str, wanted: Any) -> Condition:
    return _each(said, attribute, wanted)


def _all_in_any_case(said: Conditions, attribute: str, wanted: Any) -> Condition:
    return _each(said, attribute, wanted, case_insensitive=True)


def _each(said: Conditions, attribute: str, wanted: Any, **options: Any) -> Condition:
    if not isinstance(wanted, list):
        return NEVER
    parts = [
        clause(attribute, "equals", each, **options)
        if isinstance(each, str | int | float)
        else _element_matches(said, attribute, each)
        for each in wanted
    ]
    return all_of(is_list(attribute), *parts)


def _in_group(said: Conditions, attribute: str, wanted: Any) -> Condition:
    group = said.saved_groups.get(wanted, []) if isinstance(wanted, str) else None
    if isinstance(group, dict) and group.get("type") == "list":
        group = group.get("values")
    if not isinstance(group, list):
        raise Unsayable(f"the saved group {wanted!r}")
    return _in(attribute, group)


PLAIN: Mapping[str, Callable[[str, Any], Condition]] = {
    "$eq": _strictly,
    **{name: _order(name) for name in ORDERS},
    **{name: _version(name) for name in VERSIONS},
    "$in": _in,
    "$ini": _in_any_case,
    "$regex": _matches,
    "$regexi": _matches_any_case,
    "$exists": _exists,
    "$type": _type,
    "$size": _has_size,
}
LISTS: Mapping[str, Callable[[Conditions, str, Any], Condition]] = {
    "$elemMatch": _element_matches,
    "$all": _all,
    "$alli": _all_in_any_case,
    "$inGroup": _in_group,
}
NEGATED: Mapping[str, str] = {
    "$not": "",
    "$ne": "$eq",
    "$nin": "$in",
    "$nini": "$ini",
    "$vne": "$veq",
    "$notRegex": "$regex",
    "$notRegexi": "$regexi",
    "$notInGroup": "$inGroup",
}


def holds_for(condition: Condition, value: Any) -> bool:
    """Whether a prerequisite's condition is met by this value of the other feature."""
    return compile_condition(condition, "")({"value": value}, Ruleset())
