"""Snapshots of the fold: what all of a project's flags and segments were at one position, kept in PostgreSQL.

They are only a cache of the log. One that is damaged, or was made by a version that folds otherwise, is not
used; an earlier one is, or the whole log.
"""

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from psycopg import errors
from pydantic import TypeAdapter

from commands.postgres import Pooled
from domain.aggregates import Folded
from domain.envelope import Stamp, Stream
from domain.flag import Flag
from domain.project import Project
from domain.segment import Segment
from projections.postgres_views import ViewUnavailable

EVERY = 5_000
"""Events between two snapshots of a project; or as many as it has things, if those are more, so that the
snapshots grow no faster than the log."""

FOLDED_AS = 1
"""To be raised whenever the same events are folded to something else, or written here in another way. What
states consist of need not be told: their schema is in the format too."""

SETUP_LOCK = 0x736E6170  # an advisory lock of its own, so that processes starting together do not collide
LEVEL = 6  # of zlib; 1 is twice as fast and a third larger

TABLE = """
CREATE TABLE IF NOT EXISTS togglemaster_snapshots_1 (
    project text NOT NULL,
    format text NOT NULL,
    position bigint NOT NULL,
    events bigint NOT NULL,
    checksum bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (project, format, position)
)
"""
FORGET_OTHERS = "DELETE FROM togglemaster_snapshots_1 WHERE format <> %s"
PUT = """
INSERT INTO togglemaster_snapshots_1 VALUES (
    %(project)s, %(format)s, %(position)s, %(events)s, %(checksum)s, %(body)s
) ON CONFLICT (project, format, position) DO UPDATE SET
    events = excluded.events, checksum = excluded.checksum, body = excluded.body
"""
NEWEST = """
SELECT position, events, checksum, body FROM togglemaster_snapshots_1
WHERE project = %(project)s AND format = %(format)s AND position <= %(until)s
ORDER BY position DESC LIMIT 1
"""
PLACES = """
SELECT project, position FROM togglemaster_snapshots_1
WHERE format = %(format)s AND position <= %(until)s ORDER BY project, position
"""
ONE = """
SELECT position, events, checksum, body FROM togglemaster_snapshots_1
WHERE project = %(project)s AND format = %(format)s AND position = %(position)s
"""
DELETE = """
DELETE FROM togglemaster_snapshots_1
WHERE project = %(project)s AND format = %(format)s AND position = %(position)s
"""
STANDING = """
SELECT count(*) AS snapshots, count(DISTINCT project) AS projects,
    coalesce(max(position), 0) AS position, coalesce(sum(octet_length(body)), 0)::bigint AS bytes
FROM togglemaster_snapshots_1 WHERE format = %s
"""

LINES: Mapping[str, TypeAdapter[Any]] = {
    "project": TypeAdapter(tuple[int, int, int, Stamp, Stamp, Project]),
    "flag": TypeAdapter(tuple[int, int, int, Stamp, Stamp, Flag]),
    "segment": TypeAdapter(tuple[int, int, int, Stamp, Stamp, Segment]),
}

log = logging.getLogger(__name__)


class Damaged(Exception):
    """A snapshot is not what was written; the text says in what way."""


def line_of(folded: Folded) -> bytes:
    """As JSON, which has no line breaks in it."""
    stamps = folded.created, folded.changed
    return LINES[folded.stream.kind].dump_json(
        (folded.version, folded.position, folded.begun, *stamps, folded.state)
    )


def folded_from(stream: str, line: bytes) -> Folded:
    """Raises ValueError."""
    found = Stream.parse(stream)
    version, position, begun, created, changed, state = LINES[found.kind].validate_json(line)
    return Folded(found, state, version, position, begun, created, changed)


@cache
def format_of(every: int) -> str:
    schemas = [LINES[kind].json_schema(mode="serialization") for kind in sorted(LINES)]
    digest = hashlib.sha256(json.dumps(schemas, sort_keys=True).encode()).hexdigest()
    return f"{FOLDED_AS}-{every}-{digest[:16]}"


