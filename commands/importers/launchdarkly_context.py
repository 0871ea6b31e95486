"""LaunchDarkly's contexts as ours: see launchdarkly_attributes for what is where."""

from collections.abc import Mapping
from typing import Any

from commands.importers.launchdarkly_document import USER
from domain.conditions import Context
from domain.targeting import TARGETING_KEY

MULTI = "multi"
META = "_meta"
ABOUT_AN_OLD_USER = {"custom", "privateAttributeNames", "secondary"}


def context_of(context: Mapping[str, Any]) -> Context:
    """Takes one kind or many, users from before there were kinds, OpenFeature's contexts, and ours.

    What LaunchDarkly would call an invalid context is taken for as much as can be made of it.
    """
    kind = context.get("kind")
    if isinstance(kind, list):
        return dict(context)
    parts = {name: _attributes(part) for name, part in _parts(context, kind).items()}
    user = parts.get(USER, {})
    key = user.pop("key", None)
    named = {} if key is None else {TARGETING_KEY: key}
    nested = {name: part for name, part in parts.items() if name != USER}
    return {**user, **named, **nested, "kind": list(parts)}


def _parts(context: Mapping[str, Any], kind: Any) -> dict[str, Mapping[str, Any]]:
    """The attributes of each kind."""
    if kind == MULTI:
        return {name: part for name, part in context.items() if isinstance(part, Mapping) and name != META}
    if isinstance(kind, str) and kind:
        return {kind: context}
    is_old = "key" in context and TARGETING_KEY not in context
    return {USER: _flattened(context) if is_old else {**context, "key": None}}


def _flattened(user: Mapping[str, Any]) -> dict[str, Any]:
    custom, key = user.get("custom"), user["key"]
    own = {name: value for name, value in _attributes(user).items() if name not in ABOUT_AN_OLD_USER}
    is_number = isinstance(key, int | float) and not isinstance(key, bool)
    return {**(custom if isinstance(custom, Mapping) else {}), **own, "key": str(key) if is_number else key}


def _attributes(part: Mapping[str, Any]) -> dict[str, Any]:
    """Under `key` the key, which in OpenFeature's contexts is the targeting key."""
    found = {name: value for name, value in part.items() if value is not None}
    for name in ("kind", META):
        found.pop(name, None)
    targeting_key = found.pop(TARGETING_KEY, None)
    return found if targeting_key is None else {"key": targeting_key, **found}
