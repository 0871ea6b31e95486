"""An evaluator's memory while bad things happen to Redis: holes, mixtures and steps back are not served."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis, RedisError

from deploy.embedded import Part, start_valkey, stop
from projections import follower as follower_module
from projections.documents import Place
from projections.follower import Follower
from projections.snapshot import Snapshot
from tests.conftest import open_directory
from tests.integration.handmade import SCOPE, Model, eventually, of_one_position


@pytest.fixture
def model(redis: Redis) -> Model:
    return Model(redis)


class Interrupted(Follower):
    """Something happens to Redis while everything is read: when the flags' first page has come."""

    def __init__(self, redis: Redis, happens: Callable[[], None]) -> None:
        super().__init__(redis)
        pages = self._store.documents

        def documents(generation: str) -> Iterator[tuple[Place, bytes]]:
            seen = False
            for each in pages(generation):
                if each[0].scope == SCOPE and not seen:
                    seen = True
                    happens()
                yield each

        self._store.documents = documents  # type: ignore[method-assign]


def with_a_flag(model: Model, generation: str = "g1") -> None:
    """At position 5."""
    model.fill(4, generation)
    model.write({Place(SCOPE, "flag/e"): "{"})


@pytest.mark.parametrize("refilled_to", [5, 6])
def test_a_model_emptied_and_filled_while_it_is_read_gives_no_holes(
    model: Model, redis: Redis, refilled_to: int
) -> None:
    """Under the same name, unannounced, and to the same position even: what was read is not all there is."""

    def empty_and_fill() -> None:
        if not happened:
            happened.append(True)
            redis.flushall()
            model.fill(refilled_to)
            for name in ("flag/e", "flag/f"):
                redis.hset("{togglemaster}:g1:documents:" + SCOPE, name, "{")
            redis.delete("{togglemaster}:g1:changes")

    happened: list[bool] = []
    with_a_flag(model)
    follower = Interrupted(redis, empty_and_fill)
    follower.sync()
    assert not follower.ready
    follower.sync()
    assert follower.snapshot.position == refilled_to
    assert set(follower.snapshot.environments[SCOPE].flags) == {"e", "f"}


def test_changes_made_while_everything_is_read_are_in_it(model: Model, redis: Redis) -> None:
    with_a_flag(model)
    follower = Interrupted(redis, lambda: model.write({Place(SCOPE, "flag/new"): "{"}))
    follower.sync()
    assert follower.snapshot.position == 6
    assert of_one_position(follower.snapshot)
    assert "new" in follower.snapshot.environments[SCOPE].flags


def test_a_change_that_is_gone_before_it_was_read_is_missed(model: Model, redis: Redis) -> None:
    """More was written than the stream keeps, while everything was read."""

    def write_much() -> None:
        if not happened:
            happened.append(True)
            model.write({Place(SCOPE, "flag/e"): '{"changed": 1}'})
            redis.delete("{togglemaster}:g1:changes")
            model.write({})

    happened: list[bool] = []
    with_a_flag(model)
    follower = Interrupted(redis, write_much)
    follower.sync()
    assert not follower.ready
    follower.sync()
    assert follower.snapshot.position == 7
    assert follower.snapshot.documents[SCOPE]["flag/e"] == '{"changed": 1}'


def test_a_generation_deleted_while_it_is_read_is_not_taken(model: Model, redis: Redis) -> None:
    def swap() -> None:
        if model.generation == "g1":
            with_a_flag(model, "g2")
            redis.delete(*redis.keys("{togglemaster}:g1:*"))

    with_a_flag(model)
    follower = Interrupted(redis, swap)
    follower.sync()
    assert not follower.ready
    follower.sync()
    assert (follower.snapshot.generation, follower.snapshot.position) == ("g2", 5)


def test_a_generation_deleted_before_it_is_read_is_not_an_empty_model(model: Model, redis: Redis) -> None:
    def position(generation: str) -> int:
        if model.generation == "g1":
            model.fill(5, generation="g2")
            redis.delete(*redis.keys("{togglemaster}:g1:*"))
        return positions(generation)

    model.fill(5)
    follower = Follower(redis)
    positions = follower._store.position
    follower._store.position = position  # type: ignore[method-assign]
    follower.sync()
    assert not follower.ready
    follower.sync()
    assert follower.snapshot.position == 5


@dataclass
class OwnRedis:
    """One that bad things may be done to."""

    directory: Path
    part: Part

    def kill(self) -> None:
        self.part.process.kill()
        self.part.process.wait()

    def start(self) -> None:
        self.part = start_valkey(self.directory, port=int(self.part.url.split(":")[2].split("/")[0]))

    def client(self) -> Redis:
        return Redis.from_url(self.part.url, socket_timeout=0.1, socket_connect_timeout=0.1)


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    directory = open_directory()
    found = OwnRedis(directory, start_valkey(directory))
    yield found
    found.part.process.send_signal(signal.SIGCONT)
    stop(found.part)
    shutil.rmtree(directory)


def test_a_hung_redis_and_a_killed_one_are_got_over(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    model = Model(own_redis.client())
    model.fill(5)
    follower = Follower(own_redis.client())
    follower.start()
    eventually(lambda: follower.ready)
    os.kill(own_redis.part.process.pid, signal.SIGSTOP)
    eventually(lambda: follower.staleness() > 1.5)
    assert of_one_position(follower.snapshot)
    os.kill(own_redis.part.process.pid, signal.SIGCONT)
    eventually(lambda: follower.staleness() < 1.5)
    model.write({})
    eventually(lambda: follower.snapshot.position == 6)
    own_redis.kill()
    assert of_one_position(follower.snapshot)
    own_redis.start()
    Model(own_redis.client(), position=6).write({})
    eventually(lambda: follower.snapshot.position == 7)
    follower.stop()
    assert 1 <= caplog.text.count("answering from position 5, Redis") <= 4  # not at each attempt


def test_lost_hints_cost_a_poll_and_then_a_new_subscription(
    model: Model, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published to nobody, as on a connection that only one side has noticed is dead."""
    monkeypatch.setattr(follower_module, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(follower_module, "CHANNEL", "a channel on which nothing is said")
    model.fill(5)
    follower = Follower(redis)
    follower.start()
    eventually(lambda: follower.ready)
    model.write({})
    eventually(lambda: follower.snapshot.position == 6)
    monkeypatch.undo()

    def is_subscribed() -> bool:
        model.write({})
        eventually(lambda: follower.snapshot.position == model.position)
        return bool(dict(redis.pubsub_numsub("{togglemaster}:hint"))[b"{togglemaster}:hint"])

    eventually(is_subscribed)
    follower.stop()


def test_one_thread_at_a_time_sees_one_position(model: Model, redis: Redis) -> None:
    """While generations are swapped, emptied and written to, all at once."""
    follower = Follower(redis)
    model.fill(1)
    follower.sync()
    stopping = threading.Event()

    def follow() -> None:
        while not stopping.is_set():
            try:
                follower.sync()
            except RedisError:
                continue
            served.append(follower.snapshot)

    served: list[Snapshot] = []
    thread = threading.Thread(target=follow)
    thread.start()
    try:
        for number in range(155):
            if number % 10 == 9:
                redis.flushall()
                model.fill(max(1, model.position - number % 3), f"g{number % 2 + 1}")
            model.write({Place(SCOPE, f"flag/{number}"): "{"})
            time.sleep(0.002)
    finally:
        stopping.set()
        thread.join()
    follower.sync()
    assert all(of_one_position(each) for each in served)
    positions = [each.position for each in served]
    assert positions == sorted(positions)
    assert follower.snapshot.position == model.position
