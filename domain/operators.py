"""What each operator of a clause means, as a table from its name to a test made once for its values."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import re2

from domain.dates import instant
from domain.json_text import kind_test, same_json_test
from domain.networks import network_test
from domain.versions import Version, caret_range, padded, tilde_range, version

Scalar = bool | int | float | str
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
Test = Callable[[Any], bool]
Coercion = Literal["strict", "partial", "lenient", "padded"]


class Asked(Protocol):
    """What an operator needs of its clause."""

    @property
    def values(self) -> Sequence[Scalar]: ...

    @property
    def case_insensitive(self) -> bool: ...

    @property
    def coerce(self) -> Coercion: ...


Operator = Callable[[Asked], Test]
"""Raises ValueError, with the reason in words, when a value means nothing to the operator."""


def _text_of(value: Any, lenient: bool) -> str | None:
    """A text, or with `lenient` also how JSON writes a number or a boolean; 5.0 as 5."""
    if isinstance(value, str):
        return value
    if not lenient or value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number_of(value: Any, lenient: bool) -> float | int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if lenient and isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return None


def _equals(asked: Asked) -> Test:
    """Strictly, True is not 1, though Python says so, and "5" is not 5; but 5 is 5.0."""
    if asked.coerce == "lenient" or asked.case_insensitive:
        return _equals_as_text(asked)
    plain = frozenset(value for value in asked.values if not isinstance(value, bool))
    booleans = frozenset(value for value in asked.values if isinstance(value, bool))

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return value in booleans
        return isinstance(value, str | int | float) and value in plain

    return test


def _equals_as_text(asked: Asked) -> Test:
    lenient = asked.coerce == "lenient"
    fold = str.casefold if asked.case_insensitive else str
    texts = frozenset(fold(text) for v in asked.values if (text := _text_of(v, lenient)) is not None)
    numbers = frozenset(v for v in asked.values if isinstance(v, int | float) and not isinstance(v, bool))
    booleans = frozenset(v for v in asked.values if isinstance(v, bool))

    def test(value: Any) -> bool:
        if isinstance(value, bool) and value in booleans:
            return True
        text = _text_of(value, lenient)
        if text is not None and fold(text) in texts:
            return True
        return (number := _number_of(value, lenient)) is not None and number in numbers

    return test


def _text(compare: Callable[[str, tuple[str, ...]], bool]) -> Operator:
    def of(asked: Asked) -> Test:
        lenient, fold = asked.coerce == "lenient", str.casefold if asked.case_insensitive else str
        wanted = tuple(fold(str(value)) for value in asked.values)

        def test(value: Any) -> bool:
            text = _text_of(value, lenient)
            return text is not None and compare(fold(text), wanted)

        return test

    return of


def _text_order(compare: Callable[[str, str], bool]) -> Operator:
    """In the order of Unicode's numbers for characters."""
    return _text(lambda text, wanted: any(compare(text, each) for each in wanted))


def _matches(asked: Asked) -> Test:
    """RE2, found anywhere in the text: linear in its length whatever the pattern."""
    options = re2.Options()
    options.case_sensitive = not asked.case_insensitive
    options.log_errors = False
    patterns = [_pattern(str(value), options) for value in asked.values]
    lenient = asked.coerce == "lenient"

    def test(value: Any) -> bool:
        text = _text_of(value, lenient)
        return text is not None and any(pattern.search(text) is not None for pattern in patterns)

    return test


def _pattern(text: str, options: Any) -> Any:
    try:
        return re2.compile(text, options)
    except re2.error as problem:
        raise ValueError(f"'{text}' is not an RE2 pattern: {_words(problem)}") from problem


def _words(problem: Exception) -> str:
    words = problem.args[0] if problem.args else problem
    return words.decode() if isinstance(words, bytes) else str(words)


def _number(compare: Callable[[Any, Any], Any]) -> Operator:
    def of(asked: Asked) -> Test:
        lenient, wanted = asked.coerce == "lenient", tuple(asked.values)

        def test(value: Any) -> bool:
            number = _number_of(value, lenient)
            return number is not None and any(compare(number, each) for each in wanted)

        return test

    return of


