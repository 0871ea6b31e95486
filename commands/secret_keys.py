"""Making secrets: API keys, which exist nowhere else, and those that follow from the installation's own."""

import hashlib
import hmac
import secrets

from domain.access import (
    ALPHABET,
    ORIGINAL_DIGITS,
    ORIGINAL_PREFIX,
    SECRET_LENGTH,
    SELECTOR_LENGTH,
    TextKind,
    assemble,
)

DERIVATION_SALT = b"togglemaster"  # not secret; another one would make every derived secret another


def new_key(kind: TextKind, derived_from: bytes | None = None) -> tuple[str, str]:
    """The key's public id and the key itself; always the same two where they are derived from something."""
    length = SELECTOR_LENGTH + SECRET_LENGTH
    text = _random_text(length) if derived_from is None else _text_of(derived_from, length)
    selector, secret = text[:SELECTOR_LENGTH], text[SELECTOR_LENGTH:]
    return selector, assemble(kind, selector, secret)


def new_original_key() -> str:
    """As the original system made them."""
    return ORIGINAL_PREFIX + secrets.token_hex(ORIGINAL_DIGITS // 2)


def new_id() -> str:
    """For what is named in addresses and has no key of its own."""
    return _random_text(SELECTOR_LENGTH)


def derive(secret: str, *purpose: str) -> bytes:
    """32 bytes that are always the same for the secret and the purpose, and tell nothing of either.

    HKDF with SHA-256 (RFC 5869); each part of the purpose is preceded by its length in 4 bytes, so that no
    two purposes run together.
    """
    parts = (part.encode() for part in purpose)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    extracted = hmac.digest(DERIVATION_SALT, secret.encode(), hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def _text_of(seed: bytes, length: int) -> str:
    """The seed is stretched to twice what the letters take, so that each is as likely as any other."""
    number, letters = int.from_bytes(hashlib.shake_256(seed).digest(2 * length), "big"), []
    for _ in range(length):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
