"""The management API on the real log: its routes, what it refuses and how it says so."""

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.management.app import create_app
from api.strict_json import BODY_BYTES_AT_MOST
from deploy.embedded import free_port
from domain.envelope import flag_stream
from tests.integration.management import ADMIN, BOOLEAN, BRAZIL, OFF, Management, parts_at, refused


def test_a_flag_is_created_and_read(api: Management) -> None:
    created = api.flag(description="Novo checkout", tags=["a", "b"])
    assert created.status_code == 201
    flag = created.json()
    assert (flag["key"], flag["type"], flag["variants"], flag["tags"]) == (
        "checkout",
        "boolean",
        BOOLEAN,
        ["a", "b"],
    )
    assert flag["position"] == api.store.head()
    assert list(flag["environments"]) == ["development", "staging", "production"]
    assert flag["environments"]["production"]["enabled"] is False
    read = api.ask("GET", "/default/flags/checkout")
    assert (read.json(), read.headers["etag"]) == (flag, '"1"')


def test_projects_and_environments(api: Management) -> None:
    assert api.ask("POST", "", {"key": "shop", "name": "Shop"}).status_code == 201
    refused(api.ask("POST", "", {"key": "shop", "name": "Shop"}), 409, "'shop'")
    made = api.ask("POST", "/shop/environments", {"key": "qa", "name": "QA"})
    assert (made.status_code, made.json()["position"]) == (201, api.store.head())
    assert api.ask("POST", "/shop/environments", {"key": "qa", "name": "QA"}).json() == made.json()
    refused(api.ask("POST", "/shop/environments", {"key": "qa", "name": "Other"}), 409, "'qa'")
    names = [each["key"] for each in api.ask("GET", "/shop/environments").json()]
    assert names == ["development", "staging", "production", "qa"]
    assert [each["key"] for each in api.ask("GET", "/shop").json()["environments"]] == names
    refused(api.ask("GET", "/nowhere"), 404, "'nowhere'")
    api.catch_up()
    assert [each["key"] for each in api.ask("GET", "").json()["projects"]] == ["default", "shop"]


def test_targeting_is_replaced_and_read(api: Management) -> None:
    api.flag()
    path = "/default/flags/checkout/environments/production"
    wish = {
        "enabled": True,
        "off_variant": "off",
        "default": {"split": {"by": "targetingKey", "weights": {"on": 25_000, "off": 75_000}}},
        "rules": [
            {
                "name": "Brazil",
                "when": {"attribute": "country", "operator": "in", "values": ["BR"]},
                "serve": {"variant": "on"},
            }
        ],
        "targets": [],
        "prerequisites": [],
    }
    changed = api.ask("PUT", path, wish)
    assert changed.status_code == 200
    assert (changed.json()["version"], changed.headers["etag"]) == (4, '"4"')
    targeting = api.ask("GET", path).json()
    assert targeting == changed.json()["environments"]["production"]
    assert targeting["rules"][0]["id"]
    assert api.ask("PUT", path, wish).json() == changed.json()
    assert api.ask("PUT", path, targeting).json() == changed.json()
    refused(api.ask("PUT", path, {**wish, "off_variant": "grey"}), 422, "'grey'", "on, off")
    refused(api.ask("GET", "/default/flags/checkout/environments/qa"), 404, "'qa'")


def test_switching_and_archiving(api: Management) -> None:
    api.flag()
    on = "/default/flags/checkout/environments/staging/on"
    assert api.ask("POST", on).json()["environments"]["staging"]["enabled"] is True
    assert api.ask("POST", on).json()["version"] == 2
    off = api.ask("POST", "/default/flags/checkout/environments/staging/off")
    assert off.json()["environments"]["staging"]["enabled"] is False
    assert api.ask("DELETE", "/default/flags/checkout").json()["archived"] is True
    refused(api.ask("POST", on), 422, "restore")
    refused(api.flag(), 409, "archived")
    assert api.ask("POST", "/default/flags/checkout/restore").json()["archived"] is False