@dataclass(frozen=True)
class Snapshot:
    """`lines` are by stream; `events` is how many of the project's were folded, from the first."""

    project: str
    position: int
    events: int
    lines: Mapping[str, bytes]

    @property
    def text(self) -> bytes:
        """In one order, whichever way it was made; not kept, as it is large."""
        return b"\n".join(stream.encode() + b"\t" + self.lines[stream] for stream in sorted(self.lines))

    @cached_property
    def checksum(self) -> bytes:
        """Of the text as it is before it is compressed, and of whose it is and when."""
        head = f"{self.project}\n{self.position}\n{self.events}\n".encode()
        return hashlib.sha256(head + self.text).digest()

    def next_after(self, every: int) -> int:
        """How many events later the next one is due."""
        return max(every, len(self.lines))


NONE = Snapshot("", 0, 0, {})


@dataclass(frozen=True, slots=True)
class Standing:
    """How many snapshots there are, of how many projects, where the last is, and what they take."""

    snapshots: int
    projects: int
    position: int
    bytes: int


class FoldSnapshots(Pooled):
    """Thread-safe. Raises ViewUnavailable when PostgreSQL cannot be reached."""

    unavailable = ViewUnavailable

    def __init__(self, url: str, patience_seconds: float, every: int = EVERY) -> None:
        super().__init__(url, patience_seconds)
        self.every = every

    @property
    def format(self) -> str:
        return format_of(self.every)

    def create_tables(self) -> None:
        """And forgets what other versions made; one that still runs goes on without."""
        with self.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            connection.execute(TABLE)
            connection.execute(FORGET_OTHERS, (self.format,))

    def newest(self, project: str, until: int) -> Snapshot:
        """The last at or before that position; NONE without any."""
        while (row := self._row(NEWEST, project=project, until=until)) is not None:
            try:
                return _snapshot(project, row)
            except Damaged as problem:
                until = row["position"] - 1
                log.warning(
                    "the snapshot of project %s at %s is not used: %s; `togglemaster projections snapshots"
                    " rebuild` makes them anew",
                    project,
                    row["position"],
                    problem,
                )
        return NONE

    def one(self, project: str, position: int) -> Snapshot | None:
        """Raises Damaged."""
        row = self._row(ONE, project=project, position=position)
        return _snapshot(project, row) if row else None

    def put(self, snapshot: Snapshot) -> None:
        """In place of another at that position, if there is one."""
        parameters = {
            "project": snapshot.project,
            "format": self.format,
            "position": snapshot.position,
            "events": snapshot.events,
            "checksum": snapshot.checksum,
            "body": zlib.compress(snapshot.text, LEVEL),
        }
        with self.connection() as connection:
            connection.execute(PUT, parameters)

    def places(self, until: int) -> list[tuple[str, int]]:
        """Project and position of every one up to there."""
        with self.connection() as connection:
            rows = connection.execute(PLACES, {"format": self.format, "until": until})
            return [(row["project"], row["position"]) for row in rows]

    def delete(self, project: str, position: int) -> None:
        with self.connection() as connection:
            connection.execute(DELETE, {"project": project, "format": self.format, "position": position})

    def standing(self) -> Standing:
        with self.connection() as connection:
            row = connection.execute(STANDING, (self.format,)).fetchone()
        assert row is not None
        return Standing(**row)

    def _row(self, query: str, **parameters: object) -> dict[str, Any] | None:
        """None too where somebody dropped the table: nothing is lost with it but time."""
        try:
            with self.connection() as connection, connection.cursor(binary=True) as cursor:
                found = cursor.execute(query.encode(), {"format": self.format, **parameters})
                row: dict[str, Any] | None = found.fetchone()
                return row
        except ViewUnavailable as problem:
            if not isinstance(problem.__cause__, errors.UndefinedTable):
                raise
            log.warning("there is no table of snapshots, the whole log is folded; run `togglemaster setup`")
            return None


def _snapshot(project: str, row: Mapping[str, Any]) -> Snapshot:
    try:
        text = zlib.decompress(row["body"])
    except zlib.error as problem:
        raise Damaged(f"its body cannot be read ({problem})") from problem
    fields = (line.partition(b"\t") for line in text.split(b"\n"))
    lines = {stream.decode(errors="replace"): line for stream, _, line in fields}
    found = Snapshot(project, row["position"], row["events"], lines)
    if found.checksum != bytes(row["checksum"]):
        raise Damaged("its body does not have its checksum")
    return found
