"""The log in PostgreSQL. The only module that knows the event-sourcing library.

The library's recorder gives the table, the locked insert that makes position order equal commit order, and
NOTIFY. Its retries are left out (`__wrapped__`): a retried insert whose first COMMIT answer was lost fails as
a conflict although the event is stored, and retried reads hold a request for half a minute while PostgreSQL
is down.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

from eventsourcing.persistence import IntegrityError, PersistenceError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Rollback
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout, TooManyRequests

from commands import log_tables
from commands.codec import encode
from commands.log_reading import LogReading, Row, recorded
from commands.postgres import ANSWER_SECONDS, OPTIONS, make_impatient
from domain.envelope import Recorded, Stamp, Stream
from domain.events import Event

TABLE = log_tables.EVENTS_TABLE
SETUP_LOCK = (
    0x746F67676C65  # any number, as long as nothing else in the database takes the same advisory lock
)
POOL_SIZE = 5
POOL_OVERFLOW = 10
LOCK_SHARE = 0.85  # of the patience; another insert has the table for a millisecond
IDLE_IN_TRANSACTION_SECONDS = 5


class StoreUnavailable(Exception):
    """PostgreSQL did not answer; whether a write took place is not known."""


class Conflict(Exception):
    """Somebody else appended to one of the streams first; nothing was written."""


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one stream, the first of which is to have version `after + 1`."""

    stream: Stream
    after: int
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be carried out once, however often it is sent.

    `by` and `key` name it; `fingerprint` tells whether it really is the same request.
    """

    by: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request with an idempotency key led to: where each stream it is about then stood."""

    fingerprint: bytes
    streams: list[tuple[Stream, int]]


@dataclass(frozen=True, slots=True)
class Link:
    """One place of the log with what the hash chain says of it; `event` is absent where it was deleted, and
    `hash` where it was never chained."""

    position: int
    event: tuple[str, int, str, bytes] | None
    hash: bytes | None


class _Recorder(PostgresApplicationRecorder):
    select_notifications = PostgresApplicationRecorder.select_notifications.__wrapped__
    max_notification_id = PostgresApplicationRecorder.max_notification_id.__wrapped__

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """As the library does it, with `request` remembered in the same transaction."""
        positions: Sequence[int] = ()
        fault: Exception | None = None
        with self.datastore.get_connection() as connection:
            try:
                with connection.pipeline() as pipeline, connection.transaction() as transaction:
                    cursor = connection.cursor()
                    try:
                        self._insert_stored_events(cursor, stored_events)
                        pipeline.sync()
                        positions = self._fetch_ids_after_insert_events(cursor, stored_events) or ()
                        if (request := kwargs.get("request")) is not None:
                            connection.execute(log_tables.REMEMBER, request, prepare=True)
                            pipeline.sync()
                    except Exception as problem:
                        fault = problem
                        raise Rollback(transaction) from problem
            except Rollback:  # a connection that was lost cannot roll back; the fault says more
                assert fault is not None
            if fault is not None:
                raise fault
        return positions