def test_a_reason_is_kept_with_the_event(api: Management) -> None:
    api.flag()
    api.ask("POST", "/default/flags/checkout/environments/staging/on", X_Reason="launch day")
    stamp = api.store.load(flag_stream("default", "checkout"))[-1].stamp
    assert (stamp.by, stamp.reason) == ("administrator", "launch day")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("lançamento 🚀".encode(), "lançamento 🚀"), ("café".encode("latin-1"), "café")],
)
def test_a_reason_is_kept_as_it_was_typed_in_any_language(api: Management, sent: bytes, kept: str) -> None:
    api.flag()
    path = "/api/v1/projects/default/flags/checkout/environments/staging/on"
    answer = api.client.post(path, headers={b"X-API-Key": ADMIN.encode(), b"X-Reason": sent})
    assert answer.status_code == 200, answer.text
    assert api.store.read(after=answer.json()["position"] - 1, limit=1)[0].stamp.reason == kept


def test_an_etag_is_kept_to(api: Management) -> None:
    api.flag()
    on = "/default/flags/checkout/environments/staging/on"
    refused(api.ask("POST", on, If_Match='"7"'), 412, "version 1 now, not 7")
    refused(api.ask("POST", on, If_Match="seven"), 400, "If-Match")
    assert api.ask("POST", on, If_Match='"1"').status_code == 200
    assert api.ask("POST", on, If_Match="*").status_code == 200


def test_lists_come_in_pages_and_wait_for_a_position(api: Management) -> None:
    for key in ("a", "b", "c"):
        position = api.flag(key).json()["position"]
    refused(api.ask("GET", f"/default/flags?min_position={position}"), 503, "projector")
    api.catch_up()
    first = api.ask("GET", f"/default/flags?min_position={position}&limit=2").json()
    assert ([each["key"] for each in first["flags"]], first["next"], first["position"]) == (
        ["a", "b"],
        "b",
        position,
    )
    second = api.ask("GET", f"/default/flags?after={first['next']}").json()
    assert ([each["key"] for each in second["flags"]], second["next"]) == (["c"], None)
    refused(api.ask("GET", "/nowhere/flags"), 404)
    refused(api.ask("GET", "/default/flags?limit=0"), 422, "limit")


def test_segments(api: Management) -> None:
    condition = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    made = api.ask(
        "PUT", "/default/segments/beta", {"name": "Beta", "include": ["u1"], "condition": condition}
    )
    assert made.status_code == 200
    assert (made.json()["include"], made.json()["version"]) == (["u1"], 1)
    assert api.ask("GET", "/default/segments/beta").json() == made.json()
    refused(api.ask("GET", "/default/segments/none"), 404, "'none'")
    api.flag()
    path = "/default/flags/checkout/environments/production"
    rule = {"when": {"segment": "beta"}, "serve": {"variant": "on"}}
    assert api.ask("PUT", path, {**OFF, "rules": [rule]}).status_code == 200
    refused(api.ask("DELETE", "/default/segments/beta"), 409, "flag 'checkout' in production")
    api.ask("PUT", "/default/segments/wider", {"condition": {"segment": "beta"}})
    uses = {"flags": [{"flag": "checkout", "environment": "production"}], "segments": ["wider"]}
    assert api.ask("GET", "/default/segments/beta/used-by").json() == uses
    assert api.ask("GET", "/default/segments/wider/used-by").json() == {"flags": [], "segments": []}
    refused(api.ask("GET", "/default/segments/none/used-by"), 404, "'none'")
    api.ask("DELETE", "/default/segments/wider")
    api.ask("PUT", path, OFF)
    assert api.ask("DELETE", "/default/segments/beta").json()["archived"] is True
    api.catch_up()
    assert api.ask("GET", "/default/segments").json()["segments"] == []
    assert len(api.ask("GET", "/default/segments?archived=true").json()["segments"]) == 2


