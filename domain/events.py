"""What happened, in the words of the storage format.

The class names and field names below are written to PostgreSQL for ever. A stored event is never edited;
when a shape has to change, the old one gets an upcaster in `commands/codec.py` and a golden file in
`tests/unit/golden/`. Actor, reason and time belong to every event alike and are in its envelope
(`domain/envelope.py`).
"""

from typing import Literal

from pydantic import AwareDatetime, JsonValue

from domain.change_events import ChangeEvent, PlanEvent
from domain.person_events import PersonEvent
from domain.recording import Recording
from domain.targeting import Condition, Prerequisite, Rule, Serve, Target, Targeting
from domain.token_events import TokenEvent
from domain.values import ABSENT, FlagType, Model

KeyKind = Literal["server", "client", "admin", "original"]
"""`original` is a key of the original system's clients, by which they ask, and write through the facade."""

FlagKind = Literal["release", "experiment", "operational", "permission"]


class ProjectCreated(Model):
    project: str
    name: str


class EnvironmentCreated(Model):
    environment: str
    name: str


class ProjectRenamed(Model):
    name: str


class EnvironmentRenamed(Model):
    environment: str
    name: str


class ApprovalsChanged(Model):
    """How many people besides the author have to approve a change of this environment; 0 is none."""

    environment: str
    approvals: int


class RecordingChanged(Model):
    environment: str
    recording: Recording


class FlagCreated(Model):
    """`targeting` is what every environment begins with, those made later included."""

    project: str
    key: str
    type: FlagType
    variants: dict[str, JsonValue]
    targeting: Targeting
    gate_salt: str
    split_salt: str
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    kind: FlagKind = "release"
    client_visible: bool = False


class FlagDetailsChanged(Model):
    """What is absent stays as it is."""

    description: str | None = ABSENT
    tags: tuple[str, ...] | None = ABSENT
    owner: str | None = ABSENT
    kind: FlagKind | None = ABSENT
    client_visible: bool | None = ABSENT


class VariantAdded(Model):
    name: str
    value: JsonValue


class VariantChanged(Model):
    name: str
    value: JsonValue


class VariantRemoved(Model):
    name: str


class FlagTurnedOn(Model):
    environment: str


class FlagTurnedOff(Model):
    environment: str


class OffVariantChanged(Model):
    environment: str
    variant: str | None


class DefaultServeChanged(Model):
    environment: str
    serve: Serve


class PrerequisitesChanged(Model):
    environment: str
    prerequisites: tuple[Prerequisite, ...]


class TargetsChanged(Model):
    environment: str
    targets: tuple[Target, ...]


class RuleAdded(Model):
    """`after` is the id of the rule it stands behind; null is the first place."""

    environment: str
    rule: Rule
    after: str | None


class RuleChanged(Model):
    environment: str
    rule: Rule


class RuleMoved(Model):
    environment: str
    rule_id: str
    after: str | None


class RuleRemoved(Model):
    environment: str
    rule_id: str


class FlagArchived(Model):
    pass


class FlagRestored(Model):
    pass


class SegmentCreated(Model):
    project: str
    key: str
    name: str
    description: str
    salt: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    condition: Condition


class SegmentChanged(Model):
    name: str
    description: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    condition: Condition


class SegmentArchived(Model):
    pass


class KeyIssued(Model):
    """`digest` is the SHA-256 of the whole key in hex: a key is 190 random bits, so it needs no slow hash.

    `replaces` is the id of the key whose place it takes. What is absent is: for ever, and nobody's.
    """

    project: str
    environment: str
    id: str
    name: str
    kind: KeyKind
    digest: str
    expires_at: AwareDatetime | None = ABSENT
    replaces: str | None = ABSENT


class KeyExpiryChanged(Model):
    """`replaced_by` is the id of the key that takes its place, where that is why."""

    expires_at: AwareDatetime
    replaced_by: str | None = ABSENT


class KeyRevoked(Model):
    pass


class WebhookRegistered(Model):
    """`events` are names of events; that or `environments` empty is all of them."""

    project: str
    id: str
    url: str
    description: str
    events: tuple[str, ...]
    environments: tuple[str, ...]


class WebhookChanged(Model):
    """What is absent stays as it is."""

    url: str | None = ABSENT
    description: str | None = ABSENT
    events: tuple[str, ...] | None = ABSENT
    environments: tuple[str, ...] | None = ABSENT


class WebhookSecretRotated(Model):
    """`rotation` is the number of the secret that signs from now on; the one before signs too until then."""

    rotation: int
    previous_until: AwareDatetime


class WebhookPaused(Model):
    """`why` is a sentence where deliveries kept failing; empty where somebody paused it."""

    why: str


class WebhookResumed(Model):
    pass


class WebhookRemoved(Model):
    pass


ProjectEvent = (
    ProjectCreated
    | ProjectRenamed
    | EnvironmentCreated
    | EnvironmentRenamed
    | ApprovalsChanged
    | RecordingChanged
)
TargetingEvent = (
    FlagTurnedOn
    | FlagTurnedOff
    | OffVariantChanged
    | DefaultServeChanged
    | PrerequisitesChanged
    | TargetsChanged
    | RuleAdded
    | RuleChanged
    | RuleMoved
    | RuleRemoved
)
VariantEvent = VariantAdded | VariantChanged | VariantRemoved
FlagEvent = FlagCreated | FlagDetailsChanged | VariantEvent | TargetingEvent | FlagArchived | FlagRestored
SegmentEvent = SegmentCreated | SegmentChanged | SegmentArchived
KeyEvent = KeyIssued | KeyExpiryChanged | KeyRevoked
WebhookEvent = (
    WebhookRegistered
    | WebhookChanged
    | WebhookSecretRotated
    | WebhookPaused
    | WebhookResumed
    | WebhookRemoved
)
Event = (
    ProjectEvent
    | FlagEvent
    | SegmentEvent
    | KeyEvent
    | WebhookEvent
    | ChangeEvent
    | PlanEvent
    | TokenEvent
    | PersonEvent
)
