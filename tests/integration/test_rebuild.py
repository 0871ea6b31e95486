"""Poison events, rebuilds beside the live model, the way back, and who may write: on real parts."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from commands.codec import EVENTS
from commands.event_store import Append, EventStore
from commands.models import CreateEnvironment, IssueKey
from deploy.processes.projector import refuse_eviction
from deploy.told import Told
from domain.envelope import Stream, flag_stream, key_stream, project_stream
from domain.events import FlagTurnedOff, FlagTurnedOn
from projections import settling
from projections.documents import KEYS, Place, documents_of
from projections.eviction import eviction_policy
from projections.follower import Follower
from projections.lease import Beating, Lease
from projections.projector import Projector, RulesetView
from projections.rebuild import (
    AnotherRebuild,
    NotRebuilt,
    Poisoned,
    Unverified,
    can_thaw,
    go_back,
    rebuild,
    status_of,
    verify,
)
from projections.ruleset_store import Apart, Fenced, Moved, RulesetStore
from tests.integration.shop import STAMP, Shop
from tests.integration.unreadable import append_unreadable

PRODUCTION = "shop/production"
ON, OFF = FlagTurnedOn(environment="production"), FlagTurnedOff(environment="production")


@pytest.fixture
def rulesets(redis: Redis) -> RulesetStore:
    return RulesetStore(redis)


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


@pytest.fixture
def noeviction(redis: Redis) -> Iterator[Redis]:
    yield redis
    redis.config_set("maxmemory-policy", "noeviction")


def catch_up(shop: Shop, rulesets: RulesetStore) -> None:
    Projector(shop.store, RulesetView(rulesets)).catch_up()


def enabled(rulesets: RulesetStore, key: str, scope: str = PRODUCTION) -> bool | None:
    generation = rulesets.live()
    assert generation
    (found,) = rulesets.fetch(generation, [Place(scope, f"flag/{key}")])
    return None if found is None else b'"enabled":true' in found


def in_step(shop: Shop, rulesets: RulesetStore) -> bool:
    status, drifts = verify(shop.store, rulesets)
    return not drifts and status.lag == 0


# What cannot be projected


def test_an_unreadable_event_freezes_its_flag_and_nothing_else(
    shop: Shop, rulesets: RulesetStore, caplog: pytest.LogCaptureFixture
) -> None:
    shop.flag("checkout")
    shop.target("checkout")
    shop.flag("search")
    rebuild(shop.store, rulesets)
    position = append_unreadable(shop.store, flag_stream("shop", "checkout"))
    shop.target("search")
    with caplog.at_level(logging.ERROR):
        catch_up(shop, rulesets)
        shop.store.append([Append(flag_stream("shop", "checkout"), 5, [OFF])], STAMP)
        catch_up(shop, rulesets)
    assert (enabled(rulesets, "checkout"), enabled(rulesets, "search")) == (True, True)
    assert in_step(shop, rulesets)
    status = status_of(shop.store, rulesets)
    assert status.frozen == {
        "flag/shop/checkout": (position, "no event is called FlagPainted in this version")
    }
    assert len(caplog.records) == 1


def test_a_key_in_doubt_opens_nothing(shop: Shop, rulesets: RulesetStore) -> None:
    for key_id in ("sound", "doubtful"):
        key = {"project": "shop", "environment": "production", "id": key_id}
        shop.give(IssueKey(**key, name="web", kind="server", digest=key_id))
    rebuild(shop.store, rulesets)
    append_unreadable(shop.store, key_stream("shop", "doubtful"))
    catch_up(shop, rulesets)
    generation = rulesets.live()
    assert generation
    found = {place.field for place, _ in rulesets.documents(generation) if place.scope == KEYS}
    assert found == {"sound"}
    assert in_step(shop, rulesets)


def test_an_event_that_does_not_follow_freezes_its_flag_too(shop: Shop, rulesets: RulesetStore) -> None:
    rebuild(shop.store, rulesets)
    shop.store.append([Append(flag_stream("shop", "ghost"), 0, [ON])], STAMP)
    shop.flag("checkout")
    catch_up(shop, rulesets)
    (problem,) = status_of(shop.store, rulesets).frozen.values()
    assert "FlagTurnedOn does not follow" in problem.problem
    assert enabled(rulesets, "ghost") is None
    assert enabled(rulesets, "checkout") is False
    assert in_step(shop, rulesets)


def test_a_state_that_cannot_be_written_down_leaves_the_version_before_it(
    shop: Shop, rulesets: RulesetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shop.flag("checkout")
    shop.flag("search")
    rebuild(shop.store, rulesets)

    def fails_when_on(folded: object, environments: object) -> object:
        if "enabled=True" in str(folded):
            raise ValueError("a document that cannot be made")
        return documents_of(folded, environments)  # type: ignore[arg-type]

    monkeypatch.setattr(settling, "documents_of", fails_when_on)
    monkeypatch.setattr("projections.verification.documents_of", fails_when_on)
    shop.target("checkout")
    catch_up(shop, rulesets)
    frozen = status_of(shop.store, rulesets).frozen["flag/shop/checkout"]
    assert frozen.position > made.position
    assert "a document that cannot be made" in frozen.problem
    assert enabled(rulesets, "checkout") is False
    assert in_step(shop, rulesets)
    monkeypatch.undo()
    shop.store.append([Append(flag_stream("shop", "checkout"), 2, [OFF])], STAMP)
    catch_up(shop, rulesets)
    assert status_of(shop.store, rulesets).frozen == {}
    assert in_step(shop, rulesets)


def test_an_unreadable_project_keeps_the_environments_it_had(shop: Shop, rulesets: RulesetStore) -> None:
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    append_unreadable(shop.store, project_stream("shop"), "ProjectPainted")
    shop.store.append([Append(flag_stream("shop", "checkout"), 1, [ON])], STAMP)
    catch_up(shop, rulesets)
    assert set(status_of(shop.store, rulesets).frozen) == {"project/shop"}
    assert enabled(rulesets, "checkout") is True
    assert in_step(shop, rulesets)


def test_a_new_environment_has_a_frozen_flag_as_it_last_was(shop: Shop, rulesets: RulesetStore) -> None:
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    append_unreadable(shop.store, flag_stream("shop", "checkout"))
    catch_up(shop, rulesets)
    shop.give(CreateEnvironment(project="shop", environment="qa", name="QA"))
    catch_up(shop, rulesets)
    assert enabled(rulesets, "checkout", "shop/qa") is False
    assert in_step(shop, rulesets)


def test_a_kind_of_stream_that_is_not_known_is_frozen_and_stops_nothing(
    shop: Shop, rulesets: RulesetStore
) -> None:
    rebuild(shop.store, rulesets)
    append_unreadable(shop.store, Stream("holdout", "shop", "all/of/it"))
    shop.flag("checkout")
    catch_up(shop, rulesets)
    assert set(status_of(shop.store, rulesets).frozen) == {"holdout/shop/all/of/it"}
    assert in_step(shop, rulesets)


def test_what_a_later_version_can_read_thaws(
    shop: Shop, rulesets: RulesetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    append_unreadable(shop.store, flag_stream("shop", "checkout"), "FlagSwitched")
    catch_up(shop, rulesets)
    assert not can_thaw(shop.store, rulesets)

    class Switched(FlagTurnedOn):
        environment: str = "production"

    monkeypatch.setitem(EVENTS, "FlagSwitched", Switched)
    assert can_thaw(shop.store, rulesets)
    rebuild(shop.store, rulesets, tolerant=True)
    assert status_of(shop.store, rulesets).frozen == {}
    assert enabled(rulesets, "checkout") is True


def test_a_rebuild_that_meets_poison_changes_nothing_and_names_it(shop: Shop, rulesets: RulesetStore) -> None:
    shop.flag("checkout")
    generation = rebuild(shop.store, rulesets)
    position = append_unreadable(shop.store, flag_stream("shop", "checkout"))
    with pytest.raises(Poisoned, match=rf"flag/shop/checkout at position {position}, no event is called"):
        rebuild(shop.store, rulesets)
    assert rulesets.generations() == {generation} == {rulesets.live()}


def test_an_empty_redis_is_filled_in_spite_of_poison(shop: Shop, rulesets: RulesetStore) -> None:
    shop.flag("checkout")
    append_unreadable(shop.store, flag_stream("shop", "checkout"))
    rebuild(shop.store, rulesets, tolerant=True)
    assert set(status_of(shop.store, rulesets).frozen) == {"flag/shop/checkout"}
    assert in_step(shop, rulesets)


# Rebuild and the way back


def test_the_old_generation_is_kept_in_step_and_can_be_gone_back_to(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    shop.flag("checkout")
    first = rebuild(shop.store, rulesets)
    second = rebuild(shop.store, rulesets)
    follower = Follower(redis)
    follower.sync()
    shop.target("checkout")
    shop.give(CreateEnvironment(project="shop", environment="qa", name="QA"))
    append_unreadable(shop.store, flag_stream("shop", "checkout"))
    catch_up(shop, rulesets)
    assert dict(rulesets.documents(first)) == dict(rulesets.documents(second))
    assert go_back(rulesets) == first == rulesets.live()
    assert rulesets.previous() == second
    assert in_step(shop, rulesets)
    follower.sync()
    assert (follower.snapshot.generation, follower.snapshot.position) == (first, shop.store.head())
    assert follower.snapshot.environments[PRODUCTION].flags["checkout"].enabled
    shop.flag("search")
    catch_up(shop, rulesets)
    follower.sync()
    assert "search" in follower.snapshot.environments[PRODUCTION].flags
    assert go_back(rulesets) == second
    assert in_step(shop, rulesets)


def test_only_one_old_generation_is_kept(shop: Shop, rulesets: RulesetStore) -> None:
    generations = [rebuild(shop.store, rulesets) for _ in range(3)]
    assert rulesets.generations() == set(generations[1:])
    assert (rulesets.live(), rulesets.previous()) == (generations[2], generations[1])


def test_without_a_generation_that_was_kept_there_is_no_going_back(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    first = rebuild(shop.store, rulesets)
    with pytest.raises(NotRebuilt, match="no generation to go back to"):
        go_back(rulesets)
    second = rebuild(shop.store, rulesets)
    redis.hset("{togglemaster}:" + f"{first}:state", "position", 1)
    with pytest.raises(NotRebuilt, match="not at the same position"):
        go_back(rulesets)
    shop.flag("checkout")
    catch_up(shop, rulesets)
    assert (rulesets.live(), rulesets.previous()) == (second, None)
    assert in_step(shop, rulesets)


def test_a_rebuild_brings_up_a_live_model_that_nobody_writes(shop: Shop, rulesets: RulesetStore) -> None:
    first = rebuild(shop.store, rulesets)
    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    assert rulesets.previous() == first
    assert rulesets.position(first) == shop.store.head()


def test_a_model_that_is_ahead_of_a_restored_log_is_replaced_and_not_kept(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    first = rebuild(shop.store, rulesets)
    redis.hset("{togglemaster}:" + f"{first}:state", "position", shop.store.head() + 50)
    second = rebuild(shop.store, rulesets)
    assert (rulesets.live(), rulesets.previous(), rulesets.generations()) == (second, None, {second})
    assert in_step(shop, rulesets)


def test_commands_go_on_during_a_rebuild_and_none_is_lost(shop: Shop, rulesets: RulesetStore) -> None:
    for number in range(40):
        shop.flag(f"flag-{number}")
    first = rebuild(shop.store, rulesets)
    stopping = threading.Event()
    live = Projector(shop.store, RulesetView(rulesets))

    def command() -> None:
        number = 0
        while not stopping.is_set():
            shop.target(f"flag-{number % 40}", enabled=number % 80 < 40)
            live.catch_up()
            number += 1

    commanding = threading.Thread(target=command)
    commanding.start()
    try:
        for _ in range(5):
            second = rebuild(shop.store, rulesets)
    finally:
        stopping.set()
        commanding.join()
    catch_up(shop, rulesets)
    assert first not in rulesets.generations()
    assert rulesets.live() == second
    assert in_step(shop, rulesets)
    rebuild(shop.store, rulesets)  # while commands never pause, the old one may fall behind and not be kept
    kept = rulesets.previous()
    assert kept is not None
    assert dict(rulesets.documents(kept)) == dict(rulesets.documents(second))


def test_what_is_not_as_the_log_says_is_not_swapped_in(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    shop.flag("checkout")
    first = rebuild(shop.store, rulesets)

    def spoil(stage: str, done: int, total: int) -> None:
        if stage == "checking":
            generation = max(rulesets.generations())
            redis.hset("{togglemaster}:" + f"{generation}:documents:{PRODUCTION}", "flag/checkout", "{}")

    with pytest.raises(Unverified, match="flag/checkout in shop/production, which differs"):
        rebuild(shop.store, rulesets, spoil)
    assert rulesets.generations() == {first} == {rulesets.live()}


def test_what_the_catching_up_writes_is_checked_before_the_swap(
    shop: Shop, rulesets: RulesetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.flag("checkout")
    first = rebuild(shop.store, rulesets)

    step, live = Projector.step, Projector(shop.store, RulesetView(rulesets))

    def change(stage: str, done: int, total: int) -> None:
        if stage == "checking":
            shop.target("checkout")
            while step(live):
                pass

    def spoil(projector: Projector, until: int | None = None) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(settling, "documents_of", lambda *given: dict.fromkeys(documents_of(*given), "{}"))
            while step(projector, until):
                pass

    monkeypatch.setattr(Projector, "catch_up", spoil)

    with pytest.raises(Unverified):
        rebuild(shop.store, rulesets, change)
    assert rulesets.live() == first


def test_of_two_rebuilds_at_once_one_wins_and_the_other_says_so(shop: Shop, rulesets: RulesetStore) -> None:
    shop.flag("checkout")
    refused: list[str] = []

    def meanwhile(*_: object) -> None:
        if not refused:
            refused.append("")
            with pytest.raises(AnotherRebuild, match="another rebuild is at work") as found:
                rebuild(shop.store, rulesets)
            refused[0] = str(found.value)

    generation = rebuild(shop.store, rulesets, meanwhile)
    assert refused[0]
    assert rulesets.generations() == {generation} == {rulesets.live()}
    assert in_step(shop, rulesets)


def test_a_rebuild_that_lost_its_lease_writes_and_deletes_nothing(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    shop.flag("checkout")
    first = rebuild(shop.store, rulesets)
    lease = rulesets.rebuild_lease()
    assert lease.hold()
    assert not rulesets.fill("g99", {Place(PRODUCTION, "flag/x"): "{}"}, "somebody else")
    rulesets.delete(first, "somebody else")
    assert not rulesets.make_live("g99", instead_of=first, rebuild="somebody else")
    assert rulesets.generations() == {first} == {rulesets.live()}
    assert in_step(shop, rulesets)


def test_what_a_killed_rebuild_left_is_cleared_away_by_the_next(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    shop.flag("checkout")
    dead = rulesets.rebuild_lease()
    assert dead.hold()
    left = f"g{dead.number}"
    assert rulesets.fill(left, {Place("nobody/knows", "flag/x"): "{}"}, dead.holder)
    assert rulesets.generations() == {left}
    generation = rebuild(shop.store, rulesets)
    assert rulesets.generations() == {generation}


def test_redis_losing_everything_during_a_rebuild_ends_it_and_leaves_nothing(
    shop: Shop, rulesets: RulesetStore, redis: Redis
) -> None:
    def flush(*_: object) -> None:
        redis.flushall()

    shop.flag("checkout")
    rebuild(shop.store, rulesets)
    with pytest.raises(NotRebuilt):
        rebuild(shop.store, rulesets, flush)
    redis.flushall()
    generation = rebuild(shop.store, rulesets)
    assert rulesets.generations() == {generation}
    assert in_step(shop, rulesets)


# Who may write


def test_an_older_epoch_is_refused_whole(shop: Shop, rulesets: RulesetStore) -> None:
    generation = rebuild(shop.store, rulesets)
    position = rulesets.position(generation)
    place = Place(PRODUCTION, "flag/x")
    rulesets.write(generation, {place: "new"}, after=position, to=position + 1, epoch=7)
    with pytest.raises(Fenced, match="epoch 7 has taken over from epoch 6"):
        rulesets.write(generation, {place: "old"}, after=position + 1, to=position + 2, epoch=6)
    assert rulesets.fetch(generation, [place]) == [b"new"]
    assert rulesets.position(generation) == position + 1


def test_a_projector_that_was_stopped_between_reading_and_writing_is_refused(
    shop: Shop, rulesets: RulesetStore
) -> None:
    """Even where it has taken the lease back in between, and the position is the one it read for."""
    rebuild(shop.store, rulesets)
    lease = rulesets.projector_lease()
    view = RulesetView(rulesets, lease=lease)
    assert lease.hold()
    after = view.position()
    made = shop.flag("checkout")
    batch = shop.store.read_each(after=after, limit=10, until=made.position)
    lease.release()
    other = rulesets.projector_lease()
    assert other.hold()
    other.release()
    assert lease.hold()
    projector = Projector(shop.store, view)
    with pytest.raises(Fenced):
        view.write(batch, projector._folds, after=after)
    projector.catch_up()
    assert in_step(shop, rulesets)


def test_without_the_lease_nothing_is_written(shop: Shop, rulesets: RulesetStore) -> None:
    rebuild(shop.store, rulesets)
    holder, other = rulesets.projector_lease(), rulesets.projector_lease()
    assert holder.hold()
    assert not other.hold()
    with pytest.raises(Fenced, match="another projector holds the lease"):
        Projector(shop.store, RulesetView(rulesets, lease=other)).step()


def test_a_generation_that_is_kept_is_not_written_by_itself(shop: Shop, rulesets: RulesetStore) -> None:
    """As somebody would who has not heard of the rebuild."""
    first = rebuild(shop.store, rulesets)
    position = rulesets.position(first)
    rebuild(shop.store, rulesets)
    with pytest.raises(Moved):
        rulesets.write(first, {}, after=position, to=position + 1)
    assert rulesets.position(first) == position


def test_two_generations_apart_are_not_swapped_to_be_kept(shop: Shop, rulesets: RulesetStore) -> None:
    first = rebuild(shop.store, rulesets)
    other = rulesets.new_generation()
    rulesets.write(other, {}, after=0, to=1, announce=False)
    with pytest.raises(Apart):
        rulesets.make_live(other, instead_of=first, keep=True)
    assert rulesets.live() == first


def test_a_lease_passes_on_when_its_holder_stands_still_and_not_before(redis: Redis) -> None:
    one, other = (Lease(redis, "lease", "counter", lapse_seconds=0.3) for _ in range(2))
    assert one.hold()
    began = time.monotonic()
    while time.monotonic() - began < 0.6:
        assert one.hold()
        assert not other.hold()
        time.sleep(0.02)
    while not other.hold():
        time.sleep(0.02)
    assert other.number == one.number + 1
    assert not one.hold()
    assert one.number == 0
    redis.delete("lease")
    assert one.hold()
    assert one.number == other.number + 1


def test_who_steps_aside_lets_another_have_it(redis: Redis) -> None:
    one, other = (Lease(redis, "lease", "counter", lapse_seconds=60) for _ in range(2))
    with Beating(one) as beating:
        while not beating.number:
            time.sleep(0.01)
        beating.step_aside()
        assert other.hold()
        time.sleep(0.3)
        assert other.hold()
        assert not beating.number


# A Redis that throws things away


def test_a_redis_that_evicts_is_refused_with_what_mends_it(rulesets: RulesetStore, noeviction: Redis) -> None:
    refuse_eviction(rulesets)
    noeviction.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(Told, match=r"'allkeys-lru'.*CONFIG SET maxmemory-policy noeviction"):
        refuse_eviction(rulesets)


@pytest.mark.parametrize(("forbidden", "answer"), [(["-config"], "noeviction"), (["-config", "-info"], None)])
def test_where_config_is_forbidden_info_is_asked(
    redis: Redis, forbidden: list[str], answer: str | None
) -> None:
    host = redis.connection_pool.connection_kwargs
    acl: Callable[..., object] = redis.execute_command
    acl("ACL", "SETUSER", "managed", "on", "nopass", "~*", "+@all", *forbidden)
    try:
        with Redis(host["host"], host["port"], username="managed", password="any") as managed:  # noqa: S106 - any will do
            with pytest.raises(NoPermissionError):
                managed.config_get("maxmemory-policy")
            assert eviction_policy(managed) == answer
            refuse_eviction(RulesetStore(managed))
    finally:
        acl("ACL", "DELUSER", "managed")
