"""What a condition's property means: a trait, the identity, something known, or another flag's answer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from commands.importers.flagsmith_values import Scalar, actual
from commands.importers.imported import Unsayable
from commands.importers.saying import literal_name
from domain.targeting import TARGETING_KEY

IDENTITY_KEY = "/identity/key"
RESERVED = {TARGETING_KEY, "identity"}
NAME = r"[A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_\u0080-\U0010ffff]*"
QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
STEP = re.compile(rf"\.({NAME})|\[\s*(?:({QUOTED})|(0|-?[1-9][0-9]*))\s*\]")
MANY = re.compile(r"\.\.|\.\s*\*|\[\s*(?:\*|\?|[^'\"\]]*[:,])")
"""Signs of a query that may find more than one thing."""


class Trait(NamedTuple):
    """Also `targetingKey`, the identifier."""

    attribute: str


class Key(NamedTuple):
    """The identity's key."""


class Known(NamedTuple):
    """What is the same whoever asks; None for nothing."""

    value: Scalar | None


class Answer(NamedTuple):
    """Part of what another flag answers: `enabled`, or `value` and the steps into it."""

    flag: str
    steps: tuple[str | int, ...]


Property = Trait | Key | Known | Answer


def property_of(text: str, document: Mapping[str, Any]) -> Property:
    """`document` is what is there whoever asks: `environment`, perhaps `features` and `segments`."""
    if not text.startswith("$."):
        return trait(text)
    if (steps := steps_of(text)) is not None:
        return _at(text, steps, document)
    if text.startswith("$.flags") and MANY.search(text):
        return Known(None)
    if MANY.search(text):
        raise Unsayable(f"the JSONPath '{text}'")
    return trait(text)


def steps_of(text: str) -> list[str | int] | None:
    """Of a JSONPath that leads to one place; None for any other text."""
    steps: list[str | int] = []
    place = 1
    while place < len(text):
        if not (found := STEP.match(text, place)):
            return None
        name, quoted, number = found.groups()
        steps.append(name or (int(number) if number else re.sub(r"\\(.)", r"\1", quoted[1:-1])))
        place = found.end()
    return steps


def _at(text: str, steps: list[str | int], document: Mapping[str, Any]) -> Property:
    match steps:
        case ["identity", "identifier"]:
            return Trait(TARGETING_KEY)
        case ["identity", "key"]:
            return Key()
        case ["identity", "traits", str(name)]:
            return trait(name)
        case ["flags", str(flag), *rest] if rest:
            return Answer(flag, tuple(rest))
        case ["features" | "segments" as part, *_] if part not in document:
            raise Unsayable(f"the JSONPath '{text}'")
        case _ if (known := value_at(document, steps)) is not None:
            return Known(known)
        case _:
            return Trait(literal_name(text))  # nothing is there, unless a trait has this very name


def value_at(value: Any, steps: Sequence[str | int]) -> Scalar | None:
    for step in steps:
        value = _next(value, step)
    return None if isinstance(value, Mapping | list) else actual(value)


def _next(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    return value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None


def trait(name: str) -> Trait:
    if name in RESERVED:
        raise Unsayable(f"a trait with the name '{name}', which is taken")
    return Trait(literal_name(name))
