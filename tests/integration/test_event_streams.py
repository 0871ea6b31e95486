"""Server-sent events: whoever listens hears of every change of its environment, soon, and of no other."""

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient
from redis import Redis

from api.evaluation import event_hub, event_streams
from api.evaluation.app import create_app
from api.evaluation.event_hub import Hub
from api.evaluation.event_tokens import VALID_WINDOWS, WINDOW_SECONDS, digest_of
from api.evaluation.event_tokens import event_streams as streams_of
from api.evaluation.parts import Parts
from commands.event_store import EventStore
from commands.secret_keys import new_key
from deploy.embedded import free_port
from deploy.processes.fast_protocol import FastProtocol
from deploy.processes.http import STOP_SECONDS
from domain.access import digest
from projections.documents import KeyDocument
from projections.follower import Follower
from projections.keys_used import KeysUsed
from tests.figures import tell
from tests.integration.evaluator import (
    BULK,
    Elsewhere,
    Evaluator,
    Platform,
    data_of,
    evaluator,
    listening,
    platform_on,
)
from tests.waiting import eventually
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

SSE = "/ofrep/v1/sse"
NOW = 1_795_000_123.0
KEY_ID, KEY = new_key("server")
DIGEST = digest(KEY)
DOCUMENT = KeyDocument(id=KEY_ID, kind="server", project="shop", environment="production")


@pytest.fixture
def platform(store: EventStore, redis: Redis) -> Platform:
    platform = platform_on(store, redis)
    platform.shop.flag("checkout", client_visible=True)
    platform.project()
    return platform


@pytest.fixture
def served(platform: Platform, redis: Redis) -> Iterator[Evaluator]:
    with evaluator(redis) as running:
        yield running


@pytest.fixture
def key(served: Evaluator, platform: Platform) -> str:
    key = platform.issue()
    served.reach(platform.shop.store.head())
    return key


def test_a_change_is_told_at_once(served: Evaluator, platform: Platform, key: str) -> None:
    with listening(served.stream_url(key)) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.next_position() == served.follower.snapshot.position
        changed, began = platform.switch("checkout", on=True), time.monotonic()
        event = stream.next()
        tell("an event stream", milliseconds_from_the_model_to_the_client=_since(began))
    assert (event["event"], event["id"]) == ("message", str(changed))
    data = data_of(event)
    assert (data["type"], data["etag"]) == ("refetchEvaluation", str(changed))
    assert abs(data["lastModified"] - time.time()) < 20


def test_the_first_event_comes_at_once_as_nobody_knows_what_was_missed(served: Evaluator, key: str) -> None:
    with listening(served.stream_url(key)) as stream:
        assert stream.next_position() == served.follower.snapshot.position


def test_other_environments_are_not_told_of(served: Evaluator, platform: Platform, key: str) -> None:
    with listening(served.stream_url(key)) as stream:
        stream.next()
        for on in (True, False):
            served.reach(platform.switch_elsewhere(on=on))
        assert platform.switch("checkout", on=True) == stream.next_position()


def test_a_client_key_listens_as_a_server_key_does(served: Evaluator, platform: Platform) -> None:
    key = platform.issue("client")
    served.reach(platform.shop.store.head())
    with listening(served.stream_url(key)) as stream:
        stream.next()
        assert platform.switch("checkout", on=True) == stream.next_position()


def test_a_burst_of_changes_is_few_events_and_the_last_is_told(
    served: Evaluator, platform: Platform, key: str
) -> None:
    with listening(served.stream_url(key)) as stream:
        heard = [stream.next_position()]
        began = time.monotonic()
        for number in range(100):
            last = platform.switch("checkout", on=number % 2 == 0)
        while heard[-1] < last:
            heard.append(stream.next_position())
        lasted = time.monotonic() - began
    assert heard == sorted(set(heard))
    assert len(heard) <= lasted / event_hub.CALM_SECONDS + 2
    tell("a burst of changes", changes=100, seconds=round(lasted, 1), events=len(heard) - 1)


@pytest.mark.parametrize("by_header", [True, False])
def test_who_comes_back_hears_what_was_missed(
    served: Evaluator, platform: Platform, key: str, by_header: bool
) -> None:
    def again(position: int) -> Any:
        url = served.stream_url(key)
        if by_header:
            return listening(url, Last_Event_ID=str(position))
        return listening(f"{url}&lastEventId={position}")

    with listening(served.stream_url(key)) as stream:
        seen = stream.next_position()
    with again(seen) as stream:
        changed = platform.switch("checkout", on=True)
        assert stream.next_position() == changed
    missed = platform.switch("checkout", on=False)
    served.reach(missed)
    with again(changed) as stream:
        assert stream.next_position() == missed


def test_who_missed_nothing_hears_nothing(served: Evaluator, platform: Platform, key: str) -> None:
    with listening(served.stream_url(key)) as stream:
        seen = stream.next_position()
    served.reach(platform.switch_elsewhere(on=True))
    with listening(served.stream_url(key), Last_Event_ID=str(seen)) as stream:
        eventually(lambda: served.streams == 1)
        assert platform.switch("checkout", on=True) == stream.next_position()


