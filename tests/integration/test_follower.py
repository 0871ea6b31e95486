"""An evaluator's memory on real Redis: what it serves when Redis is hung, emptied, swapped, or behind."""

import time
from collections.abc import Collection
from pathlib import Path

import pytest
from redis import Redis

from commands.event_store import EventStore
from commands.models import IssueKey, RevokeKey
from deploy.embedded import free_port
from deploy.processes.common import redis_client
from deploy.settings import Settings
from domain.recording import AS_INSTALLED, Recording
from projections import follower as follower_module
from projections.documents import ENVIRONMENTS, KEYS, Place
from projections.follower import Follower
from projections.last_known_good import Copy, LastKnownGood
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from projections.snapshot import Snapshot
from tests.integration.handmade import (
    ENVIRONMENT,
    SCOPE,
    Model,
    copies,
    eventually,
    key_document,
    of_one_position,
)
from tests.integration.shop import Shop


def test_where_answers_come_from_is_told(model: Model, follower: Follower) -> None:
    assert (follower.source, follower.stale, follower.staleness()) == ("", True, float("inf"))
    model.fill(5)
    follower.sync()
    assert (follower.source, follower.stale) == ("redis", False)
    assert follower.staleness() < follower_module.STALE_AFTER_SECONDS


def test_what_redis_does_not_confirm_becomes_stale(
    model: Model, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.fill(5)
    follower.sync()
    monkeypatch.setattr(follower_module, "STALE_AFTER_SECONDS", 0.01)
    time.sleep(0.02)
    assert follower.stale


def test_the_copy_is_served_while_redis_is_away(model: Model, redis: Redis, tmp_path: Path) -> None:
    model.fill(5)
    model.confirm()
    first = Follower(redis, copies(tmp_path))
    first.start()
    eventually(lambda: first.ready)
    first.stop()
    nowhere = redis_client(Settings(redis_url=f"redis://127.0.0.1:{free_port()}"), 0.1)
    second = Follower(nowhere, copies(tmp_path))
    second.start()
    eventually(lambda: second.ready)
    assert (second.snapshot.position, second.source, second.stale) == (5, "copy", True)
    assert second.snapshot.documents == first.snapshot.documents
    second.stop()


def test_an_evaluator_goes_on_from_its_copy(model: Model, redis: Redis, tmp_path: Path) -> None:
    model.fill(5)
    LastKnownGood(tmp_path, "ours").write(
        Copy("g1", 5, {ENVIRONMENTS: {SCOPE: "{}"}, KEYS: {"digest": key_document(5)}}), lambda: None
    )
    model.write({})
    follower = Follower(redis, copies(tmp_path))
    follower.load_copy()
    assert (follower.snapshot.position, follower.source) == (5, "copy")
    follower.sync()
    assert (follower.snapshot.position, follower.source) == (6, "redis")
    assert of_one_position(follower.snapshot)


def test_a_model_behind_the_copy_is_not_taken(
    model: Model, redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model.fill(50)
    model.confirm()
    first = Follower(redis, copies(tmp_path))
    first.start()
    eventually(lambda: first.ready)
    first.stop()
    redis.flushall()
    model.fill(40)
    second = Follower(redis, copies(tmp_path))
    second.load_copy()
    for _ in range(3):
        second.sync()
    assert (second.snapshot.position, second.source) == (50, "copy")
    assert caplog.text.count("Redis is at position 40, behind 50") == 1
    assert "remove the copies" in caplog.text
    model.write({}, 51)
    second.sync()
    assert (second.snapshot.position, second.source) == (51, "redis")


def test_a_listener_that_fails_stops_nothing(
    model: Model, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(before: Snapshot, after: Snapshot) -> None:
        raise RuntimeError("a listener's own trouble")

    told: list[int] = []
    follower.listen(fail)
    follower.listen(lambda before, after: told.append(after.position))
    model.fill(5)
    follower.sync()
    model.write({})
    follower.sync()
    assert told == [5, 6]
    assert caplog.text.count("a listener failed") == 2


def test_what_did_not_change_is_not_compiled_again(model: Model, follower: Follower) -> None:
    model.fill(5)
    model.write({Place(SCOPE, "flag/broken"): "{", Place(ENVIRONMENTS, "shop/staging"): "{}"})
    model.write({Place("shop/staging", "flag/broken"): "{"})
    follower.sync()
    before = follower.snapshot.environments
    model.fill(8, generation="g2")
    model.write(
        {
            Place(SCOPE, "flag/broken"): "{",
            Place(ENVIRONMENTS, "shop/staging"): "{}",
            Place("shop/staging", "flag/other"): "{",
        }
    )
    follower.sync()
    after = follower.snapshot.environments
    assert after[SCOPE] is before[SCOPE]
    assert set(after["shop/staging"].flags) == {"other"}


def test_an_environment_that_is_gone_is_gone(model: Model, follower: Follower) -> None:
    model.fill(5)
    model.write({Place(ENVIRONMENTS, "shop/qa"): "{}", Place("shop/qa", "flag/f"): "{"})
    follower.sync()
    assert set(follower.snapshot.environments) == {SCOPE, "shop/qa"}
    model.fill(8, generation="g2")
    follower.sync()
    assert set(follower.snapshot.environments) == {SCOPE}


def test_what_is_recorded_follows_and_what_cannot_be_read_of_it_stays(
    model: Model, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    model.fill(5)
    follower.sync()
    assert follower.snapshot.recordings[SCOPE] == AS_INSTALLED
    model.write({ENVIRONMENT: '{"recording": {"mode": "none"}}'})
    follower.sync()
    assert follower.snapshot.recordings[SCOPE] == Recording(mode="none")
    model.write({ENVIRONMENT: '{"recording": {"mode": "everything"}}'})
    follower.sync()
    assert follower.snapshot.recordings[SCOPE] == Recording(mode="none")
    assert "what to record cannot be read" in caplog.text


def test_a_stream_that_cannot_be_read_is_gone_around(
    model: Model, follower: Follower, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    model.fill(5)
    follower.sync()
    model.write({})
    redis.delete("{togglemaster}:g1:changes")
    redis.xadd("{togglemaster}:g1:changes", {"change": "{"}, id="6-0")
    follower.sync()
    assert follower.snapshot.position == 6
    assert "stream of changes cannot be read" in caplog.text


def test_a_revoked_key_is_gone_from_memory_and_from_the_next_copy(
    store: EventStore, redis: Redis, tmp_path: Path
) -> None:
    shop = Shop(store)
    shop.give(
        IssueKey(project="shop", environment="production", id="k1", name="web", kind="server", digest="d1")
    )
    rebuild(store, RulesetStore(redis))
    projector = Projector(store, RulesetView(RulesetStore(redis)))
    keeper = LastKnownGood(tmp_path, "ours")
    follower = Follower(redis, copies(tmp_path))
    follower.start()
    eventually(lambda: "d1" in follower.snapshot.keys)
    eventually(lambda: "d1" in _keys(keeper))
    shop.give(RevokeKey(project="shop", environment="production", id="k1"))
    projector.catch_up()
    eventually(lambda: not follower.snapshot.keys)
    eventually(lambda: not _keys(keeper))
    follower.stop()


def _keys(copies: LastKnownGood) -> Collection[str]:
    found = copies.load(lambda: None)
    return found.documents.get(KEYS, {}) if found else {}
