"""What each operator of a clause means, as a table from its name to a test made once for its values."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.targeting import Scalar

Test = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(values: tuple[Scalar, ...]) -> Test:
    """True is not 1, though Python says so; "5" is not 5; 5 is 5.0."""
    plain = frozenset(value for value in values if not isinstance(value, bool))
    booleans = frozenset(value for value in values if isinstance(value, bool))

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return value in booleans
        return isinstance(value, str | int | float) and value in plain

    return test


def _text(compare: Callable[[str, Any], bool]) -> Callable[[tuple[Scalar, ...]], Test]:
    def of(values: tuple[Scalar, ...]) -> Test:
        return lambda value: isinstance(value, str) and any(compare(value, each) for each in values)

    return of


def _starts_with(values: tuple[Scalar, ...]) -> Test:
    prefixes = tuple(str(value) for value in values)
    return lambda value: isinstance(value, str) and value.startswith(prefixes)


def _ends_with(values: tuple[Scalar, ...]) -> Test:
    suffixes = tuple(str(value) for value in values)
    return lambda value: isinstance(value, str) and value.endswith(suffixes)


def _number(compare: Callable[[Any, Any], bool]) -> Callable[[tuple[Scalar, ...]], Test]:
    def of(values: tuple[Scalar, ...]) -> Test:
        return lambda value: _is_number(value) and any(compare(value, each) for each in values)

    return of


OPERATORS: Mapping[str, Callable[[tuple[Scalar, ...]], Test]] = {
    "equals": _equals,
    "in": _equals,
    "contains": _text(lambda text, part: part in text),
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "exists": lambda _: lambda value: value is not None,
    "eq": _number(lambda a, b: bool(a == b)),
    "lt": _number(lambda a, b: bool(a < b)),
    "le": _number(lambda a, b: bool(a <= b)),
    "gt": _number(lambda a, b: bool(a > b)),
    "ge": _number(lambda a, b: bool(a >= b)),
}
