"""Snapshots of the fold change how fast the past is told, and never what is told."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count, pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.event_store import EventStore
from domain.envelope import flag_stream, project_stream
from domain.errors import NotFound
from projections import fold_snapshots
from projections.fold_snapshots import NONE, FoldSnapshots, Snapshot, format_of, line_of
from projections.past import Past, Pasts
from projections.snapshotting import rebuild, verify
from tests.integration.histories import SORTS, Act, History, folded_at, write
from tests.waiting import eventually
from workers.snapshots import SnapshotMaker

PATIENCE_SECONDS = 30
FEW = 5
MANY_ACTS = [Act(number % SORTS, number % 3, number) for number in range(80)]
ACTS = st.lists(st.builds(Act, st.integers(0, SORTS - 1), st.integers(0, 2), st.integers(0, 50)), max_size=20)
PROJECTS = count(1)
COLUMNS = "INSERT INTO togglemaster_events (originator_id, originator_version, topic, state)"


@pytest.fixture
def snapshots(store: EventStore) -> Iterator[FoldSnapshots]:
    with closing(FoldSnapshots(store.url, PATIENCE_SECONDS, every=FEW)) as found:
        found.create_tables()
        yield found


@pytest.fixture
def history(store: EventStore) -> History:
    found = History("shop")
    write(store, found, MANY_ACTS)
    return found


def make(store: EventStore, snapshots: FoldSnapshots) -> None:
    SnapshotMaker(store, snapshots).turn(threading.Event())


def told(past: Past) -> dict[str, bytes]:
    """All of it, as what differs there differs in JSON too; 1 is not true."""
    return {str(each.stream): line_of(each) for each in (*past.flags.values(), *past.segments.values())}


def holds(history: History, pasts: Pasts) -> None:
    """At every position."""
    for recorded in history.log:
        expected = folded_at(history, recorded.position)
        past = pasts.of(history.project, recorded.position)
        assert past.project == expected[project_stream(history.project)].state
        wanted = {stream: each for stream, each in expected.items() if stream.kind in {"flag", "segment"}}
        assert {each.stream: each for each in (*past.flags.values(), *past.segments.values())} == wanted
        assert told(past) == {str(stream): line_of(each) for stream, each in wanted.items()}


def places(store: EventStore, snapshots: FoldSnapshots) -> list[tuple[str, int]]:
    return snapshots.places(store.head())


def nowhere(done: int, total: int) -> None:
    """Progress that nobody sees."""


def change(store: EventStore, statement: str, *parameters: object) -> int:
    with psycopg.connect(store.url) as connection:
        return connection.execute(statement.encode(), parameters).rowcount


@given(before=ACTS, after=ACTS, others=ACTS, every=st.integers(1, 9), lost=st.integers(0, 3))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_past_is_the_fold_of_the_log_everywhere_in_any_history(
    store: EventStore, before: list[Act], after: list[Act], others: list[Act], every: int, lost: int
) -> None:
    """Some snapshots are there, some were lost, some nobody made yet; other projects write too."""
    history, other = (History(f"p{next(PROJECTS)}") for _ in range(2))
    with closing(FoldSnapshots(store.url, PATIENCE_SECONDS, every)) as snapshots:
        snapshots.create_tables()
        write(store, history, before)
        write(store, other, others)
        make(store, snapshots)
        for place in places(store, snapshots)[lost::4]:
            snapshots.delete(*place)
        write(store, history, after)
        holds(history, Pasts(store, snapshots))


def test_two_makers_at_once_make_what_one_makes(store: EventStore, history: History) -> None:
    def made(makers: int) -> dict[tuple[str, int], bytes]:
        with closing(FoldSnapshots(store.url, PATIENCE_SECONDS, FEW)) as snapshots:
            snapshots.create_tables()
            change(store, "DELETE FROM togglemaster_snapshots_1")
            threads = [threading.Thread(target=make, args=[store, snapshots]) for _ in range(makers)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            found = places(store, snapshots)
            return {place: snapshots.newest(*place).checksum for place in found}

    alone = made(1)
    assert len(alone) > 5
    assert made(4) == alone


def test_a_snapshot_comes_after_as_many_events_as_the_last_has_things(
    store: EventStore, history: History, snapshots: FoldSnapshots
) -> None:
    """Or a project of 100,000 flags would have all of them written down every few events."""
    make(store, snapshots)
    found = [snapshots.newest(*place) for place in places(store, snapshots)]
    assert found[0].events == FEW
    for one, other in pairwise(found):
        assert other.events - one.events == max(FEW, len(one.lines))
    assert max(len(each.lines) for each in found) > FEW


def test_what_was_archived_is_there_as_such(store: EventStore, snapshots: FoldSnapshots) -> None:
    found = History("shop")
    write(store, found, [Act(0, 0, 0), Act(5, 0, 0), Act(10, 0, 0), Act(11, 0, 0)])
    make(store, snapshots)
    past = Pasts(store, snapshots).of("shop", store.head())
    assert past.flags["f0"] == folded_at(found, store.head())[flag_stream("shop", "f0")]
    assert (past.flags["f0"].state.archived, past.segments["s0"].state.archived) == (True, True)  # type: ignore[union-attr]
    assert not past.ruleset("production").flags
    assert not past.ruleset("production").segments


def test_before_the_first_snapshot_the_log_is_folded(
    store: EventStore, history: History, snapshots: FoldSnapshots
) -> None:
    make(store, snapshots)
    first = places(store, snapshots)[0][1]
    assert snapshots.newest("shop", first - 1) is NONE
    pasts = Pasts(store, snapshots)
    assert set(told(pasts.of("shop", first - 1))) == {
        str(stream) for stream in folded_at(history, first - 1) if stream.kind in {"flag", "segment"}
    }
    with pytest.raises(NotFound, match="there was no project 'shop' at position"):
        pasts.of("shop", history.log[0].position - 1)
    with pytest.raises(NotFound, match="'other'"):
        pasts.of("other", store.head())


BODY_OF = (
    "SET body = (SELECT body FROM togglemaster_snapshots_1 WHERE project = '{}' ORDER BY position LIMIT 1)"
)
DAMAGE = {
    "the body is not what it was": "SET body = set_byte(body, 20, 255 - get_byte(body, 20))",
    "the body is gone": "SET body = ''",
    "the body is cut off": "SET body = substr(body, 1, 40)",
    "it is another project's": BODY_OF.format("other"),
    "it is of another moment": BODY_OF.format("shop"),
    "the count is another": "SET events = events + 1",
    "the checksum is another": "SET checksum = sha256(checksum)",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_snapshot_is_not_used_and_is_made_again(
    store: EventStore,
    history: History,
    snapshots: FoldSnapshots,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(store, History("other"), MANY_ACTS[:20])
    make(store, snapshots)
    *_, earlier, newest = [position for project, position in places(store, snapshots) if project == "shop"]
    assert change(store, f"UPDATE togglemaster_snapshots_1 {damage} WHERE position = %s", newest) == 1
    with caplog.at_level(logging.WARNING):
        assert snapshots.newest("shop", newest).position == earlier
    assert f"the snapshot of project shop at {newest} is not used" in caplog.text
    assert "togglemaster projections snapshots rebuild" in caplog.text
    holds(history, Pasts(store, snapshots))
    faults = verify(store, snapshots, nowhere).faults
    assert [(fault.project, fault.position) for fault in faults] == [("shop", newest)]
    make(store, snapshots)
    assert snapshots.newest("shop", newest).position == newest
    assert verify(store, snapshots, nowhere).faults == []


def test_where_every_snapshot_is_damaged_the_whole_log_is_folded(
    store: EventStore, history: History, snapshots: FoldSnapshots
) -> None:
    make(store, snapshots)
    damaged = change(store, "UPDATE togglemaster_snapshots_1 SET body = 'damaged'")
    assert damaged > 5
    holds(history, Pasts(store, snapshots))
    assert len(verify(store, snapshots, nowhere).faults) == damaged


@pytest.fixture
def other_version(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    def becomes_another() -> None:
        format_of.cache_clear()
        monkeypatch.setattr(fold_snapshots, "FOLDED_AS", fold_snapshots.FOLDED_AS + 1)

    yield becomes_another
    format_of.cache_clear()


def test_what_another_version_made_is_neither_used_nor_kept(
    store: EventStore, history: History, snapshots: FoldSnapshots, other_version: Callable[[], None]
) -> None:
    make(store, snapshots)
    made = len(places(store, snapshots))
    other_version()
    assert snapshots.newest("shop", store.head()) is NONE
    holds(history, Pasts(store, snapshots))
    snapshots.create_tables()
    make(store, snapshots)
    assert len(places(store, snapshots)) == made
    assert change(store, "DELETE FROM togglemaster_snapshots_1") == made


def test_a_line_that_cannot_be_read_is_folded_from_the_log(
    store: EventStore, history: History, snapshots: FoldSnapshots, caplog: pytest.LogCaptureFixture
) -> None:
    """A checksum says that it is what was written, and not that this version can read it."""
    make(store, snapshots)
    newest = snapshots.newest("shop", store.head())
    lines = {**newest.lines, "flag/shop/f0": b'[1, "secret"]'}
    snapshots.put(Snapshot(newest.project, newest.position, newest.events, lines))
    holds(history, Pasts(store, snapshots))
    assert "flag/shop/f0: its snapshot at" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("statement", ["DROP TABLE", "DELETE FROM"])
def test_nothing_is_lost_with_the_table(
    store: EventStore, history: History, snapshots: FoldSnapshots, statement: str
) -> None:
    make(store, snapshots)
    before = places(store, snapshots)
    change(store, f"{statement} togglemaster_snapshots_1")
    holds(history, Pasts(store, snapshots))
    assert rebuild(store, snapshots, nowhere) == (len(before), [])
    assert places(store, snapshots) == before
    assert verify(store, snapshots, nowhere).right == len(before)


@contextmanager
def in_the_background(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=run, args=[stopping])
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_the_maker_goes_on_when_somebody_drops_the_table(
    store: EventStore, history: History, snapshots: FoldSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.snapshots.POLL_SECONDS", 0.02)
    maker = SnapshotMaker(store, snapshots)
    with in_the_background(maker.run):
        eventually(lambda: not maker.pulse.problem)
        before = set(places(store, snapshots))
        change(store, "DROP TABLE togglemaster_snapshots_1")
        write(store, history, MANY_ACTS[:20])
        eventually(lambda: is_there(store) and set(places(store, snapshots)) > before)
        eventually(lambda: not maker.pulse.problem)


def is_there(store: EventStore) -> bool:
    with psycopg.connect(store.url) as connection:
        row = connection.execute("SELECT to_regclass('togglemaster_snapshots_1') IS NOT NULL").fetchone()
    return bool(row and row[0])


def test_a_rebuild_replaces_what_was_forged_and_removes_what_has_no_place(
    store: EventStore, history: History, snapshots: FoldSnapshots
) -> None:
    """Body and checksum fit each other there, so that only the log tells."""
    make(store, snapshots)
    before = places(store, snapshots)
    second = snapshots.newest(*before[1])
    lines = dict(second.lines)
    lines.popitem()
    forged = Snapshot("shop", second.position, second.events, lines)
    stray = Snapshot("shop", second.position + 1, second.events + 1, second.lines)
    nobody = Snapshot("nobody's", second.position, FEW, second.lines)
    for each in (forged, stray, nobody):
        snapshots.put(each)
    faults = verify(store, snapshots, nowhere).faults
    assert {(each.project, each.position): each.what for each in faults} == {
        ("shop", second.position): "it is not what the log says",
        ("shop", stray.position): "the log has no place for a snapshot there",
        ("nobody's", nobody.position): "the log has no place for a snapshot there",
    }
    rebuild(store, snapshots, nowhere)
    assert places(store, snapshots) == before
    assert verify(store, snapshots, nowhere).faults == []


def test_an_event_that_cannot_be_read_ends_the_snapshots_of_its_project_alone(
    store: EventStore, history: History, snapshots: FoldSnapshots, caplog: pytest.LogCaptureFixture
) -> None:
    make(store, snapshots)
    before = places(store, snapshots)
    change(store, f"{COLUMNS} VALUES ('flag/shop/new', 1, 'FlagFromTheFuture', '{{}}')")
    poisoned = store.head()
    other = History("other")
    write(store, other, MANY_ACTS)
    write(store, history, MANY_ACTS[:20])
    maker = SnapshotMaker(store, snapshots)
    maker.turn(threading.Event())
    write(store, history, MANY_ACTS[:5])
    maker.turn(threading.Event())
    assert caplog.text.count("project shop gets no more snapshots") == 1
    assert f"FlagFromTheFuture at {poisoned} of flag/shop/new" in caplog.text
    assert [place for place in places(store, snapshots) if place[0] == "shop"] == before
    holds(other, Pasts(store, snapshots))
    passed: list[tuple[int, int]] = []
    made, faults = rebuild(store, snapshots, lambda done, total: passed.append((done, total)))
    assert made == len(places(store, snapshots))
    assert [(each.project, "FlagFromTheFuture" in each.what) for each in faults] == [("shop", True)]
    assert passed[-1][0] <= passed[-1][1]
