"""Access tokens: what they open, who may make them, and when they stop."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.management.token_access import AccessTokens
from commands.event_store import EventStore, StoreUnavailable
from commands.secret_keys import new_key
from deploy.embedded import free_port
from domain.access import ALPHABET, assemble
from domain.roles import EVERY
from projections.keys_used import KeysUsed
from tests.integration.management import ADMIN, Management, refused
from workers.key_use import KeyUse

PATH = "/api/v1/tokens"
VIEWER, EDITOR, ADMIN_ROLE = ({"role": role, "project": "default"} for role in ("viewer", "editor", "admin"))
STAGING = {**ADMIN_ROLE, "environment": "staging"}
OTHER = {"role": "viewer", "project": "other"}
ROOT = {"role": "admin", "project": EVERY}


def ask(
    api: Management, method: str, path: str = "", body: Any = None, by: str = ADMIN, **headers: str
) -> Response:
    sent = {"Authorization": f"Bearer {by}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return api.client.request(method, PATH + path, json=body, headers=sent)


def make(api: Management, *grants: object, by: str = ADMIN, **more: Any) -> Any:
    answer = ask(api, "POST", "", {"name": "CI", "grants": grants, **more}, by)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(autouse=True)
def other_project(api: Management) -> None:
    api.ask("POST", "", {"key": "other", "name": "Other"})


def test_a_token_may_what_it_was_granted(api: Management) -> None:
    made = make(api, EDITOR)
    assert made["token"].startswith(f"tm_token_{made['id']}_")
    for header in ({"Authorization": f"Bearer {made['token']}"}, {"X-API-Key": made["token"]}):
        assert api.client.get("/api/v1/projects/default", headers=header).status_code == 200
        refused(api.client.get("/api/v1/projects/other", headers=header), 403, f"token:{made['id']}")
    flag = {"key": "checkout", "type": "boolean", "variants": {"on": True}}
    token = {"X_API_Key": made["token"]}
    assert api.ask("POST", "/default/flags", flag, **token).json()["created_by"] == f"token:{made['id']}"
    refused(api.ask("POST", "/default/environments", {"key": "qa", "name": "QA"}, **token), 403, "administer")
    assert made["token"] not in str(api.store.read(after=0, limit=100))


def test_a_token_stops_when_it_is_revoked(api: Management) -> None:
    made = make(api, VIEWER)
    assert api.ask("GET", "/default", X_API_Key=made["token"]).status_code == 200
    assert ask(api, "DELETE", f"/{made['id']}").json()["revoked"] is True
    refused(api.ask("GET", "/default", X_API_Key=made["token"]), 401, "revoked")
    assert ask(api, "DELETE", f"/{made['id']}").status_code == 200
    refused(ask(api, "DELETE", "/none"), 404, "'none'")


def test_a_token_stops_at_its_end_by_postgresqls_clock(
    api: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    made = make(api, VIEWER, expires_at=end.isoformat())
    assert api.ask("GET", "/default", X_API_Key=made["token"]).status_code == 200
    monkeypatch.setattr(EventStore, "now", lambda _: end)
    refused(api.ask("GET", "/default", X_API_Key=made["token"]), 401, "expired")


def test_while_a_token_is_rotated_both_are_in_force(api: Management) -> None:
    old = make(api, EDITOR, OTHER)
    answer = ask(api, "POST", f"/{old['id']}/rotate", {"overlap_seconds": 60})
    new = answer.json()
    assert (answer.status_code, answer.headers["etag"], new["grants"]) == (201, '"1"', old["grants"])
    assert (new["replaces"], new["previous"]["replaced_by"]) == (old["id"], new["id"])
    assert new["previous"]["expires_at"] is not None
    for token in (old["token"], new["token"]):
        assert api.ask("GET", "/default", X_API_Key=token).status_code == 200
    refused(ask(api, "POST", f"/{old['id']}/rotate"), 409, f"replaced by '{new['id']}'")
    last = ask(api, "POST", f"/{new['id']}/rotate", {"overlap_seconds": 0}).json()
    refused(api.ask("GET", "/default", X_API_Key=new["token"]), 401, "expired")
    assert api.ask("GET", "/default", X_API_Key=last["token"]).status_code == 200


def test_the_same_request_is_shown_the_same_token(api: Management) -> None:
    body = {"name": "CI", "grants": [VIEWER]}
    first, again = (ask(api, "POST", "", body, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    path = f"/{first.json()['id']}/rotate"
    rotated, again = (ask(api, "POST", path, Idempotency_Key="r") for _ in range(2))
    assert (rotated.status_code, again.json()) == (201, rotated.json())
    api.store.forget_requests(0)
    refused(ask(api, "POST", "", body, Idempotency_Key="k"), 409, "another Idempotency-Key")


def test_nobody_grants_what_they_do_not_administer(api: Management) -> None:
    admin, staging = make(api, ADMIN_ROLE)["token"], make(api, STAGING)["token"]
    body = {"name": "CI"}
    may = {admin: [VIEWER, EDITOR, ADMIN_ROLE, STAGING], staging: [STAGING, {**STAGING, "role": "viewer"}]}
    may_not = {admin: [OTHER, ROOT, {**ROOT, "role": "viewer"}], staging: [VIEWER, ADMIN_ROLE, OTHER, ROOT]}
    for by, grants in may.items():
        for grant in grants:
            assert ask(api, "POST", "", {**body, "grants": [grant]}, by).status_code == 201
    for by, grants in may_not.items():
        for grant in grants:
            refused(ask(api, "POST", "", {**body, "grants": [STAGING, grant]}, by), 403, "may not grant")
    for role in ("viewer", "editor", "approver"):
        token = make(api, {"role": role, "project": EVERY})["token"]
        refused(ask(api, "POST", "", {**body, "grants": [VIEWER]}, token), 403, "for admins")


def test_what_is_granted_has_to_exist(api: Management) -> None:
    for grants, status, word in (
        ([{"role": "viewer", "project": "none"}], 404, "'none'"),
        ([{**VIEWER, "environment": "qa"}], 404, "'qa'"),
        ([{"role": "king", "project": "default"}], 422, "role"),
        ([], 422, "grants"),
        ([VIEWER] * 101, 422, "grants"),
        ([{"role": "viewer", "project": "@tokens"}], 422, "grants"),
    ):
        refused(ask(api, "POST", "", {"name": "CI", "grants": grants}), status, word)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    refused(ask(api, "POST", "", {"name": "CI", "grants": [VIEWER], "expires_at": past}), 422, "past")


def test_everybody_sees_the_tokens_that_are_theirs(api: Management) -> None:
    grants = {
        "default": [ADMIN_ROLE],
        "staging": [STAGING],
        "both": [VIEWER, OTHER],
        "root": [ROOT],
        "productions": [{**ROOT, "environment": "production"}],
        "production": [{**VIEWER, "environment": "production"}],
    }
    made = {name: make(api, *granted, name=name) for name, granted in grants.items()}
    api.catch_up()
    sees = {
        "default": {"default", "staging", "production"},
        "staging": {"staging"},
        "root": set(grants),
        "productions": {"productions", "production"},
    }
    for who, names in sees.items():
        by = made[who]["token"]
        assert {each["name"] for each in ask(api, "GET", "", by=by).json()["tokens"]} == names
        for name, each in made.items():
            answer = ask(api, "GET", f"/{each['id']}", by=by)
            assert answer.status_code == (200 if name in names else 403), (who, name)
            assert "token" not in answer.json()
    refused(ask(api, "GET", "", by=made["both"]["token"]), 403, "for admins")
    unseen, missing = (
        ask(api, "GET", f"/{i}", by=made["default"]["token"]) for i in (made["root"]["id"], "x")
    )
    assert unseen.json()["detail"].replace(made["root"]["id"], "x") == missing.json()["detail"]
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        refused(ask(api, method, f"/{made['root']['id']}{path}", by=made["default"]["token"]), 403)


def test_tokens_are_searched_and_belong_to_no_project(api: Management) -> None:
    made = make(api, VIEWER, name="Terraform")
    ask(api, "DELETE", f"/{make(api, VIEWER)['id']}")
    api.catch_up()
    assert [each["id"] for each in ask(api, "GET", "?search=terra").json()["tokens"]] == [made["id"]]
    assert [each["name"] for each in ask(api, "GET", "?archived=true").json()["tokens"]] == ["CI"]
    assert [each["key"] for each in api.ask("GET", "").json()["projects"]] == ["default", "other"]


def test_it_is_noted_when_a_token_is_used(api: Management) -> None:
    """Redis is away here: that does not keep anybody from anything."""
    used = api.parts.background[0]
    assert isinstance(used, KeyUse)
    made = make(api, VIEWER)
    api.ask("GET", "/default", X_API_Key=made["token"])
    assert f"token:{made['id']}" in used._noted
    assert ask(api, "GET", f"/{made['id']}").json()["last_used_at"] is None


def test_while_postgresql_is_away_no_token_is_taken_for_another(api: Management) -> None:
    nowhere = EventStore(f"postgresql://postgres@127.0.0.1:{free_port()}/none")
    tokens = AccessTokens(nowhere, KeyUse(KeysUsed(None)))  # type: ignore[arg-type]
    assert tokens.principal("tm_token_nonsense") is None
    assert tokens.principal(new_key("server")[1]) is None
    with pytest.raises(StoreUnavailable):
        tokens.principal(new_key("token")[1])
    nowhere.close()


LETTERS = st.text(alphabet=ALPHABET, min_size=32, max_size=32)


@st.composite
def forged(draw: st.DrawFn, issued: str) -> str:
    """Everything from noise to a token whose selector was issued and whose checksum is right."""
    place = draw(st.integers(0, len(issued) - 1))
    _, _, selector, secret = issued.split("_")
    text: str = draw(
        st.one_of(
            st.text(max_size=80),
            st.just(issued[:place]),
            st.just(issued[:place] + draw(st.characters()) + issued[place + 1 :]),
            st.just(issued[:place] + issued[place:].swapcase()),
            LETTERS.map(lambda other: assemble("token", selector, other)),
            LETTERS.map(lambda other: assemble("token", other[:10], secret[:32])),
            st.just(assemble("server", selector, secret[:32])),
            st.just(assemble("admin", selector, secret[:32])),
        )
    )
    return text


def test_no_text_is_a_token_unless_it_was_issued(api: Management) -> None:
    issued = make(api, VIEWER)["token"]
    tokens = AccessTokens(api.store, KeyUse(api.parts.keys_used))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(forged(issued))
    def holds(text: str) -> None:
        assert (tokens.principal(text) is not None) == (text == issued)

    holds()
