"""Flagsmith's segments as conditions, each value cast to the type that the attribute turns out to have."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from commands.importers.imported import Unsayable
from commands.importers.saying import (
    NEVER,
    all_of,
    any_of,
    by_letters,
    clause,
    constant,
    exists,
    is_text,
    listing,
    literal_name,
    mapping,
    negated,
)
from domain.bucketing import FLAGSMITH_STEPS
from domain.targeting import TARGETING_KEY, Condition, Gate, InBucket
from domain.versions import version

IDENTITY_KEY = "/identity/key"
SEMVER_SUFFIX = ":semver"
RESERVED = {TARGETING_KEY, "identity"}
FALSE_WORDS = {"False", "false"}
PATH = re.compile(r"\$(\.[A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_\u0080-\U0010ffff]*)+")


class Environment(NamedTuple):
    key: str
    name: str


def segment_condition(segment: Mapping[str, Any], environment: Environment) -> Condition:
    rules = listing(segment.get("rules") or [], "'rules' of a segment")
    key = str(segment.get("key", segment.get("id", "")))
    said = [_rule(mapping(each, "a rule"), key, environment) for each in rules]
    return all_of(*said) if said else NEVER


def _rule(rule: Mapping[str, Any], segment_key: str, environment: Environment) -> Condition:
    kind = rule.get("type")
    if kind not in RULE_TYPES:
        raise Unsayable(f"a rule of the type {kind!r}")
    combine = RULE_TYPES[kind]
    conditions = [
        _condition(mapping(each, "a condition"), segment_key, environment)
        for each in rule.get("conditions") or []
    ]
    rules = [_rule(mapping(each, "a rule"), segment_key, environment) for each in rule.get("rules") or []]
    return all_of(*(combine(*parts) for parts in (conditions, rules) if parts))


def _none_of(*parts: Condition) -> Condition:
    return negated(any_of(*parts))


RULE_TYPES: Mapping[Any, Callable[..., Condition]] = {"ALL": all_of, "ANY": any_of, "NONE": _none_of}


def _condition(condition: Mapping[str, Any], segment_key: str, environment: Environment) -> Condition:
    name = condition.get("operator")
    property_ = condition.get("property", condition.get("property_")) or ""
    if not isinstance(property_, str):
        raise Unsayable(f"a condition on {property_!r}")
    value = condition.get("value")
    if name == "PERCENTAGE_SPLIT":
        return _percentage(property_, value, segment_key)
    if name not in OPERATORS:
        raise Unsayable(f"the operator {name}")
    attribute = _attribute(property_, environment)
    if isinstance(attribute, Known):
        return _known(str(name), attribute.value, value)
    return OPERATORS[name](attribute, value)


class Known(NamedTuple):
    """What a property is whoever asks; None for nothing."""

    value: str | None


def _attribute(property_: str, environment: Environment) -> str | Known:
    known: Mapping[str, str | Known] = {
        "$.identity.identifier": TARGETING_KEY,
        "$.identity.key": IDENTITY_KEY,
        "$.environment.name": Known(environment.name),
        "$.environment.key": Known(environment.key),
    }
    if property_ in known:
        return known[property_]
    if property_.startswith(("$.flags", "$['flags'", '$["flags"')):
        raise Unsayable(f"'{property_}': the answer of another flag")
    if PATH.fullmatch(property_):
        return _path(property_)
    if property_.startswith("$.") and set(property_) & set("[*?@"):
        raise Unsayable(f"the JSONPath '{property_}'")
    return _trait(property_)


def _path(path: str) -> str | Known:
    steps = path.split(".")[1:]
    if steps[:2] == ["identity", "traits"] and len(steps) == 3:
        return _trait(steps[2])
    if steps[0] in {"features", "segments"}:
        raise Unsayable(f"the JSONPath '{path}'")
    return literal_name(path)  # nothing is there, unless a trait has this very name


def _trait(name: str) -> str:
    if name in RESERVED:
        raise Unsayable(f"a trait with the name '{name}', which is taken")
    return literal_name(name)


def _known(name: str, actual: str | None, value: Any) -> Condition:
    """Environments are texts, and most names of them mean something to few operators."""
    if actual is None:
        return constant(name == "IS_NOT_SET")
    tests: Mapping[str, Callable[[], bool]] = {
        "IS_SET": lambda: True,
        "IS_NOT_SET": lambda: False,
        "EQUAL": lambda: actual == value,
        "NOT_EQUAL": lambda: actual != value,
        "IN": lambda: actual in in_values(value),
        "CONTAINS": lambda: str(value) in actual,
        "NOT_CONTAINS": lambda: str(value) not in actual,
    }
    if name in TEXT_ORDER and not str(value).endswith(SEMVER_SUFFIX):
        return constant(TEXT_ORDER[name](actual, str(value)))
    if name not in tests:
        raise Unsayable(f"{name} of the environment's own name or key")
    return constant(tests[name]())


TEXT_ORDER: Mapping[str, Callable[[str, str], bool]] = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_INCLUSIVE": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_INCLUSIVE": operator.le,
}


def _percentage(property_: str, value: Any, segment_key: str) -> Condition:
    """Inclusive: in up to and with the percentage."""
    by = {"": IDENTITY_KEY, "$.identity.key": IDENTITY_KEY, "$.identity.identifier": TARGETING_KEY}.get(
        property_
    )
    if by is None:
        if property_.startswith("$."):
            raise Unsayable(f"a PERCENTAGE_SPLIT by '{property_}'")
        by = _trait(property_)
    if (percentage := _float(value)) is None:
        return NEVER
    below = _steps(lambda share: share <= percentage)
    return InBucket(bucket=Gate(by=by, below=below, salt=segment_key, algorithm="flagsmith"))


def _steps(inside: Callable[[float], bool]) -> int:
    """How many buckets from 0 on are inside, by the very division that Flagsmith makes."""
    low, high = 0, FLAGSMITH_STEPS
    while low < high:
        middle = (low + high) // 2
        if inside(share_of(middle)):
            low = middle + 1
        else:
            high = middle
    return low


def share_of(bucket: int) -> float:
    return bucket / (FLAGSMITH_STEPS - 1) * 100


def first_step(limit: float) -> int:
    """The first bucket that is not under this percentage."""
    return _steps(lambda share: share < limit)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _number(value: str) -> int | float | None:
    """The number that a text stands for where the attribute is one."""
    try:
        return int(value)
    except ValueError:
        number = _float(value)
        return number if number is not None and isfinite(number) else None


def _cast_boolean(value: str) -> bool:
    return value not in FALSE_WORDS


def in_values(value: Any) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value).split(",")
    return [str(each) for each in value] if isinstance(value, list) else str(value).split(",")


Say = Callable[[str, Any], Condition]


def _equal(attribute: str, value: Any) -> Condition:
    text = str(value)
    if text.endswith(SEMVER_SUFFIX):
        return _semver("eq", attribute, text)
    return any_of(clause(attribute, "equals", *_alike(text)), _same_number(attribute, text))


def _same_number(attribute: str, text: str) -> Condition:
    """Also written in another way: 2.0 for 2."""
    number = _number(text)
    return NEVER if number is None else clause(attribute, "eq", number, coerce="lenient")


def _alike(text: str) -> list[Any]:
    """The text itself, and true for all but the words for false."""
    return [text, _cast_boolean(text)]


def _not_equal(attribute: str, value: Any) -> Condition:
    """Not for a number where the value is none, and not for what is absent."""
    text = str(value)
    if text.endswith(SEMVER_SUFFIX):
        valid = _version(attribute, "ge", "0.0.0-0")
        return all_of(valid, negated(_semver_clause("eq", attribute, text)))
    differs = clause(attribute, "equals", *_alike(text), negate=True)
    if (number := _number(text)) is not None:
        return all_of(differs, clause(attribute, "eq", number, coerce="lenient", negate=True))
    return all_of(any_of(is_text(attribute), clause(attribute, "in", True, False)), differs)


def _ordering(name: str, holds: Callable[[Any, Any], bool]) -> Say:
    def say(attribute: str, value: Any) -> Condition:
        text = str(value)
        booleans = [each for each in (True, False) if holds(each, _cast_boolean(text))]
        others = clause(attribute, "in", *booleans) if booleans else NEVER
        if text.endswith(SEMVER_SUFFIX):
            return any_of(_semver_clause(name, attribute, text), others)
        if (number := _number(text)) is None:
            return any_of(by_letters(attribute, text, name), others)
        return any_of(clause(attribute, name, number, coerce="lenient"), others)

    return say


def _semver(name: str, attribute: str, text: str) -> Condition:
    return any_of(_semver_clause(name, attribute, text), clause(attribute, "equals", True))


def _semver_clause(name: str, attribute: str, text: str) -> Condition:
    wanted = text.removesuffix(SEMVER_SUFFIX)
    return NEVER if version(wanted) is None else _version(attribute, name, wanted)


def _version(attribute: str, name: str, wanted: str) -> Condition:
    return clause(attribute, f"semver_{name}", wanted)


def _contains(attribute: str, value: Any) -> Condition:
    return NEVER if str(value).endswith(SEMVER_SUFFIX) else clause(attribute, "contains", str(value))


def _not_contains(attribute: str, value: Any) -> Condition:
    return all_of(is_text(attribute), clause(attribute, "contains", str(value), negate=True))


def _regex(attribute: str, value: Any) -> Condition:
    """From the start of the text, as Python's `match`."""
    return clause(attribute, "matches", f"^(?:{value})", coerce="lenient")


