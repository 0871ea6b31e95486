"""What the management API answers with."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from domain.access import ApiKey
from domain.aggregates import Folded
from domain.events import FlagKind, KeyKind
from domain.flag import Flag
from domain.project import Project
from domain.recording import AS_INSTALLED, Recording
from domain.segment import Segment
from domain.targeting import Condition, Targeting
from domain.values import FlagType


class Envelope(BaseModel):
    """`position` is the place of the last change in the log, `version` how many changes there were."""

    version: int
    position: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


class EnvironmentShape(BaseModel):
    """`approvals` is how many others have to approve a change there; 0 lets changes be made directly."""

    key: str
    name: str
    approvals: int = 0
    recording: Recording = AS_INSTALLED


class ProjectShape(BaseModel):
    key: str
    name: str
    environments: list[EnvironmentShape]


class ProjectAnswer(Envelope, ProjectShape):
    pass


class EnvironmentAnswer(EnvironmentShape):
    project: str
    position: int


class FlagShape(BaseModel):
    """`environments` has the targeting of every environment of the project, in the project's order."""

    key: str
    project: str
    type: FlagType
    variants: dict[str, JsonValue]
    description: str
    tags: tuple[str, ...]
    owner: str
    kind: FlagKind
    client_visible: bool
    archived: bool
    gate_salt: str
    split_salt: str
    environments: dict[str, Targeting]


class FlagAnswer(Envelope, FlagShape):
    pass


class SegmentShape(BaseModel):
    key: str
    project: str
    name: str
    description: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    condition: Condition
    salt: str
    archived: bool


class SegmentAnswer(Envelope, SegmentShape):
    pass


class KeyShape(BaseModel):
    """`replaces` and `replaced_by` are ids of other keys; `last_used_at` is right to half a minute, and null
    where it was never used or nobody can say."""

    id: str
    name: str
    kind: KeyKind
    project: str
    environment: str
    revoked: bool
    expires_at: datetime | None
    replaces: str | None
    replaced_by: str | None
    last_used_at: datetime | None


class KeyAnswer(Envelope, KeyShape):
    pass


class NewKeyAnswer(KeyAnswer):
    """`key` is shown this once."""

    key: str


class RotatedKeyAnswer(NewKeyAnswer):
    """`previous` is in force until it expires."""

    previous: KeyAnswer


class Page(BaseModel):
    """`next` is what to give as `after` for the next page; null at the end. `position` is the list's own."""

    next: str | None
    position: int


class ProjectPage(Page):
    projects: list[ProjectAnswer]


class FlagPage(Page):
    flags: list[FlagAnswer]


class SegmentPage(Page):
    segments: list[SegmentAnswer]


class KeyPage(Page):
    keys: list[KeyAnswer]


def envelope(folded: Folded) -> dict[str, Any]:
    return {
        "version": folded.version,
        "position": folded.position,
        "created_at": folded.created.at,
        "created_by": folded.created.by,
        "changed_at": folded.changed.at,
        "changed_by": folded.changed.by,
    }


def project_answer(folded: Folded) -> ProjectAnswer:
    project = folded.state
    assert isinstance(project, Project)
    return ProjectAnswer(
        key=project.key, name=project.name, environments=environment_shapes(project), **envelope(folded)
    )


def environment_shapes(project: Project) -> list[EnvironmentShape]:
    return [
        EnvironmentShape(
            key=key,
            name=name,
            approvals=project.approvals.get(key, 0),
            recording=project.recordings.get(key, AS_INSTALLED),
        )
        for key, name in project.environments.items()
    ]


def flag_answer(folded: Folded, project: Project) -> FlagAnswer:
    flag = folded.state
    assert isinstance(flag, Flag)
    return FlagAnswer(
        project=flag.project,
        key=flag.key,
        type=flag.type,
        variants=flag.variants,
        description=flag.description,
        tags=flag.tags,
        owner=flag.owner,
        kind=flag.kind,
        client_visible=flag.client_visible,
        archived=flag.archived,
        gate_salt=flag.gate_salt,
        split_salt=flag.split_salt,
        environments={each: flag.targeting(each) for each in project.environments},
        **envelope(folded),
    )


def segment_answer(folded: Folded) -> SegmentAnswer:
    segment = folded.state
    assert isinstance(segment, Segment)
    return SegmentAnswer(
        project=segment.project,
        key=segment.key,
        salt=segment.salt,
        archived=segment.archived,
        **dict(segment.definition),
        **envelope(folded),
    )


def key_answer(folded: Folded, last_used_at: datetime | None) -> KeyAnswer:
    return KeyAnswer(**key_fields(folded, last_used_at))


def key_fields(folded: Folded, last_used_at: datetime | None = None) -> dict[str, Any]:
    key = folded.state
    assert isinstance(key, ApiKey)
    return {
        "id": key.id,
        "name": key.name,
        "kind": key.kind,
        "project": key.project,
        "environment": key.environment,
        "revoked": key.revoked,
        "expires_at": key.expires_at,
        "replaces": key.replaces,
        "replaced_by": key.replaced_by,
        "last_used_at": last_used_at,
        **envelope(folded),
    }
