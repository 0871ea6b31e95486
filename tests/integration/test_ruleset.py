"""From the log to what an evaluator answers: projector, rebuild, verify, follower, on real Redis."""

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from redis import Redis

from commands.event_store import EventStore
from commands.models import ArchiveFlag, ArchiveSegment, CreateEnvironment, IssueKey, RevokeKey
from deploy.embedded import free_port
from domain.evaluation import evaluate
from projections.documents import Place
from projections.folds import Folds
from projections.follower import Follower
from projections.projector import NoLiveGeneration, Projector, RulesetView
from projections.rebuild import expected_documents, rebuild, status_of, verify
from projections.ruleset_store import CHANGES_KEPT, Change, Moved, RulesetStore
from tests import waiting
from tests.integration.shop import BRAZIL, Shop, rule

PRODUCTION = "shop/production"


@pytest.fixture
def rulesets(redis: Redis) -> RulesetStore:
    return RulesetStore(redis)


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


@pytest.fixture
def follower(redis: Redis) -> Iterator[Follower]:
    follower = Follower(redis)
    yield follower
    follower.stop()


def projector(shop: Shop, rulesets: RulesetStore) -> Projector:
    return Projector(shop.store, RulesetView(rulesets))


def variant(follower: Follower, key: str, scope: str = PRODUCTION, **context: object) -> str | None:
    return evaluate(follower.snapshot.environments[scope], key, context).variant


def in_step(shop: Shop, rulesets: RulesetStore) -> bool:
    status, drifts = verify(shop.store, rulesets)
    return not drifts and status.lag == 0


eventually = partial(waiting.eventually, seconds=10)


def test_without_a_model_there_is_nothing_to_project_into(shop: Shop, rulesets: RulesetStore) -> None:
    with pytest.raises(NoLiveGeneration):
        projector(shop, rulesets).step()
    status, drifts = verify(shop.store, rulesets)
    assert (status.generation, status.position, status.lag, drifts) == (None, 0, shop.store.head(), [])


def test_what_is_commanded_is_answered(shop: Shop, rulesets: RulesetStore, follower: Follower) -> None:
    rebuild(shop.store, rulesets)
    shop.segment("beta", BRAZIL)
    shop.flag("checkout", client_visible=True)
    shop.target("checkout", default={"variant": "off"}, rules=[rule({"segment": "beta"})])
    projector(shop, rulesets).catch_up()
    follower.sync()
    assert variant(follower, "checkout", country="BR") == "on"
    assert variant(follower, "checkout", country="PT") == "off"
    assert variant(follower, "checkout", "shop/staging", country="BR") == "off"
    assert follower.snapshot.position == shop.store.head()
    assert follower.snapshot.environments[PRODUCTION].flags["checkout"].client_visible
    assert in_step(shop, rulesets)


def test_a_second_catch_up_applies_nothing(shop: Shop, rulesets: RulesetStore) -> None:
    rebuild(shop.store, rulesets)
    shop.flag("checkout")
    assert projector(shop, rulesets).step() == 1
    assert projector(shop, rulesets).step() == 0


def test_what_is_archived_goes_away(shop: Shop, rulesets: RulesetStore, follower: Follower) -> None:
    shop.flag("checkout")
    shop.segment("beta", BRAZIL)
    key = IssueKey(project="shop", environment="production", id="k1", name="web", kind="server", digest="d1")
    shop.give(key)
    rebuild(shop.store, rulesets)
    follower.sync()
    assert follower.snapshot.keys["d1"].environment == "production"
    shop.give(ArchiveFlag(project="shop", flag="checkout"))
    shop.give(ArchiveSegment(project="shop", segment="beta"))
    shop.give(RevokeKey(project="shop", environment="production", id="k1"))
    projector(shop, rulesets).catch_up()
    follower.sync()
    assert follower.snapshot.keys == {}
    assert follower.snapshot.environments[PRODUCTION].flags == {}
    assert follower.snapshot.environments[PRODUCTION].segments == {}
    assert in_step(shop, rulesets)


def test_a_new_environment_has_every_flag(shop: Shop, rulesets: RulesetStore, follower: Follower) -> None:
    shop.flag("checkout")
    shop.segment("beta", BRAZIL)
    rebuild(shop.store, rulesets)
    shop.give(CreateEnvironment(project="shop", environment="qa", name="QA"))
    projector(shop, rulesets).catch_up()
    follower.sync()
    assert variant(follower, "checkout", "shop/qa") == "off"
    assert set(follower.snapshot.environments["shop/qa"].segments) == {"beta"}
    assert in_step(shop, rulesets)


