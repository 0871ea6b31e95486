"""Flagsmith's environment document, or the evaluation context of its engine."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from commands.importers.flagsmith_documents import Document, Feature, Override, document_of
from commands.importers.flagsmith_segments import IDENTITY_KEY, RESERVED, first_step, segment_condition
from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from commands.importers.saying import ALWAYS, collect, mapping
from domain.conditions import Context
from domain.segment import SegmentDefinition
from domain.targeting import (
    TARGETING_KEY,
    Condition,
    InSegment,
    Range,
    Rule,
    ServeSplit,
    ServeVariant,
    Split,
    Target,
    Targeting,
)
from domain.values import FlagType

INTEGER = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
NAME_LENGTH = 80
KEY_NOTE = (
    "flagsmith: percentages are counted by the identity's key, which Flagsmith makes of the environment's "
    "key and the identifier; the context has to have it as identity.key, or nobody is in any of them"
)
TEXT_NOTE = (
    "flagsmith: '<' and '>' compare numbers and versions only, where Flagsmith also orders texts by letters"
)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is neither of the two."""
    read_document = document_of(mapping(document, "a Flagsmith document"))
    imported = Imported()
    segments = _segments(read_document, imported)
    collect(imported, read_document.features, lambda key, _: _flag(key, read_document, segments))
    imported.notes.extend(_notes(imported, read_document))
    return imported


def context_of(context: Mapping[str, Any]) -> Context:
    """Traits as they are compared: texts that are numbers as numbers, and what is no plain value as a text.

    A float without a fraction becomes a text with one, since Flagsmith tells 2.0 from 2.
    """
    if not isinstance(identity := context.get("identity"), Mapping) or "identifier" not in identity:
        environment_like = {"identity", "environment", "features", "segments"} & set(context)
        known = {} if environment_like and TARGETING_KEY not in context else context
        return {name: each if name in RESERVED else _compared(each) for name, each in known.items()}
    traits = identity.get("traits")
    compared = {name: _compared(each) for name, each in traits.items()} if isinstance(traits, Mapping) else {}
    identifier = str(identity["identifier"])
    return {**compared, TARGETING_KEY: identifier, "identity": {"key": _identity_key(context, identity)}}


def _identity_key(context: Mapping[str, Any], identity: Mapping[str, Any]) -> str | None:
    if key := identity.get("key"):
        return str(key)
    environment = context.get("environment")
    key = environment.get("key") if isinstance(environment, Mapping) else None
    return None if key is None else f"{key}_{identity['identifier']}"


def _compared(value: Any) -> Any:
    if isinstance(value, str):
        if INTEGER.fullmatch(value):
            return int(value)
        return _compared(float(value)) if DECIMAL.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


@dataclass
class Variants:
    """The distinct values that a feature can have, each under the first name that was asked for it."""

    values: dict[str, JsonValue] = field(default_factory=dict)

    def name(self, wanted: str, enabled: bool, value: JsonValue) -> str:
        pair: JsonValue = {"enabled": enabled, "value": value}
        for name, other in self.values.items():
            if repr(other) == repr(pair):
                return name
        name = self._free(re.sub(r"[/\x00-\x1f\x7f]", "-", wanted).strip()[:NAME_LENGTH] or "variant")
        self.values[name] = pair
        return name

    def _free(self, wanted: str) -> str:
        number = 2
        name = wanted
        while name in self.values:
            name, number = f"{wanted}-{number}", number + 1
        return name


def _segments(document: Document, imported: Imported) -> Mapping[int, str | Unsayable]:
    """By its place in the document: the key of the segment it has become, or why it has not."""
    keys: dict[int, str | Unsayable] = {}
    for place, segment in enumerate(document.segments):
        key = _segment_key(segment, imported)
        try:
            condition = segment_condition(segment, document.environment)
            imported.segments[key] = SegmentDefinition(name=str(segment.get("name", "")), condition=condition)
            keys[place] = key
        except Unsayable as why:
            imported.refused.append(Refusal(f"segment {key}", str(why)))
            keys[place] = Unsayable(f"its segment {key}: {why}")
    return keys


