"""API keys: what one looks like, and what is kept of it.

A key is `tm_<kind>_<selector>_<secret><checksum>`: the selector is the key's public id, the secret is shown
once, and the checksum lets a mistyped or made-up key be refused without looking anything up.
"""

import hashlib
import zlib
from dataclasses import dataclass, replace
from typing import assert_never

from domain.errors import NotFound
from domain.events import KeyEvent, KeyIssued, KeyKind, KeyRevoked

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SELECTOR_LENGTH = 10
SECRET_LENGTH = 32  # 62**32 is 190 bits
CHECKSUM_LENGTH = 6  # enough digits of base 62 for 32 bits


@dataclass(frozen=True, slots=True)
class ApiKey:
    project: str
    environment: str
    id: str
    name: str
    kind: KeyKind
    digest: str
    revoked: bool = False


def evolve(key: ApiKey | None, event: KeyEvent) -> ApiKey:
    match event:
        case KeyIssued():
            return ApiKey(**dict(event))
        case KeyRevoked():
            assert key is not None
            return replace(key, revoked=True)
        case _:
            assert_never(event)


def revoke(key: ApiKey | None) -> tuple[KeyEvent, ...]:
    if key is None:
        raise NotFound("there is no such key")
    return () if key.revoked else (KeyRevoked(),)


def assemble(kind: KeyKind, selector: str, secret: str) -> str:
    body = f"tm_{kind}_{selector}_{secret}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether this can be a key at all; says nothing about whether it was ever issued."""
    parts = key.split("_")
    lengths = SELECTOR_LENGTH, SECRET_LENGTH + CHECKSUM_LENGTH
    if len(parts) != 4 or parts[0] != "tm" or (len(parts[2]), len(parts[3])) != lengths or not key.isascii():
        return False
    return _checksum(key[:-CHECKSUM_LENGTH]) == key[-CHECKSUM_LENGTH:]


def digest(key: str) -> str:
    """SHA-256 in hex: what is stored, and what an evaluator looks a key up by."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
