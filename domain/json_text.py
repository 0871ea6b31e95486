"""JSON values: of which kind they are, and how ECMAScript writes them (`String`, `JSON.stringify`)."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
INDEXES = 2**32 - 1
KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}
FIXED_FROM, FIXED_BELOW = 1e-6, 1e21  # smaller and larger numbers have an exponent


def number_text(number: float) -> str | None:
    """5 for 5.0; None for what no double can hold, and for what is not finite."""
    try:
        size = abs(float(number))
    except OverflowError:
        return None
    if not math.isfinite(size):
        return None
    sign = "-" if number < 0 else ""
    if size and not FIXED_FROM <= size < FIXED_BELOW:
        return sign + re.sub(r"e([+-])0", r"e\1", repr(size)).replace(".0e", "e")
    text = format(Decimal(repr(size)), "f")
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def kind_test(names: Sequence[str]) -> Callable[[Any], bool]:
    """Raises ValueError for a kind that there is not."""
    if unknown := [name for name in names if name not in KINDS]:
        raise ValueError(f"'{unknown[0]}' is not a kind of value; there are {', '.join(KINDS)}")
    kinds = [KINDS[name] for name in names]
    return lambda value: any(is_one(value) for is_one in kinds)


def same_json_test(texts: Sequence[str], *, any_order: bool) -> Callable[[Any], bool]:
    """Raises ValueError for a text that is no JSON."""
    wanted = frozenset(_written_again(text, any_order) for text in texts)

    def test(value: Any) -> bool:
        try:
            return json_text(value, any_order=any_order) in wanted
        except (TypeError, RecursionError):  # a context made in Python may hold what is no JSON
            return False

    return test


def _written_again(text: str, any_order: bool) -> str:
    try:
        return json_text(json.loads(text), any_order=any_order)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"'{text}' is not JSON") from problem


def json_text(value: Any, *, any_order: bool = False) -> str:
    """Keys that are array indexes come first, then the others as they are, or by name with `any_order`.

    Raises TypeError or RecursionError for what is no JSON.
    """
    return json.dumps(_plain(value, any_order), separators=(",", ":"))


def _plain(value: Any, any_order: bool) -> Any:
    if isinstance(value, Mapping):
        names = sorted(value, key=str) if any_order else sorted(value, key=_place)
        return {name: _plain(value[name], any_order) for name in names}
    if isinstance(value, list):
        return [_plain(each, any_order) for each in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    return value


def _place(name: str) -> int:
    return int(name) if INDEX.fullmatch(name) and int(name) < INDEXES else INDEXES
