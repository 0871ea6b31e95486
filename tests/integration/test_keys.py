"""API keys: their end, their successors, and the same key for the same request."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from api.evaluation.access import Callers
from api.evaluation.refusal import Refusal
from api.management.app import create_app
from domain.envelope import key_stream
from projections.keys_used import KeysUsed
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild, verify
from projections.ruleset_store import RulesetStore
from projections.snapshot import Snapshot, snapshot_of
from tests.integration.management import Management, parts_at, refused
from workers.key_use import KeyUse

PATH = "/default/environments/production/keys"
SERVER = {"name": "web", "kind": "server"}


def later(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def issue(api: Management, **more: Any) -> Any:
    answer = api.ask("POST", PATH, {**SERVER, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def rulesets(api: Management, redis: Redis) -> RulesetStore:
    store = RulesetStore(redis)
    rebuild(api.store, store)
    return store


def snapshot(api: Management, rulesets: RulesetStore) -> Snapshot:
    """What an evaluator has in memory now."""
    Projector(api.store, RulesetView(rulesets)).catch_up()
    generation = rulesets.live() or ""
    position = rulesets.position(generation)
    return snapshot_of(generation, position, rulesets.documents(generation), Snapshot())


def is_in_force(found: Snapshot, key: str, at: datetime) -> bool:
    try:
        return bool(Callers().find(found, key, at.timestamp()))
    except Refusal:
        return False


def test_evaluators_stop_at_a_keys_end_by_themselves(api: Management, rulesets: RulesetStore) -> None:
    now = datetime.now(UTC)
    issued, endless = issue(api, expires_at=later(hours=1)), issue(api)
    end = datetime.fromisoformat(issued["expires_at"])
    found = snapshot(api, rulesets)
    for key, until in ((issued["key"], end), (endless["key"], None)):
        assert is_in_force(found, key, now)
        assert is_in_force(found, key, end - timedelta(seconds=1))
        assert is_in_force(found, key, end) == (until is None)
    assert verify(api.store, rulesets)[1] == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (later(hours=-1), "past"),
        (later(days=4_000), "3660 days"),
        ("2027-01-31", "RFC 3339"),
        ("2027-01-31T12:00:00", "RFC 3339"),
        ("1900000000", "RFC 3339"),
        (1_900_000_000, "RFC 3339"),
        ("9999-12-31T23:59:59-12:00", "beyond"),
        ("2027-02-31T12:00:00Z", "expires_at"),
    ],
)
def test_an_end_has_to_be_a_time_to_come(api: Management, end: object, words: str) -> None:
    refused(api.ask("POST", PATH, {**SERVER, "expires_at": end}), 422, words)
    key_id = issue(api)["id"]
    refused(api.ask("POST", f"{PATH}/{key_id}/rotate", {"expires_at": end}), 422, words)


def test_while_a_key_is_rotated_both_are_in_force(api: Management, rulesets: RulesetStore) -> None:
    old = issue(api)
    answer = api.ask("POST", f"{PATH}/{old['id']}/rotate", {"overlap_seconds": 3_600}, X_Reason="yearly")
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    new = answer.json()
    assert (new["name"], new["kind"], new["environment"], new["replaces"], new["expires_at"]) == (
        *("web", "server", "production", old["id"]),
        None,
    )
    previous = new["previous"]
    assert (previous["id"], previous["replaced_by"], "key" in previous) == (old["id"], new["id"], False)
    end, now = datetime.fromisoformat(previous["expires_at"]), datetime.now(UTC)
    assert abs(end - now - timedelta(hours=1)) < timedelta(minutes=5)
    found = snapshot(api, rulesets)
    assert is_in_force(found, old["key"], now)
    assert is_in_force(found, new["key"], now)
    assert not is_in_force(found, old["key"], end)
    assert is_in_force(found, new["key"], end)
    log = api.store.read(after=0, limit=100)
    assert [type(each.event).__name__ for each in log[-2:]] == ["KeyIssued", "KeyExpiryChanged"]
    assert {each.stamp.reason for each in log[-2:]} == {"yearly"}


def test_without_an_overlap_the_old_key_ends_now(api: Management, rulesets: RulesetStore) -> None:
    old = issue(api, expires_at=later(hours=1))
    new = api.ask("POST", f"{PATH}/{old['id']}/rotate", {"overlap_seconds": 0}).json()
    end = datetime.fromisoformat(new["previous"]["expires_at"])
    found = snapshot(api, rulesets)
    assert not is_in_force(found, old["key"], end)
    assert is_in_force(found, new["key"], end)
    lives = datetime.fromisoformat(new["expires_at"]) - end
    assert abs(lives - timedelta(hours=1)) < timedelta(minutes=5)


def test_a_key_is_rotated_once_and_while_it_is_in_force(api: Management) -> None:
    old = issue(api)
    path = f"{PATH}/{old['id']}/rotate"
    refused(api.ask("POST", path, {"overlap_seconds": 30 * 24 * 3_600 + 1}), 422, "overlap_seconds")
    refused(api.ask("POST", path, If_Match='"2"'), 412, "version 1")
    refused(api.ask("POST", path.replace("production", "staging")), 404)
    refused(api.ask("POST", f"{PATH}/none/rotate"), 404, "'none'")
    new = api.ask("POST", path, If_Match='"1"').json()
    refused(api.ask("POST", path), 409, f"replaced by '{new['id']}'")
    api.ask("DELETE", f"{PATH}/{new['id']}")
    refused(api.ask("POST", f"{PATH}/{new['id']}/rotate"), 409, "revoked")


def test_of_ten_who_rotate_a_key_at_once_one_does(api: Management) -> None:
    path = f"{PATH}/{issue(api)['id']}/rotate"
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.ask("POST", path).status_code, range(10)))
    assert sorted(answers) == [201] + [409] * 9


def test_the_same_request_is_shown_the_same_key(api: Management) -> None:
    first, again = (api.ask("POST", PATH, SERVER, Idempotency_Key="k-1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    other = api.ask("POST", PATH, SERVER, Idempotency_Key="k-2").json()
    unnamed = [issue(api)["key"] for _ in range(2)]
    assert len({first.json()["key"], other["key"], *unnamed}) == 4
    path = f"{PATH}/{other['id']}/rotate"
    rotated, again = (api.ask("POST", path, Idempotency_Key="r-1") for _ in range(2))
    assert (rotated.status_code, again.json()) == (201, rotated.json())
    stored = str(api.store.read(after=0, limit=100))
    assert first.json()["key"] not in stored
    assert rotated.json()["key"] not in stored


def test_ten_at_once_with_one_idempotency_key_have_one_key(api: Management) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.ask("POST", PATH, SERVER, Idempotency_Key="k"), range(10)))
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["key"] for answer in answers}) == 1
    issued = [each for each in api.store.read(after=0, limit=100) if each.stream.kind == "key"]
    assert len(issued) == 1


def test_a_key_of_another_secret_is_not_shown(api: Management) -> None:
    old = issue(api)
    path = f"{PATH}/{old['id']}/rotate"
    api.ask("POST", PATH, SERVER, Idempotency_Key="k")
    api.ask("POST", path, Idempotency_Key="r")
    parts = replace(api.parts, secret=f"not {api.parts.secret}")
    client = TestClient(create_app(parts), raise_server_exceptions=False)
    changed = Management(client, api.store, parts)
    refused(changed.ask("POST", PATH, SERVER, Idempotency_Key="k"), 409, "secret has changed")
    refused(changed.ask("POST", path, Idempotency_Key="r"), 409, "secret has changed")


def test_a_request_that_was_forgotten_does_not_issue_its_key_again(api: Management) -> None:
    issued = api.ask("POST", PATH, SERVER, Idempotency_Key="k").json()
    api.store.forget_requests(0)
    refused(api.ask("POST", PATH, SERVER, Idempotency_Key="k"), 409, "another Idempotency-Key")
    assert len(api.store.load(key_stream("default", issued["id"]))) == 1


@pytest.fixture
def with_redis(api: Management, redis: Redis, stack: Any) -> Iterator[Management]:
    found = parts_at(api.store.url, redis_url=stack.valkey.url)
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        yield Management(client, api.store, api.parts)
    found.store.close()
    found.catalogue.close()


def test_it_is_known_when_a_key_was_last_used(with_redis: Management, redis: Redis) -> None:
    used, unused = issue(with_redis), issue(with_redis)
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for seconds in (60, 0):  # two evaluators; one of them is late
        use = KeyUse(KeysUsed(redis))
        use.note(used["id"], at.timestamp() + seconds)
        use.tell()
    rebuild(with_redis.store, RulesetStore(redis))
    last = "2026-11-22T12:01:00Z"
    assert with_redis.ask("GET", f"{PATH}/{used['id']}").json()["last_used_at"] == last
    assert with_redis.ask("GET", f"{PATH}/{unused['id']}").json()["last_used_at"] is None
    with_redis.catch_up()
    listed = with_redis.ask("GET", PATH).json()["keys"]
    assert {each["id"]: each["last_used_at"] for each in listed} == {used["id"]: last, unused["id"]: None}
    assert with_redis.ask("DELETE", f"{PATH}/{used['id']}").json()["last_used_at"] == last


def test_keys_are_listed_when_nobody_knows_when_they_were_used(api: Management) -> None:
    key_id = issue(api)["id"]
    api.catch_up()
    assert [each["last_used_at"] for each in api.ask("GET", PATH).json()["keys"]] == [None]
    assert api.ask("GET", f"{PATH}/{key_id}").json()["last_used_at"] is None
    refused(api.ask("GET", f"{PATH}/none"), 404, "'none'")
    refused(api.ask("GET", f"{PATH.replace('production', 'staging')}/{key_id}"), 404, "'staging'")


def test_what_redis_did_not_take_is_told_the_next_time(redis: Redis) -> None:
    class Failing(KeysUsed):
        away = True

        def tell(self, used: Any) -> bool:
            return not self.away and super().tell(used)

    keys_used = Failing(redis)
    use = KeyUse(keys_used)
    use.note("k", 1_000)
    use.tell()
    assert keys_used.last(["k"]) == [None]
    keys_used.away = False
    use.tell()
    assert keys_used.last(["k", "l"]) == [datetime.fromtimestamp(1_000, UTC), None]
    assert keys_used.last([]) == []


def test_the_last_uses_are_told_when_the_process_stops(redis: Redis) -> None:
    use = KeyUse(KeysUsed(redis))
    use.start()
    use.note("k", 1_000)
    use.stop()
    assert KeysUsed(redis).last(["k"]) == [datetime.fromtimestamp(1_000, UTC)]
