"""What the operators of the API's clauses take as values, and how values are typed and read again."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Takes = Literal["nothing", "anything", "texts", "numbers"]

GROUPS: Mapping[str, Mapping[str, Takes]] = {
    "common": {"in": "anything", "equals": "anything", "exists": "nothing"},
    "text": {
        "contains": "texts",
        "starts_with": "texts",
        "ends_with": "texts",
        "matches": "texts",
    },
    "number": {"eq": "numbers", "lt": "numbers", "le": "numbers", "gt": "numbers", "ge": "numbers"},
    "date": {"before": "anything", "after": "anything"},
    "version": {
        "semver_eq": "texts",
        "semver_lt": "texts",
        "semver_le": "texts",
        "semver_gt": "texts",
        "semver_ge": "texts",
        "semver_tilde": "texts",
        "semver_caret": "texts",
    },
    "other": {
        "in_cidr": "texts",
        "text_lt": "texts",
        "text_le": "texts",
        "text_gt": "texts",
        "text_ge": "texts",
        "modulo": "texts",
        "is_a": "texts",
        "same_json": "texts",
    },
}
"""The operators as they are offered, and what values each takes."""

OPERATORS: Mapping[str, Takes] = {name: takes for group in GROUPS.values() for name, takes in group.items()}
SAME_AS: Mapping[str, str] = {"equals": "in"}
"""An operator that is offered only where it is used already: the other one does the same."""


def shown(value: Any, takes: Takes) -> str:
    """As it is typed: a text that would be read as something else stands in quotes, as in JSON."""
    if not isinstance(value, str):
        return json.dumps(value)
    return value if read_lines(value, takes) == [value] else json.dumps(value, ensure_ascii=False)


def read(line: str, takes: Takes) -> Any:
    """What a line stands for; a line that cannot be read as what is taken stays a text."""
    try:
        found = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return line.strip()
    wanted = str if takes == "texts" else bool | int | float | str
    return found if isinstance(found, wanted) and _is_finite(found) else line.strip()


def read_lines(text: str, takes: Takes) -> list[Any]:
    """One value a line; empty lines are none."""
    return [read(line, takes) for line in text.split("\n") if line.strip()]


def lines_of(values: Sequence[Any], takes: Takes) -> str:
    return "\n".join(shown(value, takes) for value in values)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _refuse(name: str) -> Any:
    raise ValueError(name)
