"""How far each webhook is, and who is delivering to it now.

Which webhooks there are follows from the log; how far each is does not, so this table is to be backed up with
it, and a new shape of it has to take the positions over. Times are by PostgreSQL's clock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from domain.aggregates import Folded
from domain.envelope import Recorded
from domain.webhook import Webhook
from projections.folds import Folds
from projections.postgres_views import PostgresView

TABLES = """
CREATE TABLE IF NOT EXISTS togglemaster_webhook_deliveries_1 (
    project text NOT NULL,
    id text NOT NULL COLLATE "C",
    version bigint NOT NULL,
    paused boolean NOT NULL,
    position bigint NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_attempt timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_attempt timestamptz,
    last_status integer,
    last_problem text NOT NULL DEFAULT '',
    lease text,
    leased_until timestamptz,
    PRIMARY KEY (project, id)
);
"""

UPSERT = """
INSERT INTO togglemaster_webhook_deliveries_1 AS had (project, id, version, paused, position)
VALUES (%(project)s, %(id)s, %(version)s, %(paused)s, %(begun)s)
ON CONFLICT (project, id) DO UPDATE SET
    version = excluded.version, paused = excluded.paused,
    failures = 0, failing_since = NULL, next_attempt = clock_timestamp()
"""

DELETE = "DELETE FROM togglemaster_webhook_deliveries_1 WHERE project = %(project)s AND id = %(id)s"

LEASE = """
UPDATE togglemaster_webhook_deliveries_1
SET lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE (project, id) = (
    SELECT project, id FROM togglemaster_webhook_deliveries_1
    WHERE NOT paused AND position < %(head)s AND next_attempt <= clock_timestamp()
      AND (leased_until IS NULL OR leased_until < clock_timestamp())
      AND (failures = 0 OR %(failing_too)s)
    ORDER BY next_attempt LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING project, id, lease, version, position, failures
"""

MINE = " WHERE project = %(project)s AND id = %(id)s AND lease = %(lease)s"

DELIVERED = f"""
UPDATE togglemaster_webhook_deliveries_1
SET position = %(reached)s, failures = 0, failing_since = NULL, next_attempt = clock_timestamp(),
    last_attempt = clock_timestamp(), last_status = %(status)s, last_problem = '',
    leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
{MINE} RETURNING version
"""  # noqa: S608 - all of it is in this module, here and below

FAILED = f"""
UPDATE togglemaster_webhook_deliveries_1
SET position = %(reached)s, failures = failures + 1,
    failing_since = coalesce(failing_since, clock_timestamp()),
    next_attempt = clock_timestamp() + make_interval(secs => %(delay)s),
    last_attempt = clock_timestamp(), last_status = %(status)s, last_problem = %(problem)s,
    lease = NULL, leased_until = NULL
{MINE} RETURNING extract(epoch FROM clock_timestamp() - failing_since) AS seconds
"""  # noqa: S608

RELEASE = f"""
UPDATE togglemaster_webhook_deliveries_1
SET position = %(reached)s, next_attempt = clock_timestamp(), lease = NULL, leased_until = NULL
{MINE}
"""  # noqa: S608

STATE = "SELECT * FROM togglemaster_webhook_deliveries_1 WHERE project = %s AND id = %s"

BACKLOG = """
SELECT count(*) FILTER (WHERE NOT paused AND position < %(head)s) AS pending,
    count(*) FILTER (WHERE NOT paused AND failures > 0) AS failing,
    count(*) FILTER (WHERE paused) AS paused,
    min(position) FILTER (WHERE NOT paused AND position < %(head)s) AS after
FROM togglemaster_webhook_deliveries_1
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many webhooks are behind the head of the log, are failing, and are paused; of those behind, the
    furthest has been told of everything up to `after`."""

    pending: int
    failing: int
    paused: int
    after: int | None


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's right to deliver to one webhook. `version` is the webhook's, `failures` those in a row."""

    project: str
    id: str
    lease: str
    version: int
    position: int
    failures: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """`position` is the last place in the log that was delivered or not asked for; the rest is of the last
    attempt, and `next_attempt` of the one after failures."""

    position: int
    failures: int
    failing_since: datetime | None
    next_attempt: datetime | None
    last_attempt: datetime | None
    last_status: int | None
    last_problem: str


class WebhookDeliveries(PostgresView):
    """Thread-safe. Raises ViewUnavailable when PostgreSQL cannot be reached."""

    name = "webhooks/1"
    tables = TABLES

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        changed = [folds.after(recorded) for recorded in batch if recorded.stream.kind == "webhook"]
        with self.moved(after=after, to=batch[-1].position) as connection:
            for folded in changed:
                webhook = cast("Webhook", folded.state)
                connection.execute(DELETE if webhook.removed else UPSERT, _row(folded, webhook))

    def lease(self, lease: str, *, head: int, seconds: float, failing_too: bool) -> Lease | None:
        """The one that has waited longest of those with something to be told up to `head`, for that long."""
        parameters = {"lease": lease, "head": head, "seconds": seconds, "failing_too": failing_too}
        row = self._one(LEASE, parameters)
        return Lease(**row) if row else None

    def delivered(self, lease: Lease, reached: int, status: int | None, *, seconds: float) -> bool:
        """Whether to go on with this lease, which is prolonged; not when the webhook has changed."""
        row = self._one(DELIVERED, {**_of(lease), "reached": reached, "status": status, "seconds": seconds})
        return row is not None and row["version"] == lease.version

    def failed(
        self, lease: Lease, reached: int, status: int | None, problem: str, *, delay: float
    ) -> float | None:
        """For how many seconds deliveries have been failing; None when the lease was no longer in force."""
        row = self._one(
            FAILED,
            {**_of(lease), "reached": reached, "status": status, "problem": problem, "delay": delay},
        )
        return float(row["seconds"]) if row else None

    def release(self, lease: Lease, reached: int) -> None:
        with self.connection() as connection:
            connection.execute(RELEASE, {**_of(lease), "reached": reached})

    def state(self, project: str, webhook_id: str) -> DeliveryState | None:
        """None while no worker has seen the webhook."""
        row = self._one(STATE, (project, webhook_id))
        if row is None:
            return None
        fields = {name: row[name] for name in DeliveryState.__slots__}
        return DeliveryState(**fields | {"next_attempt": row["next_attempt"] if row["failures"] else None})

    def backlog(self, head: int) -> Backlog:
        row = self._one(BACKLOG, {"head": head})
        assert row is not None
        return Backlog(**row)

    def _one(self, query: str, parameters: Any) -> dict[str, Any] | None:
        with self.connection() as connection:
            return cast("dict[str, Any] | None", connection.execute(query.encode(), parameters).fetchone())


def _row(folded: Folded, webhook: Webhook) -> dict[str, Any]:
    return {
        "project": webhook.project,
        "id": webhook.id,
        "version": folded.version,
        "paused": webhook.paused,
        "begun": folded.begun,
    }


def _of(lease: Lease) -> dict[str, Any]:
    return {"project": lease.project, "id": lease.id, "lease": lease.lease}
