"""Writes that can be trusted: sent twice, on a version, together, and all on record."""

import time

import pytest

from domain.envelope import flag_stream
from tests.integration.management import BOOLEAN, OFF, Management, refused

NEW = {"key": "checkout", "type": "boolean", "variants": BOOLEAN}
ON = "/default/flags/checkout/environments/production/on"


def test_a_request_sent_twice_with_a_key_is_carried_out_once(api: Management) -> None:
    first = api.ask("POST", "/default/flags", NEW, Idempotency_Key="k-1")
    again = api.ask("POST", "/default/flags", NEW, Idempotency_Key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json(), first.headers["etag"]) == (again.json(), again.headers["etag"])
    refused(api.ask("POST", "/default/flags", NEW), 409, "'checkout'")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/default/flags", {**NEW, "key": "other"}, {}),
        ("POST", "/default/flags?x=1", NEW, {}),
        ("POST", "/default/flags", NEW, {"If_Match": '"0"'}),
        ("PUT", "/default/segments/a", {"condition": {"constant": True}}, {}),
    ],
)
def test_a_key_stands_for_one_request(
    api: Management, method: str, path: str, body: object, headers: dict[str, str]
) -> None:
    api.ask("POST", "/default/flags", NEW, Idempotency_Key="k-1")
    answer = api.ask(method, path, body, Idempotency_Key="k-1", **headers)
    refused(answer, 422, "Idempotency-Key", "another request")


def test_a_key_is_printable_text(api: Management) -> None:
    refused(api.ask("POST", "/default/flags", NEW, Idempotency_Key="a b"), 422, "idempotency-key")
    refused(api.ask("POST", "/default/flags", NEW, Idempotency_Key="k" * 201), 422, "idempotency-key")


def test_what_was_read_can_be_insisted_on(api: Management) -> None:
    read = api.flag().headers["etag"]
    assert api.ask("POST", ON, If_Match=read).headers["etag"] == '"2"'
    refused(api.ask("POST", ON.replace("/on", "/off"), If_Match=read), 412, "version 2 now, not 1")
    refused(api.ask("PATCH", "/default/flags/checkout", {"owner": "ana"}, If_Match=read), 412)


def test_details_are_changed_and_what_is_absent_stays(api: Management) -> None:
    api.flag(description="the checkout", tags=["a"])
    changed = api.ask("PATCH", "/default/flags/checkout", {"owner": "ana", "tags": []}).json()
    assert (changed["owner"], changed["tags"], changed["description"]) == ("ana", [], "the checkout")
    assert api.ask("PATCH", "/default/flags/checkout", {"owner": "ana"}).json()["version"] == 2
    refused(api.ask("PATCH", "/default/flags/checkout", {"key": "x"}), 422, "key")
    refused(api.ask("PATCH", "/default/flags/none", {"owner": "ana"}), 404, "'none'")


def test_variants_are_put_and_removed(api: Management) -> None:
    api.flag()
    path = "/default/flags/checkout/variants/also"
    assert api.ask("PUT", path, {"value": True}).json()["variants"] == {**BOOLEAN, "also": True}
    assert api.ask("PUT", path, {"value": False}).json()["variants"]["also"] is False
    refused(api.ask("PUT", path, {"value": "yes"}), 422, "'also'", "boolean")
    api.ask("POST", "/default/flags", {**NEW, "key": "other"})
    asking = {**OFF, "prerequisites": [{"flag": "checkout", "variants": ["also"]}]}
    api.ask("PUT", "/default/flags/other/environments/production", asking)
    refused(api.ask("DELETE", path), 409, "flag 'other' in production")
    api.ask("PUT", "/default/flags/other/environments/production", OFF)
    assert api.ask("DELETE", path).json()["variants"] == BOOLEAN
    refused(api.ask("DELETE", path), 404, "'also'")


