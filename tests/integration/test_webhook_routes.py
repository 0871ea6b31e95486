"""Webhooks as an administrator looks after them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook as Verifier

from api.management.app import create_app
from projections.projector import Projector
from tests.integration.management import Management, refused
from tests.integration.receiver import receiving
from workers.outbound import Outbound

PATH = "/default/webhooks"
URL = "https://example.com/hook"


@pytest.fixture
def laptop(api: Management) -> Iterator[Management]:
    """The same, where private addresses are allowed."""
    parts = replace(api.parts, sender=replace(api.parts.sender, outbound=Outbound(allow_private=True)))
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        yield Management(client, api.store, parts)


def registered(api: Management, url: str = URL, **more: Any) -> dict[str, Any]:
    answer = api.ask("POST", PATH, {"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_webhook_is_registered_and_its_secret_shown_once(api: Management) -> None:
    made = registered(api, description="chat", events=["FlagTurnedOn"], environments=["production"])
    assert made["secret"].startswith("whsec_")
    read = api.ask("GET", f"{PATH}/{made['id']}")
    assert read.headers["etag"] == '"1"'
    assert read.json() == {
        **{name: value for name, value in made.items() if name != "secret"},
        "delivery": None,
    }
    assert (made["url"], made["events"], made["environments"]) == (URL, ["FlagTurnedOn"], ["production"])
    assert (made["paused"], made["removed"], made["previous_secret_until"]) == (False, False, None)
    assert registered(api)["secret"] != made["secret"]


def test_a_request_sent_twice_with_a_key_registers_one(api: Management) -> None:
    one, other = (api.ask("POST", PATH, {"url": URL}, Idempotency_Key="k").json() for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "https://"),
        ("https://127.0.0.1/", "127.0.0.1, which is not a public address"),
        ("https://127.1/", "127.0.0.1"),
        ("https://0x7f000001/", "127.0.0.1"),
        ("https://2130706433/", "127.0.0.1"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("https://[::1]/", "::1"),
        ("https://[::ffff:10.0.0.1]/", "not a public address"),
        ("https://[fe80::1]/", "fe80::1"),
        ("https://ana:secret@example.com/", "user name and password"),
        ("https://example.com/#x", "'#'"),
        ("https://example.com:25/", "port 25"),
        ("gopher://example.com/", "not 'gopher'"),
    ],
)
def test_where_it_may_not_lead_is_said_when_it_is_given(api: Management, url: str, words: str) -> None:
    refused(api.ask("POST", PATH, {"url": url}), 422, words)
    made = registered(api)
    refused(api.ask("PATCH", f"{PATH}/{made['id']}", {"url": url}), 422, words)
    assert api.ask("GET", f"{PATH}/{made['id']}").json()["url"] == URL


def test_a_host_that_no_name_can_be_is_left_to_the_first_attempt(api: Management) -> None:
    made = registered(api, f"https://{'a' * 64}.example/")
    answer = api.ask("POST", f"{PATH}/{made['id']}/test").json()
    assert not answer["delivered"]
    assert "was not found" in answer["problem"]


def test_it_is_changed_paused_and_removed(api: Management) -> None:
    path = f"{PATH}/{registered(api, description='chat')['id']}"
    changed = api.ask("PATCH", path, {"url": "https://example.org/", "events": ["FlagCreated"]})
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["url"], changed.json()["description"]) == ("https://example.org/", "chat")
    refused(api.ask("PATCH", path, {"events": ["FlagUpdated"]}), 422, "'FlagUpdated'", "FlagCreated")
    refused(api.ask("PATCH", path, {"description": ""}, If_Match='"1"'), 412)
    assert api.ask("POST", f"{path}/pause").json()["paused"] is True
    assert api.ask("POST", f"{path}/resume").json()["paused"] is False
    assert api.ask("DELETE", path).json()["removed"] is True
    assert api.ask("DELETE", path).status_code == 200
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("POST", f"{path}/test"),
        ("POST", f"{path}/pause"),
    ):
        refused(api.ask(method, where, {} if method == "PATCH" else None), 404, "removed")
    refused(api.ask("GET", f"{PATH}/none"), 404, "'none'")
    refused(api.ask("GET", "/none/webhooks/none"), 404, "project 'none'")


def test_they_are_listed_and_on_record(api: Management) -> None:
    first, second = registered(api, description="Chat"), registered(api)
    api.ask("DELETE", f"{PATH}/{second['id']}")
    api.catch_up()
    listed = api.ask("GET", PATH).json()["webhooks"]
    assert [each["id"] for each in listed] == [first["id"]]
    assert "secret" not in listed[0]
    assert [each["id"] for each in api.ask("GET", f"{PATH}?archived=true").json()["webhooks"]] == [
        second["id"]
    ]
    assert len(api.ask("GET", f"{PATH}?search=chat").json()["webhooks"]) == 1
    entries = api.ask("GET", "/default/history?kind=webhook").json()["entries"]
    assert [each["event"] for each in entries] == ["WebhookRemoved", "WebhookRegistered", "WebhookRegistered"]


def test_deliveries_are_seen_once_a_worker_knows_of_it(api: Management) -> None:
    made = registered(api)
    Projector(api.store, api.parts.deliveries).catch_up()
    delivery = api.ask("GET", f"{PATH}/{made['id']}").json()["delivery"]
    assert (delivery["position"], delivery["failures"], delivery["last_status"]) == (
        made["position"],
        0,
        None,
    )


def test_a_ping_is_sent_and_its_answer_told(laptop: Management) -> None:
    with receiving() as receiver:
        made = registered(laptop, receiver.url)
        path = f"{PATH}/{made['id']}"
        assert laptop.ask("POST", f"{path}/test").json() == {"delivered": True, "status": 204, "problem": ""}
        rotated = laptop.ask("POST", f"{path}/rotate-secret").json()
        assert rotated["secret"] != made["secret"]
        assert rotated["previous_secret_until"] is not None
        receiver.answer = lambda _: 302
        told = laptop.ask("POST", f"{path}/test", X_Reason="trying").json()
    assert (told["delivered"], told["status"]) == (False, 302)
    assert "redirects are not followed" in told["problem"]
    first, second = receiver.got
    assert Verifier(made["secret"]).verify(first.body, first.headers)["type"] == "Ping"
    for secret in (made["secret"], rotated["secret"]):
        assert Verifier(secret).verify(second.body, second.headers)["reason"] == "trying"
    assert laptop.store.head() == rotated["position"]


def test_a_ping_goes_to_public_addresses_only(api: Management, laptop: Management) -> None:
    with receiving() as receiver:
        made = registered(laptop, receiver.url)
        answer = api.ask("POST", f"{PATH}/{made['id']}/test").json()
    assert (answer["delivered"], answer["status"]) == (False, None)
    assert "https://" in answer["problem"]
    assert receiver.got == []


def test_few_are_tried_out_at_once(laptop: Management) -> None:
    release, answers = threading.Event(), []
    with receiving(lambda _: 200 if release.wait() else 500) as receiver:
        path = f"{PATH}/{registered(laptop, receiver.url)['id']}/test"
        threads = [
            threading.Thread(target=lambda: answers.append(laptop.ask("POST", path).json())) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        while len(receiver.got) < 4:
            release.wait(0.01)
        refused(laptop.ask("POST", path), 503, "too many")
        release.set()
        for thread in threads:
            thread.join()
    assert [each["delivered"] for each in answers] == [True] * 4
    assert len(receiver.got) == 4
