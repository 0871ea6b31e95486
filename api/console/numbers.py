"""Numbers as each language writes them."""

from collections.abc import Mapping
from typing import Any

from api.console.texts import Texts

MARKS: Mapping[str, str] = {"en": ",.", "pt-BR": ".,"}
"""Between thousands, and before what is less than one."""


def number(texts: Texts, value: int) -> str:
    return _written(texts, f"{value:,}")


def counted(texts: Texts, key: str, value: int, **values: Any) -> str:
    """As `texts.counted`, for what may be thousands."""
    return texts.t(f"{key}.{'one' if value == 1 else 'other'}", number=number(texts, value), **values)


def between(texts: Texts, least: int, most: int) -> str:
    return f"{number(texts, least)} \N{EN DASH} {number(texts, most)}"


def percent(texts: Texts, share: float) -> str:
    """`share` is of 1."""
    return _written(texts, f"{share:.1%}")


def weight(texts: Texts, percent: float, digits: int = 5) -> str:
    """As exact as weights are, unless fewer digits are enough."""
    return _written(texts, f"{percent:.{digits}g} %")


def _written(texts: Texts, english: str) -> str:
    return english.translate(str.maketrans(",.", MARKS[texts.language]))
