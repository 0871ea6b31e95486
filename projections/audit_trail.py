"""Who changed what, when and why: a row for every event, to be searched by flag, person and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from domain.envelope import Recorded, Stamp, Stream
from projections.folds import Folds
from projections.postgres_views import PostgresView

TABLES = """
CREATE TABLE IF NOT EXISTS togglemaster_audit_1 (
    position bigint PRIMARY KEY,
    kind text NOT NULL,
    project text NOT NULL,
    key text NOT NULL,
    environment text NOT NULL,
    version bigint NOT NULL,
    event text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    request text NOT NULL,
    data json NOT NULL
);
CREATE INDEX IF NOT EXISTS togglemaster_audit_1_stream ON togglemaster_audit_1 (project, kind, key, position);
CREATE INDEX IF NOT EXISTS togglemaster_audit_1_actor ON togglemaster_audit_1 (project, actor, position);
CREATE INDEX IF NOT EXISTS togglemaster_audit_1_at ON togglemaster_audit_1 (project, at, position);
"""

INSERT = """
INSERT INTO togglemaster_audit_1 VALUES (
    %(position)s, %(kind)s, %(project)s, %(key)s, %(environment)s, %(version)s, %(event)s,
    %(actor)s, %(at)s, %(reason)s, %(request)s, %(data)s
)
"""

PAGE = """
SELECT * FROM togglemaster_audit_1
WHERE project = %(project)s
  AND (%(kind)s = '' OR kind = %(kind)s) AND (%(key)s = '' OR key = %(key)s)
  AND (%(environment)s = '' OR environment IN (%(environment)s, ''))
  AND (%(actor)s = '' OR actor = %(actor)s)
  AND (%(start)s::timestamptz IS NULL OR at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR at < %(end)s)
  AND (%(before)s::bigint IS NULL OR position < %(before)s)
ORDER BY position DESC LIMIT %(limit)s
"""


LATEST = """
SELECT position FROM togglemaster_audit_1
WHERE project = %(project)s AND at <= %(at)s ORDER BY at DESC, position DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; what is empty or None does not narrow. `environment` keeps what concerns all of them."""

    project: str
    kind: str = ""
    key: str = ""
    environment: str = ""
    actor: str = ""
    start: datetime | None = None
    end: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as history tells it; `data` is the event's own fields."""

    position: int
    stream: Stream
    version: int
    event: str
    stamp: Stamp
    data: dict[str, Any]


class AuditTrail(PostgresView):
    """Thread-safe. Raises ViewUnavailable when PostgreSQL cannot be reached."""

    name = "audit/1"
    tables = TABLES

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        with self.moved(after=after, to=batch[-1].position) as connection:
            connection.cursor().executemany(INSERT, [_row(recorded) for recorded in batch])

    def page(self, wanted: Wanted, limit: int) -> list[Entry]:
        """The newest first."""
        parameters = {name: getattr(wanted, name) for name in Wanted.__slots__} | {"limit": limit}
        with self.connection() as connection:
            return [_entry(row) for row in connection.execute(PAGE, parameters)]

    def position_at(self, project: str, moment: datetime) -> int:
        """Of the project's last event by then, as far as the view has got; 0 where there was none."""
        with self.connection() as connection:
            row = connection.execute(LATEST, {"project": project, "at": moment}).fetchone()
        return int(row["position"]) if row else 0


def _row(recorded: Recorded) -> dict[str, Any]:
    stream, stamp, event = recorded.stream, recorded.stamp, recorded.event
    return {
        "position": recorded.position,
        "kind": stream.kind,
        "project": stream.project,
        "key": stream.key,
        "environment": getattr(event, "environment", ""),
        "version": recorded.version,
        "event": type(event).__name__,
        "actor": stamp.by,
        "at": stamp.at,
        "reason": stamp.reason,
        "request": stamp.request,
        "data": to_json(event.model_dump(mode="json", exclude=SECRET)).decode(),
    }


SECRET = {"digest"}  # what a key is recognised by is of no use to a reader


def entry_of(recorded: Recorded) -> Entry:
    """As the trail tells it."""
    data = recorded.event.model_dump(mode="json", exclude=SECRET)
    name = type(recorded.event).__name__
    return Entry(recorded.position, recorded.stream, recorded.version, name, recorded.stamp, data)


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        row["position"],
        Stream(row["kind"], row["project"], row["key"]),
        row["version"],
        row["event"],
        Stamp(row["actor"], row["at"], row["reason"], row["request"]),
        row["data"],
    )
