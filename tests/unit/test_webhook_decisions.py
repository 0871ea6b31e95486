"""Webhooks: what is decided, what they want to be told of, and which addresses they may have."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from domain import webhook
from domain.envelope import Recorded, Stamp, flag_stream, project_stream, webhook_stream
from domain.errors import NotFound
from domain.events import (
    Event,
    FlagTurnedOn,
    ProjectRenamed,
    WebhookChanged,
    WebhookPaused,
    WebhookRegistered,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
)
from domain.webhook import Address, Webhook
from tests.unit.decisions import given

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
REGISTERED = WebhookRegistered(
    project="shop", id="w", url="https://example.com/", description="chat", events=(), environments=()
)
WHY = "no delivery succeeded for 3 days"


def test_only_what_differs_is_changed() -> None:
    changed = WebhookChanged(url="https://example.org/", events=("FlagTurnedOn",))
    wish = {"url": "https://example.org/", "description": "chat", "events": ("FlagTurnedOn",)}
    given("webhook", REGISTERED).when(webhook.change, **wish).then(changed)
    given("webhook", REGISTERED, changed).when(webhook.change, **wish).stays_quiet()
    given("webhook", REGISTERED, changed).when(webhook.change, events=()).then(WebhookChanged(events=()))
    given("webhook", REGISTERED).when(webhook.change).stays_quiet()
    assert given("webhook", REGISTERED, changed, WebhookChanged(events=())).state.events == ()


def test_it_is_paused_and_resumed_once() -> None:
    paused = WebhookPaused(why=WHY)
    given("webhook", REGISTERED).when(webhook.pause, why=WHY).then(paused)
    given("webhook", REGISTERED, paused).when(webhook.pause).stays_quiet()
    assert given("webhook", REGISTERED, paused).state.why == WHY
    given("webhook", REGISTERED, paused).when(webhook.resume).then(WebhookResumed())
    given("webhook", REGISTERED, paused, WebhookResumed()).when(webhook.resume).stays_quiet()
    again = given("webhook", REGISTERED, paused, WebhookResumed()).state
    assert (again.paused, again.why) == (False, "")


def test_it_is_removed_for_good() -> None:
    given("webhook", REGISTERED).when(webhook.remove).then(WebhookRemoved())
    removed = given("webhook", REGISTERED, WebhookRemoved())
    removed.when(webhook.remove).stays_quiet()
    for decide in (webhook.change, webhook.pause, webhook.resume):
        removed.when(decide).refuses(NotFound, "removed")
    removed.when(webhook.rotate, previous_until=NOW).refuses(NotFound)
    given("webhook").when(webhook.remove).refuses(NotFound)
    with pytest.raises(NotFound, match="no webhook 'w'"):
        webhook.existing(None, "w")


def test_the_old_secret_signs_too_for_a_while() -> None:
    rotated = WebhookSecretRotated(rotation=2, previous_until=TOMORROW)
    given("webhook", REGISTERED).when(webhook.rotate, previous_until=TOMORROW).then(rotated)
    state = given("webhook", REGISTERED, rotated).state
    assert given("webhook", REGISTERED).state.rotations(NOW) == (1,)
    assert state.rotations(NOW) == (2, 1)
    assert state.rotations(TOMORROW) == (2,)


def test_rotating_twice_ends_the_first_of_three() -> None:
    rotated = [WebhookSecretRotated(rotation=number, previous_until=TOMORROW) for number in (2, 3)]
    assert given("webhook", REGISTERED, *rotated).state.rotations(NOW) == (3, 2)


def hook(**more: tuple[str, ...]) -> Webhook:
    return given("webhook", REGISTERED.model_copy(update=more)).state  # type: ignore[no-any-return]


def recorded(event: Event, project: str = "shop") -> Recorded:
    stream = project_stream(project) if isinstance(event, ProjectRenamed) else flag_stream(project, "f")
    return Recorded(7, stream, 1, Stamp("ana", NOW), event)


ON, RENAMED = recorded(FlagTurnedOn(environment="production")), recorded(ProjectRenamed(name="x"))


@pytest.mark.parametrize(
    ("narrowed", "event", "wanted"),
    [
        ({}, ON, True),
        ({}, RENAMED, True),
        ({}, recorded(FlagTurnedOn(environment="production"), "other"), False),
        ({"events": ("FlagTurnedOn",)}, ON, True),
        ({"events": ("FlagTurnedOff",)}, ON, False),
        ({"environments": ("production",)}, ON, True),
        ({"environments": ("staging",)}, ON, False),
        ({"environments": ("staging",)}, RENAMED, True),
        ({"environments": ("staging",), "events": ("FlagTurnedOn",)}, RENAMED, False),
        ({}, Recorded(7, webhook_stream("shop", "v"), 1, Stamp("ana", NOW), REGISTERED), False),
    ],
)
def test_what_it_is_told_of(narrowed: dict[str, tuple[str, ...]], event: Recorded, wanted: bool) -> None:
    assert hook(**narrowed).wants(event) is wanted


ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/a%20b?c=d&e=f",
        "https://example.com:8443/",
        "http://10.0.0.1:80/",
        "https://[2606:4700::1111]/",
        "https://example.com:65535/",
    ],
)
def test_what_can_be_an_address(url: str) -> None:
    assert ADDRESS.validate_python(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/", "scheme has to be https"),
        ("file:///etc/passwd", "scheme has to be https"),
        ("example.com/hook", "scheme has to be https"),
        ("https:///hook", "no host"),
        ("https://", "no host"),
        ("https://user@example.com/", "user name"),
        ("https://user:password@example.com/", "user name"),
        ("https://example.com@evil.example/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com/#part", "'#'"),
        ("https://example.com:22/", "port 22"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:1023/", "port 1023"),
        ("https://example.com:65536/", "cannot be read"),
        ("https://example.com:x/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://exa mple.com/", "pattern"),
        ("https://example.com/\r\nHost: evil", "pattern"),
        ("https://exämple.com/", "pattern"),
        ("", "pattern"),
        ("https://example.com/" + "a" * 2000, "2000"),
    ],
)
def test_what_cannot_be_an_address_and_why(url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ADDRESS.validate_python(url)
