"""Passwords: only their hashes are kept, by argon2id, and not in the log."""

import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from commands.private_tables import PrivateTables

LENGTH_AT_LEAST = 12  # characters; no rules on which, as NIST SP 800-63B and the ASVS have it
BYTES_AT_MOST = 1_000
PARAMETERS = RFC_9106_LOW_MEMORY
"""3 passes over 64 MiB in 4 lanes: what RFC 9106 recommends where 2 GiB for one hash is too much. A hash made
with others is made anew when its person next signs in."""

HASHES_AT_ONCE = 2  # each takes 64 MiB and about 0.1 s; whoever is further back waits
WAIT_SECONDS = 1.0
CREDENTIAL_BYTES = 16
ABANDONED_AFTER = "1 hour"  # a hash that was kept and then not named in the log


class Busy(Exception):
    """Too many passwords are being checked at the moment."""


class Passwords:
    """Thread-safe. Every method raises StoreUnavailable when PostgreSQL cannot be reached, and Busy."""

    def __init__(self, tables: PrivateTables, hasher: PasswordHasher | None = None) -> None:
        self._tables = tables
        self._hasher = hasher or PasswordHasher.from_parameters(PARAMETERS)
        self._places = BoundedSemaphore(HASHES_AT_ONCE)
        self._nobodys = ""

    def keep(self, person: str, password: str) -> str:
        """The name of the hash. It counts once it is named in the log."""
        credential, hashed = secrets.token_hex(CREDENTIAL_BYTES), self._hash(password)
        with self._tables.connection() as connection:
            connection.execute(
                "INSERT INTO togglemaster_passwords (id, person, hash) VALUES (%s, %s, %s)",
                (credential, person, hashed),
            )
        return credential

    def forget_others(self, person: str, credential: str, before: Sequence[str]) -> None:
        """Those that counted before, and those that never did."""
        with self._tables.connection() as connection:
            connection.execute(
                "DELETE FROM togglemaster_passwords WHERE person = %s AND id <> %s"
                " AND (id = ANY (%s) OR at < clock_timestamp() - %s::interval)",
                (person, credential, list(before), ABANDONED_AFTER),
            )

    def matches(self, credential: str, password: str) -> bool:
        """Takes as long for a credential that does not exist, which never matches."""
        with self._tables.connection() as connection:
            row = connection.execute(
                "SELECT hash FROM togglemaster_passwords WHERE id = %s", (credential,)
            ).fetchone()
        hashed = str(row["hash"]) if row else self._nobodys_hash()
        if not self._verify(hashed, password) or row is None:
            return False
        if self._hasher.check_needs_rehash(hashed):
            self._replace(credential, hashed, self._hash(password))
        return True

    def _replace(self, credential: str, old: str, new: str) -> None:
        with self._tables.connection() as connection:
            connection.execute(
                "UPDATE togglemaster_passwords SET hash = %s WHERE id = %s AND hash = %s",
                (new, credential, old),
            )

    def _nobodys_hash(self) -> str:
        """Of a password that nobody knows."""
        if not self._nobodys:
            self._nobodys = self._hash(secrets.token_hex(CREDENTIAL_BYTES))
        return self._nobodys

    def _hash(self, password: str) -> str:
        with self._place():
            return self._hasher.hash(_composed(password))

    def _verify(self, hashed: str, password: str) -> bool:
        with self._place():
            try:
                return self._hasher.verify(hashed, _composed(password))
            except (VerificationError, InvalidHashError):
                return False

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise Busy("too many passwords are being checked at the moment; try again shortly")
        try:
            yield
        finally:
            self._places.release()


def _composed(password: str) -> str:
    """The same on every keyboard: some send 'é' as one character and some as two."""
    return unicodedata.normalize("NFC", password)
