"""Connections to PostgreSQL that give up soon: a server that hangs is as bad as one that is away."""

from typing import Any

from psycopg import Connection, OperationalError, errors
from psycopg_pool import ConnectionPool

ANSWER_SECONDS = 1.2  # for one statement; more than a request waits for a lock, less than it has
POOL_WAIT_SECONDS = 0.7  # a request that cannot have a connection by then is answered 503
RECONNECT_SECONDS = 0.5  # then the attempt is given up, and the next request tries at once
CONNECT_SECONDS = 2  # the least that libpq can be told
STATEMENT_MILLISECONDS = 30_000  # after that the server gives up too, whoever asked is long gone

OPTIONS = {
    "connect_timeout": CONNECT_SECONDS,
    "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}


class Silence(OperationalError):
    """The server did not answer."""


class ImpatientConnection(Connection[Any]):
    """Raises Silence, and is of no use afterwards, when the server takes too long for one thing."""

    patience_seconds: float = ANSWER_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        patience = self.patience_seconds if timeout is None else timeout
        try:
            return super().wait(gen, interval, patience)
        except errors._WaitTimeout as problem:
            self.pgconn.finish()
            raise Silence(f"PostgreSQL gave no answer for {patience:.1f} s") from problem


def make_impatient(pool: ConnectionPool[Any], patience_seconds: float = ANSWER_SECONDS) -> None:
    """For a pool that is not open yet."""
    pool.connection_class = type("Connection", (ImpatientConnection,), {"patience_seconds": patience_seconds})
    pool.timeout = POOL_WAIT_SECONDS
    pool.reconnect_timeout = RECONNECT_SECONDS
