"""Routes of webhooks."""

from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Annotated, Any, cast

from fastapi import APIRouter, HTTPException, Path, status
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.context import Administrator, Lister, Parts, Read, Reader
from api.management.shapes import Envelope, Page, envelope
from commands.models import (
    ChangeWebhook,
    Environments,
    EventNames,
    PauseWebhook,
    RegisterWebhook,
    RemoveWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
)
from commands.secret_keys import new_id
from domain.aggregates import Folded
from domain.envelope import webhook_stream
from domain.errors import Invalid
from domain.values import Model, Slug, Text
from domain.webhook import Address, Webhook, existing
from projections.webhook_deliveries import DeliveryState
from workers.outbound import Forbidden
from workers.webhook_messages import ping

PREVIOUS_SECRET = timedelta(hours=24)  # time enough to give a receiver its new secret in working hours
TESTS_AT_ONCE = 4  # each may take ten seconds, and they are not to keep all threads from other requests
_testing = BoundedSemaphore(TESTS_AT_ONCE)

router = APIRouter(prefix="/projects/{project}/webhooks", tags=["webhooks"], route_class=StrictRoute)

WebhookId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]


class NewWebhook(Model):
    """`events` names those to be told of; that or `environments` empty is all of them. What concerns no
    environment concerns every one."""

    url: Address
    description: Text = ""
    events: EventNames = ()
    environments: Environments = ()


class WebhookChange(Model):
    """What is absent stays as it is."""

    url: Address | None = None
    description: Text | None = None
    events: EventNames | None = None
    environments: Environments | None = None


class WebhookShape(BaseModel):
    """`why` says why it is paused, where no person paused it. The secret before the newest signs too until
    `previous_secret_until`."""

    id: str
    project: str
    url: str
    description: str
    events: tuple[str, ...]
    environments: tuple[str, ...]
    paused: bool
    why: str
    removed: bool
    previous_secret_until: datetime | None


class WebhookAnswer(Envelope, WebhookShape):
    pass


class SecretAnswer(WebhookAnswer):
    """`secret` is shown this once."""

    secret: str


class WebhookDetail(WebhookAnswer):
    """`delivery` is null while no worker has seen the webhook."""

    delivery: DeliveryState | None


class WebhookPage(Page):
    webhooks: list[WebhookAnswer]


class TestAnswer(BaseModel):
    """`status` is what the receiver answered, or null; `problem` says what is wrong with that."""

    delivered: bool
    status: int | None
    problem: str


@router.post("", status_code=status.HTTP_201_CREATED)
def register_webhook(project: Slug, body: NewWebhook, write: Administrator) -> SecretAnswer:
    """Tells an address of every event from now on. Its secret is shown this once."""
    _refuse_forbidden(write.parts, body.url)
    folded = write.give(RegisterWebhook(project=project, id=new_id(), **dict(body)))
    return _with_secret(write.parts, folded)


@router.get("")
def list_webhooks(project: Slug, listing: Lister, read: Reader) -> WebhookPage:
    read.project(project)
    page, after = listing.of("webhook", project)
    return WebhookPage(
        webhooks=[WebhookAnswer(**_fields(each)) for each in page], next=after, position=listing.position
    )


@router.get("/{webhook_id}")
def get_webhook(project: Slug, webhook_id: WebhookId, read: Reader) -> WebhookDetail:
    """The webhook, how far it is, and how the last attempt went."""
    folded = _found(read, project, webhook_id)
    return WebhookDetail(delivery=read.parts.deliveries.state(project, webhook_id), **_fields(folded))


@router.patch("/{webhook_id}")
def change_webhook(
    project: Slug, webhook_id: WebhookId, body: WebhookChange, write: Administrator
) -> WebhookAnswer:
    if body.url is not None:
        _refuse_forbidden(write.parts, body.url)
    command = ChangeWebhook(project=project, id=webhook_id, **dict(body))
    return WebhookAnswer(**_fields(write.give(command)))


@router.delete("/{webhook_id}")
def remove_webhook(project: Slug, webhook_id: WebhookId, write: Administrator) -> WebhookAnswer:
    """Ends it for good; what it was not told of by then it is never told of."""
    return WebhookAnswer(**_fields(write.give(RemoveWebhook(project=project, id=webhook_id))))


@router.post("/{webhook_id}/pause")
def pause_webhook(project: Slug, webhook_id: WebhookId, write: Administrator) -> WebhookAnswer:
    """Sends nothing until it is resumed; the events meanwhile are sent then."""
    return WebhookAnswer(**_fields(write.give(PauseWebhook(project=project, id=webhook_id))))


@router.post("/{webhook_id}/resume")
def resume_webhook(project: Slug, webhook_id: WebhookId, write: Administrator) -> WebhookAnswer:
    """Goes on where it stopped."""
    return WebhookAnswer(**_fields(write.give(ResumeWebhook(project=project, id=webhook_id))))


@router.post("/{webhook_id}/rotate-secret")
def rotate_webhook_secret(project: Slug, webhook_id: WebhookId, write: Administrator) -> SecretAnswer:
    """Makes another secret, shown this once. For 24 hours everything is signed with the old one too; rotating
    twice ends the first of three at once."""
    until = write.stamp.at + PREVIOUS_SECRET
    command = RotateWebhookSecret(project=project, id=webhook_id, previous_until=until)
    return _with_secret(write.parts, write.give(command))


@router.post("/{webhook_id}/test")
def try_webhook(project: Slug, webhook_id: WebhookId, write: Administrator) -> TestAnswer:
    """Sends a Ping now, as events are sent, and says how it was answered. Nothing is retried."""
    folded = _found(Read(write.parts, write.who, write.response), project, webhook_id)
    if not _testing.acquire(blocking=False):
        raise HTTPException(503, "too many webhooks are being tried out just now", {"Retry-After": "10"})
    try:
        webhook = cast("Webhook", folded.state)
        message = ping(webhook, folded.version, folded.position, write.stamp)
        attempt = write.parts.sender.send(webhook, message, write.stamp.at)
    finally:
        _testing.release()
    return TestAnswer(delivered=attempt.delivered, status=attempt.status, problem=attempt.problem)


def _found(read: Read, project: str, webhook_id: str) -> Folded:
    read.project(project)
    stream = webhook_stream(project, webhook_id)
    folded = read.one(stream, f"webhook '{webhook_id}' in project '{project}'")
    existing(cast("Webhook", folded.state), webhook_id)
    return folded


def _refuse_forbidden(parts: Parts, url: str) -> None:
    try:
        parts.sender.outbound.refuse_forbidden(url)
    except Forbidden as problem:
        raise Invalid(str(problem)) from problem


def _with_secret(parts: Parts, folded: Folded) -> SecretAnswer:
    return SecretAnswer(secret=parts.sender.shown(cast("Webhook", folded.state)), **_fields(folded))


def _fields(folded: Folded) -> dict[str, Any]:
    webhook = cast("Webhook", folded.state)
    return {
        "id": webhook.id,
        "project": webhook.project,
        "url": webhook.url,
        "description": webhook.description,
        "events": webhook.events,
        "environments": webhook.environments,
        "paused": webhook.paused,
        "why": webhook.why,
        "removed": webhook.removed,
        "previous_secret_until": webhook.previous_until,
        **envelope(folded),
    }
