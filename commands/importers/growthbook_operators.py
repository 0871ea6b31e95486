"""GrowthBook's operators on one attribute, which compare as JavaScript does."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from commands.importers.imported import Unsayable
from commands.importers.saying import (
    NEVER,
    any_of,
    by_letters,
    clause,
    exists,
    is_number,
    negated,
)
from domain.json_text import number_text
from domain.targeting import AnyElement, Condition
from domain.versions import padded

ORDERS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "$lt": ("lt", operator.lt),
    "$lte": ("le", operator.le),
    "$gt": ("gt", operator.gt),
    "$gte": ("ge", operator.ge),
}
VERSIONS: Mapping[str, tuple[str, Callable[[str, str], bool]]] = {
    "$veq": ("eq", operator.eq),
    "$vlt": ("lt", operator.lt),
    "$vlte": ("le", operator.le),
    "$vgt": ("gt", operator.gt),
    "$vgte": ("ge", operator.ge),
}
NO_VERSION = "0"
TYPES = {"string", "number", "boolean", "array", "object"}
UNICODE_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9a-fA-F]{4})")


def whole(attribute: str, operator: str, *values: Any, **options: Any) -> Condition:
    """A list is one value, and not each of its elements."""
    return clause(attribute, operator, *values, whole=True, **options)


def same(attribute: str, wanted: Any) -> Condition:
    if wanted is None:
        return negated(exists(attribute))
    if isinstance(wanted, dict | list):
        return whole(attribute, "same_json", json.dumps(wanted))
    return whole(attribute, "equals", wanted)


def is_list(attribute: str) -> Condition:
    return whole(attribute, "is_a", "array")


def _strictly(attribute: str, wanted: Any) -> Condition:
    """Lists and objects are never the same one."""
    return NEVER if isinstance(wanted, dict | list) else same(attribute, wanted)


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
        is_text = isinstance(wanted, str)
        letters = by_letters(attribute, wanted, ours, whole=True) if is_text else NEVER
        if (number := _number_of(wanted)) is None:
            return letters
        as_0 = holds(0, number)
        alike = [True] * holds(1, number) + [False] * as_0 + [""] * (as_0 and not is_text)
        number = int(number) if float(number).is_integer() else number
        size = whole(attribute, ours, number, coerce="strict" if is_text else "lenient")
        missing = negated(exists(attribute)) if as_0 else NEVER
        return any_of(missing, size, whole(attribute, "in", *alike) if alike else NEVER, letters)

    return say


def _version(name: str) -> Callable[[str, Any], Condition]:
    """What is neither text nor number, or missing, is version 0."""
    ours, holds = VERSIONS[name]

    def say(attribute: str, wanted: Any) -> Condition:
        text = number_text(wanted) if is_number(wanted) else wanted
        text = text if isinstance(text, str) and text else NO_VERSION
        found = whole(attribute, f"semver_{ours}", text, coerce="padded")
        others = whole(attribute, "is_a", "boolean", "array", "object", on_missing="match")
        return any_of(found, others if holds(str(padded(NO_VERSION)), str(padded(text))) else NEVER)

    return say


def is_in(attribute: str, wanted: Any, **options: Any) -> Condition:
    """A list is in where any of its elements is."""
    if not isinstance(wanted, list):
        return NEVER
    plain = [each for each in wanted if isinstance(each, str | int | float)]
    none = any_of(negated(exists(attribute)), _has_null(attribute)) if None in wanted else NEVER
    return any_of(none, clause(attribute, "in", *plain, **options) if plain else NEVER)


def _has_null(attribute: str) -> Condition:
    return AnyElement(any_element=attribute, where=negated(exists("value")), whole=True)


def _in_any_case(attribute: str, wanted: Any) -> Condition:
    return is_in(attribute, wanted, case_insensitive=True)


def _matches(attribute: str, pattern: Any, **options: Any) -> Condition:
    """A pattern that is none at all matches nothing; one that only RE2 does not know cannot be said."""
    if not isinstance(pattern, str):
        return NEVER
    try:
        return whole(attribute, "matches", UNICODE_ESCAPE.sub(r"\1\\x{\2}", pattern), **options)
    except Unsayable:
        if _is_pattern(pattern):
            raise
        return NEVER


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _matches_any_case(attribute: str, pattern: Any) -> Condition:
    return _matches(attribute, pattern, case_insensitive=True)


def _exists(attribute: str, wanted: Any) -> Condition:
    return exists(attribute) if wanted else negated(exists(attribute))


def _type(attribute: str, wanted: Any) -> Condition:
    if wanted == "null":
        return negated(exists(attribute))
    return whole(attribute, "is_a", wanted) if isinstance(wanted, str) and wanted in TYPES else NEVER


PLAIN: Mapping[str, Callable[[str, Any], Condition]] = {
    "$eq": _strictly,
    **{name: _order(name) for name in ORDERS},
    **{name: _version(name) for name in VERSIONS},
    "$in": is_in,
    "$ini": _in_any_case,
    "$regex": _matches,
    "$regexi": _matches_any_case,
    "$exists": _exists,
    "$type": _type,
}
NEGATED: Mapping[str, str] = {
    "$ne": "$eq",
    "$nin": "$in",
    "$nini": "$ini",
    "$vne": "$veq",
    "$notRegex": "$regex",
    "$notRegexi": "$regexi",
}
LISTED = {"$nin", "$nini"}


def on_attribute(attribute: str, name: str, wanted: Any) -> Condition | None:
    """None for an operator that is not one of these."""
    if name in LISTED and not isinstance(wanted, list):
        return NEVER
    if name in NEGATED:
        return negated(PLAIN[NEGATED[name]](attribute, wanted))
    return PLAIN[name](attribute, wanted) if name in PLAIN else None