def test_an_answer_is_explained(api: Management) -> None:
    pro = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    api.ask("PUT", "/default/segments/beta", {"condition": pro})
    api.flag("api")
    api.ask("POST", "/default/flags/api/environments/production/on")
    api.flag()
    rules = [
        {"id": "beta", "when": {"segment": "beta"}, "serve": {"variant": "on"}},
        {"id": "brazil", "when": {"all": [BRAZIL, {"bucket": {"below": 0}}]}, "serve": {"variant": "on"}},
    ]
    wish = {**OFF, "enabled": True, "rules": rules, "prerequisites": [{"flag": "api", "variants": ["on"]}]}
    changed = api.ask("PUT", "/default/flags/checkout/environments/production", wish).json()

    def ask(**context: Any) -> Any:
        body = {"flag": "checkout", "context": context}
        return api.ask("POST", "/default/environments/production/explain", body).json()

    yes = ask(plan="pro")
    assert (yes["variant"], yes["reason"], yes["metadata"]["ruleId"]) == ("on", "TARGETING_MATCH", "beta")
    assert yes["position"] == changed["position"]
    (beta,) = yes["rules"]
    assert (beta["id"], beta["held"], beta["position"]) == ("beta", True, changed["position"] - 1)
    assert beta["step"]["steps"][0]["saw"] == "pro"
    no = ask(plan="free", country="BR", targetingKey="u1")
    assert (no["variant"], no["reason"]) == ("on", "DEFAULT")
    assert [(rule["id"], rule["held"]) for rule in no["rules"]] == [("beta", False), ("brazil", False)]
    country, gate = no["rules"][1]["step"]["steps"]
    assert (country["saw"], country["held"], gate["held"]) == ("BR", True, False)
    assert 0 <= gate["saw"] < 100_000
    api.ask("POST", "/default/flags/api/environments/production/off")
    assert ask(plan="pro")["metadata"]["why"] == "prerequisite:api"
    unknown = api.ask("POST", "/default/environments/production/explain", {"flag": "none"}).json()
    assert (unknown["errorCode"], unknown["rules"]) == ("FLAG_NOT_FOUND", [])
    refused(api.ask("POST", "/default/environments/qa/explain", {"flag": "checkout"}), 404, "'qa'")


def test_keys_are_shown_once(api: Management) -> None:
    path = "/default/environments/production/keys"
    made = api.ask("POST", path, {"name": "web", "kind": "client"})
    assert made.status_code == 201
    issued = made.json()
    assert issued["key"].startswith(f"tm_client_{issued['id']}_")
    api.ask("POST", "/default/environments/staging/keys", {"name": "other", "kind": "server"})
    api.catch_up()
    listed = api.ask("GET", path).json()["keys"]
    assert [(each["id"], each["name"], each["kind"], "key" in each) for each in listed] == [
        (issued["id"], "web", "client", False)
    ]
    assert issued["key"] not in str(api.store.read(after=0, limit=100))
    refused(api.ask("DELETE", f"/default/environments/staging/keys/{issued['id']}"), 404)
    assert api.ask("DELETE", f"{path}/{issued['id']}").json()["revoked"] is True
    refused(api.ask("POST", path, {"name": "web", "kind": "admin"}), 422, "kind")
    refused(api.ask("GET", "/default/environments/qa/keys"), 404, "'qa'")


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "é".encode()}]
)
def test_nobody_but_the_administrator(api: Management, headers: dict[str, Any]) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/default/flags/x"),
        ("DELETE", "/default/segments/x"),
    ):
        answer = api.client.request(method, f"/api/v1/projects{path}", headers=headers)
        refused(answer, 401, "credential")
        assert answer.headers["www-authenticate"] == "Bearer"
    bearer = api.client.get("/api/v1/projects", headers={"Authorization": f"Bearer {ADMIN}"})
    assert bearer.status_code == 200


