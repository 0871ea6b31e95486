"""The evaluation API on real Redis: OFREP's shapes, keys, and what it does while parts are away."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from redis import Redis

from api.evaluation.answers import Answers
from api.evaluation.app import create_app
from api.evaluation.parts import Parts
from api.strict_json import BODY_BYTES_AT_MOST
from commands.event_store import EventStore
from commands.models import Command, CreateFlag, FlagDefinition, IssueKey, RevokeKey
from commands.secret_keys import new_key
from deploy.embedded import free_port
from domain.access import digest
from domain.aggregates import Folded
from domain.values import FlagType
from projections.follower import Follower
from projections.keys_used import KEYS_USED, KeysUsed
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from tests.integration.shop import BRAZIL, Shop, rule
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

ONE, ALL = "/ofrep/v1/evaluate/flags/{}", "/ofrep/v1/evaluate/flags"
HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}


class Outage:
    """SQS that takes nothing; the real one is in test_analytics_pipeline."""

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        return list(batch)


@dataclass
class Evaluation:
    shop: Shop
    rulesets: RulesetStore
    follower: Follower
    recorder: EvaluationRecorder
    key_use: KeyUse
    client: TestClient
    app: FastAPI
    parts: Parts
    key: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def give(self, command: Command) -> Folded:
        folded = self.shop.give(command)
        self.sync()
        return folded

    def sync(self) -> None:
        Projector(self.shop.store, RulesetView(self.rulesets)).catch_up()
        self.follower.sync()

    def issue(self, kind: Any = "server", expires_at: datetime | None = None) -> str:
        key_id, key = new_key(kind)
        self.ids[key] = key_id
        issue = IssueKey(
            project="shop",
            environment="production",
            id=key_id,
            name="n",
            kind=kind,
            digest=digest(key),
            expires_at=expires_at,
        )
        self.give(issue)
        return key

    def ask(self, path: str, body: Any = None, **headers: str) -> Response:
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json={} if body is None else body, headers=sent)

    def one(self, flag: str, **context: Any) -> Any:
        return self.ask(ONE.format(flag), {"context": context}).json()


@pytest.fixture
def api(store: EventStore, redis: Redis) -> Iterator[Evaluation]:
    rulesets = RulesetStore(redis)
    follower, recorder = Follower(redis), EvaluationRecorder(Outage())
    shop = Shop(store)
    rebuild(store, rulesets)
    # Without `with`, the application's own threads do not run, and tests say when to follow.
    key_use = KeyUse(KeysUsed(redis))
    parts = Parts(follower, recorder, key_use)
    app = create_app(parts)
    client = TestClient(app, raise_server_exceptions=False)
    api = Evaluation(shop, rulesets, follower, recorder, key_use, client, app, parts)
    api.key = api.issue()
    yield api
    client.close()


def test_one_flag(api: Evaluation) -> None:
    api.shop.flag("checkout")
    version = api.shop.target("checkout", default=HALF, rules=[rule(BRAZIL, "brazil")]).version
    api.sync()
    assert api.one("checkout", targetingKey="u1", country="BR") == {
        "key": "checkout",
        "value": True,
        "variant": "on",
        "reason": "TARGETING_MATCH",
        "metadata": {
            "flagVersion": version,
            "position": api.shop.store.head(),
            "ruleId": "brazil",
            "why": "rule",
        },
    }
    split = api.one("checkout", targetingKey="u1")
    assert split["reason"] == "SPLIT"
    assert split["metadata"]["bucket"] < 100_000
    assert api.recorder.recorded == 2


def test_values_of_every_type_keep_it(api: Evaluation) -> None:
    values: dict[FlagType, Any] = {
        FlagType.STRING: "olá",
        FlagType.INTEGER: 1,
        FlagType.FLOAT: 1,
        FlagType.OBJECT: {"a": [1, 2.0]},
    }
    for kind, value in values.items():
        definition = FlagDefinition(key=kind, type=kind, variants={"v": value})
        api.shop.give(CreateFlag(project="shop", definition=definition))
        api.shop.target(kind, off_variant=None, default={"variant": "v"})
    api.sync()
    printed = {"string": '"olá"', "integer": "1", "float": "1.0", "object": '{"a":[1,2.0]}'}
    for key, text in printed.items():
        assert f'"value":{text}' in api.ask(ONE.format(key)).text


def test_a_code_default_has_a_variant_and_no_value(api: Evaluation) -> None:
    api.shop.flag("checkout")
    api.shop.target("checkout", default={"code_default": True})
    api.sync()
    answer = api.one("checkout")
    assert (answer["variant"], "value" in answer) == ("code_default", False)


def test_an_error_has_a_key_a_code_and_details(api: Evaluation) -> None:
    missing = api.ask(ONE.format("nothing"))
    assert (missing.status_code, missing.json()["key"], missing.json()["errorCode"]) == (
        404,
        "nothing",
        "FLAG_NOT_FOUND",
    )
    api.shop.flag("checkout")
    api.shop.target("checkout", default=HALF)
    api.sync()
    unplaced = api.ask(ONE.format("checkout"), {"context": {}})
    assert (unplaced.status_code, unplaced.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    assert "targetingKey" in unplaced.json()["errorDetails"]
    elsewhere = api.client.get("/nothing")
    assert (elsewhere.status_code, elsewhere.json()["errorCode"]) == (404, "GENERAL")
    assert "/nothing" in elsewhere.json()["errorDetails"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b'{"context": {"a": NaN}}', "PARSE_ERROR"),
        (b'{"context": ' + b"[" * 1_000 + b"]" * 1_000 + b"}", "PARSE_ERROR"),
        (b'{"context": "user-1"}', "INVALID_CONTEXT"),
        (b"[]", "INVALID_CONTEXT"),
        (b" " * (BODY_BYTES_AT_MOST + 1), "GENERAL"),
    ],
    ids=range(6),
)
def test_a_context_that_is_none_is_refused_in_words(api: Evaluation, body: bytes, code: str) -> None:
    for path in (ONE.format("checkout"), ALL):
        answer = api.client.post(path, content=body, headers={"X-API-Key": api.key})
        assert answer.status_code == (413 if code == "GENERAL" else 400)
        assert answer.json()["errorCode"] == code
        assert answer.json()["errorDetails"]


def test_no_body_is_an_empty_context(api: Evaluation) -> None:
    api.shop.flag("checkout")
    api.shop.target("checkout")
    api.sync()
    answer = api.client.post(ONE.format("checkout"), headers={"X-API-Key": api.key})
    assert answer.json()["value"] is True
    assert api.ask(ONE.format("checkout"), {"context": None}).json()["value"] is True


def test_all_flags_with_an_etag(api: Evaluation) -> None:
    api.shop.flag("a")
    api.shop.flag("b", client_visible=True)
    api.shop.target("b", default=HALF)
    api.sync()
    first = api.ask(ALL, {"context": {"targetingKey": "u1"}})
    assert {each["key"] for each in first.json()["flags"]} == {"a", "b"}
    etag = first.headers["etag"]
    same = api.ask(ALL, {"context": {"targetingKey": "u1"}}, If_None_Match=etag)
    assert (same.status_code, same.headers["etag"], same.text) == (304, etag, "")
    api.shop.flag("c")
    api.sync()
    assert api.ask(ALL, {"context": {"targetingKey": "u1"}}, If_None_Match=etag).status_code == 200
    without_key = api.ask(ALL).json()["flags"]
    assert [each.get("errorCode") for each in without_key if each["key"] == "b"] == ["TARGETING_KEY_MISSING"]


def test_a_client_key_sees_only_what_is_for_clients(api: Evaluation) -> None:
    api.shop.flag("a")
    api.shop.flag("b", client_visible=True)
    api.key = api.issue("client")
    assert [each["key"] for each in api.ask(ALL).json()["flags"]] == ["b"]
    assert api.one("b")["variant"] == "off"
    assert api.one("a")["errorCode"] == "FLAG_NOT_FOUND"


def test_a_key_works_until_it_is_revoked(api: Evaluation) -> None:
    api.shop.flag("checkout")
    assert api.ask(ALL).status_code == 200
    assert api.client.post(ALL, headers={"X-API-Key": api.key}).status_code == 200
    revoked = api.key
    other = api.issue()
    api.give(RevokeKey(project="shop", environment="production", id=api.ids[revoked]))
    assert api.ask(ALL).status_code == 401
    api.key = other
    assert api.ask(ALL).status_code == 200


def test_a_key_works_until_it_expires(api: Evaluation) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    endless, api.key = api.key, api.issue(expires_at=end)
    assert api.ask(ALL).status_code == 200
    api.app.state.answers = Answers(api.parts, end.timestamp)
    for path in (ONE.format("checkout"), ALL):
        assert api.ask(path).status_code == 401
    api.key = endless
    assert api.ask(ALL).status_code == 200


def test_it_is_noted_which_keys_are_used(api: Evaluation, redis: Redis) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    used, unused = api.key, api.issue()
    for key, status in ((used, 200), (new_key("server")[1], 401), (f"{used[:-1]}!", 401)):
        assert api.ask(ALL, Authorization=f"Bearer {key}").status_code == status
    assert redis.zcard(KEYS_USED) == 0
    api.key_use.tell()
    last, never = KeysUsed(redis).last([api.ids[used], api.ids[unused]])
    assert last is not None
    assert last >= began
    assert never is None
    assert redis.zcard(KEYS_USED) == 1


def test_nobody_notices_that_uses_cannot_be_told(api: Evaluation) -> None:
    away = KeyUse(KeysUsed(Redis(port=free_port())))
    app = create_app(Parts(api.follower, api.recorder, away))
    with TestClient(app) as client:
        assert client.post(ALL, json={}, headers={"X-API-Key": api.key}).status_code == 200
        away.tell()
        assert client.post(ALL, json={}, headers={"X-API-Key": api.key}).status_code == 200


@pytest.mark.parametrize("key", ["", "nonsense", "tm_server_AAAAAAAAAA_" + "b" * 38, "tm_key_" + "0" * 64])
def test_without_a_key_there_is_no_answer(api: Evaluation, key: str) -> None:
    for path in (ONE.format("checkout"), ALL):
        answer = api.client.post(path, json={}, headers={"X-API-Key": key} if key else {})
        assert answer.status_code == 401
        assert answer.json()["errorCode"] == "GENERAL"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert key == "" or key not in answer.text


def test_a_never_issued_key_is_refused(api: Evaluation) -> None:
    assert api.ask(ALL, Authorization=f"Bearer {new_key('server')[1]}").status_code == 401


def test_a_browser_may_ask(api: Evaluation) -> None:
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    asked = "authorization,x-api-key,if-none-match,content-type"
    preflight = api.client.options(ALL, headers={**origin, "Access-Control-Request-Headers": asked})
    assert preflight.status_code == 200
    answer = api.ask(ALL, Origin="https://shop.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "ETag" in answer.headers["access-control-expose-headers"]


def test_readiness_and_metrics_tell_the_position(api: Evaluation) -> None:
    ready = api.client.get("/health/ready").json()
    assert ready == {
        "ready": True,
        "position": api.shop.store.head(),
        "generation": "g1",
        "source": "redis",
        "stale": False,
    }
    metrics = api.client.get("/metrics").text
    assert f"togglemaster_ruleset_position {float(api.shop.store.head())}" in metrics
    assert "togglemaster_evaluations_recorded_total 0.0" in metrics


def test_before_the_first_ruleset_it_is_not_ready() -> None:
    redis = Redis(port=free_port())
    app = create_app(Parts(Follower(redis), EvaluationRecorder(Outage()), KeyUse(KeysUsed(redis))))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/health/ready").status_code == 503
        answer = client.post(ALL, json={}, headers={"X-API-Key": new_key("server")[1]})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_what_is_served_goes_on_when_redis_is_gone(api: Evaluation, redis: Redis) -> None:
    api.shop.flag("checkout")
    api.sync()
    redis.flushall()
    api.follower.sync()
    assert api.one("checkout")["variant"] == "off"
