"""The fast lane and FastAPI give the same answer to the same bytes, however these come in."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from api.evaluation.app import create_app
from api.evaluation.fast_lane import FastLane
from api.evaluation.parts import Parts
from api.strict_json import BODY_BYTES_AT_MOST
from deploy.embedded import free_port
from deploy.processes.fast_protocol import FastProtocol
from deploy.processes.patient_protocol import PatientProtocol
from domain.access import digest
from projections.documents import ENVIRONMENTS, KEYS, KeyDocument, Place
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.snapshot import Snapshot
from tests.integration.flag_documents import HALF, flag_document
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

SERVER_KEY = "tm_server_pTXQ17cVnp_tVWXtLSNZx3cNnvAUHucD5gznmPH8AzT1q9Vk8"
CLIENT_KEY = "tm_client_UqewuNJKir_4QqJ4oR3n0idlp8GivEWBGE1odboVxkN2xZxYg"
ORIGIN = "https://shop.example"
LAST = b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
PAUSE_SECONDS = 0.03  # so that what was sent before is read by itself

ONE, ALL = "/ofrep/v1/evaluate/flags/checkout", "/ofrep/v1/evaluate/flags"
CONTEXT = b'{"context":{"targetingKey":"u1","country":"BR"}}'


HALF_OF_ALL = flag_document("half", default=HALF)
QUESTION = "/evaluate?user_id=u1&flag_name=half"


class Taken:
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        return []


class CountingLane:
    """Tells how many requests the lane has answered."""

    def __init__(self, lane: FastLane) -> None:
        self.lane = lane
        self.answered = 0

    def answer(self, data: bytes, default_headers: Any) -> bytes | None:
        answer = self.lane.answer(data, default_headers)
        self.answered += answer is not None
        return answer

    def sent(self) -> None:
        self.lane.sent()


class Server:
    def __init__(
        self, snapshot: Snapshot, *, fast: bool, origins: Sequence[str] = ("*",), limit: float = 1_000_000
    ) -> None:
        redis = Redis(port=free_port())
        follower = Follower(redis)
        follower.snapshot, follower.synced_at = snapshot, time.monotonic() + 3_600
        self.recorder = EvaluationRecorder(Taken())
        self.parts = Parts(follower, self.recorder, KeyUse(KeysUsed(redis)), limit)
        app = create_app(self.parts, cors_origins=origins)
        self.app, self.lane, self.port = app, CountingLane(app.state.lane), free_port()
        protocol: Any = partial(FastProtocol, lane=self.lane) if fast else PatientProtocol
        config = uvicorn.Config(
            app,
            port=self.port,
            http=protocol,
            lifespan="off",
            log_level="critical",
            server_header=False,
            ws="none",
        )
        self.uvicorn = uvicorn.Server(config)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self.uvicorn.run)
        thread.start()
        while not self.uvicorn.started:
            time.sleep(0.01)
        try:
            yield self
        finally:
            self.uvicorn.should_exit = True
            thread.join()

    def talk(self, *sent: bytes) -> bytes:
        """All that is answered until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for data in sent:
                    client.sendall(data)
                    time.sleep(PAUSE_SECONDS)
            except OSError:
                pass  # it has hung up, with or without a word
            received = b""
            while data := client.recv(65_536):
                received += data
        return received


Pair = tuple[Server, Server]


def snapshot() -> Snapshot:
    scope = "shop/production"
    flags = {
        "checkout": flag_document("checkout", default=HALF, client_visible=True),
        "plain": flag_document("plain", default={"variant": "on"}),
        "off": flag_document("off", enabled=False),
        "a.b_c~d-1": flag_document("a.b_c~d-1", default={"code_default": True}),
        "a:b": flag_document("a:b", default={"variant": "on"}),
        "broken": flag_document("broken", default={"variant": "none"}),
    }
    documents: dict[Place, str | None] = {Place(ENVIRONMENTS, scope): "{}"}
    documents |= {Place(scope, f"flag/{key}"): document for key, document in flags.items()}
    original = "default/production"
    documents[Place(ENVIRONMENTS, original)] = "{}"
    for name, document in (("all", flag_document("all", default={"variant": "on"})), ("half", HALF_OF_ALL)):
        documents[Place(original, f"flag/{name}")] = document
    for key, kind in ((SERVER_KEY, "server"), (CLIENT_KEY, "client")):
        found = KeyDocument(id=kind, kind=kind, project="shop", environment="production")
        documents[Place(KEYS, digest(key))] = found.model_dump_json()
    return Snapshot("g1").updated(documents, position=42)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with ExitStack() as running:
        fast, plain = (Server(snapshot(), fast=each) for each in (True, False))
        yield running.enter_context(fast.running()), running.enter_context(plain.running())


