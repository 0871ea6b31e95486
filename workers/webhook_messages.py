"""What webhooks are sent, signed as the Standard Webhooks specification says (standardwebhooks.com).

    {"id": "42", "type": "FlagTurnedOn", "at": "2026-11-22T03:53:56.458672Z", "by": "ana@example.com",
     "reason": "launch day", "project": "shop", "kind": "flag", "key": "new-checkout",
     "environment": "production", "version": 7, "position": 42, "data": {"environment": "production"}}

`environment` is null for what concerns all of them; `data` is what the event says.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from commands.secret_keys import derive, new_id
from domain.envelope import Recorded, Stamp
from domain.webhook import Webhook
from projections.audit_trail import SECRET
from workers.outbound import Outbound, Unreachable

SECRET_PREFIX = "whsec_"  # noqa: S105 - what the specification has secrets begin with
AGENT = "ToggleMaster-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the same however often it is sent."""

    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending: the answer's status, or why there was none."""

    status: int | None
    problem: str

    @property
    def delivered(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True)
class Sender:
    """`secret` is the installation's; every webhook's own is derived from it."""

    outbound: Outbound
    secret: str

    def send(self, webhook: Webhook, message: Message, now: datetime) -> Attempt:
        keys = [signing_key(self.secret, webhook, each) for each in webhook.rotations(now)]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            **signed(keys, message, int(now.timestamp())),
        }
        try:
            return _attempt(self.outbound.post(webhook.url, message.body, headers))
        except Unreachable as problem:
            return Attempt(None, str(problem))

    def shown(self, webhook: Webhook) -> str:
        """The newest secret as its receiver is to be given it."""
        return SECRET_PREFIX + b64encode(signing_key(self.secret, webhook, webhook.rotation)).decode()


def _attempt(status: int) -> Attempt:
    if 200 <= status < 300:
        return Attempt(status, "")
    if 300 <= status < 400:
        return Attempt(status, f"it answered {status}; redirects are not followed, so give the last address")
    return Attempt(status, f"it answered {status}")


def signing_key(secret: str, webhook: Webhook, rotation: int) -> bytes:
    return derive(secret, "webhook", webhook.project, webhook.id, str(rotation))


def signed(keys: Sequence[bytes], message: Message, timestamp: int) -> dict[str, str]:
    """The three headers; a receiver is to accept the message when any of the signatures is right."""
    content = f"{message.id}.{timestamp}.".encode() + message.body
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{b64encode(digest).decode()}" for digest in digests),
    }


def message_of(recorded: Recorded) -> Message:
    stream, event = recorded.stream, recorded.event
    return _message(
        str(recorded.position),
        type(event).__name__,
        recorded.stamp,
        project=stream.project,
        kind=stream.kind,
        key=stream.key or stream.project,
        environment=getattr(event, "environment", "") or None,
        version=recorded.version,
        position=recorded.position,
        data=event.model_dump(mode="json", exclude=SECRET),
    )


def ping(webhook: Webhook, version: int, position: int, stamp: Stamp) -> Message:
    """To try a webhook out: `type` is Ping, as no event is; `version` and `position` are the webhook's."""
    return _message(
        f"ping-{new_id()}",
        "Ping",
        stamp,
        project=webhook.project,
        kind="webhook",
        key=webhook.id,
        environment=None,
        version=version,
        position=position,
        data={},
    )


def _message(message_id: str, name: str, stamp: Stamp, **content: Any) -> Message:
    head = {"id": message_id, "type": name, "at": stamp.at, "by": stamp.by, "reason": stamp.reason}
    return Message(message_id, to_json({**head, **content}))
