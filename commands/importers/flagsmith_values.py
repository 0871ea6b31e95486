"""What Flagsmith makes of values: an attribute as it is compared, a condition's value cast to its type."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from commands.importers.imported import Unsayable
from domain.versions import version

T = TypeVar("T")
Scalar = bool | int | float | str
SEMVER_SUFFIX = ":semver"
FALSE_WORDS = ("False", "false")
_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")


def actual(value: Any) -> Scalar | None:
    """Texts that are numbers are numbers, and lists and objects are texts."""
    if isinstance(value, str):
        return (
            int(value) if _INTEGER.fullmatch(value) else float(value) if _DECIMAL.fullmatch(value) else value
        )
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def in_context(value: Any) -> Scalar | None:
    """The same as our rules read it: floats as text, since Flagsmith tells 2.0 from 2 and JSON does not."""
    found = actual(value)
    return str(found) if isinstance(found, float) else found


class Cast(NamedTuple):
    """A condition's value for an attribute of each type; None where it then never holds."""

    text: str | None
    integer: int | None
    number: float | None
    boolean: bool

    @property
    def version(self) -> str | None:
        """The version that is meant; None for a value that is not about versions."""
        is_one = self.text is not None and self.text.endswith(SEMVER_SUFFIX)
        return (self.text or "").removesuffix(SEMVER_SUFFIX) if is_one else None


def cast(value: Any) -> Cast:
    text = None if isinstance(value, bool | int | float) else str(value)
    return Cast(text, as_number(int, value), as_number(float, value), value not in FALSE_WORDS)


def as_number(kind: Callable[[Any], T], value: Any) -> T | None:
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return None


def in_values(value: Any) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value).split(",")
    return [str(each) for each in value] if isinstance(value, list) else str(value).split(",")


def division(value: Any) -> tuple[float, float] | None:
    """Divisor and remainder; None for what never holds."""
    if not value:
        return None
    if not isinstance(value, str):
        raise Unsayable(f"MODULO by {value!r}")
    parts = [as_number(float, each) for each in value.split("|")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    if not parts[0]:
        raise Unsayable("MODULO by nothing")
    return parts[0], parts[1]


def holds(name: Any, known: Scalar | None, value: Any) -> bool:
    """Whether a condition holds for an attribute that is known beforehand."""
    if name not in TESTS:
        raise Unsayable(f"the operator {name}")
    if known is None:
        return bool(name == "IS_NOT_SET")
    return TESTS[name](known, value)


Test = Callable[[Any, Any], bool]


def _compared(compare: Test) -> Test:
    def test(known: Scalar, value: Any) -> bool:
        wanted = _wanted(known, cast(value))
        if isinstance(known, str) and cast(value).version is not None:
            return wanted is not None and (one := version(known)) is not None and compare(one, wanted)
        return wanted is not None and compare(known, wanted)

    return test


def _wanted(known: Scalar, found: Cast) -> Any:
    match known:
        case bool():
            return found.boolean
        case int():
            return found.integer
        case float():
            return found.number
        case _:
            return found.text if found.version is None else version(found.version)


def _in(known: Scalar, value: Any) -> bool:
    return not isinstance(known, bool) and str(known) in in_values(value)


def _contains(known: Scalar, value: Any) -> bool:
    wanted = cast(value)
    return (
        isinstance(known, str) and wanted.version is None and wanted.text is not None and wanted.text in known
    )


def _not_contains(known: Scalar, value: Any) -> bool:
    return isinstance(known, str) and str(value) not in known


def _matches(known: Scalar, value: Any) -> bool:
    try:
        return re.match(str(value), str(known)) is not None
    except re.error as problem:
        raise Unsayable(f"{value!r} is not a pattern: {problem}") from problem


def _modulo(known: Scalar, value: Any) -> bool:
    if isinstance(known, str) or (found := division(value)) is None:
        return False
    return bool(known % found[0] == found[1])


TESTS: Mapping[Any, Test] = {
    "EQUAL": _compared(operator.eq),
    "NOT_EQUAL": _compared(operator.ne),
    "GREATER_THAN": _compared(operator.gt),
    "GREATER_THAN_INCLUSIVE": _compared(operator.ge),
    "LESS_THAN": _compared(operator.lt),
    "LESS_THAN_INCLUSIVE": _compared(operator.le),
    "CONTAINS": _contains,
    "NOT_CONTAINS": _not_contains,
    "REGEX": _matches,
    "MODULO": _modulo,
    "IN": _in,
    "IS_SET": lambda known, value: True,
    "IS_NOT_SET": lambda known, value: False,
}