HOSTILE = [
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b'{"key": "a", "key": "b"}',
    b'{"key": "\\ud800", "type": "boolean", "variants": {"on": true}}',
    b'{"key": "a\\u0000", "type": "boolean", "variants": {"on": true}}',
    b'{"key": "a", "type": "object", "variants": {"on": ' + b"[" * 1_000 + b"]" * 1_000 + b"}}",
    b'{"key": "a", "type": "integer", "variants": {"on": ' + b"9" * 400 + b"}}",
    b'{"key": "a", "type": "float", "variants": {"on": NaN}}',
    b'{"key": "a", "type": "boolean", "variants": {"on": true}, "colour": 1}',
    b'{"key": "..", "type": "boolean", "variants": {"on": true}}',
    b'{"key": " a", "type": "boolean", "variants": {"on": true}}',
    b'{"key": "a", "type": "boolean", "variants": {"": true}}',
    b" " * (BODY_BYTES_AT_MOST + 1),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_body_is_refused_in_words(api: Management, body: bytes) -> None:
    headers = {"X-API-Key": ADMIN, "Content-Type": "application/json"}
    answer = api.client.post("/api/v1/projects/default/flags", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    refused(answer, answer.status_code)
    assert answer.json()["detail"]
    chunked = api.client.post("/api/v1/projects/default/flags", content=iter([body]), headers=headers)
    assert chunked.status_code == answer.status_code


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["key", "type", "variants", "on", "enabled", "default", "rules", "when", "serve", "all", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=ANYTHING, path=st.text(max_size=5))
def test_no_body_and_no_path_is_a_fault_of_ours(api: Management, body: Any, path: str) -> None:
    for method, url in (
        ("POST", "/default/flags"),
        ("PUT", "/default/flags/checkout/environments/production"),
        ("PUT", f"/default/segments/{quote(path, safe='')}"),
        ("GET", f"/default/flags/{quote(path, safe='')}"),
        ("POST", f"/{quote(path, safe='')}/environments"),
    ):
        answer = api.ask(method, url, body)
        assert answer.status_code < 500, answer.text


def test_what_is_not_there_is_said_in_words(api: Management) -> None:
    refused(api.client.get("/nothing"), 404, "/nothing", "/openapi.json")
    refused(api.ask("PUT", "/default"), 405, "PUT")
    form = api.client.post(
        "/api/v1/projects", content="key=a", headers={"X-API-Key": ADMIN, "Content-Type": "text/plain"}
    )
    refused(form, 422, "Content-Type: application/json")


def test_a_request_id_is_taken_over_if_it_is_one(api: Management) -> None:
    given = api.client.get("/health/live", headers={"X-Request-ID": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    odd = api.client.get("/health/live", headers={"X-Request-ID": "a b"})
    assert odd.headers["x-request-id"] != "a b"


def test_analytics_refuses_what_it_cannot_answer(api: Management) -> None:
    path = "/default/environments/production/analytics/flags/checkout"
    refused(api.ask("GET", f"{path}?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"), 422, "'from'")
    refused(api.ask("GET", f"{path}?from=yesterday"), 422, "from")
    refused(api.ask("GET", f"{path}?granularity=second"), 422, "granularity")
    refused(api.ask("GET", "/default/environments/qa/analytics/flags/checkout"), 404, "'qa'")


def test_without_dynamodb_analytics_answers_503(api: Management) -> None:
    answer = api.ask("GET", "/default/environments/production/analytics/flags/checkout")
    refused(answer, 503, "Try again")


def test_without_postgresql_it_answers_503_and_says_so() -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/none"
    found = parts_at(url, postgres_seconds=1.2)
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        for path in ("", "/default"):
            answer = client.get(f"/api/v1/projects{path}", headers={"X-API-Key": ADMIN})
            refused(answer, 503, "Try again")
            assert answer.headers["retry-after"] == "1"
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200
    for part in (found.store, found.catalogue, found.audit):
        part.close()
