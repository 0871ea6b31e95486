"""A webhook: an address that is told of a project's events, and which of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, assert_never
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, StringConstraints

from domain.envelope import Recorded
from domain.errors import NotFound
from domain.events import (
    WebhookChanged,
    WebhookEvent,
    WebhookPaused,
    WebhookRegistered,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
)

FIRST_ROTATION = 1
USUAL_PORTS = {80, 443}
FREE_PORTS_FROM = 1024  # those below belong to other protocols: nobody is to mail or log in by way of us
URL_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """`events` and `environments` empty are all of them. `rotation` numbers the secret; the one before it
    signs too until `previous_until`. `why` says why it is paused, where it was not a person who paused it."""

    project: str
    id: str
    url: str
    description: str
    events: tuple[str, ...]
    environments: tuple[str, ...]
    rotation: int = FIRST_ROTATION
    previous_until: datetime | None = None
    paused: bool = False
    why: str = ""
    removed: bool = False

    def wants(self, recorded: Recorded) -> bool:
        """What concerns no environment concerns all of them. Webhooks are not told of webhooks, whose
        addresses may be secrets."""
        environment = getattr(recorded.event, "environment", "")
        return (
            recorded.stream.project == self.project
            and recorded.stream.kind != "webhook"
            and (not self.events or type(recorded.event).__name__ in self.events)
            and (not environment or not self.environments or environment in self.environments)
        )

    def rotations(self, now: datetime) -> tuple[int, ...]:
        """Which secrets sign, the newest first."""
        both = self.previous_until is not None and now < self.previous_until
        return (self.rotation, self.rotation - 1) if both else (self.rotation,)


def evolve(webhook: Webhook | None, event: WebhookEvent) -> Webhook:
    if isinstance(event, WebhookRegistered):
        return Webhook(**dict(event))
    assert webhook is not None
    match event:
        case WebhookChanged():
            return replace(webhook, **event.model_dump(exclude_none=True))
        case WebhookSecretRotated(rotation=rotation, previous_until=until):
            return replace(webhook, rotation=rotation, previous_until=until)
        case WebhookPaused(why=why):
            return replace(webhook, paused=True, why=why)
        case WebhookResumed():
            return replace(webhook, paused=False, why="")
        case WebhookRemoved():
            return replace(webhook, removed=True)
        case _:
            assert_never(event)


def change(
    webhook: Webhook | None,
    *,
    url: str | None = None,
    description: str | None = None,
    events: tuple[str, ...] | None = None,
    environments: tuple[str, ...] | None = None,
) -> tuple[WebhookEvent, ...]:
    """What is None stays as it is."""
    found = existing(webhook)
    wanted = {"url": url, "description": description, "events": events, "environments": environments}
    changed = {
        name: value for name, value in wanted.items() if value is not None and value != getattr(found, name)
    }
    return (WebhookChanged.model_validate(changed),) if changed else ()


def rotate(webhook: Webhook | None, *, previous_until: datetime) -> tuple[WebhookEvent, ...]:
    """Every time anew: of three secrets in force at once the oldest ends here."""
    rotation = existing(webhook).rotation + 1
    return (WebhookSecretRotated(rotation=rotation, previous_until=previous_until),)


def pause(webhook: Webhook | None, *, why: str = "") -> tuple[WebhookEvent, ...]:
    return () if existing(webhook).paused else (WebhookPaused(why=why),)


def resume(webhook: Webhook | None) -> tuple[WebhookEvent, ...]:
    return (WebhookResumed(),) if existing(webhook).paused else ()


def remove(webhook: Webhook | None) -> tuple[WebhookEvent, ...]:
    if webhook is None:
        raise NotFound("there is no such webhook")
    return () if webhook.removed else (WebhookRemoved(),)


def existing(webhook: Webhook | None, webhook_id: str = "") -> Webhook:
    if webhook is None or webhook.removed:
        named = f"there is no webhook '{webhook_id}'" if webhook_id else "there is no such webhook"
        raise NotFound(named if webhook is None else f"{named}: it was removed")
    return webhook


def port_of(parts: SplitResult) -> int:
    return parts.port if parts.port is not None else 443 if parts.scheme == "https" else 80


def _address(url: str) -> str:
    try:
        problem = _problem(urlsplit(url))
    except ValueError:
        problem = "this cannot be read as an address; give one like https://example.com/hook"
    if problem:
        raise ValueError(problem)
    return url


def _problem(parts: SplitResult) -> str | None:
    port = port_of(parts)
    problems = {
        f"the scheme has to be https, not '{parts.scheme}'": parts.scheme not in {"https", "http"},
        "the address has no host; give one like https://example.com/hook": not parts.hostname,
        "leave user name and password out of the address: check the signature instead": "@" in parts.netloc,
        "leave out the '#' and what follows it: it would not be sent": bool(parts.fragment),
        f"port {port} is not possible; use 443, 80, or one from 1024 on": (
            port not in USUAL_PORTS and port < FREE_PORTS_FROM
        ),
    }
    return next((sentence for sentence, holds in problems.items() if holds), None)


Address = Annotated[
    str, StringConstraints(max_length=URL_LENGTH, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_address)
]
"""An address that something can be sent to, in printable ASCII; says nothing about where it leads."""
