"""LaunchDarkly's clauses as conditions.

An attribute that is missing never matches, negated or not. A value that means nothing to the operator, or an
operator that nobody knows, matches nothing; negated, it then matches whatever is there.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from commands.importers.imported import Unsayable
from commands.importers.launchdarkly_attributes import (
    ANONYMOUS,
    KIND,
    key_of,
    not_in_arrays,
    place_of,
    reference_of,
)
from commands.importers.launchdarkly_document import (
    USER,
    Place,
    context_kind,
    every,
    objects,
    optional,
    some,
    values,
)
from commands.importers.saying import ALWAYS, NEVER, clause, exists, is_number, pointer
from domain import limits
from domain.conditions import compile_condition
from domain.dates import instant
from domain.ruleset import Ruleset
from domain.targeting import Clause, Condition, InSegment, Not
from domain.versions import version

SEGMENT_MATCH = "segmentMatch"


class Said(NamedTuple):
    """`means_something`: whether a value is one that this operator compares with."""

    operator: str
    means_something: Callable[[Any], bool]
    coerce: str = "strict"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_moment(value: Any) -> bool:
    return isinstance(value, str | int | float) and instant(value) is not None


def _is_version(value: Any) -> bool:
    return version(value, "partial") is not None


def _is_scalar(value: Any) -> bool:
    if value is None or isinstance(value, list | dict):
        raise Unsayable("'in' with null, an array or an object among its values")
    return True


def _is_pattern(value: Any) -> bool:
    """Raises Unsayable for what only other engines than RE2 know: its meaning depends on the SDK."""
    if not isinstance(value, str):
        return False
    try:
        clause("value", "matches", value)
    except Unsayable:
        if _is_known_elsewhere(value):
            raise
        return False
    return True


def _is_known_elsewhere(pattern: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


OPERATORS: Mapping[str, Said] = {
    "in": Said("in", _is_scalar),
    "startsWith": Said("starts_with", _is_text),
    "endsWith": Said("ends_with", _is_text),
    "contains": Said("contains", _is_text),
    "matches": Said("matches", _is_pattern),
    "lessThan": Said("lt", is_number),
    "lessThanOrEqual": Said("le", is_number),
    "greaterThan": Said("gt", is_number),
    "greaterThanOrEqual": Said("ge", is_number),
    "before": Said("before", _is_moment),
    "after": Said("after", _is_moment),
    "semVerEqual": Said("semver_eq", _is_version, "partial"),
    "semVerLessThan": Said("semver_lt", _is_version, "partial"),
    "semVerGreaterThan": Said("semver_gt", _is_version, "partial"),
}


def all_clauses(document: Mapping[str, Any], place: Place) -> list[Condition]:
    return [condition_of(each, place) for each in objects(document, "clauses")]


def condition_of(document: Mapping[str, Any], place: Place) -> Condition:
    if optional(document, "op", str) == SEGMENT_MATCH:
        return _in_segments(document, place)
    steps = reference_of(document, "attribute")
    if steps is None:
        return _bad_reference(document, place)
    if steps == [KIND]:
        return _or_absent(_said(document, KIND), USER)
    kind = context_kind(document)
    if steps == [ANONYMOUS]:
        return _anonymous(document, kind)
    found = place_of(kind, steps)
    return every([*not_in_arrays(found), _said(document, pointer(found))])


def _bad_reference(document: Mapping[str, Any], place: Place) -> Condition:
    reference = optional(document, "attribute", str) or ""
    return place.error(f"a clause asks for the attribute '{reference[:100]}', which none can be")


def _in_segments(document: Mapping[str, Any], place: Place) -> Condition:
    """In any of them; in one that does not exist is nobody."""
    asked = [each for each in values(document, "values") if isinstance(each, str)]
    for key in asked:
        if key not in place.segments:
            place.note(f"segment '{key}' does not exist, so nobody is in it")
    found = some([InSegment(segment=key) for key in asked if key in place.segments])
    return Not(negated=found) if optional(document, "negate", bool) else found


def _said(document: Mapping[str, Any], attribute: str) -> Condition:
    said = OPERATORS.get(optional(document, "op", str) or "")
    negate = optional(document, "negate", bool) or False
    compared = [each for each in values(document, "values") if said and said.means_something(each)]
    if said is None or not compared:
        return exists(attribute) if negate else NEVER
    parts: list[Condition] = [
        clause(attribute, said.operator, *part, negate=negate, coerce=said.coerce)
        for part in in_parts(compared, limits.VALUES)
    ]
    return every(parts) if negate else some(parts)


def in_parts(whole: list[Any], size: int) -> list[list[Any]]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _anonymous(document: Mapping[str, Any], kind: str) -> Condition:
    """Who does not say so is not anonymous."""
    plain = _said(document, pointer(place_of(kind, [ANONYMOUS])))
    found = _or_absent(plain, absent=False)
    return plain if found == plain else every([exists(key_of(kind)), found])


def _or_absent(said: Condition, absent: bool | str) -> Condition:
    """That the attribute is missing means the same as this value."""
    if not isinstance(said, Clause) or not _holds_for(said, absent):
        return said
    return ALWAYS if said.operator == "exists" else said.model_copy(update={"on_missing": "match"})


def _holds_for(said: Clause, value: bool | str) -> bool:
    asked = said.model_copy(update={"attribute": "value"})
    return compile_condition(asked, "")({"value": value}, Ruleset())
