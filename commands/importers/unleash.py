"""Unleash's client features: https://docs.getunleash.io/reference/api/unleash/get-all-client-features.

A feature becomes a boolean flag, true where Unleash says enabled. Its answer's variant is that of Unleash, or
`enabled` where there is none; payloads are the values of a second flag, `<key>.payload`, that follows it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from commands.importers.saying import all_of, checked, named, words
from commands.importers.unleash_constraints import CURRENT_TIME, Notes, condition_of
from commands.importers.unleash_dependencies import Parent, demands_of, parents_first
from commands.importers.unleash_document import Feature, Segment, State, shaped, state_of
from commands.importers.unleash_strategies import Around
from commands.importers.unleash_variants import Names, free_name, names_of, rules_of
from domain import limits
from domain.conditions import Context
from domain.segment import SegmentDefinition
from domain.targeting import TARGETING_KEY, FlagIs, Rule, ServeCodeDefault, ServeVariant, Targeting
from domain.values import FlagType, VariantName

USER = "userId"
DESCRIPTION_LENGTH = 2_000
TAG_LENGTH = 100
VARIANT_NAME: TypeAdapter[str] = TypeAdapter(VariantName)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is no document of Unleash's client API."""
    state = state_of(document)
    reading = Reading(Imported(refused=state.refused, notes=state.notes), set(state.features))
    for number, segment in state.segments.items():
        reading.segment(number, segment)
    for feature in parents_first(reading.shapes(state)):
        reading.feature(feature)
    places = {name: place for place, name in enumerate(state.features)}
    reading.imported.flags.sort(key=lambda flag: places[reading.feature_of[flag.key]])
    return reading.imported


def context_of(context: Mapping[str, Any], now: datetime | None = None) -> Context:
    """Unleash's context, or OpenFeature's, as ours: flat, its user the subject and `userId` alike.

    `now` is the current time where the context has none, as Unleash's clients have it.
    """
    properties = context.get("properties")
    given = {name: value for name, value in context.items() if value is not None}
    flat = {**_texts(given.pop("properties")), **given} if isinstance(properties, Mapping) else given
    if now is not None:
        flat.setdefault(CURRENT_TIME, (now if now.tzinfo else now.replace(tzinfo=UTC)).isoformat())
    user = flat.get(USER, flat.get(TARGETING_KEY))
    return flat if user is None else {**flat, TARGETING_KEY: _text(user), USER: _text(user)}


def _texts(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in properties.items() if value is not None}


