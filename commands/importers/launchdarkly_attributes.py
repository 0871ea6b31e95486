"""Where LaunchDarkly's attributes are in our contexts.

A user is the context itself and its key is `targetingKey`; a context of any other kind is an object in it,
under the name of its kind. `kind` lists the kinds there are.
"""

import re
from collections.abc import Mapping
from typing import Any

from commands.importers.imported import Unsayable
from commands.importers.launchdarkly_document import USER, context_kind, optional
from commands.importers.saying import ALWAYS, pointer
from domain.targeting import TARGETING_KEY, AnyElement, Condition, Not

KEY, KIND, ANONYMOUS = "key", "kind", "anonymous"
BAD_ESCAPE = re.compile(r"~(?![01])")


def steps_of(reference: str, is_pointer: bool) -> list[str] | None:
    """None for a reference that is none: empty, with an empty step, or with `~` before something else."""
    if not is_pointer or not reference.startswith("/"):
        return [reference] if reference else None
    steps = reference[1:].split("/")
    if not all(steps) or BAD_ESCAPE.search(reference):
        return None
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def reference_of(document: Mapping[str, Any], name: str, kind_name: str = "contextKind") -> list[str] | None:
    """Where no context kind is said a reference is a plain name, whatever is in it."""
    return steps_of(optional(document, name, str) or "", bool(optional(document, kind_name, str)))


def place_of(kind: str, steps: list[str]) -> list[str]:
    if kind != USER:
        return [kind, *steps]
    if steps[0] == TARGETING_KEY:
        raise Unsayable(f"attribute '{TARGETING_KEY}' of a user: here this is the user's key")
    return [TARGETING_KEY if steps[0] == KEY else steps[0], *steps[1:]]


def key_of(kind: str) -> str:
    return pointer(place_of(kind, [KEY]))


def not_in_arrays(steps: list[str]) -> list[Condition]:
    """That no number in a path finds an element of an array, which LaunchDarkly's paths do not."""
    return [
        Not(negated=AnyElement(any_element=pointer(steps[:place]), where=ALWAYS))
        for place in range(1, len(steps))
        if steps[place].isdecimal()
    ]


def bucketing_attribute(document: Mapping[str, Any], kind_name: str = "contextKind") -> str | None:
    """None for a bad reference. Raises Unsayable for one that buckets cannot be made by here."""
    kind = context_kind(document, kind_name)
    if not optional(document, "bucketBy", str):
        return key_of(kind)
    steps = reference_of(document, "bucketBy", kind_name)
    if steps is None:
        return None
    place = place_of(kind, steps)
    if steps == [KIND]:
        raise Unsayable("bucketed by the kind of the context")
    if not_in_arrays(place):
        raise Unsayable(f"bucketed by '{pointer(place)}': here a number may also be a place in an array")
    return pointer(place)