def test_after_a_restart_too(platform: Platform, redis: Redis) -> None:
    key, port = platform.issue(), free_port()
    with evaluator(redis, port=port) as served:
        url = served.stream_url(key)
        with listening(url) as stream:
            seen = stream.next_position()
    missed = platform.switch("checkout", on=True)
    with evaluator(redis, port=port), listening(url, Last_Event_ID=str(seen)) as stream:
        assert stream.next_position() == missed
        assert platform.switch("checkout", on=False) == stream.next_position()


def test_an_evaluator_that_is_behind_says_what_the_client_has_seen(
    served: Evaluator, platform: Platform, key: str
) -> None:
    """So that the answer which is asked for next can wait for it."""
    ahead = served.follower.snapshot.position + 2
    with listening(served.stream_url(key), Last_Event_ID=str(ahead)) as stream:
        event = stream.next()
    assert (event["id"], data_of(event)["etag"]) == (str(ahead - 2), str(ahead))


def test_a_question_that_an_event_made_is_answered_as_of_that_event(
    served: Evaluator, platform: Platform, key: str
) -> None:
    """As if it came to an evaluator that has not read the change yet."""

    async def asked_before_it_is_read() -> float:
        wanted = served.follower.snapshot.position + 1
        question = asyncio.create_task(event_streams.as_fresh_as(served.follower, str(wanted)))
        await asyncio.sleep(0.05)
        assert not question.done()
        await asyncio.to_thread(platform.switch, "checkout", on=True)
        await question
        return served.follower.snapshot.position - wanted

    assert asyncio.run(asked_before_it_is_read()) >= 0


@pytest.mark.parametrize("etag", ["", "nonsense", "-1", '"12"', "9" * 400, "٣"])
def test_nobody_waits_for_a_tag_that_is_none(served: Evaluator, etag: str) -> None:
    began = time.monotonic()
    asyncio.run(event_streams.as_fresh_as(served.follower, etag))
    assert time.monotonic() - began < event_streams.FRESH_SECONDS


def test_nobody_waits_for_ever(served: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "FRESH_SECONDS", 0.1)
    asyncio.run(event_streams.as_fresh_as(served.follower, "999999999"))
    assert served.follower.snapshot.position < 999_999_999


def test_every_evaluator_takes_the_tokens_of_the_others(
    served: Evaluator, platform: Platform, redis: Redis, key: str
) -> None:
    with evaluator(redis) as other:
        assert other.stream_url(key).removeprefix(other.url) == served.stream_url(key).removeprefix(
            served.url
        )
        with listening(other.stream_url(key)) as stream:
            assert stream.next_position() == platform.shop.store.head()


def test_a_token_is_the_same_for_a_while_and_holds_ten_minutes_at_most() -> None:
    start = NOW - NOW % WINDOW_SECONDS
    token = _token(start)
    assert token == _token(start + WINDOW_SECONDS - 1)
    assert token != _token(start + WINDOW_SECONDS)
    last = start + VALID_WINDOWS * WINDOW_SECONDS - 1
    assert last - start < 600
    for given, until in ((token, last), (_token(start + WINDOW_SECONDS - 1), last)):
        assert digest_of(given, {KEY_ID: DIGEST}, until) == DIGEST
        assert digest_of(given, {KEY_ID: DIGEST}, until + 1) is None


def test_a_token_is_for_one_key_and_one_time() -> None:
    token = _token(NOW)
    key_id, end, signature = token.split(".")
    later = f"{key_id}.{int(end) + 1}.{signature}"
    other = digest(new_key("server")[1])
    assert digest_of(token, {KEY_ID: DIGEST}, NOW) == DIGEST
    assert digest_of(token, {KEY_ID: other}, NOW) is None
    assert digest_of(token, {}, NOW) is None
    for broken in (
        later,
        token[:-1],
        f"{token}A",
        f"{key_id}.{end}",
        f"{key_id}.x.{signature}",
        "..",
        "é.1.é",
    ):
        assert digest_of(broken, {KEY_ID: DIGEST, "": DIGEST, "é": DIGEST}, NOW) is None


def test_where_it_is_known_how_clients_reach_it_the_url_is_whole() -> None:
    (stream,) = streams_of(DOCUMENT, DIGEST, "https://flags.example.com/eu/", NOW)
    assert stream["url"] == f"https://flags.example.com/eu{SSE}?token={_token(NOW)}"
    assert "endpoint" not in stream


def _token(now: float) -> str:
    (stream,) = streams_of(DOCUMENT, DIGEST, "", now)
    return str(stream["endpoint"]["requestUri"]).partition("token=")[2]


def test_a_token_opens_streams_and_nothing_else(served: Evaluator, key: str) -> None:
    token = served.stream_url(key).partition("token=")[2]
    assert served.ask(token).status_code == 401
    for wrong in ("", key, f"{token}x", token.swapcase()):
        answer = httpx.get(f"{served.url}{SSE}", params={"token": wrong})
        assert answer.status_code == 401
        assert answer.json()["errorCode"] == "GENERAL"
        assert "eventStreams" in answer.json()["errorDetails"]
        assert wrong == "" or wrong not in answer.text