@pytest.fixture(scope="module")
def choosy_pair() -> Iterator[Pair]:
    with ExitStack() as running:
        fast, plain = (Server(snapshot(), fast=each, origins=[ORIGIN]) for each in (True, False))
        yield running.enter_context(fast.running()), running.enter_context(plain.running())


def request(
    target: str = ONE, body: bytes = CONTEXT, *, method: str = "POST", head: str = "", **headers: str
) -> bytes:
    sent = {"host": "x", "x-api-key": SERVER_KEY, "content-length": str(len(body))}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    return f"{head or f'{method} {target} HTTP/1.1'}\r\n{lines}\r\n".encode("latin-1") + body


def comparable(received: bytes) -> bytes:
    """Without what differs between any two answers."""
    received = re.sub(rb"\r\ndate: [^\r]*", b"", received)
    return re.sub(rb"x-request-id: [0-9a-f]{20}\r\n", b"x-request-id: made\r\n", received)


def same(pair: Pair, *sent: bytes) -> bytes:
    before = [server.recorder.recorded for server in pair]
    with ThreadPoolExecutor(len(pair)) as both:
        fast, plain = both.map(lambda server: comparable(server.talk(*sent, LAST)), pair)
    assert fast == plain
    assert fast.startswith(b"HTTP/1.1 ")
    counted = [server.recorder.recorded - each for server, each in zip(pair, before, strict=True)]
    assert counted[0] == counted[1]
    return fast


