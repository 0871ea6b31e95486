"""What each Flagsmith feature may answer, and the order of its overrides, before any condition is read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import JsonValue

from commands.importers.flagsmith_documents import Document, Feature, Override
from commands.importers.flagsmith_paths import IDENTITY_KEY
from commands.importers.flagsmith_percentages import first_step
from commands.importers.flagsmith_segments import CONTROL, Outcome
from commands.importers.saying import ALWAYS, exists, negated
from domain.targeting import (
    TARGETING_KEY,
    Condition,
    Range,
    Serve,
    ServeSplit,
    ServeVariant,
    Split,
    Target,
)

NAME_LENGTH = 80


class Part(NamedTuple):
    """A rule to be: who is in the segment, if it is of one, and meets `when`."""

    name: str
    segment: int | None
    when: Condition
    serve: Serve


@dataclass
class Variants:
    """The distinct answers that a feature can have, each under the first name that was asked for it."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def name(self, wanted: str, feature: Feature, value: JsonValue, label: str | None) -> str:
        for name, other in self.outcomes.items():
            if repr(other) == repr(Outcome(name, feature.enabled, value, label)):
                return name
        name = free_name(plain_name(wanted) or "variant", self.outcomes)
        self.outcomes[name] = Outcome(name, feature.enabled, value, label)
        return name


@dataclass(frozen=True)
class Outcomes:
    """`default` names the variant that is served where no part and no target has one."""

    all: list[Outcome]
    default: str
    targets: tuple[Target, ...]
    parts: list[Part]

    @property
    def values(self) -> dict[str, JsonValue]:
        return {each.name: {"enabled": each.enabled, "value": each.value} for each in self.all}


def outcomes_of(document: Document, segments: Mapping[int, str]) -> Mapping[str, Outcomes]:
    return {key: _outcomes(key, document, segments) for key in document.features}


def segment_key(segment: Mapping[str, Any], taken: Iterable[str]) -> str:
    number = segment.get("key", segment.get("id", ""))
    key = plain_name(str(segment.get("name") or "")) or f"segment-{number}"
    while key in taken:
        key = f"{key}-{number or 2}"
    return key


def plain_name(text: str) -> str:
    return re.sub(r"[/\x00-\x1f\x7f]", "-", text).strip()[:NAME_LENGTH].strip()


def free_name(wanted: str, taken: Iterable[str]) -> str:
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _outcomes(key: str, document: Document, segments: Mapping[int, str]) -> Outcomes:
    feature, variants, prefix = document.features[key], Variants(), document.key_prefix
    plain = CONTROL if feature.options else "on" if feature.enabled else "off"
    default = variants.name(plain, feature, feature.value, _label(feature))
    own = list(_splits(feature, variants, "option", "Multivariate", None, prefix))
    targets = tuple(_targets(key, document, variants))
    overrides = sorted(document.overrides_of(key), key=lambda each: each.feature.priority)
    parts = [part for each in overrides for part in _override(each, segments[each.segment], variants, prefix)]
    return Outcomes(list(variants.outcomes.values()), default, targets, [*parts, *own])


def _label(feature: Feature) -> str | None:
    return CONTROL if feature.options else None


def _override(override: Override, segment: str, variants: Variants, prefix: str) -> Iterator[Part]:
    feature = override.feature
    name = variants.name(f"segment-{segment}", feature, feature.value, _label(feature))
    yield from _splits(feature, variants, f"segment-{segment}-option", segment, override.segment, prefix)
    yield Part(segment, override.segment, ALWAYS, ServeVariant(variant=name))


def _splits(
    feature: Feature, variants: Variants, wanted: str, name: str, segment: int | None, prefix: str
) -> Iterator[Part]:
    """By the identity's key and, where the context has none, by the one that Flagsmith makes."""
    if ranges := tuple(_ranges(feature, variants, wanted)):
        split = Split(by=IDENTITY_KEY, salt=feature.key, algorithm="flagsmith", ranges=ranges)
        yield Part(name, segment, ALWAYS, ServeSplit(split=split))
        if prefix:
            made = split.model_copy(update={"by": TARGETING_KEY, "prefix": prefix})
            yield Part(name, segment, negated(exists(IDENTITY_KEY)), ServeSplit(split=made))


def _ranges(feature: Feature, variants: Variants, wanted: str) -> Iterator[Range]:
    """Options in the order of their priority, each from where the one before it ended."""
    start = 0.0
    for number, option in enumerate(sorted(feature.options, key=lambda each: each.priority), start=1):
        end = option.weight + start
        name = variants.name(option.key or f"{wanted}-{number}", feature, option.value, option.key)
        if first_step(start) < first_step(end):
            yield Range(variant=name, start=first_step(start), end=first_step(end))
        start = end


def _targets(key: str, document: Document, variants: Variants) -> Iterator[Target]:
    for identifier, feature in document.identities_of(key):
        name = variants.name(f"identity-{identifier}", feature, feature.value, None)
        yield Target(variant=name, values=(identifier,))
