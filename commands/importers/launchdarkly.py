"""LaunchDarkly: what its SDKs are given, as `{"flags": {…}, "segments": {…}}`, in our rules.

Variants are named for the index of the variation: "0", "1", …
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError

from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from commands.importers.launchdarkly_context import context_of
from commands.importers.launchdarkly_document import FlagPlace, Place, objects, optional, required, values
from commands.importers.launchdarkly_segments import segment_of
from commands.importers.launchdarkly_targeting import targeting_of
from commands.importers.saying import collect, flag_type, mapping, words
from domain.references import flags_asked, leaves, segments_asked, segments_asked_by
from domain.targeting import (
    Clause,
    InSegment,
)
from domain.values import as_type

__all__ = ["context_of", "read"]


@dataclass(frozen=True, slots=True)
class _Payload:
    """`asked` are the flags that others have as a prerequisite."""

    flags: Mapping[str, Any]
    segments: Mapping[str, Any]
    asked: frozenset[str]
    notes: list[tuple[str, str]] = field(default_factory=list)

    def place(self, what: str) -> Place:
        return Place(what, self.segments, self.notes)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is not such a file."""
    content = _unwrapped(document)
    flags, segments = _living(content, "flags"), _living(content, "segments")
    payload = _Payload(flags, segments, frozenset(_prerequisites(flags.values())))
    imported = Imported()
    for key in segments:
        _read_segment(imported, payload, key)
    collect(imported, flags, partial(_read_flag, payload))
    _refuse_dependents(imported)
    refused = {each.what for each in imported.refused}
    told = [f"{what}: {sentence}" for what, sentence in payload.notes if what not in refused]
    imported.notes.extend(dict.fromkeys([*told, *_other_parts(content), *_shared_names(imported)]))
    return imported


def _unwrapped(document: Any) -> Mapping[str, Any]:
    """Also as it is streamed, where it is the `data` of a message."""
    content = mapping(document, "a file of LaunchDarkly")
    while "flags" not in content:
        if not isinstance(content.get("data"), Mapping):
            raise Unsayable("this is not what LaunchDarkly gives its SDKs: there are no 'flags'")
        content = mapping(content["data"], "'data'")
    return content


def _living(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = mapping(content.get(name) or {}, f"'{name}'")
    return {key: each for key, each in found.items() if not _is_deleted(each)}


def _is_deleted(entry: Any) -> bool:
    return isinstance(entry, Mapping) and entry.get("deleted") is True


def _prerequisites(flags: Iterable[Any]) -> Iterator[str]:
    for flag in flags:
        found = flag.get("prerequisites") if isinstance(flag, Mapping) else None
        for each in found if isinstance(found, list) else []:
            if isinstance(each, Mapping) and isinstance(each.get("key"), str):
                yield each["key"]


def _other_parts(content: Mapping[str, Any]) -> Iterator[str]:
    for name in content:
        if name not in {"flags", "segments"}:
            yield f"'{name}' of the file is not imported"


def _read_segment(imported: Imported, payload: _Payload, key: str) -> None:
    what = f"segment {key}"
    try:
        InSegment(segment=key)
        document = mapping(payload.segments[key], "the segment")
        imported.segments[key] = segment_of(key, document, payload.place(what))
    except Unsayable as why:
        imported.refused.append(Refusal(what, str(why)))
    except ValidationError as problem:
        imported.refused.append(Refusal(what, words(problem)))


def _read_flag(payload: _Payload, key: str, entry: Any) -> ImportedFlag:
    document = mapping(entry, "the flag")
    variations = values(document, "variations")
    if not variations:
        raise Unsayable("it has no variations")
    place = payload.place(f"flag {key}")
    for each in objects(document, "prerequisites"):
        if (other := required(each, "key", str)) not in payload.flags:
            place.note(f"its prerequisite '{other}' does not exist, so it is never met")
    kind = flag_type(variations)
    return ImportedFlag(
        key=key,
        type=kind,
        variants={str(index): as_type(kind, value) for index, value in enumerate(variations)},
        targeting=targeting_of(FlagPlace(place, key, document, variations, key in payload.asked)),
        client_visible=_client_visible(document),
    )


def _client_visible(document: Mapping[str, Any]) -> bool:
    availability = document.get("clientSideAvailability")
    if availability is None:
        return optional(document, "clientSide", bool) or False
    return optional(mapping(availability, "'clientSideAvailability'"), "usingEnvironmentId", bool) or False


def _refuse_dependents(imported: Imported) -> None:
    """What asks for something refused would answer differently without it; and so on."""
    while found := [*_dependents(imported)]:
        imported.refused.extend(found)
        gone = {each.what for each in found}
        imported.flags[:] = [flag for flag in imported.flags if f"flag {flag.key}" not in gone]
        for key in [key for key in imported.segments if f"segment {key}" in gone]:
            del imported.segments[key]


def _dependents(imported: Imported) -> Iterator[Refusal]:
    refused = {each.what for each in imported.refused}
    for key, segment in imported.segments.items():
        asked = {f"segment {other}" for other in segments_asked([segment.condition])}
        yield from _refused_with(f"segment {key}", asked & refused)
    for flag in imported.flags:
        asked = {f"segment {other}" for other in segments_asked_by(flag.targeting)}
        asked |= {f"flag {other}" for other in flags_asked(flag.targeting)}
        yield from _refused_with(f"flag {flag.key}", asked & refused)


def _refused_with(what: str, missing: set[str]) -> Iterator[Refusal]:
    if missing:
        yield Refusal(what, f"it asks for {min(missing)}, which was refused")


def _shared_names(imported: Imported) -> Iterator[str]:
    conditions = [rule.when for flag in imported.flags for rule in flag.targeting.rules]
    conditions += [segment.condition for segment in imported.segments.values()]
    names = {leaf.attribute for each in conditions for leaf in leaves(each) if isinstance(leaf, Clause)}
    objects_asked = {name.split("/")[1] for name in names if name.count("/") > 1}
    for name in sorted(objects_asked & names):
        yield f"'{name}' is both an attribute of a user and an object: a context can have just one of the two"
