"""Reading signed tokens (JWS in its compact form, RFC 7515) without believing them yet.

What is not exactly as it should be is no token: another spelling of the same base64, a name that stands
twice, a header that points to a key. Nobody has to agree with anybody then on what such a thing would mean.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import jwt

from api.strict_json import BadJson, parse

BYTES_AT_MOST = 8 * 1024  # as much as servers commonly take for all headers together
COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
REFUSED_HEADERS = {"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip"}
"""Each brings its own key, or asks for a rule that is not kept to here (RFC 8725, section 3.10)."""

TYPES = {"jwt", "at+jwt", "application/at+jwt"}
REQUIRED = ["iss", "aud", "sub", "exp", "iat"]
SKEW_SECONDS = 5  # that the clock of whoever issued a token may be ahead of this one


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself. `text` is the token."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key, and the one algorithm it is for."""

    kid: str
    algorithm: str
    key: Any


def opened(text: str) -> Unverified | None:
    """None for what is no signed token at all, or one that is not read here."""
    found = COMPACT.fullmatch(text) if len(text) <= BYTES_AT_MOST else None
    if found is None:
        return None
    header, claims = _object(found[1]), _object(found[2])
    if header is None or claims is None or _decoded(found[3]) is None or REFUSED_HEADERS & header.keys():
        return None
    if str(header.get("typ", "JWT")).lower() not in TYPES:
        return None
    return Unverified(text, header, claims)


def verified(token: Unverified, key: VerifyKey, *, issuer: str, audience: str, now: float) -> bool:
    """Whether this key signed it, for this audience, and it is in force. Times are whole seconds."""
    if token.header.get("alg") != key.algorithm or token.header.get("kid") != key.kid:
        return False
    if not _timely(token.claims, now):
        return False
    try:
        jwt.decode(
            token.text,
            key.key,
            algorithms=[key.algorithm],
            issuer=issuer,
            audience=audience,
            options={"require": REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.PyJWTError:
        return False
    return True


def _timely(claims: dict[str, Any], now: float) -> bool:
    """Not left to the library, which asks a clock of its own and allows no skew unless `exp` has it too."""
    issued, expires, begins = (_time(claims.get(name)) for name in ("iat", "exp", "nbf"))
    if issued is None or expires is None or (begins is None and "nbf" in claims):
        return False
    return max(issued, begins or 0) <= now + SKEW_SECONDS and max(issued, now) < expires


def _time(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _object(segment: str) -> dict[str, Any] | None:
    try:
        found = parse(_decoded(segment) or b"")
    except BadJson:
        return None
    return found if isinstance(found, dict) else None


def _decoded(segment: str) -> bytes | None:
    """None for base64 that is not spelled in the one way that encoding gives."""
    if len(segment) % 4 == 1:
        return None
    content = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    return content if urlsafe_b64encode(content).decode().rstrip("=") == segment else None
