"""Who is signed in: one family of refresh tokens for each time somebody signed in.

A refresh token is good for one use. Whoever brings one that was used already, or its owner, was robbed, and
nobody can tell which of the two this is: the whole family ends (RFC 9700, section 4.14.2). There is no time
of grace, in which a thief would go unnoticed; so of two uses at once one wins, and both then have to sign
in again.

A token is `tm_refresh_` and, in base64url, the family's id, a secret and a MAC of both. The MAC is why nobody
can end a family with a made-up token. Only the digest of the newest token of a family is kept.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from commands.private_tables import PrivateTables

PREFIX = "tm_refresh_"
FAMILY_BYTES = 16
SECRET_BYTES = 32
MAC_BYTES = 32
WELL_FORMED = re.compile(PREFIX + r"[A-Za-z0-9_-]{106}[AEIMQUYcgkosw048]")
"""80 bytes in base64url; of the last character only the upper four bits count, and the others are zero."""

UNUSED = "30 days"  # after that a family ends
AT_LONGEST = "90 days"  # since somebody signed in, however often it was used

BEGIN = """
INSERT INTO togglemaster_sessions (id, person, epoch, digest, expires)
VALUES (%s, %s, %s, %s, clock_timestamp() + %s::interval)
"""
ROTATE = """
UPDATE togglemaster_sessions SET digest = %(next)s,
    expires = least(clock_timestamp() + %(unused)s::interval, began + %(longest)s::interval)
WHERE id = %(family)s AND digest = %(digest)s AND NOT revoked AND expires > clock_timestamp()
RETURNING person, epoch
"""
REVOKE = "UPDATE togglemaster_sessions SET revoked = true WHERE id = %s"
FORGET = "DELETE FROM togglemaster_sessions WHERE expires < clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Session:
    """Whose it is; `epoch` is what the person's was when they signed in, `refresh_token` the next one."""

    person: str
    epoch: int
    refresh_token: str


class Sessions:
    """Thread-safe. Every method raises StoreUnavailable when PostgreSQL cannot be reached."""

    def __init__(self, tables: PrivateTables, key: bytes) -> None:
        """`key` makes the MACs."""
        self._tables = tables
        self._key = key

    def begin(self, person: str, epoch: int) -> Session:
        family = secrets.token_bytes(FAMILY_BYTES)
        token = self._new_token(family)
        with self._tables.connection() as connection:
            connection.execute(FORGET)
            connection.execute(BEGIN, (family, person, epoch, _digest(token), UNUSED))
        return Session(person, epoch, token)

    def rotate(self, token: str) -> Session | None:
        """None for a token that is not in force; of one that was used before, the family ends."""
        family = self._family(token)
        if family is None:
            return None
        following = self._new_token(family)
        wanted: dict[str, object] = {"unused": UNUSED, "longest": AT_LONGEST, "family": family}
        wanted |= {"digest": _digest(token), "next": _digest(following)}
        with self._tables.connection() as connection:
            row = connection.execute(ROTATE, wanted).fetchone()
            if row is None:
                connection.execute(REVOKE, (family,))
                return None
        return Session(row["person"], row["epoch"], following)

    def end(self, token: str) -> None:
        """Whichever of the family's tokens it is; one that was never given changes nothing."""
        if family := self._family(token):
            with self._tables.connection() as connection:
                connection.execute(REVOKE, (family,))

    def _new_token(self, family: bytes) -> str:
        body = family + secrets.token_bytes(SECRET_BYTES)
        return PREFIX + urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def _family(self, token: str) -> bytes | None:
        if not WELL_FORMED.fullmatch(token):
            return None
        content = urlsafe_b64decode(token.removeprefix(PREFIX) + "=")
        body, mac = content[:-MAC_BYTES], content[-MAC_BYTES:]
        return body[:FAMILY_BYTES] if hmac.compare_digest(mac, self._mac(body)) else None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
