"""What the views in PostgreSQL have in common: connections, and a position moved with what is written."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from commands.postgres import Pooled
from domain.envelope import Recorded
from projections.folds import Folds
from projections.ruleset_store import Moved

VIEWS = """
CREATE TABLE IF NOT EXISTS togglemaster_views (
    name text PRIMARY KEY,
    position bigint NOT NULL
)
"""
SETUP_LOCK = 0x6361746C6F67  # an advisory lock of its own, so that processes starting together do not collide


class ViewUnavailable(Exception):
    """PostgreSQL did not answer."""


class PostgresView(Pooled, ABC):
    """Thread-safe. Every method raises ViewUnavailable when PostgreSQL cannot be reached.

    A view whose tables change their shape gets another `name` and other tables, and is filled from the log;
    `tables` drops the old ones.
    """

    unavailable = ViewUnavailable
    name: str
    tables: str
    takes_unreadable = False

    @abstractmethod
    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        """In one transaction that moves the position too; raises Moved when the view is not at `after`."""

    def create_tables(self) -> None:
        with self.connection() as connection:
            if self._is_there(connection):
                return
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            connection.execute(VIEWS)
            connection.execute(self.tables.encode())
            connection.execute(
                "INSERT INTO togglemaster_views VALUES (%s, 0) ON CONFLICT DO NOTHING", (self.name,)
            )

    def _is_there(self, connection: psycopg.Connection[Any]) -> bool:
        """Tables come with the row. To make them again could deadlock with somebody who writes."""
        row = connection.execute("SELECT to_regclass('togglemaster_views') IS NOT NULL AS made").fetchone()
        if not row or not row["made"]:
            return False
        named = "SELECT 1 FROM togglemaster_views WHERE name = %s"
        return connection.execute(named, (self.name,)).fetchone() is not None

    def position(self) -> int:
        with self.connection() as connection:
            row = connection.execute(
                "SELECT position FROM togglemaster_views WHERE name = %s", (self.name,)
            ).fetchone()
        return int(row["position"]) if row else 0

    @contextmanager
    def moved(self, *, after: int, to: int) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that moves the view on; raises Moved, writing nothing, when it is not at `after`."""
        with self.connection() as connection:
            moved = connection.execute(
                "UPDATE togglemaster_views SET position = %s WHERE name = %s AND position = %s",
                (to, self.name, after),
            )
            if moved.rowcount != 1:
                raise Moved(f"the {self.name} is not at {after}")
            yield connection
