"""What is to happen at a time that was given beforehand: scheduled changes and the next steps of plans."""

from dataclasses import dataclass

from domain.change import Change
from domain.envelope import Recorded, Stream
from domain.plan import Plan
from projections.folds import Folds
from projections.postgres_views import PostgresView

TABLES = """
CREATE TABLE IF NOT EXISTS togglemaster_due_1 (
    kind text NOT NULL,
    project text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (kind, project, key)
);
CREATE INDEX IF NOT EXISTS togglemaster_due_1_at ON togglemaster_due_1 (at, position);
"""

FORGET = "DELETE FROM togglemaster_due_1 WHERE (kind, project, key) = (%(kind)s, %(project)s, %(key)s)"
KEEP = """
INSERT INTO togglemaster_due_1 VALUES (%(kind)s, %(project)s, %(key)s, %(at)s, %(position)s)
ON CONFLICT (kind, project, key) DO UPDATE SET at = excluded.at, position = excluded.position
"""
NOW = """
SELECT kind, project, key FROM togglemaster_due_1
WHERE at <= clock_timestamp() ORDER BY at, position LIMIT %s
"""

WAITING = """
SELECT count(*) FILTER (WHERE at <= clock_timestamp()) AS due,
    count(*) FILTER (WHERE at > clock_timestamp()) AS later,
    greatest(0, extract(epoch FROM clock_timestamp() - min(at)))::float8 AS overdue_seconds
FROM togglemaster_due_1
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much is due and not done, how much will be, and for how long the first has been due."""

    due: int
    later: int
    overdue_seconds: float


class Due(PostgresView):
    """Thread-safe. Raises ViewUnavailable when PostgreSQL cannot be reached."""

    name = "due/1"
    tables = TABLES

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        changed = {each.stream: folds.after(each) for each in batch if each.stream.kind in {"change", "plan"}}
        with self.moved(after=after, to=batch[-1].position) as connection:
            for folded in changed.values():
                assert isinstance(folded.state, Change | Plan)
                at = folded.state.due
                row = {**folded.stream._asdict(), "at": at, "position": folded.position}
                connection.execute(FORGET if at is None else KEEP, row)

    def now(self, limit: int) -> list[Stream]:
        """What is due by PostgreSQL's clock, the earliest first."""
        with self.connection() as connection:
            return [Stream(**row) for row in connection.execute(NOW, (limit,))]

    def waiting(self) -> Waiting:
        with self.connection() as connection:
            row = connection.execute(WAITING).fetchone()
        assert row is not None
        return Waiting(row["due"], row["later"], row["overdue_seconds"] or 0.0)
