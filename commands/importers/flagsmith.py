"""Flagsmith's environment document, or the evaluation context of its engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.importers.flagsmith_circles import Circles, without
from commands.importers.flagsmith_contexts import context_of
from commands.importers.flagsmith_documents import Document, document_of
from commands.importers.flagsmith_identity import add_identity
from commands.importers.flagsmith_outcomes import Outcomes, outcomes_of, segment_key
from commands.importers.flagsmith_segments import Surroundings, segment_condition
from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from commands.importers.saying import ALWAYS, NEVER, all_of, collect, mapping
from domain.references import flags_asked
from domain.segment import SegmentDefinition
from domain.targeting import Condition, InSegment, Rule, ServeVariant, Targeting
from domain.values import FlagType

__all__ = ["context_of", "read"]

KEY_NOTE = (
    "flagsmith: percentages are counted by the identity's key, which Flagsmith makes of the environment's "
    "key and the identifier; this document has no such key, so the context has to have identity.key"
)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is neither of the two."""
    read_document = document_of(mapping(document, "a Flagsmith document"))
    imported = Imported()
    reading = _reading(read_document, imported)
    collect(imported, read_document.features, lambda key, _: _flag(key, reading))
    _drop_dependents(imported)
    imported.notes.extend(_notes(imported, read_document))
    add_identity(imported, read_document)
    return imported


@dataclass(frozen=True)
class Reading:
    """`segments`, by their place in the document: when they hold, or why that cannot be said."""

    document: Document
    outcomes: Mapping[str, Outcomes]
    segments: Mapping[int, Condition | Unsayable]


def _reading(document: Document, imported: Imported) -> Reading:
    keys: dict[int, str] = {}
    for place, segment in enumerate(document.segments):
        keys[place] = segment_key(segment, set(keys.values()))
    outcomes = outcomes_of(document, keys)
    asked = {key: each.all for key, each in outcomes.items()}
    around = Surroundings(document.known, document.key_prefix, asked)
    circles = Circles(document)
    segments = {
        place: _segment(place, key, document, around, circles, imported) for place, key in keys.items()
    }
    return Reading(document, outcomes, segments)


def _segment(
    place: int, key: str, document: Document, around: Surroundings, circles: Circles, imported: Imported
) -> Condition | Unsayable:
    """Its condition where it is used: itself, or what it asks if that is for flags, which no segment may."""
    segment = document.segments[place]
    try:
        if circles.closes(place):
            imported.notes.append(
                f"segment {key}: it closes a circle of flags, where Flagsmith leaves it out"
            )
            return NEVER
        condition = segment_condition(segment, around)
        if circles.asks(place):
            imported.notes.append(f"segment {key}: it asks for flags, so it stands in the rules that use it")
            return condition
        imported.segments[key] = SegmentDefinition(name=str(segment.get("name", "")), condition=condition)
        return InSegment(segment=key)
    except Unsayable as why:
        imported.refused.append(Refusal(f"segment {key}", str(why)))
        return Unsayable(f"its segment {key}: {why}")


def _flag(key: str, reading: Reading) -> ImportedFlag:
    outcomes = reading.outcomes[key]
    targeting = Targeting(
        enabled=True,
        off_variant=outcomes.default,
        default=ServeVariant(variant=outcomes.default),
        targets=outcomes.targets,
        rules=tuple(_rules(outcomes, reading)),
    )
    return ImportedFlag(key, FlagType.OBJECT, outcomes.values, targeting)


def _rules(outcomes: Outcomes, reading: Reading) -> Iterator[Rule]:
    for part in outcomes.parts:
        when = ALWAYS if part.segment is None else reading.segments[part.segment]
        if isinstance(when, Unsayable):
            raise when
        if when != NEVER:
            yield Rule(name=part.name, when=all_of(when, part.when), serve=part.serve)


def _drop_dependents(imported: Imported) -> None:
    refused = [each.what.removeprefix("flag ") for each in imported.refused if each.what.startswith("flag ")]
    asked = {each.key: set(flags_asked(each.targeting)) for each in imported.flags}
    gone = without(refused, asked)
    imported.refused.extend(
        Refusal(f"flag {key}", "a flag that it asks for is refused") for key in sorted(gone)
    )
    imported.flags[:] = [each for each in imported.flags if each.key not in gone]


def _notes(imported: Imported, document: Document) -> Iterator[str]:
    said = [str(each.targeting) for each in imported.flags] + [
        str(each) for each in imported.segments.values()
    ]
    if not document.key_prefix and any("algorithm='flagsmith'" in each for each in said):
        yield KEY_NOTE
    if document.hides_disabled:
        yield "flagsmith: features that are not enabled are hidden there; here they say enabled false"
