"""A project's events are found however long the log is; and the commands that look after snapshots."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from typing import Any

import psycopg
import pytest
from redis import Redis
from rich.console import Console

from commands.codec import encode
from commands.event_store import EventStore
from deploy.embedded import free_port
from deploy.read_model import show_status
from deploy.settings import Settings
from deploy.snapshots_work import rebuild_snapshots, verify_snapshots
from deploy.told import Told
from domain.events import ProjectRenamed
from projections.fold_snapshots import EVERY, FoldSnapshots
from tests.integration.histories import SORTS, Act, History, stamp, write

PATIENCE_SECONDS = 30
COLUMNS = "INSERT INTO togglemaster_events (originator_id, originator_version, topic, state)"
OTHERS = f"""
{COLUMNS} SELECT 'flag/other/f' || mod(n, 100), 1 + n / 100, 'FlagTurnedOn', '{{}}'
FROM generate_series(0, 20000) AS n
"""  # noqa: S608 - all of it is here
RENAMED = f"{COLUMNS} SELECT 'project/big', n, %s, %s FROM generate_series(%s::int, %s::int) AS n"  # noqa: S608


def change(store: EventStore, statement: str, *parameters: object) -> None:
    """Past the triggers: nothing here has to be chained."""
    with psycopg.connect(store.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode(), parameters)


class Plans(EventStore):
    """Keeps how PostgreSQL goes about each query."""

    def __init__(self, url: str) -> None:
        super().__init__(url, PATIENCE_SECONDS)
        self.told: list[str] = []

    def rows(self, query: Any, parameters: Any) -> list[tuple[Any, ...]]:
        self.told.append("\n".join(line for (line,) in super().rows("EXPLAIN " + query, parameters)))
        return super().rows(query, parameters)


def test_the_events_of_a_project_are_found_by_an_index(store: EventStore) -> None:
    """However many other projects wrote in between, and however long its own log is."""
    history = History("shop")
    write(store, history, [Act(number % SORTS, number % 3, number) for number in range(80)])
    change(store, OTHERS)
    change(store, "ANALYZE togglemaster_events")
    write(store, history, [Act(number, 0, 0) for number in range(3)])
    with closing(Plans(store.url)) as plans:
        found = [row for page in plans.of_project("shop", after=40, until=store.head()) for row in page]
        plans.nth_of_project("shop", 50, after=0, until=store.head())
        plans.nth_of_project("other", 5_000, after=1_000, until=store.head())
    assert [row.position for row in found] == [
        each.position for each in history.log if each.position > 40 and each.stream.kind != "key"
    ]
    assert len(plans.told) == 4
    for plan in plans.told:
        assert "togglemaster_events_by_project" in plan
        assert "Seq Scan" not in plan


def test_a_log_of_an_older_version_gets_the_index(store: EventStore) -> None:
    change(store, "DROP INDEX togglemaster_events_by_project")
    store.create_tables()
    with psycopg.connect(store.url) as connection:
        found = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'togglemaster_events_by_project'::regclass"
        ).fetchone()
    assert found == (True,)


@pytest.fixture
def settings(store: EventStore, redis: Redis) -> Settings:
    write_many(store)
    place = redis.connection_pool.connection_kwargs
    return Settings(postgres_url=store.url, redis_url=f"redis://{place['host']}:{place['port']}")


def said(does: Callable[..., object], *given: object) -> tuple[object, str, str]:
    """What it returned, what it printed, and what it told beside that."""
    out, err = (Console(file=StringIO(), width=200) for _ in range(2))
    try:
        answer = does(*given, out, err)
    finally:
        texts = [each.file.getvalue() for each in (out, err) if isinstance(each.file, StringIO)]
    return answer, texts[0], texts[1]


def test_the_commands_make_them_anew_and_name_what_differs(store: EventStore, settings: Settings) -> None:
    made, out, err = said(rebuild_snapshots, settings)
    assert (made, out) == (True, "2 snapshots are made anew from the log\n")
    assert "rebuilding" in err
    change(store, "UPDATE togglemaster_snapshots_1 SET checksum = '' WHERE events = %s", EVERY)
    right, out, err = said(verify_snapshots, settings)
    assert right is False
    assert f"big at {EVERY}: its body does not have its checksum\n" in out
    assert "1 snapshots are what the log says\n" in out
    assert "togglemaster projections snapshots rebuild" in err
    change(store, "DELETE FROM togglemaster_snapshots_1 WHERE events = %s", EVERY)
    right, out, _ = said(verify_snapshots, settings)
    assert (right, out) == (True, "1 snapshots are what the log says; 1 are yet to be made\n")
    change(
        store,
        "INSERT INTO togglemaster_snapshots_1 SELECT 'none', format, 1, 1, '', '' "
        "FROM togglemaster_snapshots_1",
    )
    environment = os.environ | {"TOGGLEMASTER_POSTGRES_URL": store.url}
    command = [sys.executable, "-m", "deploy.cli", "projections", "snapshots", "verify"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "none at 1: its body cannot be read" in ended.stdout


def test_commands_say_when_postgresql_is_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.snapshots_work.PATIENCE_SECONDS", 1.0)
    away = settings.model_copy(update={"postgres_url": f"postgresql://postgres@127.0.0.1:{free_port()}/none"})
    for command in (rebuild_snapshots, verify_snapshots):
        with pytest.raises(Told, match="TOGGLEMASTER_POSTGRES_URL"):
            said(command, away)


def test_status_tells_of_snapshots(store: EventStore, settings: Settings) -> None:
    def told() -> str:
        return said(lambda out, _: show_status(settings, out))[1]

    assert "snapshots: PostgreSQL lacks tables; run `togglemaster setup`" in told()
    with closing(FoldSnapshots(store.url, PATIENCE_SECONDS)) as snapshots:
        snapshots.create_tables()
        assert "snapshots: none" in told()
    said(rebuild_snapshots, settings)
    assert f"snapshots: 2 of 1 projects, the last at {2 * EVERY}" in told()


def write_many(store: EventStore) -> None:
    """Two snapshots' worth of one project, straight into the table."""
    begun = list(History("big").begin())
    for version, (stream, event) in enumerate(begun, start=1):
        change(
            store, f"{COLUMNS} VALUES (%s, %s, %s, %s)", str(stream), version, *encode(event, stamp(version))
        )
    name, data = encode(ProjectRenamed(name="Bigger"), stamp(0))
    change(store, RENAMED, name, data, len(begun) + 1, 2 * EVERY)