class EventStore(LogReading):
    """Thread-safe. Every method raises StoreUnavailable when PostgreSQL cannot be reached."""

    def __init__(self, url: str, patience_seconds: float = ANSWER_SECONDS) -> None:
        """Opens no connection; `url` is a postgresql:// address.

        A server that gives no sign of life for `patience_seconds` is taken for gone.
        """
        self.url = url
        self._datastore = _datastore(url, patience_seconds)
        self._ready_recorder: _Recorder | None = None

    def close(self) -> None:
        self._datastore.close()

    def create_tables(self) -> None:
        """Makes what is missing; any number of processes may do so at once."""
        with _translated(), self._datastore.get_connection() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (SETUP_LOCK,))
            try:
                _Recorder(self._datastore, events_table_name=TABLE).create_table()
                with connection.transaction():
                    for statement in log_tables.BESIDE_EVENTS:
                        connection.execute(statement)
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (SETUP_LOCK,))

    def append(
        self,
        appends: Sequence[Append],
        stamp: Stamp,
        *,
        once: Once | None = None,
        about: Sequence[tuple[Stream, int]] = (),
    ) -> list[Recorded]:
        """All of it or nothing. Raises Conflict when any stream is not where its Append expects it.

        With `once`, that the request was carried out is remembered in the same transaction, with the streams
        it was `about` and their versions afterwards; Conflict too when it was remembered before.
        """
        rows = [
            _row(each.stream, each.after + n, event, stamp) for each in appends for n, event in _counted(each)
        ]
        positions = self._insert(rows, _request(once, about))
        placed = [(each.stream, each.after + n, event) for each in appends for n, event in _counted(each)]
        return [
            Recorded(position, stream, version, stamp, event)
            for position, (stream, version, event) in zip(positions, placed, strict=True)
        ]

    def _insert(self, rows: Sequence[StoredEvent], request: tuple[Any, ...] | None) -> Sequence[int]:
        if rows:
            with _translated():
                return self._recorder.insert_events(rows, request=request)
        if request:
            with self._connection() as connection:
                connection.execute(log_tables.REMEMBER, request)
        return ()

    def outcome(self, once: Once) -> Outcome | None:
        """What the request with this key led to; None when it was never carried out, or long ago."""
        with self._connection() as connection:
            row = connection.execute(log_tables.RECALL, (once.by, once.key), prepare=True).fetchone()
        if row is None:
            return None
        streams = [(Stream.parse(stream), version) for stream, version in row["outcome"]]
        return Outcome(bytes(row["fingerprint"]), streams)

    def forget_requests(self, older_than_seconds: float) -> int:
        """How many were forgotten; the same keys then stand for new requests."""
        with self._connection() as connection:
            return int(connection.execute(log_tables.FORGET, (older_than_seconds,)).rowcount)

    def now(self) -> datetime:
        """The time by PostgreSQL's clock, the one that all processes share."""
        with self._connection() as connection:
            row = connection.execute("SELECT clock_timestamp() AS now", prepare=True).fetchone()
        assert row is not None
        return datetime.fromtimestamp(row["now"].timestamp(), UTC)

    def links(self, *, after: int, limit: int) -> list[Link]:
        """The log as it lies in the table, not decoded, with its hash chain."""
        with self._connection() as connection:
            rows = connection.execute(log_tables.LINKS, {"after": after, "limit": limit}).fetchall()
        return [_link(row) for row in rows]

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]:
        """One stream's events above version `after`, up to log position `until`."""
        return self._select(
            "originator_id = %s AND originator_version > %s"
            " AND notification_id <= coalesce(%s, notification_id) ORDER BY originator_version",
            (str(stream), after, until),
        )

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]:
        """The events of every stream of that kind in a project, stream by stream."""
        return self._select(
            "starts_with(originator_id, %s) AND notification_id <= coalesce(%s, notification_id)"
            " ORDER BY originator_id, originator_version",
            (f"{kind}/{project}/", until),
        )

    def read(self, *, after: int, limit: int, until: int | None = None) -> list[Recorded]:
        """The log in order, from the first event above `after`; fewer than `limit` at its end."""
        with _translated():
            rows = self._recorder.select_notifications(after, limit, until, inclusive_of_start=False)
        return [recorded(Row(n.id, n.originator_id, n.originator_version, n.topic, n.state)) for n in rows]

    def head(self) -> int:
        """The position of the last event; 0 for an empty log."""
        with _translated():
            return self._recorder.max_notification_id() or 0

    def rows(self, query: LiteralString, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Planned for each use: what suits one page of the log need not suit another."""
        assert self._recorder  # or there is no table yet
        with self._connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row, binary=True)
            rows: list[tuple[Any, ...]] = cursor.execute(query, parameters, prepare=False).fetchall()
        return rows

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with _translated(), self._datastore.get_connection() as connection:
            yield connection

    @property
    def _recorder(self) -> _Recorder:
        if self._ready_recorder is None:
            recorder = _Recorder(self._datastore, events_table_name=TABLE)
            if recorder.stored_event_type_name not in self._datastore.psycopg_python_types:
                raise StoreUnavailable("PostgreSQL has no event table yet; run `togglemaster setup`")
            self._ready_recorder = recorder
        return self._ready_recorder

    def _select(self, where: str, parameters: Sequence[Any]) -> list[Recorded]:
        with self._connection() as connection:
            query = f"SELECT * FROM {TABLE} WHERE {where}"  # noqa: S608 - both are literals of this module
            rows = connection.execute(query, parameters, prepare=True).fetchall()
        return [
            recorded(
                Row(
                    row["notification_id"],
                    row["originator_id"],
                    row["originator_version"],
                    row["topic"],
                    bytes(row["state"]),
                )
            )
            for row in rows
        ]


def _request(once: Once | None, about: Sequence[tuple[Stream, int]]) -> tuple[Any, ...] | None:
    if once is None:
        return None
    return once.by, once.key, once.fingerprint, Jsonb([[str(stream), version] for stream, version in about])


def _link(row: Any) -> Link:
    chained = bytes(row["hash"]) if row["hash"] is not None else None
    if row["topic"] is None:
        return Link(row["position"], None, chained)
    event = (row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
    return Link(row["position"], event, chained)


def _counted(append: Append) -> Iterator[tuple[int, Event]]:
    return enumerate(append.events, start=1)


def _row(stream: Stream, version: int, event: Event, stamp: Stamp) -> StoredEvent:
    name, data = encode(event, stamp)
    return StoredEvent(originator_id=str(stream), originator_version=version, topic=name, state=data)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as problem:
        raise Conflict(str(problem)) from problem
    except (PersistenceError, PoolTimeout, TooManyRequests) as problem:
        raise StoreUnavailable(f"PostgreSQL: {problem}") from problem


def _datastore(url: str, patience_seconds: float) -> PostgresDatastore:
    parts: dict[str, Any] = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        dbname=parts.pop("dbname", "togglemaster"),
        host=parts.pop("host", "127.0.0.1"),
        port=parts.pop("port", 5432),
        user=parts.pop("user", "postgres"),
        password=parts.pop("password", ""),
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        lock_timeout=max(1, int(patience_seconds * LOCK_SHARE)),
        idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_SECONDS,
        pre_ping=True,  # a pooled connection that died with a restart must not cost a request
        originator_id_type="text",
        enable_db_functions=False,  # its insert omits the table lock, and readers then miss events
    )
    assert isinstance(datastore.pool.kwargs, dict)
    # In parts are sslmode and the like, for which the library has no parameter.
    datastore.pool.kwargs.update(OPTIONS | parts)
    make_impatient(datastore.pool, patience_seconds)
    return datastore
