"""Projects, flags, segments and keys as rows of PostgreSQL, for lists.

Rows and the position they stand at are written in one transaction.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import TypeAdapter

from domain.access import ApiKey
from domain.aggregates import Folded, State
from domain.envelope import Recorded, Stamp, Stream
from domain.flag import Flag
from domain.project import Project
from domain.segment import Segment
from projections.folds import Folds
from projections.ruleset_store import Moved

POOL_SIZE = 5
WAIT_SECONDS = 2

STATES: Mapping[str, TypeAdapter[Any]] = {
    "project": TypeAdapter(Project),
    "flag": TypeAdapter(Flag),
    "segment": TypeAdapter(Segment),
    "key": TypeAdapter(ApiKey),
}

TABLES = """
CREATE TABLE IF NOT EXISTS togglemaster_views (
    name text PRIMARY KEY,
    position bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS togglemaster_catalogue (
    kind text NOT NULL,
    project text NOT NULL,
    key text NOT NULL COLLATE "C",
    archived boolean NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    state json NOT NULL,
    PRIMARY KEY (kind, project, key)
);
INSERT INTO togglemaster_views VALUES ('catalogue', 0) ON CONFLICT DO NOTHING;
"""
SETUP_LOCK = 0x6361746C6F67  # an advisory lock of its own, so that processes starting together do not collide

UPSERT = """
INSERT INTO togglemaster_catalogue VALUES (
    %(kind)s, %(project)s, %(key)s, %(archived)s, %(version)s, %(position)s,
    %(created_at)s, %(created_by)s, %(changed_at)s, %(changed_by)s, %(state)s
) ON CONFLICT (kind, project, key) DO UPDATE SET
    archived = excluded.archived, version = excluded.version, position = excluded.position,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by, state = excluded.state
"""

PAGE = """
SELECT * FROM togglemaster_catalogue
WHERE kind = %(kind)s AND (%(project)s = '' OR project = %(project)s) AND key > %(after)s
  AND archived = %(archived)s
  AND (%(environment)s = '' OR state ->> 'environment' = %(environment)s)
ORDER BY key LIMIT %(limit)s
"""


class CatalogueUnavailable(Exception):
    """PostgreSQL did not answer."""


class Catalogue:
    """Thread-safe. Raises CatalogueUnavailable when PostgreSQL cannot be reached."""

    name = "catalogue"

    def __init__(self, url: str) -> None:
        """Opens no connection before it is first used."""
        self._pool = ConnectionPool(
            url,
            min_size=0,
            max_size=POOL_SIZE,
            timeout=WAIT_SECONDS,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"row_factory": dict_row},
        )

    def close(self) -> None:
        self._pool.close()

    def create_tables(self) -> None:
        with self._connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            connection.execute(TABLES)

    def position(self) -> int:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT position FROM togglemaster_views WHERE name = 'catalogue'"
            ).fetchone()
        return int(row["position"]) if row else 0

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        changed = {recorded.stream: folds.after(recorded) for recorded in batch}
        with self._connection() as connection:
            moved = connection.execute(
                "UPDATE togglemaster_views SET position = %s WHERE name = 'catalogue' AND position = %s",
                (batch[-1].position, after),
            )
            if moved.rowcount != 1:
                raise Moved(f"the catalogue is not at {after}")
            connection.cursor().executemany(UPSERT, [_row(folded) for folded in changed.values()])

    def page(
        self,
        kind: str,
        project: str = "",
        *,
        after: str = "",
        limit: int,
        archived: bool = False,
        environment: str = "",
    ) -> list[Folded]:
        """In the order of their keys, from the first one above `after`; of all projects without one.

        `environment` is for API keys, which belong to one.
        """
        parameters = {
            "kind": kind,
            "project": project,
            "after": after,
            "limit": limit,
            "archived": archived,
            "environment": environment,
        }
        with self._connection() as connection:
            return [_folded(row) for row in connection.execute(PAGE, parameters)]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            self._pool.open()
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as problem:
            raise CatalogueUnavailable(f"PostgreSQL: {problem}") from problem


def _row(folded: Folded) -> dict[str, Any]:
    stream = folded.stream
    return {
        "kind": stream.kind,
        "project": stream.project,
        "key": stream.key or stream.project,
        "archived": _is_gone(folded.state),
        "version": folded.version,
        "position": folded.position,
        "created_at": folded.created.at,
        "created_by": folded.created.by,
        "changed_at": folded.changed.at,
        "changed_by": folded.changed.by,
        "state": STATES[stream.kind].dump_json(folded.state).decode(),
    }


def _is_gone(state: State) -> bool:
    match state:
        case Flag(archived=gone) | Segment(archived=gone) | ApiKey(revoked=gone):
            return gone
        case Project():
            return False


def _folded(row: Mapping[str, Any]) -> Folded:
    kind = row["kind"]
    stream = Stream(kind, row["project"], "" if kind == "project" else row["key"])
    return Folded(
        stream,
        STATES[kind].validate_python(row["state"]),
        row["version"],
        row["position"],
        Stamp(row["created_by"], row["created_at"]),
        Stamp(row["changed_by"], row["changed_at"]),
    )
