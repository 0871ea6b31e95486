"""What can be wanted. A command is data: it can be stored, reviewed, scheduled, and carried out later."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue

from commands.change_models import ChangeCommand
from commands.people_models import PeopleCommand
from commands.token_models import Overlap, TokenCommand
from domain import limits
from domain.events import FlagKind, KeyKind
from domain.recording import Recording
from domain.segment import SegmentDefinition
from domain.targeting import Salt, Targeting
from domain.values import ABSENT, FlagKey, FlagType, Model, Slug, Text, VariantName
from domain.webhook import Address

Name = Annotated[str, Field(min_length=1, max_length=200)]
Tags = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=limits.TAGS)
]


class CreateProject(Model):
    project: Slug
    name: Name


class CreateEnvironment(Model):
    project: Slug
    environment: Slug
    name: Name


class RenameProject(Model):
    project: Slug
    name: Name


class ChangeEnvironment(Model):
    """`approvals` is how many others have to approve a change there. What is absent stays; `recording` is
    replaced as a whole."""

    project: Slug
    environment: Slug
    name: Name | None = None
    approvals: Annotated[int, Field(ge=0, le=limits.APPROVALS)] | None = None
    recording: Recording | None = ABSENT


class FlagDefinition(Model):
    """What a client says of a new flag."""

    key: FlagKey
    type: FlagType
    variants: Annotated[dict[VariantName, JsonValue], Field(min_length=1, max_length=limits.VARIANTS)]
    description: Text = ""
    tags: Tags = ()
    owner: Text = ""
    kind: FlagKind = "release"
    client_visible: bool = False


class CreateFlag(Model):
    """Salts are made where none are given; a flag that comes from another installation brings its own."""

    project: Slug
    definition: FlagDefinition
    gate_salt: Salt | None = None
    split_salt: Salt | None = None


class FlagDetails(Model):
    """What is absent stays as it is."""

    description: Text | None = None
    tags: Tags | None = None
    owner: Text | None = None
    kind: FlagKind | None = None
    client_visible: bool | None = None


class ChangeFlag(Model):
    project: Slug
    flag: FlagKey
    details: FlagDetails


class PutVariant(Model):
    project: Slug
    flag: FlagKey
    name: VariantName
    value: JsonValue


class RemoveVariant(Model):
    project: Slug
    flag: FlagKey
    name: VariantName


class ChangeTargeting(Model):
    project: Slug
    flag: FlagKey
    environment: Slug
    targeting: Targeting


class TurnFlagOn(Model):
    project: Slug
    flag: FlagKey
    environment: Slug


class TurnFlagOff(Model):
    project: Slug
    flag: FlagKey
    environment: Slug


class ArchiveFlag(Model):
    project: Slug
    flag: FlagKey


class RestoreFlag(Model):
    project: Slug
    flag: FlagKey


class PutSegment(Model):
    project: Slug
    segment: FlagKey
    definition: SegmentDefinition
    salt: Salt | None = None


class ArchiveSegment(Model):
    project: Slug
    segment: FlagKey


class IssueKey(Model):
    """The key itself is made by the caller and never stored; `digest` is what will recognise it.

    `expires_at` None is never.
    """

    project: Slug
    environment: Slug
    id: str
    name: Name
    kind: KeyKind
    digest: str
    expires_at: datetime | None = None


class RotateKey(Model):
    """`successor` and `digest` are of the key that takes its place; without `expires_at` that one is in force
    for as long as the first one was when it was issued."""

    project: Slug
    environment: Slug
    id: str
    successor: str
    digest: str
    overlap_seconds: Overlap
    expires_at: datetime | None = None


class RevokeKey(Model):
    project: Slug
    environment: Slug
    id: str


EventNames = Annotated[
    tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=limits.EVENT_NAMES)
]
Environments = Annotated[tuple[Slug, ...], Field(max_length=limits.EVENT_NAMES)]


class RegisterWebhook(Model):
    """`id` is made by the caller: the secret is derived from it. What is empty narrows nothing."""

    project: Slug
    id: str
    url: Address
    description: Text = ""
    events: EventNames = ()
    environments: Environments = ()


class ChangeWebhook(Model):
    """What is absent stays as it is."""

    project: Slug
    id: str
    url: Address | None = None
    description: Text | None = None
    events: EventNames | None = None
    environments: Environments | None = None


class RotateWebhookSecret(Model):
    """The secret that is replaced signs too until `previous_until`."""

    project: Slug
    id: str
    previous_until: AwareDatetime


class PauseWebhook(Model):
    """`why` is a sentence where no person wanted it."""

    project: Slug
    id: str
    why: str = ""


class ResumeWebhook(Model):
    project: Slug
    id: str


class RemoveWebhook(Model):
    project: Slug
    id: str


Command = (
    CreateProject
    | RenameProject
    | CreateEnvironment
    | ChangeEnvironment
    | CreateFlag
    | ChangeFlag
    | PutVariant
    | RemoveVariant
    | ChangeTargeting
    | TurnFlagOn
    | TurnFlagOff
    | ArchiveFlag
    | RestoreFlag
    | PutSegment
    | ArchiveSegment
    | IssueKey
    | RotateKey
    | RevokeKey
    | TokenCommand
    | PeopleCommand
    | RegisterWebhook
    | ChangeWebhook
    | RotateWebhookSecret
    | PauseWebhook
    | ResumeWebhook
    | RemoveWebhook
    | ChangeCommand
)
