"""What is sent, how it is signed, and when it is tried again."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from commands.secret_keys import derive
from deploy.processes.common import NotConfigured, installation_secret
from deploy.processes.webhooks import sender
from deploy.settings import Settings
from domain.envelope import Recorded, Stamp, flag_stream, key_stream, project_stream
from domain.events import FlagTurnedOn, KeyIssued, ProjectRenamed
from domain.webhook import Webhook
from workers.webhook_messages import Message, message_of, ping, signed, signing_key
from workers.webhooks import LONGEST_DELAY_SECONDS, delay_after

AT = datetime(2026, 11, 22, 3, 53, 56, 458672, UTC)
STAMP = Stamp("ana", AT, "launch day", "request-1")
WEBHOOK = Webhook("shop", "w1", "https://example.com/", "", (), ())


def test_a_message_tells_who_what_when_and_why() -> None:
    event = FlagTurnedOn(environment="production")
    message = message_of(Recorded(42, flag_stream("shop", "new-checkout"), 7, STAMP, event))
    assert message.id == "42"
    assert json.loads(message.body) == {
        "id": "42",
        "type": "FlagTurnedOn",
        "at": "2026-11-22T03:53:56.458672Z",
        "by": "ana",
        "reason": "launch day",
        "project": "shop",
        "kind": "flag",
        "key": "new-checkout",
        "environment": "production",
        "version": 7,
        "position": 42,
        "data": {"environment": "production"},
    }


def test_what_concerns_no_environment_says_null() -> None:
    content = json.loads(
        message_of(Recorded(3, project_stream("shop"), 2, STAMP, ProjectRenamed(name="Shop"))).body
    )
    assert (content["kind"], content["key"], content["environment"]) == ("project", "shop", None)


def test_a_keys_hash_is_not_told() -> None:
    event = KeyIssued(
        project="shop", environment="production", id="k", name="web", kind="server", digest="5ec2e7"
    )
    assert b"5ec2e7" not in message_of(Recorded(3, key_stream("shop", "k"), 1, STAMP, event)).body


def test_a_ping_is_no_event() -> None:
    one, other = (ping(WEBHOOK, 1, 9, STAMP) for _ in range(2))
    content = json.loads(one.body)
    assert (content["type"], content["kind"], content["key"]) == ("Ping", "webhook", "w1")
    assert one.id != other.id


@given(st.binary(min_size=24, max_size=64), st.text(), st.integers(0, 2**40))
def test_the_signature_is_that_of_the_specification(key: bytes, text: str, timestamp: int) -> None:
    body = json.dumps({"text": text}).encode()
    headers = signed([key], Message("42", body), timestamp)
    expected = hmac.new(key, b"42." + str(timestamp).encode() + b"." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("42", str(timestamp))


def test_either_secret_verifies_after_a_rotation_and_no_other() -> None:
    keys = [signing_key("installation", WEBHOOK, rotation) for rotation in (1, 2, 3)]
    message = Message("42", b'{"a": 1}')
    headers = signed(keys[:2], message, int(datetime.now(UTC).timestamp()))
    for key in keys[:2]:
        assert Verifier(key).verify(message.body, headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Verifier(keys[2]).verify(message.body, headers)


@given(st.text(min_size=1), st.lists(st.text()))
def test_secrets_are_derived_as_rfc_5869_says(secret: str, purpose: list[str]) -> None:
    info = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in purpose)
    hkdf = HKDF(hashes.SHA256(), 32, b"togglemaster", info)
    assert derive(secret, *purpose) == hkdf.derive(secret.encode())


def test_each_purpose_has_a_secret_of_its_own() -> None:
    purposes = [("a", "b"), ("ab",), ("a", "", "b"), ("b", "a"), ("a",), ()]
    assert len({derive("s", *purpose) for purpose in purposes}) == len(purposes)
    assert derive("s", "a") != derive("t", "a")
    assert signing_key("s", WEBHOOK, 1) != signing_key("s", WEBHOOK, 2)


@given(st.integers(1, 10_000))
def test_attempts_come_less_and_less_often_and_at_least_hourly(failures: int) -> None:
    longest = min(2.0 ** min(failures - 1, 20), LONGEST_DELAY_SECONDS)
    assert longest / 2 <= delay_after(failures) <= longest


def test_a_secret_is_the_same_wherever_it_is_derived() -> None:
    """Changing this changes the secret of every webhook there is."""
    expected = "196446d563803f161275830db4841955be671980b25feab62781df55e9cc7152"
    assert derive("installation", "webhook", "shop", "w1", "1").hex() == expected
    assert signing_key("installation", WEBHOOK, 1).hex() == expected


def test_the_installation_has_a_secret_or_the_administrators_key_is_it() -> None:
    assert installation_secret(Settings(secret="s", admin_key="a")) == "s"  # noqa: S106 - of this test
    assert installation_secret(Settings(secret="", admin_key="a")) == "a"
    with pytest.raises(NotConfigured, match="set TOGGLEMASTER_SECRET"):
        sender(Settings(secret="", admin_key=""))
    assert not sender(Settings(admin_key="a")).outbound.allow_private
