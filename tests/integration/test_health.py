"""What the management API tells of the installation itself, on real parts."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from deploy.embedded import Stack
from deploy.processes.management import parts
from deploy.processes.setup import set_up, set_up_postgres
from deploy.settings import Settings
from projections.aws import dead_queue
from projections.dropped_table import SHOWN_DAYS, Dropped
from projections.item_writes import Items
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from tests.integration.conftest import application
from tests.integration.management import ADMIN, Management, close, refused
from tests.waiting import eventually

HEALTH, VERIFY = "/api/v1/health", "/api/v1/health/verify"


@pytest.fixture
def whole(store: Any, stack: Stack, redis: Redis) -> Iterator[Management]:
    """One whose every part is there, with a ruleset that is up to date."""
    settings = Settings(
        postgres_url=store.url,
        postgres_seconds=30,
        redis_url=stack.valkey.url,
        aws_endpoint_url=stack.aws.url,
        queue_name="health",
        usage_table="health-usage",
        records_table="health-records",
        admin_key=ADMIN,
    )
    set_up(settings)
    found = parts(settings)
    app = application()
    app.state.parts = found
    rebuild(store, RulesetStore(redis))
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Management(client, store, found)
        api.catch_up()
        yield api
    close(found)


def health(api: Management) -> Any:
    answer = api.client.get(HEALTH, headers={"X-API-Key": ADMIN})
    assert answer.is_success, answer.text
    return answer.json()


def verified(api: Management) -> Any:
    answer = api.client.post(VERIFY, headers={"X-API-Key": ADMIN})
    assert answer.is_success, answer.text
    return answer.json()


def problems(found: Any) -> dict[str, str]:
    return {each["name"]: each["to_do"] for each in found["services"] if not each["reachable"]}


def test_all_is_told_of_an_installation_that_is_well(whole: Management) -> None:
    found = health(whole)
    assert problems(found) == {}
    head = found["head"]
    assert head == whole.store.head()
    ruleset = found["ruleset"]
    assert (ruleset["generation"], ruleset["position"], ruleset["lag"]) == ("g1", head, 0)
    assert ruleset["frozen"] == []
    assert {each["lag"] for each in found["views"]} == {0}
    assert found["queue"] == {"name": "health", "waiting": 0, "dead": 0}
    nothing: dict[str, Any] = {"days": 30, "counts": 0, "records": 0, "producers": [], "more": 0}
    assert found["dropped"] == nothing | dict.fromkeys(("since", "last", "to_do"))


def test_what_evaluators_dropped_is_told_with_who_when_and_what_to_do(whole: Management) -> None:
    now = int(time.time())
    told = [Dropped(f"eu-{n:02}", 9, n, 10 * n, now - 100 - n, now - n) for n in range(1, 13)]
    forgotten = Dropped("long-ago", 9, 1, 1, now - 10**7, now - 24 * 3_600 * SHOWN_DAYS - 1)
    table = whole.parts.health.dropped
    table.put([*told, forgotten])
    try:
        found = health(whole)["dropped"]
    finally:
        keys = [{"part": {"S": "@dropped"}, "place": {"S": each.producer}} for each in (*told, forgotten)]
        Items(whole.parts.health.dynamodb, "health-usage").delete(keys)
    assert (found["counts"], found["records"], found["days"]) == (sum(range(13)), 10 * sum(range(13)), 30)
    assert (moment(found["since"]), moment(found["last"])) == (now - 112, now - 1)
    assert [each["producer"] for each in found["producers"]] == [f"eu-{n:02}" for n in range(1, 11)]
    assert found["more"] == 2
    one = found["producers"][2]
    assert (one["counts"], one["records"]) == (3, 30)
    assert (moment(one["first"]), moment(one["last"])) == (now - 103, now - 3)
    for setting in ("TOGGLEMASTER_SPOOL_COUNTERS", "TOGGLEMASTER_SPOOL_MEGABYTES"):
        assert setting in found["to_do"]


def moment(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def test_what_to_do_is_of_what_was_dropped(whole: Management) -> None:
    now, table = int(time.time()), whole.parts.health.dropped
    table.put([Dropped("eu", 1, 0, 5, now, now)])
    only_records = health(whole)["dropped"]["to_do"]
    table.put([Dropped("eu", 2, 5, 0, now, now)])
    only_counts = health(whole)["dropped"]["to_do"]
    table.put([Dropped("eu", 3, 0, 0, now, now)])
    assert "SPOOL_MEGABYTES" in only_records
    assert "SPOOL_COUNTERS" not in only_records
    assert "SPOOL_COUNTERS" in only_counts
    assert "SPOOL_MEGABYTES" not in only_counts
    assert health(whole)["dropped"]["to_do"] is None


def test_the_lag_of_each_model_is_how_far_it_is_behind_the_log(whole: Management) -> None:
    before = whole.store.head()
    whole.flag()
    lag = whole.store.head() - before
    found = health(whole)
    assert found["ruleset"]["lag"] == lag > 0
    assert {each["lag"] for each in found["views"]} == {lag}
    whole.catch_up()
    assert {each["lag"] for each in health(whole)["views"]} == {0}


def test_messages_that_wait_and_those_that_were_given_up_are_counted(whole: Management) -> None:
    queue = whole.parts.health.queue()
    for each, count in ((queue, 2), (dead_queue(queue), 1)):
        for _ in range(count):
            each.sqs.send_message(QueueUrl=each.url, MessageBody="{}")
    try:
        eventually(lambda: health(whole)["queue"] == {"name": "health", "waiting": 2, "dead": 1})
    finally:
        for each in (queue, dead_queue(queue)):
            each.sqs.purge_queue(QueueUrl=each.url)


def test_a_ruleset_that_is_what_the_log_says_is_verified_and_one_that_is_not_is_told(
    whole: Management, redis: Redis
) -> None:
    whole.flag()
    rebuild(whole.store, RulesetStore(redis))
    found = verified(whole)
    assert found["agrees"] is True
    assert (found["generation"], found["position"]) == ("g2", whole.store.head())
    assert (found["differ"], found["drifts"], found["frozen"]) == (0, [], [])
    documents = "{togglemaster}:g2:documents:default/production"
    redis.hset(documents, "flag/checkout", "{}")
    found = verified(whole)
    assert (found["agrees"], found["differ"]) == (False, 1)
    assert found["drifts"] == [
        {"scope": "default/production", "document": "flag checkout", "difference": "differs"}
    ]


def test_one_verifies_at_a_time(whole: Management) -> None:
    with whole.parts.health.verifying:
        answer = whole.client.post(VERIFY, headers={"X-API-Key": ADMIN})
        refused(answer, 409, "verified for somebody already")
    assert verified(whole)["agrees"] is True


def test_a_redis_without_a_ruleset_is_told_with_what_makes_one(whole: Management, redis: Redis) -> None:
    redis.flushall()
    assert health(whole)["ruleset"]["generation"] is None
    refused(whole.client.post(VERIFY, headers={"X-API-Key": ADMIN}), 409, "projections rebuild")


def test_what_is_away_is_told_with_what_to_do_and_the_rest_is_still_told(api: Management) -> None:
    found = health(api)
    assert set(problems(found)) == {"redis", "sqs", "dynamodb"}
    assert "TOGGLEMASTER_REDIS_URL" in problems(found)["redis"]
    assert found["head"] == api.store.head()
    assert (found["ruleset"], found["queue"], found["dropped"]) == (None, None, None)
    assert {each["name"] for each in found["views"]} == {api.parts.catalogue.name, api.parts.audit.name}
    refused(api.client.post(VERIFY, headers={"X-API-Key": ADMIN}), 503, "Redis", "TOGGLEMASTER_REDIS_URL")


def test_postgresql_away_is_told_too(whole: Management) -> None:
    away = parts(Settings(postgres_url="postgresql://postgres@127.0.0.1:1/none", admin_key=ADMIN))
    whole.client.app.state.parts = replace(  # type: ignore[attr-defined]
        whole.parts,
        health=replace(whole.parts.health, log=away.store, views=(away.catalogue,)),
    )
    found = health(whole)
    assert set(problems(found)) == {"postgresql"}
    assert (found["head"], found["views"], found["ruleset"]) == (None, None, None)
    close(away)


def test_only_who_administers_everything_is_told(whole: Management) -> None:
    set_up_postgres(Settings(postgres_url=whole.store.url))
    grants = [{"role": "admin", "project": "default"}]
    new = {"name": "ci", "grants": grants}
    token = whole.client.post("/api/v1/tokens", json=new, headers={"X-API-Key": ADMIN}).json()["token"]
    for method, path in (("GET", HEALTH), ("POST", VERIFY)):
        answer = whole.client.request(method, path, headers={"X-API-Key": token})
        refused(answer, 403, "the whole installation")