def _date(compare: Callable[[Any, Any], Any]) -> Operator:
    def of(asked: Asked) -> Test:
        lenient, wanted = asked.coerce == "lenient", []
        for each in asked.values:
            if (at := instant(each, lenient)) is None:
                raise ValueError(f"{each!r} is not a time; write it like 2026-11-22T03:53:56Z")
            wanted.append(at)

        def test(value: Any) -> bool:
            at = instant(value, lenient)
            return at is not None and any(compare(at, each) for each in wanted)

        return test

    return of


def _read_version(value: Any, coerce: Coercion) -> Version | str | None:
    return padded(value) if coerce == "padded" else version(value, coerce)


def _versions(asked: Asked) -> list[Any]:
    found = []
    for each in asked.values:
        if (parsed := _read_version(each, asked.coerce)) is None:
            raise ValueError(f"{each!r} is not a semantic version like 1.2.3")
        found.append(parsed)
    return found


def _version(compare: Callable[[Any, Any], Any]) -> Operator:
    def of(asked: Asked) -> Test:
        wanted, coerce = _versions(asked), asked.coerce

        def test(value: Any) -> bool:
            parsed = _read_version(value, coerce)
            return parsed is not None and any(compare(parsed, each) for each in wanted)

        return test

    return of


def _version_range(bounds: Callable[[Version], tuple[Version, Version]]) -> Operator:
    def of(asked: Asked) -> Test:
        if (coerce := asked.coerce) == "padded":
            raise ValueError("padded versions can be compared, but have no ranges")
        ranges = [bounds(each) for each in _versions(asked)]

        def test(value: Any) -> bool:
            parsed = version(value, coerce)
            return parsed is not None and any(low <= parsed < high for low, high in ranges)

        return test

    return of


def _modulo(asked: Asked) -> Test:
    """Values are `divisor|remainder`; the remainder has the sign of the divisor, as in Python."""
    lenient, wanted = asked.coerce == "lenient", [_division(str(value)) for value in asked.values]

    def test(value: Any) -> bool:
        number = _number_of(value, lenient)
        return number is not None and any(_leaves(number, *each) for each in wanted)

    return test


def _leaves(number: float, divisor: float, remainder: float) -> bool:
    try:
        return number % divisor == remainder
    except OverflowError:  # a whole number beyond what floats can hold, by a divisor that is none
        return False


def _division(text: str) -> tuple[float, float]:
    divisor, _, remainder = text.partition("|")
    if not (NUMBER.fullmatch(divisor) and NUMBER.fullmatch(remainder) and float(divisor)):
        raise ValueError(f"'{text}' is not a divisor and a remainder like '4|3'")
    return float(divisor), float(remainder)


def _is_a(asked: Asked) -> Test:
    return kind_test([str(value) for value in asked.values])


def _same_json(asked: Asked) -> Test:
    """Leniently, in whatever order the keys are."""
    return same_json_test([str(value) for value in asked.values], any_order=asked.coerce == "lenient")


def _in_cidr(asked: Asked) -> Test:
    return network_test([str(value) for value in asked.values])


OPERATORS: Mapping[str, Operator] = {
    "equals": _equals,
    "in": _equals,
    "text_lt": _text_order(operator.lt),
    "text_le": _text_order(operator.le),
    "text_gt": _text_order(operator.gt),
    "text_ge": _text_order(operator.ge),
    "is_a": _is_a,
    "same_json": _same_json,
    "exists": lambda _: lambda value: value is not None,
    "contains": _text(lambda text, parts: any(part in text for part in parts)),
    "starts_with": _text(str.startswith),
    "ends_with": _text(str.endswith),
    "matches": _matches,
    "in_cidr": _in_cidr,
    "eq": _number(operator.eq),
    "lt": _number(operator.lt),
    "le": _number(operator.le),
    "gt": _number(operator.gt),
    "ge": _number(operator.ge),
    "modulo": _modulo,
    "before": _date(operator.lt),
    "after": _date(operator.gt),
    "semver_eq": _version(operator.eq),
    "semver_lt": _version(operator.lt),
    "semver_le": _version(operator.le),
    "semver_gt": _version(operator.gt),
    "semver_ge": _version(operator.ge),
    "semver_tilde": _version_range(tilde_range),
    "semver_caret": _version_range(caret_range),
}
