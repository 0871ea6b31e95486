"""What an evaluator begins with: a model that nobody says is up to date is the last thing it serves."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from commands.event_store import EventStore
from projections import confirmation
from projections.confirmation import CONFIRMED_SECONDS, NEVER, Confirmation
from projections.follower import Follower
from projections.projector import Projector, RulesetView
from projections.rebuild import go_back, rebuild
from projections.ruleset_store import CONFIRMED, RulesetStore
from projections.snapshot import Snapshot
from tests.integration.handmade import Model, copies, eventually
from tests.integration.shop import Shop


def age(redis: Redis, seconds: float) -> None:
    """The note, as a Redis has it that lost its tail."""
    redis.set(CONFIRMED, int((time.time() - seconds) * 1000))


def never_ready(follower: Follower, seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if follower.ready:
            return False
        time.sleep(0.01)
    return True


def test_it_is_told_how_long_ago(model: Model, redis: Redis) -> None:
    model.fill(5)
    assert model.confirmation.seconds_ago() == NEVER
    assert model.confirm()
    assert 0 <= model.confirmation.seconds_ago() < 1
    age(redis, 30)
    assert 29 < model.confirmation.seconds_ago() < 31


def test_only_where_the_model_is_and_for_the_newest_writer(model: Model, redis: Redis) -> None:
    model.fill(5)
    assert not model.confirm(position=4)
    assert not model.confirmation.confirm("g2", 5, 0)
    redis.set("{togglemaster}:epoch", 3)
    assert not model.confirm(epoch=2)
    assert model.confirmation.seconds_ago() == NEVER
    assert model.confirm(epoch=3)


def test_a_model_that_lost_its_tail_is_not_what_an_evaluator_begins_with(
    model: Model, redis: Redis, follower: Follower
) -> None:
    model.fill(5)
    age(redis, CONFIRMED_SECONDS + 10)
    begun: list[Snapshot] = []
    follower.listen(lambda _, after: begun.append(after))
    follower.start()
    assert never_ready(follower, 1.0)
    model.write({}, 9)
    model.confirm()
    eventually(lambda: follower.ready)
    assert begun[0].position == 9


def test_where_nobody_mends_it_old_answers_are_better_than_none(
    model: Model, follower: Follower, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(confirmation, "MENDED_SECONDS", 0.5)
    model.fill(5)
    follower.start()
    assert never_ready(follower, 0.3)
    eventually(lambda: follower.ready)
    assert follower.snapshot.position == 5
    assert caplog.text.count("no projector has confirmed lately") == 1


def test_an_empty_redis_is_not_waited_for(model: Model, follower: Follower) -> None:
    """Nobody is told of a tail that was lost; what a rebuild makes live is confirmed by it."""
    assert follower._beginning.allowed()
    assert follower._beginning._waiting_since is None


def test_redis_comes_before_a_copy_where_it_is_confirmed(model: Model, redis: Redis, tmp_path: Path) -> None:
    model.fill(5)
    assert model.confirm()
    first = Follower(redis, copies(tmp_path))
    first.start()
    eventually(lambda: first.ready)
    first.stop()
    model.write({}, 50)
    model.confirm()
    positions: list[int] = []
    second = Follower(redis, copies(tmp_path))
    second.listen(lambda _, after: positions.append(after.position))
    second.start()
    eventually(lambda: second.ready)
    second.stop()
    assert positions == [50]


def test_a_copy_comes_before_a_redis_that_lost_its_tail(model: Model, redis: Redis, tmp_path: Path) -> None:
    model.fill(50)
    model.confirm()
    first = Follower(redis, copies(tmp_path))
    first.start()
    eventually(lambda: first.ready)
    first.stop()
    redis.flushall()
    model.fill(40)
    age(redis, CONFIRMED_SECONDS + 1)
    second = Follower(redis, copies(tmp_path))
    second.start()
    eventually(lambda: second.ready)
    second.stop()
    assert (second.snapshot.position, second.source) == (50, "copy")


@pytest.fixture
def shop(postgres_url: str) -> Iterator[Shop]:
    store = EventStore(postgres_url)
    store.create_tables()
    shop = Shop(store)
    shop.flag("hero")
    yield shop
    store.close()


def test_a_rebuild_confirms_what_it_makes_live(shop: Shop, redis: Redis) -> None:
    rebuild(shop.store, RulesetStore(redis))
    assert Confirmation(redis).seconds_ago() < CONFIRMED_SECONDS


def test_going_back_says_nothing_of_the_head(shop: Shop, redis: Redis) -> None:
    for _ in range(2):
        rebuild(shop.store, RulesetStore(redis))
    redis.delete(CONFIRMED)
    go_back(RulesetStore(redis))
    assert Confirmation(redis).seconds_ago() == NEVER


def test_a_projector_confirms_where_it_got_to_and_nothing_else(shop: Shop, redis: Redis) -> None:
    rulesets = RulesetStore(redis)
    rebuild(shop.store, rulesets)
    redis.delete(CONFIRMED)
    view = RulesetView(rulesets)
    projector = Projector(shop.store, view)
    shop.flag("banner")
    projector.step()
    view.confirm()
    assert Confirmation(redis).seconds_ago() < CONFIRMED_SECONDS
    redis.delete(CONFIRMED)
    live = rulesets.live()
    redis.hincrby(f"{{togglemaster}}:{live}:state", "position", -1)  # its tail is lost
    assert projector.step(trusting=True) == 0
    view.confirm()
    assert Confirmation(redis).seconds_ago() == NEVER
