"""Contexts as Flagsmith has them, made ours: the identifier is `targetingKey`, its key `identity.key`."""

from collections.abc import Iterator, Mapping
from typing import Any

from commands.importers.flagsmith_paths import RESERVED
from commands.importers.flagsmith_values import in_context
from domain.conditions import Context
from domain.targeting import TARGETING_KEY

DOCUMENT_PARTS = ("environment", "features", "segments", "flags")
KEYS = ("key", "django_id", "composite_key")
"""What is hashed for an identity, from the engine's context back to documents of identities."""


def context_of(context: Mapping[str, Any]) -> Context:
    """The identity as an object, or `targetingKey`; traits beside it, in `traits`, or in the identity."""
    identity = _identity(context)
    traits = {**_flat(context, identity), **_traits(context), **_traits(identity)}
    compared = {name: in_context(each) for name, each in traits.items() if name not in RESERVED}
    identifier = identity.get("identifier", context.get(TARGETING_KEY))
    made = compared if identifier is None else {**compared, TARGETING_KEY: str(identifier)}
    key = _key(context, identity, identifier)
    return made if key is None else {**made, "identity": {"key": key}}


def _identity(context: Mapping[str, Any]) -> Mapping[str, Any]:
    identity = context.get("identity")
    if isinstance(identity, Mapping):
        return identity
    if isinstance(identity, str):
        return {"identifier": identity}
    return context if _is_identity(context) else {}


def _is_identity(context: Mapping[str, Any]) -> bool:
    """Whether it is one itself, rather than attributes among which one has the name `identifier`."""
    identifier = context.get("identifier")
    alone = identifier is not None and context.get(TARGETING_KEY, identifier) == identifier
    return alone and bool({"traits", "identity_traits", *KEYS} & context.keys())


def _flat(context: Mapping[str, Any], identity: Mapping[str, Any]) -> Mapping[str, Any]:
    of_identity = {"identifier", *KEYS} if identity is context else set()
    names = context.keys() - of_identity
    return {name: each for name, each in context.items() if name in names and not _is_no_trait(name, each)}


def _is_no_trait(name: str, value: Any) -> bool:
    structured = isinstance(value, Mapping | list)
    return name in RESERVED or (structured and name in {*DOCUMENT_PARTS, "traits", "identity_traits"})


def _traits(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for part in ("traits", "identity_traits") for name, each in _named(holder.get(part))}


def _named(traits: Any) -> Iterator[tuple[str, Any]]:
    """As an object, or as Flagsmith's API and its stored identities have them."""
    if isinstance(traits, Mapping):
        yield from traits.items()
    elif isinstance(traits, list):
        for each in traits:
            if isinstance(each, Mapping) and isinstance(each.get("trait_key"), str):
                yield each["trait_key"], each.get("trait_value")


def _key(context: Mapping[str, Any], identity: Mapping[str, Any], identifier: Any) -> str | None:
    for name in KEYS:
        if key := identity.get(name):
            return str(key)
    environment = context.get("environment")
    key = environment.get("key") if isinstance(environment, Mapping) else None
    return None if key is None or identifier is None else f"{key}_{identifier}"
