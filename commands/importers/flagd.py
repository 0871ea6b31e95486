"""flagd's flag file: https://flagd.dev/reference/flag-definitions/."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from commands.importers.flagd_coercion import text_of
from commands.importers.flagd_hashing import HASHINGS, Hashing
from commands.importers.flagd_logic import Logic
from commands.importers.flagd_operands import NO_TIME, TIMESTAMP
from commands.importers.flagd_outcomes import Fraction, Gives, Leaf, Outcome, Share, Wrong
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

STATES = {"ENABLED": True, "DISABLED": False}
HASHING = HASHINGS[2]
HASH_NOTE = (
    "flagd: 'fractional' is counted as flagd's second hash does (MurmurHash3 of the text, whole weights); as "
    "its first hash does, in hundredths, with flagd1; as its third does, over CBOR, with flagd3"
)
LIST_NOTE = (
    "flagd: where the context has a list, a comparison with one value holds if any element does; "
    "flagd would compare the whole list"
)


def read(document: Any, hashing: Hashing = HASHING) -> Imported:
    """Raises Unsayable for what is no flag file."""
    document = mapping(document, "a flagd file")
    flags = _by_key(document.get("flags"))
    evaluators = mapping(document.get("$evaluators", {}), "'$evaluators'")

    def read_one(key: str, flag: Any) -> ImportedFlag:
        return _flag(mapping(flag, "it"), Logic(key, (), evaluators, hashing))

    imported = collect(Imported(), flags, read_one)
    imported.notes.extend(_notes(imported, flags))
    return imported


def context_of(context: Mapping[str, Any]) -> Context:
    """flagd's context is ours, `targetingKey` among its attributes; like flagd, this adds the time."""
    return {**context, "$flagd": {"timestamp": int(time.time())}}


def _by_key(flags: Any) -> Mapping[str, Any]:
    if isinstance(flags, list) and all(isinstance(each, dict) for each in flags):
        return {str(each.get("key")): each for each in flags}
    return mapping(flags, "'flags' of a flagd file")


def _flag(flag: Mapping[str, Any], logic: Logic) -> ImportedFlag:
    variants = mapping(flag.get("variants"), "'variants'")
    if not variants:
        raise Unsayable("it has no variants")
    check_names(variants)
    if (state := flag.get("state")) not in STATES:
        raise Unsayable(f"its state is {state!r}, not ENABLED or DISABLED")
    targeting = _targeting(flag, replace(logic, variants=tuple(variants)))
    return ImportedFlag(
        logic.flag_key,
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
    text = text_of(name) if isinstance(name, bool | int | float) else name
    if isinstance(text, str) and text in variants:
        return ServeVariant(variant=text)
    return Wrong(f"{what} {name!r}, which is no variant of this flag", "GENERAL").said


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
    served = [(share, _serve(share.outcome, logic)) for share in outcome.shares]
    for share, serve in served:
        if isinstance(serve, Unanswerable):
            yield Rule(when=all_of(when, outcome.gate(share)), serve=serve)
    if ranges := tuple(_ranges(served)):
        yield Rule(when=when, serve=ServeSplit(split=_split(outcome, ranges)))


def _serve(outcome: Gives | Wrong, logic: Logic) -> Serve:
    """The code default, for null in a share, is never served: its buckets are left out."""
    if isinstance(outcome, Wrong):
        return outcome.said
    if outcome.value is None:
        return ServeCodeDefault(code_default=True)
    return _variant(outcome.value, logic.variants, "the targeting gives")


def _ranges(served: Sequence[tuple[Share, Serve]]) -> Iterator[Range]:
    for share, serve in served:
        if isinstance(serve, ServeVariant):
            yield Range(variant=serve.variant, start=share.start, end=share.end)


def _split(fraction: Fraction, ranges: tuple[Range, ...]) -> Split:
    algorithm, by, salt = fraction.bucketing
    return Split(by=by, salt=salt, algorithm=algorithm, of=fraction.steps, ranges=ranges)


def _notes(imported: Imported, flags: Mapping[str, Any]) -> Iterator[str]:
    said = [str(each.targeting) for each in imported.flags]
    if any("algorithm='flagd'" in each for each in said):
        yield HASH_NOTE
    if any("Clause(" in each for each in said):
        yield LIST_NOTE
    for each, targeting in zip(imported.flags, said, strict=True):
        if repr(NO_TIME) in targeting:
            yield f"flag {each.key}: it asks the time, so contexts need '{TIMESTAMP}', in seconds since 1970"
        if isinstance(flags[each.key], Mapping) and flags[each.key].get("metadata"):
            yield f"flag {each.key}: its metadata is left out"
