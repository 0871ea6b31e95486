"""What the original's clients wrote is served by the time they are answered, and `/evaluate` is passed on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest
from redis import Redis

from commands.event_store import EventStore
from deploy.embedded import Stack, free_port
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild
from projections.ruleset_store import RulesetStore
from tests.integration.evaluator import Evaluator, evaluator
from tests.integration.original import TEXT, Client, client_of, gave

LATE_SECONDS = 0.5  # by which the projector is late; less than a write waits
ENOUGH_SECONDS = 10  # for a write that waits for nothing it gets, which is 2 seconds, on a busy machine
NAME = "enable-new-dashboard"


@contextmanager
def projector(store: EventStore, redis: Redis) -> Iterator[None]:
    """One that looks only every half second."""
    stopping = threading.Event()

    def work() -> None:
        view = Projector(store, RulesetView(RulesetStore(redis)))
        while not stopping.wait(LATE_SECONDS):
            view.catch_up()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


@pytest.fixture
def served(store: EventStore, redis: Redis) -> Iterator[Evaluator]:
    rebuild(store, RulesetStore(redis))
    with evaluator(redis) as running:
        yield running


@pytest.fixture
def client(store: EventStore, stack: Stack, served: Evaluator, redis: Redis) -> Iterator[Client]:
    with (
        client_of(store, redis_url=stack.valkey.url, evaluation_url=served.url) as client,
        projector(store, redis),
    ):
        client.key = client.issue()
        yield client


def value(served: Evaluator, key: str, user: str = "user-abc") -> Any:
    """As OFREP has it; None for a flag that is not there."""
    url = f"{served.url}/ofrep/v1/evaluate/flags/{NAME}"
    body = {"context": {"targetingKey": user}}
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code in {200, 404}, answer.text
    return answer.json().get("value")


def test_every_write_is_served_when_it_is_answered(client: Client, served: Evaluator) -> None:
    half = {"type": "PERCENTAGE", "value": 50}
    writes: tuple[tuple[str, str, Any, Any], ...] = (
        ("POST", "/flags", {"name": NAME, "is_enabled": True}, True),
        ("PUT", f"/flags/{NAME}", {"is_enabled": False}, False),
        ("PUT", f"/flags/{NAME}", {"is_enabled": True}, True),
        ("POST", "/rules", {"flag_name": NAME, "rules": half}, False),
        ("PUT", f"/rules/{NAME}", {"rules": {**half, "value": 100}}, True),
        ("PUT", f"/rules/{NAME}", {"rules": {**half, "value": 0}}, False),
        ("DELETE", f"/rules/{NAME}", None, True),
        ("DELETE", f"/flags/{NAME}", None, None),
    )
    for method, path, body, expected in writes:
        assert client.ask(method, path, body).status_code < 300
        assert value(served, client.key) is expected, (method, path, body)


def test_a_new_key_evaluates_when_it_is_answered(client: Client, served: Evaluator) -> None:
    client.ask("POST", "/flags", {"name": NAME})
    assert value(served, client.issue()) is False
    url = f"{served.url}/ofrep/v1/evaluate/flags"
    unknown = httpx.post(url, json={}, headers={"X-API-Key": "tm_key_" + "0" * 64})
    assert unknown.status_code == 401


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_a_write_is_answered_though_nobody_comes_to_serve_it(
    store: EventStore, stack: Stack, served: Evaluator, redis_is_there: bool
) -> None:
    away = f"redis://127.0.0.1:{free_port()}"
    url = stack.valkey.url if redis_is_there else away
    with client_of(store, redis_url=url, evaluation_url=served.url) as client:
        began = time.monotonic()
        client.key = client.issue()
        assert client.ask("POST", "/flags", {"name": NAME}).status_code == 201
        assert time.monotonic() - began < ENOUGH_SECONDS
        assert client.ask("GET", f"/flags/{NAME}").status_code == 200


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """An address that answers so, and what it was asked: method, target as it came, request id."""
    asked: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            asked.append((self.command, self.path, self.headers.get("X-Request-Id", "")))
            answer(self)

        do_GET = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, text in headers.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(b"" if handler.command == "HEAD" else body)


def test_evaluate_is_passed_on_as_it_came_and_so_is_its_answer(store: EventStore) -> None:
    body = b'{"flag_name":"f","user_id":"\xc3\xa3","result":true}\n'
    nosniff = {"X_Content_Type_Options": "nosniff"}
    with (
        answering(lambda to: say(to, 200, body, Content_Type="application/json", Server="x")) as (url, asked),
        client_of(store, evaluation_url=url) as client,
    ):
        for method in ("GET", "POST", "HEAD", "DELETE"):
            path = "/evaluate?user_id=u%20+1&flag_name=f"
            answer = client.ask(method, path, headers={"X-Request-Id": "r1"})
            assert (answer.status_code, answer.content) == (200, b"" if method == "HEAD" else body)
            assert asked[-1] == (method, path, "r1")
        evaluators = client.http.app.state.original.evaluators  # type: ignore[attr-defined]
        for query in (b"user_id=%zz&flag_name=%ED%A0%80%00&user_id=2", b"a=[|]^%5E'{}`&&=;", b"%", b""):
            assert evaluators.evaluate("GET", query, {}).status == 200
            assert asked[-1][1] == ("/evaluate?" + query.decode() if query else "/evaluate")
    with (
        answering(lambda to: say(to, 200, body)) as (url, asked),
        client_of(store, evaluation_url=f"{url}/a/") as client,
    ):
        client.ask("GET", "/evaluate?user_id=u")
        assert asked[-1][1] == "/a/evaluate?user_id=u"
    with (
        answering(lambda to: say(to, 400, b'{"error": "x"}\n', Content_Type=TEXT, **nosniff)) as (url, _),
        client_of(store, evaluation_url=url) as client,
    ):
        gave(client.ask("GET", "/evaluate"), 400, '{"error": "x"}\n', TEXT, x_content_type_options="nosniff")


def test_without_anything_to_evaluate_with_evaluate_says_so(store: EventStore) -> None:
    stopping = threading.Event()
    sentence = '{"error": "Erro interno ao avaliar a flag"}\n'

    def hang(_: BaseHTTPRequestHandler) -> None:
        stopping.wait(ENOUGH_SECONDS)

    with answering(hang) as (hanging, _):
        for url in ("", f"http://127.0.0.1:{free_port()}", hanging):
            with client_of(store, evaluation_url=url) as client:
                began = time.monotonic()
                answer = client.ask("GET", "/evaluate?user_id=u&flag_name=f")
                gave(answer, 502, sentence, TEXT, x_content_type_options="nosniff")
                assert time.monotonic() - began < ENOUGH_SECONDS
        stopping.set()
