"""`/evaluate` as the original system's clients know it: bytes, errors, and what it counts."""

import json
import time
from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus, urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from api.evaluation.answers import Answers
from api.evaluation.app import create_app
from api.evaluation.original_query import read_question
from api.evaluation.parts import Parts
from deploy.embedded import free_port
from domain.bucketing import ALGORITHMS
from projections.documents import ENVIRONMENTS, Place
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.snapshot import Snapshot
from tests.integration.flag_documents import flag_document
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

SCOPE = "default/production"
ASKED = "/evaluate?user_id=u1&flag_name={}"
ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
BUCKETS = {"user-123": 25, "user-abc": 71, "test-user-2": 19, "user-beta": 96, "u1": 99, "usuário-ã": 50}
FLAG = "enable-new-dashboard"
TOO_LONG = "a" * 300  # for a flag


def original_rule(value: int) -> str:
    """A flag as the original's percentage makes it."""
    ranges = [
        {"variant": "on", "start": 0, "end": value},
        {"variant": "off", "start": value, "end": 100},
    ]
    split = {"by": "targetingKey", "algorithm": "sha1", "salt": FLAG, "ranges": ranges}
    return flag_document(FLAG, default={"split": split})


def typed(key: str, kind: str, value: object) -> str:
    document = json.loads(flag_document(key, off_variant=None, default={"variant": "v"}))
    return json.dumps({**document, "type": kind, "variants": {"v": value}})


FLAGS = {
    "on": flag_document("on", default={"variant": "on"}),
    "off": flag_document("off", enabled=False),
    "served-off": flag_document("served-off"),
    "code-default": flag_document("code-default", default={"code_default": True}),
    "broken": flag_document("broken", default={"variant": "none"}),
    "text": typed("text", "string", "true"),
    "number": typed("number", "integer", 1),
    "object": typed("object", "object", {"on": True}),
}


class Kept:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        self.messages += batch
        return []


class Evaluation:
    """Its threads do not run; tests say what it has read and when it sends."""

    def __init__(self, requests_per_second: float = 0) -> None:
        redis = Redis(port=free_port())
        self.sent = Kept()
        self.recorder = EvaluationRecorder(self.sent, records="all")
        self.follower = Follower(redis)
        self.parts = Parts(self.follower, self.recorder, KeyUse(KeysUsed(redis)), requests_per_second)
        self.app = create_app(self.parts)
        self.answers: Answers = self.app.state.answers
        self.client = TestClient(self.app)

    def serve(self, **flags: str | None) -> None:
        documents: dict[Place, str | None] = {Place(ENVIRONMENTS, SCOPE): "{}"}
        documents |= {Place(SCOPE, f"flag/{key}"): document for key, document in flags.items()}
        snapshot = self.follower.snapshot if self.follower.snapshot.generation else Snapshot("g1")
        self.follower.snapshot = snapshot.updated(documents, position=snapshot.position + 1)
        self.follower.synced_at = time.monotonic()

    def result(self, flag: str, user: str = "u1") -> bool:
        status, _, body = self.answers.original(urlencode({"user_id": user, "flag_name": flag}).encode())
        assert status == 200
        told = json.loads(body)
        assert (told["flag_name"], told["user_id"]) == (flag, user)
        return bool(told["result"])


@pytest.fixture
def api() -> Iterator[Evaluation]:
    found = Evaluation()
    found.serve(**FLAGS)
    yield found
    found.client.close()


def test_the_result_is_true_exactly_where_the_flags_value_is(api: Evaluation) -> None:
    results = {flag: api.result(flag) for flag in [*FLAGS, "unknown", "no flag's name", TOO_LONG]}
    assert [flag for flag, result in results.items() if result] == ["on"]


def test_a_kill_switch_acts_at_the_next_question(api: Evaluation) -> None:
    assert api.result("on")
    api.serve(on=flag_document("on", enabled=False, default={"variant": "on"}))
    assert not api.result("on")
    api.serve(on=None)
    assert not api.result("on")


