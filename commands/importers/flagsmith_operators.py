"""Flagsmith's operators as clauses on an attribute, one answer for each type that it may turn out to have."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from commands.importers.flagsmith_values import Cast, cast, division, holds, in_values
from commands.importers.imported import Unsayable
from commands.importers.saying import (
    NEVER,
    all_of,
    any_of,
    clause,
    constant,
    exists,
    is_text,
    negated,
)
from domain.targeting import Condition
from domain.versions import version

EXPONENT = r"e[+-][0-9]{2,3}"
INTEGER = r"\A-?[0-9]+\z"
FLOAT = rf"\A-?[0-9]+(?:\.[0-9]+(?:{EXPONENT})?|{EXPONENT})\z"
NUMBER = rf"\A-?[0-9]+(?:\.[0-9]+)?(?:{EXPONENT})?\z"
LETTERS_OF_NUMBERS = set("0123456789.e+-")
END_OF_TEXT = re.compile(r"(?<!\\)((?:\\\\)*)\\Z")

Say = Callable[[str, Any], Condition]


def _is(attribute: str, pattern: str) -> Condition:
    return clause(attribute, "matches", pattern, coerce="lenient")


def _is_not_number(attribute: str) -> Condition:
    return clause(attribute, "matches", NUMBER, negate=True)


def _booleans(name: str, attribute: str, value: Any) -> Condition:
    found = [each for each in (True, False) if holds(name, each, value)]
    return clause(attribute, "in", *found) if found else NEVER


def _numbers(name: str, attribute: str, value: Any, say: Callable[[float], Condition]) -> Condition:
    """Integers and floats against the value cast to either; the two are one where the value is whole."""
    found = cast(value)
    if found.integer is not None and found.integer == found.number:
        return all_of(_is(attribute, NUMBER), say(found.integer))
    parts = [(INTEGER, found.integer, 0), (FLOAT, found.number, 0.5)]
    return any_of(
        *(
            all_of(
                _is(attribute, pattern),
                say(wanted) if isfinite(wanted) else constant(holds(name, any_, value)),
            )
            for pattern, wanted, any_ in parts
            if wanted is not None
        )
    )


def _equal(attribute: str, value: Any) -> Condition:
    found = cast(value)
    if found.version is not None:
        return any_of(_version("eq", attribute, found), _booleans("EQUAL", attribute, value))
    texts = [] if found.text is None else [found.text]
    return clause(attribute, "equals", *texts, *_alike(found), found.boolean)


def _alike(found: Cast) -> list[Any]:
    """The numbers that it stands for, in all the ways they may be written."""
    integers = [] if found.integer is None else [found.integer, str(found.integer)]
    if found.number is None or not isfinite(found.number):
        return integers
    return [*integers, str(found.number), *([] if found.number.is_integer() else [found.number])]


def _not_equal(attribute: str, value: Any) -> Condition:
    found = cast(value)
    numbers = _numbers(
        "NOT_EQUAL", attribute, value, lambda n: clause(attribute, "eq", n, coerce="lenient", negate=True)
    )
    return any_of(_other_text(attribute, found), numbers, _booleans("NOT_EQUAL", attribute, value))


def _other_text(attribute: str, found: Cast) -> Condition:
    if found.text is None:
        return NEVER
    if found.version is not None:
        if version(found.version) is None:
            return NEVER
        return all_of(clause(attribute, "semver_ge", "0.0.0-0"), negated(_version("eq", attribute, found)))
    differs = clause(attribute, "equals", found.text, negate=True)
    return all_of(is_text(attribute), _is_not_number(attribute), differs)


def _ordering(operator: str, name: str) -> Say:
    def say(attribute: str, value: Any) -> Condition:
        def than(number: float) -> Condition:
            return clause(attribute, operator, number, coerce="lenient")

        texts = _texts_in_order(operator, attribute, cast(value))
        return any_of(_numbers(name, attribute, value, than), texts, _booleans(name, attribute, value))

    return say


def _texts_in_order(operator: str, attribute: str, found: Cast) -> Condition:
    if found.text is None:
        return NEVER
    if found.version is not None:
        return _version(operator, attribute, found)
    return all_of(_is_not_number(attribute), clause(attribute, f"text_{operator}", found.text))


def _version(operator: str, attribute: str, found: Cast) -> Condition:
    if found.version is None or version(found.version) is None:
        return NEVER
    return clause(attribute, f"semver_{operator}", found.version)


def _contains(attribute: str, value: Any) -> Condition:
    found = cast(value)
    if found.text is None or found.version is not None:
        return NEVER
    contains = clause(attribute, "contains", found.text)
    return all_of(_is_not_number(attribute), contains) if set(found.text) <= LETTERS_OF_NUMBERS else contains


def _not_contains(attribute: str, value: Any) -> Condition:
    lacks = clause(attribute, "contains", str(value), negate=True)
    return all_of(is_text(attribute), _is_not_number(attribute), lacks)


def _regex(attribute: str, value: Any) -> Condition:
    """From the start of the text, as Python's `match`; booleans are `True` and `False` there."""
    booleans = _booleans("REGEX", attribute, value)
    pattern = END_OF_TEXT.sub(r"\1\\z", str(value))
    matches = clause(attribute, "matches", f"^(?:{pattern})", coerce="lenient")
    if all(
        holds("REGEX", word, value) == holds("REGEX", word == "true", value) for word in ("true", "false")
    ):
        return matches
    return any_of(all_of(clause(attribute, "in", True, False, negate=True), matches), booleans)


def _modulo(attribute: str, value: Any) -> Condition:
    if (found := division(value)) is None:
        return NEVER
    if not all(map(isfinite, found)):
        raise Unsayable(f"MODULO by {value}")
    wanted = "|".join(str(int(each) if each.is_integer() else each) for each in found)
    numbers = all_of(_is(attribute, NUMBER), clause(attribute, "modulo", wanted, coerce="lenient"))
    return any_of(numbers, _booleans("MODULO", attribute, value))


def _in(attribute: str, value: Any) -> Condition:
    found = in_values(value)
    alike = [each for text in found for each in _alike(cast(text)) if str(each) == text]
    return clause(attribute, "in", *found, *alike) if found else NEVER


OPERATORS: Mapping[Any, Say] = {
    "EQUAL": _equal,
    "NOT_EQUAL": _not_equal,
    "GREATER_THAN": _ordering("gt", "GREATER_THAN"),
    "GREATER_THAN_INCLUSIVE": _ordering("ge", "GREATER_THAN_INCLUSIVE"),
    "LESS_THAN": _ordering("lt", "LESS_THAN"),
    "LESS_THAN_INCLUSIVE": _ordering("le", "LESS_THAN_INCLUSIVE"),
    "CONTAINS": _contains,
    "NOT_CONTAINS": _not_contains,
    "REGEX": _regex,
    "MODULO": _modulo,
    "IN": _in,
    "IS_SET": lambda attribute, _: exists(attribute),
    "IS_NOT_SET": lambda attribute, _: negated(exists(attribute)),
}
