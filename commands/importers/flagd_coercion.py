"""How JsonLogic takes one kind of value for another, as JavaScript does."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

Compare = Callable[[Any, Any], bool]


def text_of(value: Any) -> str:
    """As JavaScript joins values to a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def number_of(value: Any) -> float | None:
    """As JavaScript makes numbers of other values; None for NaN."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool | int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def truthy(value: Any) -> bool:
    return isinstance(value, dict) or bool(value)


def strictly_equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict | list) or isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)


def loosely_equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    first, second = number_of(one), number_of(other)
    return first is not None and first == second


def by_size(compare: Callable[[Any, Any], Any]) -> Compare:
    def test(one: Any, other: Any) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return bool(compare(one, other))
        first, second = number_of(one), number_of(other)
        return first is not None and second is not None and bool(compare(first, second))

    return test


COMPARED: Mapping[str, Compare] = {
    "==": loosely_equal,
    "===": strictly_equal,
    "<": by_size(operator.lt),
    "<=": by_size(operator.le),
    ">": by_size(operator.gt),
    ">=": by_size(operator.ge),
}
"""The comparisons between two fixed values."""

ASCII_CASES: Mapping[str, Mapping[int, int]] = {
    "lower": {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)},
    "upper": {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)},
}


def in_case(case: str, value: Any) -> str | None:
    """With the letters of ASCII in lower or upper case; None for what is no text."""
    return value.translate(ASCII_CASES[case]) if isinstance(value, str) else None