def _segment_key(segment: Mapping[str, Any], imported: Imported) -> str:
    name = re.sub(r"[/\x00-\x1f\x7f]", "-", str(segment.get("name") or "")).strip()[:NAME_LENGTH]
    number = segment.get("key", segment.get("id", ""))
    key = name or f"segment-{number}"
    while key in imported.segments:
        key = f"{key}-{number or 2}"
    return key


def _flag(key: str, document: Document, segments: Mapping[int, str | Unsayable]) -> ImportedFlag:
    feature, variants = document.features[key], Variants()
    plain = "control" if feature.options else "on" if feature.enabled else "off"
    default = variants.name(plain, feature.enabled, feature.value)
    rules = list(_default_rules(feature, variants))
    overrides = sorted(document.overrides_of(key), key=lambda each: each.feature.priority)
    overriding = [rule for each in overrides for rule in _override_rules(each, segments, variants)]
    targeting = Targeting(
        enabled=True,
        off_variant=default,
        default=ServeVariant(variant=default),
        targets=tuple(_targets(key, document, variants)),
        rules=(*overriding, *rules),
    )
    return ImportedFlag(key, FlagType.OBJECT, variants.values, targeting)


def _default_rules(feature: Feature, variants: Variants) -> Iterator[Rule]:
    if split := _split(feature, variants, "option"):
        yield Rule(name="Multivariate", when=ALWAYS, serve=split)


def _override_rules(
    override: Override, segments: Mapping[int, str | Unsayable], variants: Variants
) -> Iterator[Rule]:
    segment = segments[override.segment]
    if isinstance(segment, Unsayable):
        raise segment
    feature, when = override.feature, InSegment(segment=segment)
    name = variants.name(f"segment-{segment}", feature.enabled, feature.value)
    yield from _rules(feature, segment, when, name, variants)


def _rules(feature: Feature, segment: str, when: Condition, name: str, variants: Variants) -> Iterator[Rule]:
    if split := _split(feature, variants, f"segment-{segment}-option"):
        yield Rule(name=segment, when=when, serve=split)
    yield Rule(name=segment, when=when, serve=ServeVariant(variant=name))


def _split(feature: Feature, variants: Variants, wanted: str) -> ServeSplit | None:
    """Options in the order of their priority, each from where the one before it ended."""
    ranges, start = [], 0.0
    for number, option in enumerate(sorted(feature.options, key=lambda each: each.priority), start=1):
        end = option.weight + start
        name = variants.name(option.key or f"{wanted}-{number}", feature.enabled, option.value)
        if first_step(start) < first_step(end):
            ranges.append(Range(variant=name, start=first_step(start), end=first_step(end)))
        start = end
    if not ranges:
        return None
    split = Split(by=IDENTITY_KEY, salt=feature.key, algorithm="flagsmith", ranges=tuple(ranges))
    return ServeSplit(split=split)


def _targets(key: str, document: Document, variants: Variants) -> Iterator[Target]:
    for identifier, feature in document.identities_of(key):
        name = variants.name(f"identity-{identifier}", feature.enabled, feature.value)
        yield Target(variant=name, values=(identifier,))


def _notes(imported: Imported, document: Document) -> Iterator[str]:
    said = [str(each.targeting) for each in imported.flags] + [
        str(each) for each in imported.segments.values()
    ]
    if any("algorithm='flagsmith'" in each for each in said):
        yield KEY_NOTE
    if any(f"operator='{name}'" in each for each in said for name in ("lt", "le", "gt", "ge")):
        yield TEXT_NOTE
    if document.hides_disabled:
        yield "flagsmith: features that are not enabled are hidden there; here they say enabled false"
