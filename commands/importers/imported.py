"""What every importer gives: flags and segments that commands can be made of, and what it refused."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from domain.evaluation import FlagDocument
from domain.events import FlagKind
from domain.ruleset import FLAG, SEGMENT, Ruleset, SegmentDocument
from domain.segment import SegmentDefinition
from domain.targeting import Targeting
from domain.values import FlagType


class Unsayable(Exception):
    """Something that our rules cannot express; the text says what, and why."""


@dataclass(frozen=True, slots=True)
class ImportedFlag:
    """`variants` in the order that ranges and weights count on."""

    key: str
    type: FlagType
    variants: dict[str, JsonValue]
    targeting: Targeting
    description: str = ""
    owner: str = ""
    kind: FlagKind = "release"
    tags: tuple[str, ...] = ()
    client_visible: bool = False
    gate_salt: str = ""
    split_salt: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`what` is `flag KEY` or `segment KEY`; `why` names the part that cannot be said."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """`notes` are what somebody should know of what was imported, as `what: sentence`."""

    flags: list[ImportedFlag] = field(default_factory=list)
    segments: dict[str, SegmentDefinition] = field(default_factory=dict)
    segment_salts: dict[str, str] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ruleset(self) -> Ruleset:
        """As an evaluator would read it once it is imported."""
        documents = [((FLAG, each.key), _flag_document(each)) for each in self.flags]
        segments = [
            ((SEGMENT, key), _segment_document(key, each, self.segment_salts.get(key, "")))
            for key, each in self.segments.items()
        ]
        return Ruleset().updated(documents + segments)


def _flag_document(flag: ImportedFlag) -> str:
    return FlagDocument(
        key=flag.key,
        type=flag.type,
        variants=flag.variants,
        gate_salt=flag.gate_salt,
        split_salt=flag.split_salt,
        client_visible=flag.client_visible,
        version=1,
        targeting=flag.targeting,
    ).model_dump_json()


def _segment_document(key: str, definition: SegmentDefinition, salt: str) -> str:
    return SegmentDocument(key=key, salt=salt, version=1, definition=definition).model_dump_json()
