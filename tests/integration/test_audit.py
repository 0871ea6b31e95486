"""The log cannot be changed, and a change made all the same is found."""

from collections.abc import Iterator

import psycopg
import pytest
from rich.console import Console

from commands.audit import Fault, verify
from commands.event_store import EventStore
from deploy.audit import verify_log
from deploy.settings import Settings
from deploy.told import Told
from projections.audit_trail import AuditTrail, Wanted
from projections.projector import Projector
from tests.integration.shop import STAMP, Shop


@pytest.fixture
def shop(store: EventStore) -> Shop:
    shop = Shop(store)
    for key in ("one", "twö", "three"):
        shop.flag(key)
        shop.target(key)
    return shop


@pytest.fixture
def forger(shop: Shop) -> Iterator[psycopg.Connection]:
    """Somebody who may do anything in the database and has switched the protection off."""
    with psycopg.connect(shop.store.url, autocommit=True) as connection:
        for table in ("togglemaster_events", "togglemaster_chain"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER togglemaster_append_only".encode())
        yield connection


@pytest.mark.parametrize("table", ["togglemaster_events", "togglemaster_chain"])
@pytest.mark.parametrize("what", ["DELETE FROM {}", "TRUNCATE {}"])
def test_nothing_is_deleted(shop: Shop, table: str, what: str) -> None:
    with psycopg.connect(shop.store.url) as connection, pytest.raises(psycopg.Error, match="append-only"):
        connection.execute(what.format(table).encode())


def test_nothing_is_changed(shop: Shop) -> None:
    for change in ("togglemaster_events SET state = state", "togglemaster_chain SET hash = hash"):
        with psycopg.connect(shop.store.url) as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(f"UPDATE {change}".encode())


def test_a_log_that_nobody_touched_is_what_was_written(shop: Shop) -> None:
    report = verify(shop.store)
    assert (report.events, report.head, report.faults) == (shop.store.head(), shop.store.head(), ())
    assert len(report.hash) == 64
    assert verify(shop.store) == report
    shop.flag("four")
    assert verify(shop.store).hash != report.hash


@pytest.mark.parametrize("position", [1, 5, 10])
@pytest.mark.parametrize(
    "change",
    [
        "state = set_byte(state, 20, get_byte(state, 20) # 1)",
        "topic = topic || 'x'",
        "originator_id = originator_id || 'x'",
        "originator_version = originator_version + 100",
    ],
)
def test_a_single_altered_byte_is_found_where_it_is(
    shop: Shop, forger: psycopg.Connection, position: int, change: str
) -> None:
    update = f"UPDATE togglemaster_events SET {change} WHERE notification_id = %s"  # noqa: S608 - from this module
    forger.execute(update.encode(), (position,))
    faults = verify(shop.store).faults
    assert [fault.position for fault in faults] == [position]
    assert "is not what was written" in faults[0].what


def test_a_deleted_event_is_found(shop: Shop, forger: psycopg.Connection) -> None:
    forger.execute("DELETE FROM togglemaster_events WHERE notification_id = 5")
    assert verify(shop.store).faults == (
        Fault(5, "", "the chain has an event here that is no longer in the log"),
    )
    forger.execute("DELETE FROM togglemaster_chain WHERE position = 5")
    assert [fault.position for fault in verify(shop.store).faults] == [6]


def test_an_event_that_was_slipped_in_is_found(shop: Shop, forger: psycopg.Connection) -> None:
    forger.execute("ALTER TABLE togglemaster_events DISABLE TRIGGER togglemaster_chain")
    forger.execute(
        "INSERT INTO togglemaster_events (originator_id, originator_version, topic, state)"
        " SELECT originator_id, 99, topic, state FROM togglemaster_events WHERE notification_id = 5"
    )
    assert "never chained" in verify(shop.store).faults[0].what


def test_setup_chains_a_log_that_has_no_chain_yet(shop: Shop, forger: psycopg.Connection) -> None:
    before = verify(shop.store)
    forger.execute("DELETE FROM togglemaster_chain")
    assert len(verify(shop.store).faults) > 0
    shop.store.create_tables()
    assert verify(shop.store) == before


def test_the_command_tells_and_keeps_to_what_was_expected(shop: Shop, forger: psycopg.Connection) -> None:
    settings, out = Settings(postgres_url=shop.store.url), Console(record=True, width=200)
    assert verify_log(settings, None, out, out)
    told = out.export_text().rsplit("; ", 1)[1].strip()
    shop.flag("four")
    assert verify_log(settings, told, out, out)
    other = told[:-1] + ("0" if told[-1] != "0" else "1")
    assert not verify_log(settings, other, out, out)
    assert "rewritten" in out.export_text()
    forger.execute("UPDATE togglemaster_events SET topic = 'FlagArchived' WHERE notification_id = 5")
    assert not verify_log(settings, None, out, out)
    assert "position 5 flag/shop/one" in out.export_text()
    with pytest.raises(Told, match="POSITION:HASH"):
        verify_log(settings, "12", out, out)


@pytest.fixture
def trail(shop: Shop) -> Iterator[AuditTrail]:
    trail = AuditTrail(shop.store.url)
    trail.create_tables()
    Projector(shop.store, trail).catch_up()
    yield trail
    trail.close()


def test_the_trail_has_every_event_with_its_stamp(shop: Shop, trail: AuditTrail) -> None:
    entries = trail.page(Wanted("shop"), 1000)
    log = shop.store.read(after=0, limit=1000)
    assert [entry.position for entry in entries] == [each.position for each in reversed(log)]
    assert {entry.stamp for entry in entries} == {STAMP}
    assert [entry.event for entry in entries] == [type(each.event).__name__ for each in reversed(log)]
    assert trail.position() == shop.store.head()


def test_the_trail_is_narrowed_and_paged(trail: AuditTrail) -> None:
    assert {each.stream.key for each in trail.page(Wanted("shop", "flag", "one"), 100)} == {"one"}
    assert [each.event for each in trail.page(Wanted("shop", "flag", "one", "staging"), 100)] == [
        "FlagCreated"
    ]
    assert trail.page(Wanted("shop", actor="nobody"), 100) == []
    assert trail.page(Wanted("other"), 100) == []
    assert trail.page(Wanted("shop", start=STAMP.at, end=STAMP.at), 100) == []
    newest = trail.page(Wanted("shop"), 2)
    older = trail.page(Wanted("shop", before=newest[-1].position), 100)
    assert [*newest, *older] == trail.page(Wanted("shop"), 100)
