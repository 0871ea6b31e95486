import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from commands.event_store import Append, Conflict, EventStore, StoreUnavailable
from commands.listener import Listener
from deploy.embedded import free_port
from domain.envelope import Stamp, Stream, flag_stream
from domain.events import FlagArchived, FlagRestored, FlagTurnedOff, FlagTurnedOn

STAMP = Stamp("ana", datetime(2026, 11, 22, 3, 53, 56, 458672, UTC), "why not")
ON, OFF = FlagTurnedOn(environment="production"), FlagTurnedOff(environment="production")


def test_what_is_appended_is_read_back_with_its_stamp_and_place(store: EventStore) -> None:
    one, other = flag_stream("shop", "one"), flag_stream("shop", "ötherñ 旗")
    written = store.append([Append(one, 0, [ON, OFF]), Append(other, 0, [ON])], STAMP)
    assert [(each.stream, each.version, each.event) for each in written] == [
        (one, 1, ON),
        (one, 2, OFF),
        (other, 1, ON),
    ]
    assert store.read(after=0, limit=10) == written
    assert store.read(after=written[0].position, limit=1) == written[1:2]
    assert store.read(after=0, limit=10, until=written[1].position) == written[:2]
    assert store.load(one) == written[:2]
    assert store.load(one, after=1) == written[1:2]
    assert store.load(one, until=written[0].position) == written[:1]
    assert store.load(flag_stream("shop", "none")) == []
    assert store.head() == written[-1].position
    assert all(each.stamp == STAMP for each in written)


def test_all_streams_of_a_kind_are_read_without_their_neighbours(store: EventStore) -> None:
    streams = [
        flag_stream("shop", "b"),
        flag_stream("shop", "a%_"),
        flag_stream("shop2", "a"),
        Stream("segment", "shop", "a"),
    ]
    for stream in streams:
        store.append([Append(stream, 0, [ON])], STAMP)
    assert [each.stream for each in store.load_kind("flag", "shop")] == [streams[1], streams[0]]
    assert [each.stream for each in store.load_kind("flag", "shop", until=1)] == [streams[0]]


def test_an_empty_log_has_head_zero(store: EventStore) -> None:
    assert store.head() == 0
    assert store.read(after=0, limit=1) == []


def test_the_second_writer_of_a_version_conflicts_and_nothing_of_it_is_kept(store: EventStore) -> None:
    stream, other = flag_stream("shop", "a"), flag_stream("shop", "b")
    store.append([Append(stream, 0, [ON])], STAMP)
    with pytest.raises(Conflict):
        store.append([Append(other, 0, [ON]), Append(stream, 0, [OFF])], STAMP)
    assert store.load(other) == []
    assert [each.event for each in store.load(stream)] == [ON]


def test_of_50_writers_of_one_version_exactly_one_wins(store: EventStore) -> None:
    def write(_: int) -> bool:
        try:
            store.append([Append(flag_stream("shop", "a"), 0, [ON])], STAMP)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(write, range(50))) == 1


def test_a_reader_that_tails_eight_writers_misses_nothing(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with the library's database functions asked for, whose insert leaves out the lock."""
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    store = EventStore(store.url)
    writers, each_writes = 8, 100

    def write(writer: int) -> None:
        for number in range(each_writes):
            store.append([Append(flag_stream("shop", f"{writer}-{number}"), 0, [ON, OFF])], STAMP)

    seen: list[int] = []
    done = threading.Event()

    def tail() -> None:
        while True:
            finished = done.is_set()
            batch = store.read(after=seen[-1] if seen else 0, limit=50)
            seen.extend(each.position for each in batch)
            if finished and not batch:
                return

    reader = threading.Thread(target=tail)
    reader.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    done.set()
    reader.join()
    store.close()
    assert len(seen) == len(set(seen)) == writers * each_writes * 2


def test_many_processes_may_make_the_tables_at_once(postgres_url: str) -> None:
    stores = [EventStore(postgres_url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(EventStore.create_tables, stores))
    stores[0].append([Append(flag_stream("shop", "a"), 0, [ON])], STAMP)
    assert stores[7].head() == 1
    for store in stores:
        store.close()


def test_what_the_address_says_beside_the_database_is_kept_to(store: EventStore) -> None:
    other = EventStore(f"{store.url}?application_name=told-by-the-address")
    assert other.head() == 0
    with psycopg.connect(store.url) as connection:
        names = connection.execute("SELECT application_name FROM pg_stat_activity").fetchall()
    assert ("told-by-the-address",) in names
    other.close()


def test_without_tables_the_error_says_what_to_do(postgres_url: str) -> None:
    store = EventStore(postgres_url)
    with pytest.raises(StoreUnavailable, match="togglemaster setup"):
        store.head()
    store.create_tables()
    assert store.head() == 0
    store.close()


def test_without_postgresql_every_call_says_so() -> None:
    store = EventStore(f"postgresql://postgres@127.0.0.1:{free_port()}/none")
    for call in (store.head, store.create_tables, lambda: store.load(flag_stream("shop", "a"))):
        with pytest.raises(StoreUnavailable):
            call()
    store.close()


def test_a_listener_wakes_when_something_is_appended(store: EventStore) -> None:
    listener = Listener(store.url)
    listener.wait(0.01)
    woken = threading.Event()

    def wait() -> None:
        listener.wait(30)
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    store.append([Append(flag_stream("shop", "a"), 0, [FlagArchived(), FlagRestored()])], STAMP)
    assert woken.wait(10)
    waiting.join()
    listener.close()


def test_a_listener_without_postgresql_only_waits() -> None:
    listener = Listener(f"postgresql://postgres@127.0.0.1:{free_port()}/none")
    listener.wait(0.01)
    listener.close()