def question(query: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """As the original system's clients ask."""
    target = f"/evaluate?{query}" if query else "/evaluate"
    return request(target, body, method=method, x_api_key="", **headers)


def asked(user: str, flag: str = "half") -> bytes:
    return question(f"user_id={user}&flag_name={flag}")


IN_THE_LANE = {
    "one": request(),
    "one that is off": request(ALL + "/off"),
    "a code default": request(ALL + "/a.b_c~d-1"),
    "a broken flag": request(ALL + "/broken"),
    "an unknown flag": request(ALL + "/unknown"),
    "what a client key may not see": request(ALL + "/plain", x_api_key=CLIENT_KEY),
    "all": request(ALL),
    "all for a client": request(ALL, x_api_key=CLIENT_KEY),
    "a bearer token": request(x_api_key="", authorization=f"Bearer {SERVER_KEY}"),
    "a bare token": request(x_api_key="", authorization=SERVER_KEY),
    "no key": request(x_api_key=""),
    "no such key": request(x_api_key="tm_server_x"),
    "no body": request(body=b""),
    "no length": request(body=b"", content_length=""),
    "an empty object": request(body=b"{}"),
    "not JSON": request(body=b"{"),
    "not JSON, all": request(ALL, b"[1"),
    "no context": request(body=b'{"context":"u1"}'),
    "twice the same name": request(body=b'{"context":{"targetingKey":"u1","targetingKey":"u2"}}'),
    "too large a number": request(body=b'{"context":{"a":9223372036854775808}}'),
    "too deep": request(body=b'{"context":' + b"[" * 99 + b"]" * 99 + b"}"),
    "escapes": request(body=b'{"context":{"targetingKey":"\\u00e9\\n"}}'),
    "half a surrogate": request(body=b'{"context":{"targetingKey":"\\ud800"}}'),
    "not UTF-8": request(body=b'{"context":{"targetingKey":"\xff"}}'),
    "no subject": request(body=b'{"context":{}}'),
    "a subject that is no text": request(body=b'{"context":{"targetingKey":7}}'),
    "an id": request(x_request_id="my-request.1"),
    "an id that cannot be repeated": request(x_request_id="a b"),
    "an origin": request(origin=ORIGIN),
    "an origin, all": request(ALL, origin="https://elsewhere.example"),
    "an origin, refused": request(origin=ORIGIN, x_api_key=""),
    "names in capitals": request().replace(b"x-api-key", b"X-API-KEY"),
    "a length twice written": request(content_length="0048"),
    "keep-alive": request(connection="keep-alive"),
    "a question": asked("u1"),
    "a question, another answer": asked("u3"),
    "a question about what is on": asked("u1", "all"),
    "a question about no flag": asked("u1", "none"),
    "a question about what cannot be a flag": asked("u1", "a%00b"),
    "a question, posted": question("user_id=u1&flag_name=half", method="POST"),
    "a question, posted with a body": question(
        "user_id=u1&flag_name=half", method="POST", body=b"user_id=u2"
    ),
    "a question with a body": question("user_id=u1&flag_name=half", body=CONTEXT),
    "a question, the other way round": question("flag_name=half&user_id=u1"),
    "a question with more in it": question("a=b&user_id=u1&&=&c&flag_name=half&d=e=f"),
    "a question about two users": question("user_id=u1&user_id=u3&flag_name=half"),
    "a question with an empty user first": question("user_id=&user_id=u3&flag_name=half"),
    "a question in escapes": question("user%5Fid=usu%c3%a1rio-%C3%A3&flag%5fname=%68alf"),
    "a question with blanks": asked("a+b%20c%2B"),
    "a question with what browsers must not see": asked("<b>&amp;%26%E2%80%A8%22%5C%0A%0B%7F"),
    "a question with NUL": asked("%00"),
    "a question with half a surrogate": asked("%ED%A0%80"),
    "a question that is no UTF-8": asked("%ff%e2%82%EF%BF%BD"),
    "a question with broken escapes": question("user_id=%zz&user_id=u%&user_id=u3&flag_name=half"),
    "a question with semicolons": question("user_id=u1;flag_name=half&user_id=u3&flag_name=half"),
    "a question without a user": question("flag_name=half"),
    "a question without a flag": question("user_id=u1&flag_name="),
    "a question without anything": question(""),
    "a question with an empty query": question("&").replace(b"?&", b"?"),
    "a question that is long": asked("u" * 3_000),
    "a question with an id": question("user_id=u1&flag_name=half", x_request_id="my-request.2"),
    "a question from a page": question("user_id=u1&flag_name=half", origin=ORIGIN),
    "a question without a user, from a page": question("flag_name=half", origin=ORIGIN),
    "a question with a key that is none": question("user_id=u1&flag_name=half", authorization="Bearer x"),
}

THE_ORDINARY_WAY = {
    "GET": request(method="GET"),
    "HEAD": request(method="HEAD", body=b""),
    "OPTIONS": request(
        ALL, b"", method="OPTIONS", origin=ORIGIN, access_control_request_method="POST", x_api_key=""
    ),
    "PUT": request(method="PUT"),
    "a colon, escaped": request(ALL + "/a%3Ab"),
    "a colon": request(ALL + "/a:b"),
    "a query": request(ONE + "?a=b"),
    "a slash at the end": request(ALL + "/"),
    "two names": request(ALL + "/a/b"),
    "elsewhere": request("/ofrep/v1/evaluate/flagsies"),
    "an absolute target": request("http://x" + ONE),
    "HTTP/1.0": request(head=f"POST {ONE} HTTP/1.0"),
    "HTTP/3.0": request(head=f"POST {ONE} HTTP/3.0"),
    "no version": request(head=f"POST {ONE}"),
    "connection: close": request(connection="close"),
    "connection: close, without a body": request(ALL, b"", connection="close"),
    "expect": request(expect="100-continue"),
    "upgrade": request(connection="upgrade", upgrade="websocket"),
    "chunked": request(
        body=b"30\r\n" + CONTEXT + b"\r\n0\r\n\r\n", content_length="", transfer_encoding="chunked"
    ),
    "chunked and a length": request(transfer_encoding="chunked"),
    "two lengths": request().replace(b"content-length: 48", b"content-length: 48\r\ncontent-length: 3"),
    "a length that is none": request(content_length="-1"),
    "too large": request(body=b" " * (BODY_BYTES_AT_MOST + 1)),
    "too large, it says": request(content_length=str(BODY_BYTES_AT_MOST + 1), connection="close"),
    "a long head": request(x_filler="a" * 5_000),
    "a folded header": request().replace(b"host: x\r\n", b"host: x\r\n folded: y\r\n"),
    "a header without a name": request().replace(b"host: x\r\n", b": x\r\n"),
    "a bare line feed": request().replace(b"host: x\r\n", b"host: x\n"),
    "a NUL in a header": request(x_a="\0"),
    "two requests at once": request() + request(ALL),
    "a request and a bit": request() + request()[:30],
    "rubbish": b"\x00\x01\x02",
    "a question, HEAD": question("user_id=u1&flag_name=half", method="HEAD"),
    "a question, PUT": question("user_id=u1&flag_name=half", method="PUT"),
    "a question, DELETE": question("user_id=u1&flag_name=half", method="DELETE"),
    "a question, OPTIONS": question("user_id=u1&flag_name=half", method="OPTIONS"),
    "a question, PROPFIND": question("user_id=u1&flag_name=half", method="PROPFIND"),
    "a question before it is asked": question(
        "user_id=u1&flag_name=half", method="OPTIONS", origin=ORIGIN, access_control_request_method="GET"
    ),
    "a question, closing": question("user_id=u1&flag_name=half", connection="close"),
    "a question, HTTP/1.0": asked("u1").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a question in chunks": question(
        "user_id=u1&flag_name=half",
        method="POST",
        body=b"1\r\nx\r\n0\r\n\r\n",
        content_length="",
        transfer_encoding="chunked",
    ),
    "a question that is very long": asked("u" * 9_000),
    "a question that is too long": asked("u" * 70_000),
    "a question in bare bytes": asked("usu\u00c3\u00a1rio"),
    "a question with a fragment": asked("u1#u2"),
    "a question with quotes": asked('"u1"'),
    "a question elsewhere": request("/evaluates?user_id=u1&flag_name=half", method="GET"),
    "a question with a slash": request("/evaluate/?user_id=u1&flag_name=half", method="GET"),
    "two questions at once": asked("u1") + asked("u3"),
    "how it is": request("/health", b"", method="GET"),
    "how it is, HEAD": request("/health", b"", method="HEAD"),
    "how it is, DELETE": request("/health", b"", method="DELETE"),
}


