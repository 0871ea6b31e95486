"""Moments as rules compare them."""

import re
from datetime import UTC, datetime
from typing import Any

# RFC 3339: a date and a time and an offset; Python alone would also take a date or a time by itself.
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
MICROSECOND_DIGITS = 6


def instant(value: Any, lenient: bool = False) -> float | None:
    """Seconds since 1970 of an RFC 3339 text or of a number of milliseconds; None for anything else.

    `lenient` also takes a date alone, a time without an offset (as UTC), and milliseconds written as text.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1_000
    if not isinstance(value, str):
        return None
    if RFC3339.fullmatch(value):
        return _parsed(value)
    return _leniently(value) if lenient else None


def _leniently(text: str) -> float | None:
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text) / 1_000
    return _parsed(text)


def _parsed(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(_six_digits(text.upper()))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _six_digits(text: str) -> str:
    """Fractions of a second cut to what Python keeps; RFC 3339 allows any number of digits."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)
