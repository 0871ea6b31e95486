"""Waiting until the log may have grown. A hint that is late or lost costs the poll interval, nothing else."""

import time
from contextlib import suppress

import psycopg
from psycopg import sql

from commands.event_store import TABLE

CONNECT_TIMEOUT_SECONDS = 2


class Listener:
    """One connection that hears NOTIFY; not for use by two threads at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Whether something was appended, as soon as that is heard, or when that time is over without it.

        PostgreSQL being down is no error here.
        """
        try:
            connection = self._connection or self._listen()
            return next(connection.notifies(timeout=seconds, stop_after=1), None) is not None
        except psycopg.Error:
            self.close()
            time.sleep(seconds)
            return False

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _listen(self) -> psycopg.Connection:
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
        )
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(TABLE)))
        self._connection = connection
        return connection