@pytest.mark.parametrize("value", [0, 12, 13, 25, 26, 50, 51, 99, 100])
def test_percentages_have_the_originals_users_in_them(api: Evaluation, value: int) -> None:
    assert {user: ALGORITHMS["sha1"].hash(FLAG, user, 100) for user in BUCKETS} == BUCKETS
    api.serve(**{FLAG: original_rule(value)})
    assert {user: api.result(FLAG, user) for user in BUCKETS} == {
        user: bucket < value for user, bucket in BUCKETS.items()
    }


def told(flag: str, user: str, result: str = "true") -> bytes:
    return f'{{"flag_name":"{flag}","user_id":"{user}","result":{result}}}\n'.encode()


INCOMPLETE = '{"error": "user_id e flag_name são obrigatórios"}\n'.encode()
RECORDED = {
    b"user_id=user-123&flag_name=on": told("on", "user-123"),
    b"flag_name=on&user_id=user-123": told("on", "user-123"),
    b"user_id=u1&flag_name=off": told("off", "u1", "false"),
    b"user_id=a+b%2Bc&flag_name=on": told("on", "a b+c"),
    "user_id=usuário&flag_name=on".encode(): told("on", "usuário"),
    b"user_id=usu%C3%A1rio&flag_name=%6fn": told("on", "usuário"),
    b"user_id=%3Cb%3E%26%E2%80%A8%E2%80%A9&flag_name=on": told("on", r"\u003cb\u003e\u0026\u2028\u2029"),
    b"user_id=%22%5C%08%0c%0a%0d%09%00%1f%7f&flag_name=on": told(
        "on", r"\"\\\b\f\n\r\t\u0000\u001f" + "\x7f"
    ),
    b"user_id=%ED%A0%80&flag_name=on": told("on", r"\ufffd\ufffd\ufffd"),
    b"user_id=%E2%82&flag_name=on": told("on", r"\ufffd\ufffd"),
    b"user_id=%EF%BF%BD\xff&flag_name=on": told("on", "\ufffd\\ufffd"),
    b"user_id=u1&user_id=u2&flag_name=on&flag_name=off": told("on", "u1"),
    b"user_id=%zz&user_id=%f&user_id=%&user_id=u3&flag_name=on": told("on", "u3"),
    b"user_id=u1;a=b&user_id=u3&flag_name=on": told("on", "u3"),
    b"&&=&=x&a&user_id=u=1&flag_name=on&": told("on", "u=1"),
    b"User_Id=u0&user%5Fid=u1&flag_name=on": told("on", "u1"),
    b"user_id=u1": INCOMPLETE,
    b"flag_name=on": INCOMPLETE,
    b"user_id=&flag_name=on": INCOMPLETE,
    b"user_id=&user_id=u1&flag_name=on": INCOMPLETE,
    b"user_id=u1&flag_name": INCOMPLETE,
    b"user_id=%&flag_name=on": INCOMPLETE,
    b"": INCOMPLETE,
}


@pytest.mark.parametrize(
    ("query", "body"), RECORDED.items(), ids=[each.decode(errors="replace") for each in RECORDED]
)
def test_queries_are_read_and_answered_as_go_does(api: Evaluation, query: bytes, body: bytes) -> None:
    status, headers, answer = api.answers.original(query)
    assert (status, answer) == (400 if body is INCOMPLETE else 200, body)
    assert headers.get("Content-Type", "") == ("text/plain; charset=utf-8" if status == 400 else "")


@given(user=st.text(min_size=1), flag=st.text(min_size=1))
def test_whatever_a_client_names_is_what_is_evaluated_and_told(user: str, flag: str) -> None:
    pairs = [("user_id", user), ("flag_name", flag)]
    for query in (urlencode(pairs), urlencode(pairs[::-1]), urlencode(pairs, safe="/?:@!$'()*,~")):
        question = read_question(query.encode())
        assert question is not None
        assert (question.user_id, question.flag) == (user, flag)
        answer = question.answer(result=True)
        assert json.loads(answer) == {"flag_name": flag, "user_id": user, "result": True}
        assert not set(answer[:-1]) & set(b"<>&\n")