def test_projects_and_environments_are_renamed(api: Management) -> None:
    assert api.ask("PATCH", "/default", {"name": "Shop"}).json()["name"] == "Shop"
    path = "/default/environments/production"
    changed = api.ask("PATCH", path, {"name": "Live", "approvals": 2}).json()["environments"][2]
    as_installed = {"pseudonymise": False, "attributes": []}
    assert changed == {"key": "production", "name": "Live", "approvals": 2, "recording": as_installed}
    refused(api.ask("PATCH", path, {"approvals": 11}), 422, "approvals")
    refused(api.ask("PATCH", "/default/environments/qa", {"name": "QA"}), 404, "'qa'")


def test_what_an_environment_records_is_said_and_shown(api: Management) -> None:
    path = "/default/environments/production"
    recording = {"mode": "exposures", "pseudonymise": True, "attributes": ["country"]}
    api.ask("PATCH", path, {"recording": recording})
    shown = api.ask("GET", "/default/environments").json()
    assert [each["recording"] for each in shown if each["key"] == "production"] == [recording]
    refused(api.ask("PATCH", path, {"recording": {"mode": "some"}}), 422, "recording.mode")


def test_an_environment_that_wants_approvals_takes_no_direct_writes(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": {"constant": True}})
    api.ask("PATCH", "/default/environments/production", {"approvals": 1})
    everywhere = [
        ("POST", ON, None),
        ("PUT", "/default/flags/checkout/environments/production", {**OFF, "enabled": True}),
        ("PUT", "/default/flags/checkout/variants/also", {"value": True}),
        ("PATCH", "/default/flags/checkout", {"client_visible": True}),
        ("DELETE", "/default/flags/checkout", None),
        ("PUT", "/default/segments/beta", {"condition": {"constant": False}}),
        ("DELETE", "/default/segments/beta", None),
    ]
    for method, path, body in everywhere:
        refused(api.ask(method, path, body), 403, "'production'", "/changes")
    assert api.ask("POST", ON.replace("production", "staging")).status_code == 200
    assert api.ask("PATCH", "/default/flags/checkout", {"owner": "ana"}).status_code == 200
    assert api.flag("another").status_code == 201
    api.ask("PATCH", "/default/environments/production", {"approvals": 0})
    assert api.ask("POST", ON).status_code == 200


def test_commands_given_together_are_carried_out_together(api: Management) -> None:
    commands = [
        {"command": "create_flag", "definition": NEW},
        {"command": "put_segment", "segment": "beta", "definition": {"condition": {"constant": True}}},
        {"command": "turn_flag_on", "flag": "checkout", "environment": "production"},
    ]
    answer = api.ask("POST", "/default/commands", {"commands": commands}, Idempotency_Key="b")
    assert [(each["kind"], each["key"]) for each in answer.json()["changed"]] == [
        ("flag", "checkout"),
        ("segment", "beta"),
        ("flag", "checkout"),
    ]
    assert answer.json()["position"] == api.store.head()
    again = api.ask("POST", "/default/commands", {"commands": commands}, Idempotency_Key="b")
    assert again.json() == answer.json()


def test_of_commands_given_together_none_is_carried_out_when_one_is_refused(api: Management) -> None:
    head = api.store.head()
    commands = [
        {"command": "create_flag", "definition": NEW},
        {"command": "turn_flag_on", "flag": "checkout", "environment": "qa"},
    ]
    refused(api.ask("POST", "/default/commands", {"commands": commands}), 404, "'qa'")
    assert api.store.head() == head
    refused(api.ask("POST", "/default/commands", {"commands": []}), 422, "commands")
    refused(api.ask("POST", "/default/commands", {"commands": [{"command": "x"}]}), 422, "create_flag")
    wrong = [{"command": "turn_flag_on", "flag": "a"}]
    refused(api.ask("POST", "/default/commands", {"commands": wrong}), 422, "environment")


def test_history_tells_who_what_when_and_why(api: Management) -> None:
    api.flag()
    api.ask("POST", ON, X_Reason="launch day", X_Request_Id="req-1")
    api.ask("PUT", "/default/segments/beta", {"condition": {"constant": True}})
    api.catch_up()
    head = api.store.head()
    history = api.ask("GET", f"/default/flags/checkout/history?min_position={head}").json()
    assert (history["position"], history["next"]) == (head, None)
    assert [each["event"] for each in history["entries"]] == ["FlagTurnedOn", "FlagCreated"]
    last = history["entries"][0]
    assert (last["by"], last["reason"], last["request_id"]) == ("administrator", "launch day", "req-1")
    assert last["data"] == {"environment": "production"}
    assert (last["kind"], last["key"], last["version"]) == ("flag", "checkout", 2)
    (segment,) = api.ask("GET", "/default/segments/beta/history").json()["entries"]
    assert segment["event"] == "SegmentCreated"
    everything = api.ask("GET", "/default/history?limit=2").json()
    assert [each["event"] for each in everything["entries"]] == ["SegmentCreated", "FlagTurnedOn"]
    older = api.ask("GET", f"/default/history?before={everything['next']}&kind=flag").json()
    assert [each["event"] for each in older["entries"]] == ["FlagCreated"]
    assert api.ask("GET", "/default/history?by=nobody").json()["entries"] == []
    assert api.ask("GET", "/default/history?to=2020-01-01T00:00:00Z").json()["entries"] == []
    refused(api.ask("GET", "/default/history?from=yesterday"), 422, "from")
    refused(api.ask("GET", f"/default/history?min_position={head + 1}"), 422, f"ends at {head}")
    api.flag("later")
    refused(api.ask("GET", f"/default/history?min_position={head + 1}"), 503, "has not seen")
    refused(api.ask("GET", "/none/history"), 404, "'none'")


def test_a_keys_hash_is_not_in_the_history(api: Management) -> None:
    api.ask("POST", "/default/environments/production/keys", {"name": "web", "kind": "server"})
    api.catch_up()
    (entry,) = api.ask("GET", "/default/history?kind=key").json()["entries"]
    assert entry["event"] == "KeyIssued"
    assert "digest" not in entry["data"]


def test_lists_are_searched_sorted_and_paged(api: Management) -> None:
    api.flag("b", description="New checkout", tags=["web"], owner="ana")
    api.flag("a", kind="experiment")
    api.catch_up()

    def listed(query: str) -> str:
        return "".join(each["key"] for each in api.ask("GET", f"/default/flags?{query}").json()["flags"])

    assert listed("") == "ab"
    assert listed("sort=created") == "ba"
    assert listed("sort=-key") == "ba"
    assert [listed(query) for query in ("search=CHECK", "tag=web", "owner=ana", "kind=experiment")] == [
        "b",
        "b",
        "b",
        "a",
    ]
    page = api.ask("GET", "/default/flags?sort=-changed&limit=1").json()
    assert page["flags"][0]["key"] == "a"
    assert listed(f"sort=-changed&after={page['next']}") == "b"
    refused(api.ask("GET", "/default/flags?sort=changed&after=b"), 422, "'after'")
    refused(api.ask("GET", "/default/flags?sort=owner"), 422, "sort")


def test_a_page_of_5000_flags_takes_less_than_a_tenth_of_a_second(api: Management) -> None:
    """Not a benchmark: ten times the time it takes, so that only a change of order is noticed."""
    for start in range(0, 5000, 500):
        commands = [
            {"command": "create_flag", "definition": {**NEW, "key": f"flag-{n:04}", "tags": [f"t{n % 7}"]}}
            for n in range(start, start + 500)
        ]
        assert api.ask("POST", "/default/commands", {"commands": commands}).status_code == 200
    api.catch_up()
    for query in ("", "sort=-changed", "search=flag-49", "tag=t3", "after=flag-4000"):
        api.ask("GET", f"/default/flags?limit=50&{query}")
        began = time.perf_counter()
        page = api.ask("GET", f"/default/flags?limit=50&{query}").json()
        assert time.perf_counter() - began < 1.0
        assert len(page["flags"]) == 50


def test_the_log_has_the_request_of_each_event(api: Management) -> None:
    answer = api.flag()
    (created,) = api.store.load(flag_stream("default", "checkout"))
    assert created.stamp.request == answer.headers["x-request-id"]