def _modulo(attribute: str, value: Any) -> Condition:
    divisor, _, remainder = str(value).partition("|")
    if _float(divisor) is None or _float(remainder) is None:
        return NEVER
    raise Unsayable(f"MODULO of '{attribute}': there is no arithmetic in rules")


def _in(attribute: str, value: Any) -> Condition:
    found = in_values(value)
    numbers = [number for each in found if str(number := _number(each)) == each and number is not None]
    plain = [each for each in numbers if isinstance(each, int) or not each.is_integer()]
    return clause(attribute, "in", *found, *plain) if found else NEVER


OPERATORS: Mapping[Any, Say] = {
    "EQUAL": _equal,
    "NOT_EQUAL": _not_equal,
    "GREATER_THAN": _ordering("gt", operator.gt),
    "GREATER_THAN_INCLUSIVE": _ordering("ge", operator.ge),
    "LESS_THAN": _ordering("lt", operator.lt),
    "LESS_THAN_INCLUSIVE": _ordering("le", operator.le),
    "CONTAINS": _contains,
    "NOT_CONTAINS": _not_contains,
    "REGEX": _regex,
    "MODULO": _modulo,
    "IN": _in,
    "IS_SET": lambda attribute, _: exists(attribute),
    "IS_NOT_SET": lambda attribute, _: negated(exists(attribute)),
}
