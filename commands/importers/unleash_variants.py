"""Variants of Unleash: what they are called with us, and the rules that share them out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple

from pydantic import JsonValue

from commands.importers.saying import ALWAYS, NEVER, all_of, any_of, clause
from commands.importers.unleash_constraints import Notes, attribute
from commands.importers.unleash_document import Feature, Payload, Strategy, Variant
from commands.importers.unleash_strategies import (
    DEFAULT,
    Around,
    Holds,
    group_of,
    holds,
    stickiness_of,
    sticky_on,
)
from domain.targeting import Condition, Range, Rule, Serve, ServeSplit, ServeVariant, Split

OFF, ON = "disabled", "enabled"
RULE_ID_LENGTH = 48  # leaves room for the number that a strategy's second rule adds
TITLE_LENGTH = 1_900

Identity = tuple[str, Payload | None]
"""What tells one variant of a feature from another: its name and its payload."""


@dataclass(frozen=True)
class Names:
    """Ours for a flag that is off, for one that is on without a variant, and for each of its variants."""

    off: str
    on: str
    ours: dict[Identity, str]
    payloads: dict[str, JsonValue]

    def of(self, variant: Variant) -> str:
        return self.ours[_identity(variant)]

    def called(self, names: Iterable[str]) -> list[str]:
        """Ours for the variants that Unleash calls so."""
        wanted = set(names)
        return [ours for (name, _), ours in self.ours.items() if name in wanted]


def names_of(feature: Feature, notes: Notes) -> Names:
    """Variants of one name that differ in payload, as those of two strategies may, are two with us."""
    variants = list(chain(feature.variants, *(strategy.variants for strategy in feature.strategies)))
    taken = {variant.name for variant in variants}
    off, on = _own_name(OFF, taken, notes), _own_name(ON, taken, notes)
    ours: dict[Identity, str] = {}
    for variant in variants:
        identity = _identity(variant)
        if identity not in ours:
            first = all(name != variant.name for name, _ in ours)
            ours[identity] = variant.name if first else _second_name(variant.name, taken, notes)
    payloads: dict[str, JsonValue] = {
        ours[_identity(each)]: each.payload.model_dump() for each in variants if each.payload
    }
    return Names(off, on, ours, payloads)


def _identity(variant: Variant) -> Identity:
    return variant.name, variant.payload


def _own_name(name: str, taken: set[str], notes: Notes) -> str:
    own = free_name(name, taken)
    if own != name:
        notes.append(f"Unleash has a variant '{name}' here; what we call so elsewhere is '{own}'")
    return own


def _second_name(name: str, taken: set[str], notes: Notes) -> str:
    own = free_name(name, taken)
    notes.append(f"variant '{name}' comes with more than one payload; one of them is variant '{own}'")
    return own


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the first of name-2, name-3... that is not taken; takes it."""
    number = 1
    found = name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found


class Shares(NamedTuple):
    """Variants that are shared out together: by what, and salted with what."""

    variants: tuple[Variant, ...]
    stickiness: str
    salt: str


class Part(NamedTuple):
    """One rule to be: what it is for, under which condition beyond the strategy's, and what it serves."""

    what: str
    when: Condition
    serve: Serve


def rules_of(feature: Feature, names: Names, around: Around) -> tuple[tuple[Rule, ...], Serve]:
    """And what is served where no rule holds: a feature without strategies is on for everybody."""
    if not feature.strategies:
        *parts, last = _parts(_of_feature(feature), Holds(ALWAYS), names, around.notes)
        return tuple(_numbered("everybody", "no strategies", ALWAYS, parts)), last.serve
    rules: list[Rule] = []
    for rule_id, strategy in zip(_rule_ids(feature.strategies), feature.strategies, strict=True):
        held = holds(strategy, around)
        parts = list(_parts(_of_strategy(strategy, feature), held, names, around.notes))
        title = (strategy.title or strategy.name)[:TITLE_LENGTH]
        rules += _numbered(rule_id, title, held.when, parts[-1:] if held.when == NEVER else parts)
    return tuple(rules), ServeVariant(variant=names.off)


def _of_feature(feature: Feature) -> Shares:
    """The first variant's stickiness is that of all."""
    first = feature.variants[0].stickiness if feature.variants else None
    return Shares(feature.variants, DEFAULT if first is None else first, feature.name)


def _of_strategy(strategy: Strategy, feature: Feature) -> Shares:
    """A strategy's variants, which have the strategy's stickiness and no overrides, or else the feature's."""
    if not strategy.variants:
        return _of_feature(feature)
    variants = tuple(each.model_copy(update={"overrides": ()}) for each in strategy.variants)
    return Shares(variants, stickiness_of(strategy), group_of(strategy, feature.name))


def _parts(shares: Shares, held: Holds, names: Names, notes: Notes) -> Iterator[Part]:
    """At least one, the last of which has no condition of its own or splits whatever comes to it."""
    for variant in shares.variants:
        if (overridden := _overridden(variant)) != NEVER:
            yield Part(f"override of {variant.name}", overridden, _serve(names.of(variant)))
    sharing = [variant for variant in shares.variants if variant.weight]
    if len(sharing) > 1:
        yield from _splits(shares, held, names, notes)
    else:
        yield Part("", ALWAYS, _serve(names.of(sharing[0]) if sharing else names.on))


def _overridden(variant: Variant) -> Condition:
    return any_of(
        *(
            clause(attribute(each.context_name), "in", *each.values, coerce="lenient")
            for each in variant.overrides
            if each.values
        )
    )


def _splits(shares: Shares, held: Holds, names: Names, notes: Notes) -> Iterator[Part]:
    """One for each attribute that may be hashed: a split without its attribute leaves it to the next rule."""
    sticky = sticky_on(shares.stickiness)
    ranges = tuple(_ranges(shares.variants, names))
    for by in sticky:
        split = Split(by=by, salt=shares.salt, algorithm="unleash_variant", of=ranges[-1].end, ranges=ranges)
        yield Part(f"variants by {by}", ALWAYS, ServeSplit(split=split))
    if not held.hashed or not set(held.hashed) <= set(sticky):
        notes.append(
            f"a context without {' and '.join(sticky)} is on without a variant ('{names.on}'); Unleash draws "
            "one for it, anew each time"
        )
        yield Part("without a variant", ALWAYS, _serve(names.on))


def _ranges(variants: tuple[Variant, ...], names: Names) -> Iterator[Range]:
    ends = accumulate(variant.weight for variant in variants)
    for variant, end in zip(variants, ends, strict=True):
        if variant.weight:
            yield Range(variant=names.of(variant), start=end - variant.weight, end=end)


def _serve(variant: str) -> Serve:
    return ServeVariant(variant=variant)


def _numbered(rule_id: str, title: str, when: Condition, parts: Iterable[Part]) -> Iterator[Rule]:
    for number, part in enumerate(parts, start=1):
        yield Rule(
            id=rule_id if number == 1 else f"{rule_id}.{number}",
            name=f"{title}: {part.what}" if part.what else title,
            when=all_of(when, part.when),
            serve=part.serve,
        )


def _rule_ids(strategies: tuple[Strategy, ...]) -> list[str]:
    """Unleash's own where they can be rules' ids, else numbers."""
    ids = [strategy.id for strategy in strategies]
    fit = all(each and len(each) <= RULE_ID_LENGTH and "." not in each for each in ids)
    if fit and len(set(ids)) == len(ids):
        return ids
    return [f"strategy-{number}" for number in range(1, len(ids) + 1)]
