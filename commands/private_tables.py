"""What is kept in PostgreSQL beside the log because the log keeps everything for ever: hashes of passwords,
who is signed in, and which attempts to sign in failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from commands.event_store import StoreUnavailable
from commands.postgres import ANSWER_SECONDS, OPTIONS, make_impatient

POOL_SIZE = 5
SETUP_LOCK = 0x70656F706C65  # an advisory lock of its own, so that processes starting together do not collide

TABLES = """
CREATE TABLE IF NOT EXISTS togglemaster_passwords (
    id text PRIMARY KEY,
    person text NOT NULL,
    hash text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS togglemaster_passwords_person ON togglemaster_passwords (person);
CREATE TABLE IF NOT EXISTS togglemaster_sessions (
    id bytea PRIMARY KEY,
    person text NOT NULL,
    epoch bigint NOT NULL,
    digest bytea NOT NULL,
    began timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires timestamptz NOT NULL,
    revoked boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS togglemaster_sessions_expires ON togglemaster_sessions (expires);
CREATE TABLE IF NOT EXISTS togglemaster_failed_sign_ins (
    attempt uuid NOT NULL,
    subject bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (attempt, subject)
);
CREATE INDEX IF NOT EXISTS togglemaster_failed_sign_ins_subject ON togglemaster_failed_sign_ins (subject, at);
CREATE INDEX IF NOT EXISTS togglemaster_failed_sign_ins_at ON togglemaster_failed_sign_ins (at);
"""


class PrivateTables:
    """Thread-safe. Raises StoreUnavailable when PostgreSQL cannot be reached."""

    def __init__(self, url: str, patience_seconds: float = ANSWER_SECONDS) -> None:
        """Opens no connection before it is first used."""
        self._pool = ConnectionPool(
            url,
            min_size=0,
            max_size=POOL_SIZE,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={**OPTIONS, "row_factory": dict_row},
        )
        make_impatient(self._pool, patience_seconds)

    def close(self) -> None:
        self._pool.close()

    def create_tables(self) -> None:
        with self.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            connection.execute(TABLES)

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """One transaction."""
        try:
            self._pool.open()
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as problem:
            raise StoreUnavailable(f"PostgreSQL: {problem}") from problem
        except psycopg.errors.UndefinedTable as problem:
            raise StoreUnavailable("PostgreSQL lacks tables; run `togglemaster setup`") from problem