def _text(value: Any) -> Any:
    """Values of Unleash's contexts are texts; numbers and booleans become what JSON writes them as."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


@dataclass
class Reading:
    """What has been read so far, and what later features need to know of earlier ones."""

    imported: Imported
    keys: set[str]
    segments: dict[int, str | Unsayable] = field(default_factory=dict)
    parents: dict[str, Parent | Unsayable | None] = field(default_factory=dict)
    feature_of: dict[str, str] = field(default_factory=dict)

    def shapes(self, state: State) -> Iterable[Feature]:
        for name, document in state.features.items():
            try:
                feature = shaped(Feature, document)
            except Unsayable as why:
                self.parents[name] = why
                self._refuse(f"flag {name}", why)
            else:
                self.parents[name] = None
                yield feature

    def segment(self, number: int, document: Any) -> None:
        key, notes = f"segment-{number}", Notes()
        try:
            self.imported.segments[key] = _definition(shaped(Segment, document), notes)
            self.segments[number] = key
        except (Unsayable, ValidationError) as problem:
            self.segments[number] = self._refuse(f"segment {key}", problem)
        self._note(f"segment {key}", notes)

    def feature(self, feature: Feature) -> None:
        notes = Notes()
        try:
            names = names_of(feature, notes)
            flag = checked(self._flag(feature, names, notes))
        except (Unsayable, ValidationError) as problem:
            why = self._refuse(f"flag {feature.name}", problem)
            self.parents[feature.name] = None if feature.dependencies else why
            return
        if not feature.dependencies:
            self.parents[feature.name] = Parent(flag, names)
        self._keep(flag, feature.name)
        self._payload(flag, names, notes)
        self._note(f"flag {feature.name}", notes)

    def _flag(self, feature: Feature, names: Names, notes: Notes) -> ImportedFlag:
        variants = {names.off: False, names.on: True, **dict.fromkeys(names.ours.values(), True)}
        if len(variants) > limits.VARIANTS:
            raise Unsayable(f"it has {len(variants)} variants, and a flag at most {limits.VARIANTS}")
        for name in variants:
            named(VARIANT_NAME, name, "variant name")
        demands = demands_of(feature, self.parents, names, notes)
        rules, default = rules_of(feature, names, Around(feature.name, self.segments, notes))
        targeting = Targeting(
            enabled=feature.enabled,
            off_variant=names.off,
            default=default,
            prerequisites=tuple(demands.prerequisites),
            rules=(*demands.rules, *rules),
        )
        flag = ImportedFlag(feature.name, FlagType.BOOLEAN, dict(variants), targeting)
        return replace(flag, description=_description(feature, notes), tags=_tags(feature, notes))

    def _payload(self, flag: ImportedFlag, names: Names, notes: Notes) -> None:
        if not names.payloads:
            return
        wanted = f"{flag.key}.payload"
        key = free_name(wanted, self.keys)
        if key != wanted:
            notes.append(f"there is a feature '{wanted}'; the flag of its payloads is '{key}'")
        try:
            self._keep(checked(_payload_flag(key, flag, names)), flag.key)
        except (Unsayable, ValidationError) as problem:
            self._refuse(f"flag {key}", problem)

    def _keep(self, flag: ImportedFlag, feature: str) -> None:
        self.feature_of[flag.key] = feature
        self.imported.flags.append(flag)

    def _refuse(self, what: str, problem: Unsayable | ValidationError) -> Unsayable:
        why = problem if isinstance(problem, Unsayable) else Unsayable(words(problem))
        self.imported.refused.append(Refusal(what, str(why)))
        return why

    def _note(self, what: str, notes: Notes) -> None:
        self.imported.notes.extend(f"{what}: {note}" for note in dict.fromkeys(notes))


def _definition(segment: Segment, notes: Notes) -> SegmentDefinition:
    condition = all_of(*(condition_of(each, notes) for each in segment.constraints))
    return SegmentDefinition(name=segment.name, description=segment.description, condition=condition)


def _payload_flag(key: str, flag: ImportedFlag, names: Names) -> ImportedFlag:
    rules = [
        Rule(
            id=f"variant-{number}",
            name=f"as {flag.key} has {name}",
            when=FlagIs(flag=flag.key, variants=(name,)),
            serve=ServeVariant(variant=name),
        )
        for number, name in enumerate(names.payloads, start=1)
    ]
    return ImportedFlag(
        key,
        FlagType.OBJECT,
        names.payloads,
        Targeting(enabled=True, default=ServeCodeDefault(code_default=True), rules=tuple(rules)),
        f"The payloads of the variants of {flag.key}",
    )


def _description(feature: Feature, notes: Notes) -> str:
    if len(feature.description) > DESCRIPTION_LENGTH:
        notes.append(f"its description is cut to {DESCRIPTION_LENGTH} characters")
    return feature.description[:DESCRIPTION_LENGTH]


def _tags(feature: Feature, notes: Notes) -> tuple[str, ...]:
    tags = [_tag(each) for each in feature.tags]
    kept = tuple(dict.fromkeys(tag for tag in tags if 0 < len(tag) <= TAG_LENGTH))[: limits.TAGS]
    if set(kept) != set(tags):
        notes.append("some of its tags are left out: they are too long, too many or no texts")
    return kept


def _tag(tag: Any) -> str:
    """`type:value`, and just the value of Unleash's ordinary type; empty for what is no tag."""
    if isinstance(tag, Mapping):
        kind, value = tag.get("type", "simple"), tag.get("value", "")
        return f"{value}" if kind == "simple" else f"{kind}:{value}"
    return tag if isinstance(tag, str) else ""
