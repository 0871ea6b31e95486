"""What evaluators read, worked out from what the log says: one document a flag and environment.

Documents live in *scopes*: `project/environment` for flags and segments, `@keys` for API keys by their
digest, `@environments` for the list of all scopes of the first sort.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from domain.access import ApiKey
from domain.aggregates import Folded
from domain.change import Change
from domain.evaluation import FlagDocument
from domain.events import KeyKind
from domain.flag import Flag
from domain.person import Person
from domain.plan import Plan
from domain.project import Project
from domain.recording import AS_INSTALLED, Recording
from domain.ruleset import FLAG, SEGMENT, SegmentDocument
from domain.segment import Segment
from domain.token import AccessToken
from domain.values import ABSENT, Model
from domain.webhook import Webhook

KINDS = {"project", "flag", "segment", "key"}
"""The kinds of streams that evaluators have documents of."""

KEYS = "@keys"
ENVIRONMENTS = "@environments"


class Place(NamedTuple):
    """`field` is `flag/KEY` or `segment/KEY`, an API key's digest, or an environment's scope."""

    scope: str
    field: str


Documents = dict[Place, str | None]
"""JSON by place; None where there is to be no document."""


class KeyDocument(Model):
    """`expires_at` is in seconds since 1970; absent is never."""

    id: str
    kind: KeyKind
    project: str
    environment: str
    expires_at: float | None = ABSENT


class EnvironmentDocument(Model):
    project: str
    environment: str
    name: str
    recording: Recording | None = ABSENT


class _Recorded(BaseModel):
    recording: Recording = AS_INSTALLED


def recording_of(document: str) -> Recording:
    """Of an environment's document. Raises ValidationError."""
    return _Recorded.model_validate_json(document).recording


def scope_of(project: str, environment: str) -> str:
    return f"{project}/{environment}"


def documents_of(folded: Folded, environments: Iterable[str]) -> Documents:
    """The documents of a flag, segment or key in these environments of its project."""
    match folded.state:
        case Flag() as flag:
            return {
                Place(scope_of(flag.project, each), f"{FLAG}/{flag.key}"): _flag(flag, each, folded.version)
                for each in environments
            }
        case Segment() as segment:
            document = _segment(segment, folded.version)
            field = f"{SEGMENT}/{segment.key}"
            return {Place(scope_of(segment.project, each), field): document for each in environments}
        case ApiKey() as key:
            return {Place(KEYS, key.digest): _key(key)}
        case Project() as project:
            return dict(_environments(project))
        case AccessToken() | Webhook() | Change() | Plan() | Person():
            return {}


def _flag(flag: Flag, environment: str, version: int) -> str | None:
    document = flag_document(flag, environment, version)
    return document.model_dump_json() if document else None


def flag_document(flag: Flag, environment: str, version: int) -> FlagDocument | None:
    """None for a flag that is archived, and so not evaluated."""
    if flag.archived:
        return None
    return FlagDocument.model_construct(
        key=flag.key,
        type=flag.type,
        variants=flag.variants,
        gate_salt=flag.gate_salt,
        split_salt=flag.split_salt,
        client_visible=flag.client_visible,
        version=version,
        targeting=flag.targeting(environment),
    )


def _segment(segment: Segment, version: int) -> str | None:
    document = segment_document(segment, version)
    return document.model_dump_json() if document else None


def segment_document(segment: Segment, version: int) -> SegmentDocument | None:
    if segment.archived:
        return None
    return SegmentDocument(key=segment.key, salt=segment.salt, version=version, definition=segment.definition)


def _key(key: ApiKey) -> str | None:
    if key.revoked:
        return None
    return KeyDocument(
        id=key.id,
        kind=key.kind,
        project=key.project,
        environment=key.environment,
        expires_at=key.expires_at.timestamp() if key.expires_at else None,
    ).model_dump_json()


def _environments(project: Project) -> Iterator[tuple[Place, str]]:
    for key, name in project.environments.items():
        document = EnvironmentDocument(
            project=project.key, environment=key, name=name, recording=project.recordings.get(key)
        )
        yield Place(ENVIRONMENTS, scope_of(project.key, key)), document.model_dump_json()


def by_scope(documents: Mapping[Place, str | None]) -> dict[str, list[tuple[str, str | None]]]:
    scopes: dict[str, list[tuple[str, str | None]]] = {}
    for place, document in documents.items():
        scopes.setdefault(place.scope, []).append((place.field, document))
    return scopes
