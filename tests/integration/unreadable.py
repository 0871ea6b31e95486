"""Events that this version has no name for, as a later one may have written them."""

import psycopg

from commands.event_store import EventStore
from commands.log_tables import EVENTS_TABLE
from domain.envelope import Stream

STORED = b'{"by": "ana", "at": "2026-11-22T00:00:00+00:00", "reason": "", "data": {}}'


def append_unreadable(store: EventStore, stream: Stream, name: str = "FlagPainted") -> int:
    """The position of one more event of the stream."""
    version = len(store.load_each(stream)) + 1
    with psycopg.connect(store.url) as connection:
        row = connection.execute(
            f"INSERT INTO {EVENTS_TABLE} (originator_id, originator_version, topic, state)"  # noqa: S608
            " VALUES (%s, %s, %s, %s) RETURNING notification_id",
            (str(stream), version, name, STORED),
        ).fetchone()
    assert row is not None
    return int(row[0])
