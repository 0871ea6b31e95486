"""Our own files: one environment of a project, to be read by people, kept in git, and imported again.

    {"togglemaster": 1,
     "segments": {"beta": {"salt": "…", "include": ["user-1"], "condition": {…}}},
     "flags": {"new-checkout": {"type": "boolean", "variants": {"on": true, "off": false}, "gate_salt": "…",
                                "split_salt": "…", "targeting": {"enabled": true, …}}}}

Salts belong to the file: with them every subject keeps its bucket wherever it is imported.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from domain.conditions import Context
from domain.events import FlagKind
from domain.flag import Flag
from domain.segment import Segment, SegmentDefinition
from domain.targeting import Salt, Targeting
from domain.values import FlagType, Model

VERSION = 1


class FlagEntry(Model):
    type: FlagType
    variants: dict[str, JsonValue]
    targeting: Targeting
    description: str = ""
    owner: str = ""
    kind: FlagKind = "release"
    tags: tuple[str, ...] = ()
    client_visible: bool = False
    gate_salt: Salt = ""
    split_salt: Salt = ""


class SegmentEntry(SegmentDefinition):
    salt: Salt = ""


class _File(Model):
    togglemaster: int
    flags: dict[str, Any] = Field(default_factory=dict)
    segments: dict[str, Any] = Field(default_factory=dict)


def dump(flags: Iterable[Flag], segments: Iterable[Segment], environment: str) -> dict[str, Any]:
    """The file of one environment, without what is archived. Reading it gives the same answers."""
    return {
        "togglemaster": VERSION,
        "segments": {each.key: _segment_entry(each) for each in segments if not each.archived},
        "flags": {each.key: _flag_entry(each, environment) for each in flags if not each.archived},
    }


def _flag_entry(flag: Flag, environment: str) -> dict[str, Any]:
    entry = FlagEntry(
        type=flag.type,
        variants=flag.variants,
        targeting=flag.targeting(environment),
        description=flag.description,
        owner=flag.owner,
        kind=flag.kind,
        tags=flag.tags,
        client_visible=flag.client_visible,
        gate_salt=flag.gate_salt,
        split_salt=flag.split_salt,
    )
    return entry.model_dump(mode="json", exclude_defaults=True)


def _segment_entry(segment: Segment) -> dict[str, Any]:
    entry = SegmentEntry(salt=segment.salt, **dict(segment.definition))
    return entry.model_dump(mode="json", exclude_defaults=True)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is not such a file."""
    try:
        file = _File.model_validate(document)
    except ValidationError as problem:
        raise Unsayable(f"this is not a ToggleMaster file: {_first(problem)}") from problem
    if file.togglemaster != VERSION:
        raise Unsayable(f"this file is of version {file.togglemaster}; version {VERSION} can be read")
    imported = Imported()
    for key, entry in file.segments.items():
        _read_segment(imported, key, entry)
    for key, entry in file.flags.items():
        _read_flag(imported, key, entry)
    return imported


def _read_segment(imported: Imported, key: str, entry: Any) -> None:
    try:
        found = SegmentEntry.model_validate(entry)
    except ValidationError as problem:
        imported.refused.append(Refusal(f"segment {key}", _first(problem)))
        return
    fields = {name: getattr(found, name) for name in SegmentDefinition.model_fields}
    imported.segments[key] = SegmentDefinition(**fields)
    imported.segment_salts[key] = found.salt


def _read_flag(imported: Imported, key: str, entry: Any) -> None:
    try:
        imported.flags.append(ImportedFlag(key, **dict(FlagEntry.model_validate(entry))))
    except ValidationError as problem:
        imported.refused.append(Refusal(f"flag {key}", _first(problem)))


def _first(problem: ValidationError) -> str:
    error = problem.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


def context_of(context: Mapping[str, Any]) -> Context:
    return context