@given(query=st.binary() | st.text(alphabet="user_idflagname=&%;+09afAFzã").map(str.encode), more=st.binary())
def test_no_bytes_are_too_odd(query: bytes, more: bytes) -> None:
    question = read_question(query + b"&user_id=" + quote_plus(more).encode() + b"&flag_name=on&" + query)
    if question is not None:
        assert question.user_id.encode()
        assert json.loads(question.answer(result=False))["result"] is False


@pytest.mark.parametrize("method", ANY_METHOD)
def test_any_method_will_do_and_bodies_say_nothing(api: Evaluation, method: str) -> None:
    answer = api.client.request(method, ASKED.format("on"), content=b"user_id=u2&flag_name=off")
    assert (answer.status_code, answer.content) == (200, told("on", "u1"))
    assert answer.headers["content-type"] == "application/json"
    healthy = api.client.request(method, "/health")
    assert (healthy.status_code, healthy.content) == (200, b'{"status":"ok"}\n')
    assert healthy.headers["content-type"] == "application/json"


def test_head_is_answered_without_a_body_and_counted(api: Evaluation) -> None:
    answer = api.client.head(ASKED.format("on"))
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(told("on", "u1"))))
    assert api.recorder.recorded == 1


def test_errors_are_those_of_gos_http_error(api: Evaluation) -> None:
    answer = api.client.get("/evaluate?user_id=u1")
    assert (answer.status_code, answer.content) == (400, INCOMPLETE)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert api.recorder.recorded == 0


def test_with_nothing_read_yet_it_is_a_502_which_is_not_counted() -> None:
    api = Evaluation()
    answer = api.client.get(ASKED.format("on"))
    assert (answer.status_code, answer.text) == (502, '{"error": "Erro interno ao avaliar a flag"}\n')
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert api.client.get("/evaluate").status_code == 400
    assert api.client.get("/health").status_code == 200
    assert api.recorder.recorded == 0
    api.client.close()


def test_it_counts_and_records_as_every_evaluation_does(api: Evaluation) -> None:
    for flag in ("on", "on", "unknown", TOO_LONG):
        api.result(flag, "user-1")
    api.recorder.flush()
    messages = [json.loads(each) for each in api.sent.messages]
    counted = {row[2]: row[5] for message in messages for row in message["counts"] if row[2]}
    assert counted == {
        "on": {"STATIC/on": 2},
        "unknown": {"FLAG_NOT_FOUND/": 1},
        "/": {"FLAG_NOT_FOUND/": 1},
    }
    records = [row[1:7] for message in messages for row in message["records"]]
    assert records == [["default", "production", "on", "on", "STATIC", "user-1"]] * 2


def test_requests_have_ids_and_are_timed_under_their_route(api: Evaluation) -> None:
    answer = api.client.get(ASKED.format("on"), headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert api.client.get("/evaluate", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"
    metrics = api.client.get("/metrics").text
    for status in (200, 400):
        line = (
            f'togglemaster_http_request_seconds_count{{method="GET",route="/evaluate",status="{status}"}} 1.0'
        )
        assert line in metrics


def test_who_has_no_key_is_not_limited_and_a_key_changes_nothing() -> None:
    api = Evaluation(requests_per_second=1)
    api.serve(**FLAGS)
    for headers in ({}, {"Authorization": "Bearer tm_server_x"}, {"X-API-Key": "x"}):
        assert {api.client.get(ASKED.format("on"), headers=headers).status_code for _ in range(20)} == {200}
    assert api.client.post("/ofrep/v1/evaluate/flags/on", json={}).status_code == 401
    api.client.close()
