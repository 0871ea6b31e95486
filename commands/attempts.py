"""How often somebody may fail to sign in: counted in PostgreSQL, for all processes together.

An attempt counts as failed from before the password is looked at until it turned out to be right, so a
thousand at once are no more than one after the other.
"""

import hashlib
import math
from collections.abc import Iterable
from uuid import UUID, uuid4

from commands.private_tables import PrivateTables

FAILURES = 10
WINDOW_SECONDS = 15 * 60

LOCK = "SELECT pg_advisory_xact_lock(%s)"
OLDEST = """
SELECT extract(epoch FROM at + make_interval(secs => %(window)s) - clock_timestamp()) AS seconds
FROM togglemaster_failed_sign_ins
WHERE subject = %(subject)s AND at > clock_timestamp() - make_interval(secs => %(window)s)
ORDER BY at DESC OFFSET %(failures)s - 1 LIMIT 1
"""
COUNT = "INSERT INTO togglemaster_failed_sign_ins (attempt, subject) VALUES (%s, %s)"
FORGET = "DELETE FROM togglemaster_failed_sign_ins WHERE at < clock_timestamp() - make_interval(secs => %s)"


class TooManyFailures(Exception):
    """There is room for another attempt after that many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"too often something was wrong; try again in {seconds} s"
            f" ({FAILURES} failures in {WINDOW_SECONDS // 60} minutes are the most)"
        )
        self.seconds = seconds


class Attempts:
    """Thread-safe. Every method raises StoreUnavailable when PostgreSQL cannot be reached."""

    def __init__(self, tables: PrivateTables) -> None:
        self._tables = tables

    def begin(self, *subjects: str) -> UUID:
        """Counts an attempt against each subject, such as an address; raises TooManyFailures instead."""
        attempt, digests = uuid4(), sorted(hashlib.sha256(each.encode()).digest() for each in subjects)
        with self._tables.connection() as connection:
            for subject in digests:
                connection.execute(LOCK, (int.from_bytes(subject[:8], "big", signed=True),))
            wanted = {"window": WINDOW_SECONDS, "failures": FAILURES}
            rows = [connection.execute(OLDEST, {**wanted, "subject": each}).fetchone() for each in digests]
            _refuse_too_many(float(row["seconds"]) for row in rows if row)
            connection.execute(FORGET, (WINDOW_SECONDS,))
            connection.cursor().executemany(COUNT, [(attempt, subject) for subject in digests])
        return attempt

    def forgive(self, attempt: UUID) -> None:
        """It was no failure. Failures before it still count: they may have been somebody else's."""
        with self._tables.connection() as connection:
            connection.execute("DELETE FROM togglemaster_failed_sign_ins WHERE attempt = %s", (attempt,))


def _refuse_too_many(waits: Iterable[float]) -> None:
    if longest := max(waits, default=0.0):
        raise TooManyFailures(max(1, math.ceil(longest)))
