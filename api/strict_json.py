"""Reading JSON without the surprises: nothing gets further that a later part could choke on."""

import json
import math
from collections.abc import Callable
from typing import Any

DEPTH_AT_MOST = 32
INTEGER_LIMIT = 2**63  # PostgreSQL's bigint, and what other languages read
BODY_BYTES_AT_MOST = 1024 * 1024


class BadJson(ValueError):
    """What is wrong with the text, for the person who sent it."""


def parse(body: bytes, read_float: Callable[[str], Any] | None = None) -> Any:
    """Raises BadJson for text that is not JSON, and for JSON that is too deep, ambiguous or not portable."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=read_float or _float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as problem:
        raise BadJson(f"the body is not UTF-8 (byte {problem.start})") from problem
    except json.JSONDecodeError as problem:
        raise BadJson(f"the body is not JSON: {problem.msg} at character {problem.pos}") from problem
    except RecursionError as problem:
        raise BadJson(f"the body is nested deeper than {DEPTH_AT_MOST} levels") from problem
    _check(value, DEPTH_AT_MOST)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadJson(f"the name {name!r} stands twice in one object")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= INTEGER_LIMIT:
        raise BadJson(f"the integer {digits[:24]} is not within 63 bits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadJson(f"the number {digits[:24]} is too large")
    return number


def _constant(name: str) -> Any:
    raise BadJson(f"{name} is not JSON")


def _check(value: Any, levels: int) -> None:
    if levels == 0:
        raise BadJson(f"the body is nested deeper than {DEPTH_AT_MOST} levels")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for each in value:
            _check(each, levels - 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_text(name)
            _check(each, levels - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise BadJson("text with the character NUL cannot be stored")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as problem:
            raise BadJson(f"text with half a surrogate pair at character {problem.start}") from problem
