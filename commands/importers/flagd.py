"""flagd's flag file: https://flagd.dev/reference/flag-definitions/."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands.importers.flagd_logic import Logic
from commands.importers.flagd_outcomes import Fraction, Gives, Leaf, Outcome, Wrong
from commands.importers.imported import Imported, ImportedFlag, Unsayable
from commands.importers.saying import NEVER, all_of, check_names, collect, flag_type, mapping, negated
from domain.conditions import Context
from domain.targeting import (
    Condition,
    Range,
    Rule,
    Serve,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Split,
    Targeting,
    Unanswerable,
)

TEXT_LENGTH = 2_000
STATES = {"ENABLED": True, "DISABLED": False}
HASH_NOTE = (
    "flagd: 'fractional' buckets are those of flagd's second hash (MurmurHash3 of the text, integer "
    "weights); its first counted in hundredths, its third hashes CBOR, and both put people elsewhere"
)
LIST_NOTE = (
    "flagd: where the context has a list, a comparison with one value holds if any element does; "
    "flagd would compare the whole list"
)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is no flag file."""
    document = mapping(document, "a flagd file")
    flags = _by_key(document.get("flags"))
    evaluators = mapping(document.get("$evaluators", {}), "'$evaluators'")
    imported = collect(Imported(), flags, lambda key, flag: _flag(key, mapping(flag, "it"), evaluators))
    imported.notes.extend(_notes(imported, flags))
    return imported


def context_of(context: Mapping[str, Any]) -> Context:
    """flagd's context is ours: attributes, and `targetingKey` among them."""
    return dict(context)


def _by_key(flags: Any) -> Mapping[str, Any]:
    if isinstance(flags, list) and all(isinstance(each, dict) for each in flags):
        return {str(each.get("key")): each for each in flags}
    return mapping(flags, "'flags' of a flagd file")


def _flag(key: str, flag: Mapping[str, Any], evaluators: Mapping[str, Any]) -> ImportedFlag:
    variants = mapping(flag.get("variants"), "'variants'")
    if not variants:
        raise Unsayable("it has no variants")
    check_names(variants)
    if (state := flag.get("state")) not in STATES:
        raise Unsayable(f"its state is {state!r}, not ENABLED or DISABLED")
    targeting = _targeting(flag, Logic(key, tuple(variants), evaluators))
    return ImportedFlag(
        key,
        flag_type(variants.values()),
        dict(variants),
        targeting.model_copy(update={"enabled": STATES[state]}),
    )


def _targeting(flag: Mapping[str, Any], logic: Logic) -> Targeting:
    default = _default(flag.get("defaultVariant"), logic.variants)
    targeting = flag.get("targeting") or {}
    rules = list(_rules(logic.leaves(mapping(targeting, "'targeting'")), logic)) if targeting else []
    if not rules and (targeting or default == ServeCodeDefault(code_default=True)):
        rules = [
            Rule(id="1", name="Never: flagd's answer here is DEFAULT, not STATIC", when=NEVER, serve=default)
        ]
    return Targeting(enabled=True, off_variant=None, default=default, rules=tuple(rules))


def _default(name: Any, variants: Sequence[str]) -> Serve:
    if name is None or name == "":
        return ServeCodeDefault(code_default=True)
    return _variant(name, variants, "the default variant is")


def _variant(name: Any, variants: Sequence[str], what: str) -> Serve:
    text = str(name).lower() if isinstance(name, bool) else name
    if isinstance(text, str) and text in variants:
        return ServeVariant(variant=text)
    return Unanswerable(unanswerable=f"{what} {name!r}, which is no variant of this flag"[:TEXT_LENGTH])


def _rules(leaves: Sequence[Leaf], logic: Logic) -> Iterator[Rule]:
    """A leaf that gives null is no rule: those after it exclude it, so that it comes to the default."""
    nulls: list[Condition] = []
    for leaf in leaves:
        if leaf.outcome == Gives(None):
            nulls.append(negated(leaf.when))
        elif (when := all_of(*nulls, leaf.when)) != NEVER:
            yield from _rules_of(when, leaf.outcome, logic)


def _rules_of(when: Condition, outcome: Outcome, logic: Logic) -> Iterator[Rule]:
    if not isinstance(outcome, Fraction):
        yield Rule(when=when, serve=_serve(outcome, logic))
        return
    shares = [(_share(value, logic), weight) for value, weight in outcome.shares if weight]
    wrong = [serve for serve, _ in shares if isinstance(serve, Unanswerable)]
    if wrong and any(serve is None for serve, _ in shares):
        raise Unsayable("a 'fractional' with a share of null beside one that is no variant")
    if ranges := tuple(_ranges(shares)):
        yield Rule(when=when, serve=ServeSplit(split=_split(outcome, ranges)))
    if wrong:
        yield Rule(when=all_of(when, outcome.hashed), serve=wrong[0])


def _serve(outcome: Gives | Wrong, logic: Logic) -> Serve:
    if isinstance(outcome, Wrong):
        return Unanswerable(unanswerable=outcome.why[:TEXT_LENGTH])
    return _variant(outcome.value, logic.variants, "the targeting gives")


def _share(outcome: Gives | Wrong, logic: Logic) -> Serve | None:
    return None if outcome == Gives(None) else _serve(outcome, logic)


def _ranges(shares: Sequence[tuple[Serve | None, int]]) -> Iterator[Range]:
    start = 0
    for serve, weight in shares:
        if isinstance(serve, ServeVariant):
            yield Range(variant=serve.variant, start=start, end=start + weight)
        start += weight


def _split(fraction: Fraction, ranges: tuple[Range, ...]) -> Split:
    salt = fraction.bucketing.salt
    return Split(by=fraction.by, salt=salt, algorithm="flagd", of=fraction.total, ranges=ranges)


def _notes(imported: Imported, flags: Mapping[str, Any]) -> Iterator[str]:
    said = [str(each.targeting) for each in imported.flags]
    if any("algorithm='flagd'" in each for each in said):
        yield HASH_NOTE
    if any("Clause(" in each for each in said):
        yield LIST_NOTE
    for each in imported.flags:
        if isinstance(flags[each.key], Mapping) and flags[each.key].get("metadata"):
            yield f"flag {each.key}: its metadata is left out"
