"""Connections to PostgreSQL that give up soon: a server that hangs is as bad as one that is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, InterfaceError, OperationalError, errors
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

ANSWER_SECONDS = 1.2  # for one statement; more than a request waits for a lock, less than it has
POOL_SIZE = 5
POOL_WAIT_SHARE = 0.6  # of that; a request that cannot have a connection by then is answered 503
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
    pool.timeout = patience_seconds * POOL_WAIT_SHARE
    pool.reconnect_timeout = RECONNECT_SECONDS


class Pooled:
    """Tables that are reached by a few connections.

    Thread-safe; raises `unavailable` when PostgreSQL cannot be reached, or lacks the tables.
    """

    unavailable: type[Exception]

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

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """One transaction."""
        try:
            self._pool.open()
            with self._pool.connection() as connection:
                yield connection
        except (OperationalError, InterfaceError, PoolTimeout) as problem:
            raise self.unavailable(f"PostgreSQL: {problem}") from problem
        except errors.UndefinedTable as problem:
            raise self.unavailable("PostgreSQL lacks tables; run `togglemaster setup`") from problem
