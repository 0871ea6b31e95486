"""What is kept in PostgreSQL beside the log because the log keeps everything for ever: hashes of passwords,
who is signed in, and which attempts to sign in failed.
"""

from commands.event_store import StoreUnavailable
from commands.postgres import Pooled

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


class PrivateTables(Pooled):
    unavailable = StoreUnavailable

    def create_tables(self) -> None:
        with self.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            connection.execute(TABLES)