@pytest.mark.parametrize("sent", IN_THE_LANE.values(), ids=IN_THE_LANE)
def test_the_lane_answers_as_fastapi_does(pair: Pair, sent: bytes) -> None:
    before = pair[0].lane.answered
    same(pair, sent)
    assert pair[0].lane.answered == before + 1


@pytest.mark.parametrize("request_id", ["", "my-request.1"])
def test_questions_about_flags_that_do_not_exist_are_counted(pair: Pair, request_id: str) -> None:
    before = pair[0].recorder.recorded
    same(pair, request(ALL + "/unknown", x_request_id=request_id))
    same(pair, request(ALL + "/plain", x_api_key=CLIENT_KEY, x_request_id=request_id))
    assert pair[0].recorder.recorded == before + 2


@pytest.mark.parametrize("sent", THE_ORDINARY_WAY.values(), ids=THE_ORDINARY_WAY)
def test_what_is_unusual_is_left_to_fastapi(pair: Pair, sent: bytes) -> None:
    before = pair[0].lane.answered
    same(pair, sent)
    assert pair[0].lane.answered == before


@pytest.mark.parametrize("origin", [ORIGIN, "https://elsewhere.example", "null", ""])
@pytest.mark.parametrize("target", [ONE, ALL])
def test_origins_are_told_apart_alike(choosy_pair: Pair, origin: str, target: str) -> None:
    assert (b"access-control-allow-origin: " in same(choosy_pair, request(target, origin=origin))) == (
        origin == ORIGIN
    )


def test_an_etag_of_one_way_is_known_to_the_other(pair: Pair) -> None:
    for server in pair:
        first = server.talk(request(ALL), LAST)
        found = re.search(rb'\r\netag: ("[0-9a-f]{32}")\r\n', first)
        assert found
        again = same(pair, request(ALL, if_none_match=found[1].decode()))
        assert again.startswith(b"HTTP/1.1 304 Not Modified\r\n")
        other = same(pair, request(ALL, b"{}", if_none_match=found[1].decode()))
        assert other.startswith(b"HTTP/1.1 200 OK\r\n")


def test_both_ways_take_turns_on_a_connection(pair: Pair) -> None:
    before = pair[0].lane.answered
    chunked = THE_ORDINARY_WAY["chunked"]
    received = same(
        pair, request(), chunked, request(ALL), request() + request(), request(), chunked[:80], chunked[80:]
    )
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 8
    assert pair[0].lane.answered == before + 3


STREAM = b"".join(
    (
        request(),
        asked("u1"),
        request(ALL),
        THE_ORDINARY_WAY["chunked"],
        question("user_id=u%C3%A3&flag_name=half", method="POST", body=b"{}"),
        request(ALL + "/off", origin=ORIGIN),
        LAST,
    )
)


@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=4, unique=True))
@settings(max_examples=40, deadline=None)
def test_however_the_bytes_are_cut_the_answers_are_the_same(pair: Pair, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    same(pair, *(STREAM[start:end] for start, end in pairwise(places)))


def test_both_ways_are_counted_and_timed_alike(pair: Pair) -> None:
    counts = []
    for server in pair:
        for sent in list(IN_THE_LANE.values())[:8]:
            server.talk(sent, LAST)
        lines = server.talk(b"GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n").decode().splitlines()
        counts.append({line for line in lines if "_count{" in line and "evaluate" in line})
        assert server.recorder.recorded == server.recorder.pending > 0
    assert counts[0] == counts[1]
    assert any('route="/ofrep/v1/evaluate/flags/{key}",status="404"' in line for line in counts[0])


def test_a_key_that_asks_too_often_is_told_when_to_come_back() -> None:
    with ExitStack() as running:
        for fast in (True, False):
            server = running.enter_context(Server(snapshot(), fast=fast, limit=2).running())
            answers = [server.talk(request(target), LAST) for target in (ONE, ALL, ONE)]
            assert [answer[9:12] for answer in answers] == [b"200", b"200", b"429"]
            assert b"\r\nretry-after: 1\r\n" in answers[2]
            assert b'"key":"checkout","errorCode":"GENERAL"' in answers[2]
            other = server.talk(request(x_api_key=CLIENT_KEY), LAST)
            assert other[9:12] == b"200"
