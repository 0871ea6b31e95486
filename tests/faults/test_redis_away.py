"""Redis is emptied, killed, restored to earlier, filled up and stopped, and projectors with it: each time the
model ends as the log says, with nobody doing anything."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from commands.event_store import EventStore
from deploy.embedded import start_valkey, stop
from domain.evaluation import FlagDocument
from projections.confirmation import CONFIRMED_SECONDS
from projections.follower import Follower
from projections.rebuild import expected_documents, rebuild, status_of, verify
from projections.ruleset_store import RulesetStore
from tests.conftest import open_directory
from tests.faults.conftest import until
from tests.faults.redis_server import Server, Worker, worker
from tests.figures import tell
from tests.integration.shop import Shop
from workers import projector as projecting
from workers.projector import run_projector

FLAGS = 20
COMMANDS_SECONDS = 0.02  # 50 commands a second
SOON_SECONDS = 30  # this machine may be busy with something else
PROMISED_SECONDS = 1.0  # until a dead projector is replaced
NOTICED_SECONDS = 5 * PROMISED_SECONDS


@pytest.fixture
def store(postgres_url: str) -> Iterator[EventStore]:
    store = EventStore(postgres_url, patience_seconds=30)
    store.create_tables()
    yield store
    store.close()


@pytest.fixture
def shop(store: EventStore) -> Shop:
    shop = Shop(store)
    for number in range(FLAGS):
        shop.flag(f"flag-{number}")
    return shop


@pytest.fixture
def server() -> Iterator[Server]:
    directory = open_directory()
    server = Server(directory, start_valkey(directory))
    try:
        yield server
    finally:
        stop(server.part)
        server.client.close()
        shutil.rmtree(directory)


@contextmanager
def commands(shop: Shop) -> Iterator[None]:
    """Given all the while."""
    stopping = threading.Event()

    def give() -> None:
        number = 0
        while not stopping.wait(COMMANDS_SECONDS):
            number += 1
            shop.target(f"flag-{number % FLAGS}", enabled=number // FLAGS % 2 == 0)

    giving = threading.Thread(target=give)
    giving.start()
    try:
        yield
    finally:
        stopping.set()
        giving.join()


def in_step(shop: Shop, server: Server) -> bool:
    """By the log, byte for byte, and by what an evaluator makes of it."""
    rulesets = RulesetStore(server.client)
    status, drifts = verify(shop.store, rulesets)
    if drifts or status.lag or status.generation is None:
        return False
    follower = Follower(server.client)
    follower.sync()
    found = {
        (scope, key): (flag.version, flag.enabled)
        for scope, ruleset in follower.snapshot.environments.items()
        for key, flag in ruleset.flags.items()
    }
    wanted = {
        (place.scope, place.field.removeprefix("flag/")): (document.version, document.targeting.enabled)
        for place, text in expected_documents(shop.store, status.position).items()
        if place.field.startswith("flag/")
        for document in [FlagDocument.model_validate_json(str(text))]
    }
    return found == wanted and len(found) == FLAGS * 3


def ends_right(shop: Shop, server: Server, what: str) -> None:
    took = until(lambda: in_step(shop, server), SOON_SECONDS)
    _, drifts = verify(shop.store, RulesetStore(server.client))
    tell(f"Redis {what}", right_again_after=f"{took:.2f} s", drift=len(drifts))


def caught_up(shop: Shop, server: Server) -> bool:
    status = status_of(shop.store, RulesetStore(server.client))
    return status.generation is not None and status.lag == 0


def be_flushed(server: Server) -> None:
    server.client.flushall()


def be_killed(server: Server) -> None:
    server.kill()
    time.sleep(0.2)
    server.start()


def lose_its_tail(server: Server) -> None:
    copied = server.copy()
    time.sleep(0.5)
    server.kill()
    server.replace(copied)
    server.start()


def start_empty(server: Server) -> None:
    server.kill()
    server.replace(None)
    server.start()


def hang(server: Server) -> None:
    server.signal(signal.SIGSTOP)
    time.sleep(2.5)  # longer than a client waits
    server.signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("what", "harm"),
    [
        ("flushed", be_flushed),
        ("killed and started again", be_killed),
        ("restored to half a second ago", lose_its_tail),
        ("started empty", start_empty),
        ("stopped in its tracks for 2.5 s", hang),
    ],
)
def test_the_model_is_right_again_by_itself(
    shop: Shop, server: Server, tmp_path: Path, what: str, harm: Callable[[Server], None]
) -> None:
    with worker(shop.store.url, server.url, tmp_path / "log"):
        until(lambda: caught_up(shop, server), SOON_SECONDS)
        with commands(shop):
            time.sleep(0.3)
            harm(server)
            time.sleep(0.3)
        ends_right(shop, server, what)


def test_an_evaluator_begins_where_a_lost_tail_has_been_mended(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    with worker(shop.store.url, server.url, tmp_path / "log"):
        until(lambda: caught_up(shop, server), SOON_SECONDS)
        copied = server.copy()
    shop.target("flag-0", enabled=True)
    head = shop.store.head()
    time.sleep(CONFIRMED_SECONDS)
    server.kill()
    server.replace(copied)
    server.start()
    begun: list[int] = []
    evaluators = [Follower(server.client) for _ in range(3)]
    for each in evaluators:
        each.listen(lambda _, after: begun.append(after.position))
        each.start()
    time.sleep(1)
    assert begun == []
    with worker(shop.store.url, server.url, tmp_path / "log"):
        until(lambda: len(begun) == len(evaluators), SOON_SECONDS)
    for each in evaluators:
        each.stop()
    assert set(begun) == {head}


def test_a_full_redis_is_told_and_written_again_when_there_is_room(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    with worker(shop.store.url, server.url, tmp_path / "log") as projector:
        until(lambda: caught_up(shop, server), SOON_SECONDS)
        with commands(shop):
            server.client.config_set("maxmemory", 1)
            until(lambda: "the memory of Redis is full" in projector.said, SOON_SECONDS)
            time.sleep(1)
            server.client.config_set("maxmemory", 0)
        ends_right(shop, server, "full")
        assert projector.said.count("the memory of Redis is full") == 1 + projector.said.count(
            "no longer: the"
        )


def test_a_policy_that_evicts_keeps_a_projector_from_starting(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    with worker(shop.store.url, server.url, tmp_path / "log") as projector:
        assert projector.popen.wait(SOON_SECONDS) == 1
    assert "CONFIG SET maxmemory-policy noeviction" in projector.said
    assert server.client.dbsize() == 0


def test_a_policy_that_is_changed_later_is_told_of_once_and_when_it_is_over(
    shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(projecting, "POLICY_SECONDS", 0.05)
    stopping = threading.Event()
    running = threading.Thread(
        target=run_projector, args=(shop.store, RulesetStore(server.client), [], stopping)
    )
    running.start()
    try:
        until(lambda: caught_up(shop, server), SOON_SECONDS)
        server.client.config_set("maxmemory-policy", "allkeys-lru")
        until(lambda: "maxmemory-policy 'allkeys-lru'" in caplog.text, SOON_SECONDS)
        time.sleep(0.6)
        server.client.config_set("maxmemory-policy", "noeviction")
        until(lambda: "no longer: Redis has" in caplog.text, SOON_SECONDS)
    finally:
        stopping.set()
        running.join()
    assert len([each for each in caplog.records if each.getMessage().startswith("ruleset: Redis has")]) == 1


def test_a_projector_that_is_killed_is_replaced_within_a_second(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    rulesets, times = RulesetStore(server.client), []
    with commands(shop):
        for round_ in range(2):
            with several(shop, server, tmp_path, f"{round_}") as projectors:
                holder = until_held(rulesets)
                next(each for each in projectors if f":{each.popen.pid}:" in holder).kill()
                times.append(until(partial(held_by_another, rulesets, holder), SOON_SECONDS))
                until(lambda: in_step_or_moving(shop, server), SOON_SECONDS)
    with worker(shop.store.url, server.url, tmp_path / "last"):
        ends_right(shop, server, "written by projectors that were killed")
    tell("projector killed 2 times, another standing ready", replaced_after_at_most=f"{max(times):.2f} s")
    assert max(times) < NOTICED_SECONDS


def in_step_or_moving(shop: Shop, server: Server) -> bool:
    status = status_of(shop.store, RulesetStore(server.client))
    return status.generation is not None and status.lag < FLAGS


def test_a_projector_that_was_stopped_comes_back_and_harms_nothing(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    rulesets = RulesetStore(server.client)
    with commands(shop), several(shop, server, tmp_path, "") as projectors:
        for _ in range(2):
            holder = until_held(rulesets)
            stopped = next(each for each in projectors if f":{each.popen.pid}:" in holder)
            os.kill(stopped.popen.pid, signal.SIGSTOP)
            until(partial(held_by_another, rulesets, holder), SOON_SECONDS)
            os.kill(stopped.popen.pid, signal.SIGCONT)
            time.sleep(0.3)
    with worker(shop.store.url, server.url, tmp_path / "last"):
        ends_right(shop, server, "written by projectors that were stopped")


@contextmanager
def several(shop: Shop, server: Server, tmp_path: Path, name: str) -> Iterator[list[Worker]]:
    with (
        worker(shop.store.url, server.url, tmp_path / f"one{name}") as one,
        worker(shop.store.url, server.url, tmp_path / f"other{name}") as other,
    ):
        time.sleep(1.5)  # both are up, or soon will be
        yield [one, other]


def held_by_another(rulesets: RulesetStore, holder: str) -> bool:
    return rulesets.holders().projector not in {holder, ""}


def until_held(rulesets: RulesetStore) -> str:
    until(lambda: bool(rulesets.holders().projector), SOON_SECONDS)
    return rulesets.holders().projector


def test_a_rebuild_killed_anywhere_leaves_a_right_model_and_nothing_for_ever(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    rulesets = RulesetStore(server.client)
    rebuild(shop.store, rulesets)
    command = ("tests.faults.killable_rebuild", "1", "5")
    with (
        worker(shop.store.url, server.url, tmp_path / "projector"),
        commands(shop),
        worker(shop.store.url, server.url, tmp_path / "log", *command) as killed,
    ):
        assert killed.popen.wait(120) == 0, killed.said
    ended = [line.rsplit(": ", 1) for line in killed.said.splitlines() if ": " in line]
    named = [status for name, status in ended if name != "at random"]
    assert len(named) == 7, killed.said
    assert set(named) == {"-9"}, killed.said
    with worker(shop.store.url, server.url, tmp_path / "last"):
        ends_right(shop, server, "during rebuilds that were killed")
    generation = rebuild(shop.store, rulesets)
    assert rulesets.generations() == {generation, rulesets.previous()}
    tell("rebuild killed", times=sum(status == "-9" for _, status in ended), left_behind=0)


def test_the_command_line_rebuilds_goes_back_and_says_what_is_where(shop: Shop, server: Server) -> None:
    environment = os.environ | {
        "TOGGLEMASTER_POSTGRES_URL": shop.store.url,
        "TOGGLEMASTER_REDIS_URL": server.url,
        "COLUMNS": "200",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "deploy.cli", "projections", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert "g1 is live" in run("rebuild")
    assert "g2 is live, g1 is kept" in run("rebuild")
    assert "g1 is live again, g2 is kept" in run("rebuild", "--rollback")
    assert "generation g1 at position" in run("verify")
    status = run("status")
    assert "kept to go back to" in status
    assert "projector: none (epoch 0)" in status
