"""flagd's `sem_ver`, null where a side is no version; ^ asks for the same major, ~ the same minor too."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from commands.importers.flagd_operands import Attribute, Fixed, operand
from commands.importers.flagd_outcomes import Gives, Leaf, always
from commands.importers.imported import Unsayable
from commands.importers.saying import all_of, clause, negated
from domain.targeting import Condition
from domain.versions import Version, version

LOWEST_VERSION = "0.0.0-0"
NAMES = {"=": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
COMPARED: Mapping[str, Callable[[Version, Version], bool]] = {
    **{asked: getattr(operator, name) for asked, name in NAMES.items()},
    "!=": operator.ne,
    "^": lambda one, other: one.major == other.major,
    "~": lambda one, other: one[:2] == other[:2],
}


def sem_ver(flag_key: str, arguments: Sequence[Any]) -> list[Leaf]:
    if len(arguments) != 3 or not isinstance(arguments[1], str) or arguments[1] not in COMPARED:
        return always(None)
    left, asked, right = operand(arguments[0], flag_key), arguments[1], operand(arguments[2], flag_key)
    if isinstance(left, Fixed) and isinstance(right, Fixed):
        return always(_compared(asked, left.value, right.value))
    if isinstance(left, Fixed):
        left, asked, right = right, TURNED.get(asked, asked), left
    if isinstance(right, Attribute) or isinstance(left, Fixed):
        raise Unsayable("'sem_ver' of two attributes")
    if left.default is not None or left.case:
        raise Unsayable(f"'sem_ver' of '{left.name}' with a default or in {left.case or 'another'} case")
    wanted = _version(right.value)
    if wanted is None:
        return always(None)
    valid = _clause(left.name, "ge", LOWEST_VERSION)
    holds = _holds(left.name, asked, wanted, _text(right.value))
    return [Leaf(all_of(valid, holds), Gives(True)), Leaf(valid, Gives(False)), *always(None)]


def _compared(asked: str, left: Any, right: Any) -> bool | None:
    one, other = _version(left), _version(right)
    return None if one is None or other is None else COMPARED[asked](one, other)


def _version(value: Any) -> Version | None:
    return version(value, "lenient")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _holds(attribute: str, asked: str, wanted: Version, text: str) -> Condition:
    if asked == "!=":
        return negated(_clause(attribute, "eq", text))
    if asked == "^":
        low, high = (wanted.major, 0), (wanted.major + 1, 0)
    elif asked == "~":
        low, high = (wanted.major, wanted.minor), (wanted.major, wanted.minor + 1)
    else:
        return _clause(attribute, NAMES[asked], text)
    return all_of(
        _clause(attribute, "ge", "{}.{}.0-0".format(*low)),
        _clause(attribute, "lt", "{}.{}.0-0".format(*high)),
    )


def _clause(attribute: str, name: str, wanted: str) -> Condition:
    return clause(attribute, f"semver_{name}", wanted, coerce="lenient")