def test_many_projectors_at_once_make_the_same_model(shop: Shop, rulesets: RulesetStore) -> None:
    rebuild(shop.store, rulesets)
    for number in range(60):
        shop.flag(f"flag-{number}")
        shop.target(f"flag-{number}", rules=[rule(BRAZIL)])
        if number % 20 == 0:
            shop.give(CreateEnvironment(project="shop", environment=f"env{number}", name="E"))
    threads = [threading.Thread(target=projector(shop, rulesets).catch_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_step(shop, rulesets)


def test_projectors_that_take_turns_make_the_same_model(shop: Shop, rulesets: RulesetStore) -> None:
    rebuild(shop.store, rulesets)
    one, other = projector(shop, rulesets), projector(shop, rulesets)
    shop.flag("checkout")
    one.catch_up()
    shop.give(CreateEnvironment(project="shop", environment="qa", name="QA"))
    other.catch_up()
    shop.target("checkout", "qa")
    one.catch_up()
    assert in_step(shop, rulesets)


def test_a_long_stream_is_read_once_and_a_forgotten_one_again(shop: Shop) -> None:
    for number in range(5):
        shop.flag(f"flag-{number}")
        shop.target(f"flag-{number}")
    log = shop.store.read(after=0, limit=1_000)
    everything = Folds(shop.store).project(log)
    forgetful = Folds(shop.store, kept_at_most=2)
    found = forgetful.project(log[:4]).documents | forgetful.project(log[4:]).documents
    assert found == everything.documents
    assert set(everything.frozen.values()) == {None}


def test_a_batch_is_written_only_from_the_position_it_was_read_for(rulesets: RulesetStore) -> None:
    generation = rulesets.new_generation()
    place = Place(PRODUCTION, "flag/f")
    rulesets.write(generation, {place: "one"}, after=0, to=5)
    with pytest.raises(Moved, match="at 5, not 0"):
        rulesets.write(generation, {place: "two"}, after=0, to=6)
    rulesets.write(generation, {place: None}, after=5, to=7)
    assert rulesets.position(generation) == 7
    assert rulesets.changes(generation, after=0) == [
        Change(0, 5, {place: "one"}),
        Change(5, 7, {place: None}),
    ]
    assert rulesets.changes(generation, after=5) == [Change(5, 7, {place: None})]


def test_verify_names_what_was_altered_and_rebuild_mends_it(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    shop.flag("checkout")
    shop.flag("search")
    generation = rebuild(shop.store, rulesets)
    documents = "{togglemaster}:" + f"{generation}:documents:{PRODUCTION}"
    redis.hset(documents, "flag/checkout", '{"enabled": true}')
    redis.hdel(documents, "flag/search")
    redis.hset(documents, "flag/ghost", "{}")
    _, drifts = verify(shop.store, rulesets)
    assert [(drift.place, drift.difference) for drift in drifts] == [
        (Place(PRODUCTION, "flag/checkout"), "differs"),
        (Place(PRODUCTION, "flag/ghost"), "should not be there"),
        (Place(PRODUCTION, "flag/search"), "is missing"),
    ]
    rebuild(shop.store, rulesets)
    assert in_step(shop, rulesets)


def test_a_rebuild_gives_the_same_documents(shop: Shop, rulesets: RulesetStore) -> None:
    for number in range(120):
        shop.flag(f"flag-{number}")
    first = dict(rulesets.documents(rebuild(shop.store, rulesets)))
    second = dict(rulesets.documents(rebuild(shop.store, rulesets)))
    assert first == second
    assert len(first) == 120 * 3 + 3


def test_an_evaluator_never_sees_part_of_a_model(shop: Shop, rulesets: RulesetStore, redis: Redis) -> None:
    for number in range(30):
        shop.flag(f"flag-{number}")
    rebuild(shop.store, rulesets)
    sizes: set[int] = set()
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.is_set():
            follower = Follower(redis)
            follower.sync()
            if follower.ready:
                sizes.add(len(follower.snapshot.environments[PRODUCTION].flags))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        rebuild(shop.store, rulesets)
    stopping.set()
    watcher.join()
    assert sizes == {30}


def test_an_evaluator_that_fell_far_behind_reads_everything_anew(
    shop: Shop, rulesets: RulesetStore, follower: Follower
) -> None:
    shop.flag("checkout")
    generation = rebuild(shop.store, rulesets)
    follower.sync()
    position = rulesets.position(generation)
    for step in range(CHANGES_KEPT * 3):
        rulesets.write(generation, {}, after=position + step, to=position + step + 1)
    follower.sync()
    assert follower.snapshot.position == position + CHANGES_KEPT * 3
    assert variant(follower, "checkout") == "off"


def test_an_evaluator_does_not_go_back(
    shop: Shop, rulesets: RulesetStore, follower: Follower, redis: Redis
) -> None:
    """Redis is emptied and filled again: the last answer stands until the model has caught up."""
    shop.flag("checkout")
    shop.target("checkout")
    rebuild(shop.store, rulesets)
    follower.sync()
    before = follower.snapshot
    redis.flushall()
    follower.sync()
    assert follower.snapshot is before
    generation = rulesets.new_generation()
    assert generation == "g1"
    rulesets.write(generation, {}, after=0, to=before.position - 1)
    assert rulesets.make_live(generation, instead_of=None)
    follower.sync()
    assert follower.snapshot is before
    redis.flushall()
    rebuild(shop.store, rulesets)
    follower.sync()
    assert follower.snapshot.position == before.position
    assert variant(follower, "checkout") == "on"


def test_an_evaluator_notices_changes_that_were_never_announced(
    shop: Shop, rulesets: RulesetStore, follower: Follower, redis: Redis
) -> None:
    """Redis was emptied and filled again with more than before, under the same generation's name."""
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    follower.sync()
    redis.flushall()
    shop.target("checkout")
    rebuild(shop.store, rulesets)
    follower.sync()
    assert follower.snapshot.position == shop.store.head()
    assert variant(follower, "checkout") == "on"


def test_a_running_follower_hears_of_a_change(shop: Shop, rulesets: RulesetStore, follower: Follower) -> None:
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    follower.start()
    eventually(lambda: follower.ready)
    shop.target("checkout")
    projector(shop, rulesets).catch_up()
    eventually(lambda: variant(follower, "checkout") == "on")


def test_a_document_that_cannot_be_read_stops_nothing(
    shop: Shop, rulesets: RulesetStore, follower: Follower
) -> None:
    shop.flag("checkout")
    generation = rebuild(shop.store, rulesets)
    follower.start()
    eventually(lambda: follower.ready)
    position = rulesets.position(generation)
    odd: dict[Place, str | None] = {
        Place("@keys", "d1"): '{"id": 1}',
        Place(PRODUCTION, "flag/checkout"): "{",
    }
    rulesets.write(generation, odd, after=position, to=position + 1)
    eventually(lambda: follower.snapshot.position == position + 1)
    assert follower.snapshot.keys == {}
    assert variant(follower, "checkout") == "off"
    rulesets.write(generation, {}, after=position + 1, to=position + 2)
    eventually(lambda: follower.snapshot.position == position + 2)


def test_what_is_served_is_stale_while_the_model_is_behind(
    shop: Shop, rulesets: RulesetStore, follower: Follower, redis: Redis
) -> None:
    shop.flag("checkout")
    generation = rebuild(shop.store, rulesets)
    follower.sync()
    confirmed = follower.synced_at
    redis.hset("{togglemaster}:" + f"{generation}:state", "position", 1)
    follower.sync()
    assert follower.synced_at == confirmed
    redis.hset("{togglemaster}:" + f"{generation}:state", "position", shop.store.head())
    follower.sync()
    assert follower.synced_at != confirmed


def test_a_follower_without_redis_waits_for_it() -> None:
    follower = Follower(Redis(port=free_port(), socket_connect_timeout=0.1))
    follower.start()
    time.sleep(0.1)
    follower.stop()
    assert not follower.ready
    assert follower.synced_at is None


def test_expected_documents_are_those_of_a_position(shop: Shop, rulesets: RulesetStore) -> None:
    made = shop.flag("checkout")
    shop.target("checkout")
    then, now = (
        expected_documents(shop.store, made.position),
        expected_documents(shop.store, shop.store.head()),
    )
    place = Place(PRODUCTION, "flag/checkout")
    assert '"enabled":false' in str(then[place])
    assert '"enabled":true' in str(now[place])
    assert status_of(shop.store, rulesets).head == shop.store.head()


def test_listeners_are_told_of_every_snapshot(shop: Shop, rulesets: RulesetStore, follower: Follower) -> None:
    told: list[tuple[int, int]] = []
    follower.listen(lambda before, after: told.append((before.position, after.position)))
    rebuild(shop.store, rulesets)
    follower.sync()
    start = follower.snapshot.position
    shop.flag("checkout")
    projector(shop, rulesets).catch_up()
    follower.sync()
    follower.sync()
    assert told == [(0, start), (start, shop.store.head())]
