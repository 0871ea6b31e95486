"""GrowthBook's SDK payload: `{"features": {...}, "savedGroups": {...}, "contextualBandits": {...}}`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.importers.growthbook_conditions import ID
from commands.importers.growthbook_rules import Rules
from commands.importers.growthbook_values import values_of
from commands.importers.imported import Imported, ImportedFlag, Refusal
from commands.importers.saying import collect, flag_type, listing, mapping
from domain.conditions import Context
from domain.references import flags_asked
from domain.targeting import TARGETING_KEY, Targeting

ID_NOTE = "growthbook: the attribute 'id' is read from targetingKey"
STICKY_NOTE = "growthbook: sticky bucketing is left out, and with it fallback attributes"


def read(document: Any) -> Imported:
    """Raises Unsayable for what is no payload."""
    payload = mapping(document, "a GrowthBook payload")
    reader = Reader(
        mapping(payload.get("features"), "'features' of a GrowthBook payload"),
        mapping(payload.get("savedGroups") or {}, "'savedGroups'"),
        mapping(payload.get("contextualBandits") or {}, "'contextualBandits'"),
    )
    imported = collect(Imported(), reader.features, reader.flag)
    _refuse_what_asks_refused(imported)
    imported.notes.extend(_notes(imported, reader.features))
    return imported


def _refuse_what_asks_refused(imported: Imported) -> None:
    """Until none is left that asks for the answer of one that is not there."""
    while True:
        keys = {each.key for each in imported.flags}
        asking = [each for each in imported.flags if not flags_asked(each.targeting).keys() <= keys]
        if not asking:
            return
        for each in asking:
            imported.flags.remove(each)
            missing = min(flags_asked(each.targeting).keys() - keys)
            imported.refused.append(Refusal(f"flag {each.key}", f"its prerequisite '{missing}' is refused"))


def context_of(context: Mapping[str, Any]) -> Context:
    """The attributes, of which `id` is our targeting key."""
    attributes = context.get("attributes")
    found = dict(attributes) if isinstance(attributes, Mapping) else dict(context)
    if TARGETING_KEY not in found and found.get(ID) is not None:
        found[TARGETING_KEY] = found[ID]
    return found


@dataclass(frozen=True)
class Reader:
    features: Mapping[str, Any]
    groups: Mapping[str, Any]
    bandits: Mapping[str, Any]

    def flag(self, key: str, feature: Any) -> ImportedFlag:
        feature = mapping(feature, "it")
        values = values_of(feature)
        said = Rules(key, self.features, self.groups, self.bandits, values).said
        rules = tuple(
            rule
            for number, each in enumerate(listing(feature.get("rules") or [], "'rules'"), start=1)
            for rule in said(mapping(each, "a rule"), number)
        )
        default = values.serve(feature.get("defaultValue"), "default")
        targeting = Targeting(enabled=True, off_variant=None, default=default, rules=rules)
        kind = flag_type(values.by_name.values())
        return ImportedFlag(key, kind, values.by_name, targeting, str(feature.get("description") or ""))


def _notes(imported: Imported, features: Mapping[str, Any]) -> Iterator[str]:
    if any(TARGETING_KEY in str(each.targeting) for each in imported.flags):
        yield ID_NOTE
    if any("fallbackAttribute" in str(each) or "bucketVersion" in str(each) for each in features.values()):
        yield STICKY_NOTE