def test_a_revoked_key_ends_its_streams_and_no_other(
    served: Evaluator, platform: Platform, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "heartbeat_seconds", 60.0)
    other = platform.issue()
    served.reach(platform.shop.store.head())
    url = served.stream_url(key)
    with listening(url) as stream, listening(served.stream_url(other)) as untouched:
        stream.next()
        untouched.next()
        platform.revoke(key)
        assert stream.next() == {}
        assert httpx.get(url).status_code == 401
        assert platform.switch("checkout", on=True) == untouched.next_position()


def test_a_key_that_runs_out_ends_its_streams(
    served: Evaluator, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "heartbeat_seconds", 60.0)
    key = platform.issue(expires_at=datetime.now(UTC) + timedelta(seconds=3))
    served.reach(platform.shop.store.head())
    url = served.stream_url(key)
    with listening(url) as stream:
        assert stream.next()
        assert stream.next() == {}
    assert httpx.get(url).status_code == 401


def test_a_silent_stream_says_that_it_lives(
    served: Evaluator, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "heartbeat_seconds", 0.05)
    with listening(served.stream_url(key)) as stream:
        stream.next()
        comments = [line for line, _ in zip(stream.lines, range(10), strict=False) if line]
    assert comments == [":"] * 5


def test_clients_come_back_at_different_times(served: Evaluator, key: str) -> None:
    url, waits = served.stream_url(key), set()
    for _ in range(5):
        with listening(url) as stream:
            waits.add(int(next(stream.lines).removeprefix("retry: ")))
    assert len(waits) > 1
    assert all(1_000 <= wait < 5_000 for wait in waits)


def test_there_is_a_bound_to_how_many_listen(
    served: Evaluator, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "streams_at_most", 2)
    url = served.stream_url(key)
    with listening(url), listening(url):
        eventually(lambda: served.streams == 2)
        refused = httpx.get(url)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["errorDetails"].startswith("2 event streams are open")
    eventually(lambda: served.streams == 0)
    with listening(url) as stream:
        assert stream.next()


def test_streams_leave_files_for_those_who_ask(
    served: Evaluator, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = SimpleNamespace(getrlimit=lambda _: (2, 2), RLIMIT_NOFILE=0)
    monkeypatch.setattr(event_hub, "resource", few)
    with listening(served.stream_url(key)):
        eventually(lambda: served.streams == 1)
        assert httpx.get(served.stream_url(key)).status_code == 503


class Impatient(FastProtocol):
    unread_seconds = 0.2


def test_who_does_not_read_is_cut_off(
    platform: Platform, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events would pile up for it; others go on hearing theirs."""
    key = platform.issue()
    monkeypatch.setattr(Hub, "calm_seconds", 0.0)
    monkeypatch.setattr(event_hub, "HEARTBEAT", b":" * 100_000 + b"\n\n")
    monkeypatch.setattr(Hub, "heartbeat_seconds", 0.01)
    with evaluator(redis, http=Impatient) as served, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(("127.0.0.1", served.port))
        target = served.stream_url(key).removeprefix(served.url)
        deaf.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        eventually(lambda: served.streams == 1)
        with listening(served.stream_url(key)) as stream:
            stream.next()
            changed = platform.switch("checkout", on=True)
            assert stream.next_position() == changed
            eventually(lambda: served.streams == 1)
            assert platform.switch("checkout", on=False) == stream.next_position()
            assert served.streams == 1


def test_who_hangs_up_is_forgotten(served: Evaluator, key: str) -> None:
    with listening(served.stream_url(key)) as stream:
        stream.next()
        assert served.streams == 1
    eventually(lambda: served.streams == 0)


def test_a_server_that_stops_ends_its_streams_at_once(platform: Platform, redis: Redis) -> None:
    key = platform.issue()
    with evaluator(redis) as served:
        with listening(served.stream_url(key)) as stream:
            stream.next()
            began = time.monotonic()
            served.stop()
            took = time.monotonic() - began
            assert stream.next() == {}
        assert took < STOP_SECONDS
        tell("a server with open event streams", seconds_to_stop=round(took, 2))


def test_a_page_of_any_origin_may_listen(served: Evaluator, key: str) -> None:
    with listening(served.stream_url(key), Origin="https://shop.example.com") as stream:
        assert stream.response.headers["access-control-allow-origin"] == "*"
        assert stream.response.headers["cache-control"] == "no-store, no-transform"


def test_nobody_listens_before_the_flags_have_been_read() -> None:
    away = Redis(port=free_port())
    parts = Parts(Follower(away), EvaluationRecorder(Elsewhere()), KeyUse(KeysUsed(away)))
    client = TestClient(create_app(parts))
    answer = client.get(SSE, params={"token": _token(time.time())})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    client.close()


def test_an_answer_stays_the_same_until_the_token_changes(served: Evaluator, key: str) -> None:
    first = served.ask(key)
    assert served.ask(key, first.headers["etag"]).status_code == 304
    assert httpx.post(f"{served.url}{BULK}?flagConfigEtag=1", headers={"X-API-Key": key}).text == first.text


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1_000, 1)
