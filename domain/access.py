"""API keys and access tokens: what one looks like. Of API keys also what is kept.

A key is `tm_<kind>_<selector>_<secret><checksum>`: the selector is the key's public id, the secret is shown
once, and the checksum lets a mistyped or made-up key be refused without looking anything up. A key of the
original system is `tm_key_` and 64 hex digits; its public id is made of its digest.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from domain.errors import NotFound
from domain.events import KeyEvent, KeyExpiryChanged, KeyIssued, KeyKind, KeyRevoked

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SELECTOR_LENGTH = 10
SECRET_LENGTH = 32  # 62**32 is 190 bits
CHECKSUM_LENGTH = 6  # enough digits of base 62 for 32 bits
LETTER = "[0-9A-Za-z]"
SHAPE = re.compile(
    rf"tm_[a-z]+_({LETTER}{{{SELECTOR_LENGTH}}})_{LETTER}{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}"
)
ORIGINAL_PREFIX = "tm_key_"
ORIGINAL_DIGITS = 64
ORIGINAL_SHAPE = re.compile(rf"{ORIGINAL_PREFIX}[0-9a-f]{{{ORIGINAL_DIGITS}}}")
ORIGINAL_ID_LENGTH = 20  # 80 bits of the digest: no two of a billion keys share an id
TOKEN_PREFIX = "tm_token_"  # noqa: S105 - not a password

TextKind = KeyKind | Literal["token"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`replaces` and `replaced_by` are ids of other keys."""

    project: str
    environment: str
    id: str
    name: str
    kind: KeyKind
    digest: str
    revoked: bool = False
    expires_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None


def evolve(key: ApiKey | None, event: KeyEvent) -> ApiKey:
    if isinstance(event, KeyIssued):
        return ApiKey(**dict(event))
    assert key is not None
    match event:
        case KeyExpiryChanged(expires_at=end, replaced_by=successor):
            return replace(key, expires_at=end, replaced_by=successor or key.replaced_by)
        case KeyRevoked():
            return replace(key, revoked=True)
        case _:
            assert_never(event)


def revoke(key: ApiKey | None) -> tuple[KeyEvent, ...]:
    if key is None:
        raise NotFound("there is no such key")
    return () if key.revoked else (KeyRevoked(),)


def assemble(kind: TextKind, selector: str, secret: str) -> str:
    body = f"tm_{kind}_{selector}_{secret}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether this can be a key at all; says nothing about whether it was ever issued."""
    return selector_of(key) is not None or is_original(key)


def is_original(key: str) -> bool:
    """Whether it has the shape of the original system's keys."""
    return ORIGINAL_SHAPE.fullmatch(key) is not None


def original_id(sha: str) -> str:
    """The public id of a key of the original system, by its digest."""
    return sha[:ORIGINAL_ID_LENGTH]


def selector_of(key: str) -> str | None:
    """The public id in it; None where this cannot be a key."""
    found = SHAPE.fullmatch(key)
    if found is None or _checksum(key[:-CHECKSUM_LENGTH]) != key[-CHECKSUM_LENGTH:]:
        return None
    return found[1]


def digest(key: str) -> str:
    """SHA-256 in hex: what is stored, and what an evaluator looks a key up by."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
