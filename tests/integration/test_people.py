"""People over HTTP: added, changed, listed, and each only by whom it is theirs to do."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.envelope import person_stream
from tests.integration.management import Management, refused
from tests.integration.signing_in import AS_ADMIN, EMAIL, ID, PASSWORD, Ana, bearer, grant


@pytest.fixture
def ana(api: Management) -> Ana:
    return Ana(api.client)


def test_a_person_is_added_and_seen(ana: Ana, api: Management) -> None:
    added = ana.add("  Ana@Example.org", grants=[grant("editor")])
    assert added.status_code == 201
    told = added.json()
    assert (told["id"], told["email"], told["name"]) == (ID, EMAIL, "Ana")
    assert (told["grants"], told["disabled"], told["has_password"]) == ([grant("editor")], False, True)
    seen = api.client.get(f"/api/v1/people/{ID}", headers=AS_ADMIN)
    assert (seen.json(), seen.headers["etag"]) == (told, added.headers["etag"])
    refused(ana.add("ANA@example.org"), 409, EMAIL)
    refused(api.client.get(f"/api/v1/people/{'0' * 32}", headers=AS_ADMIN), 404, "no such person")


def test_people_are_listed_searched_and_not_taken_for_a_project(ana: Ana, api: Management) -> None:
    ana.add()
    ana.add("bo@example.org", name="Bo", password=None)
    api.catch_up()

    def listed(query: str) -> set[str]:
        answer = api.client.get(f"/api/v1/people?{query}", headers=AS_ADMIN)
        return {each["name"] for each in answer.json()["people"]}

    assert listed("") == {"Ana", "Bo"}
    assert listed("search=BO@") == {"Bo"}
    assert len(listed("limit=1")) == 1
    assert [each["key"] for each in api.ask("GET", "").json()["projects"]] == ["default"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"email": "ana"}, "email"),
        ({"email": "\u212aim@example.org"}, "email"),
        ({"name": ""}, "name"),
        ({"password": "eleven char"}, "password"),
        ({"password": "é" * 600}, "1000 bytes"),
        ({"grants": [{"role": "owner", "project": "default"}]}, "grants"),
        ({"grants": [{"role": "viewer", "project": "@people"}]}, "grants"),
        ({"admin": True}, "admin"),
    ],
)
def test_what_cannot_be_is_refused(ana: Ana, api: Management, more: dict[str, Any], word: str) -> None:
    head = api.store.head()
    refused(ana.add(**{"email": EMAIL, **more}), 422, word)
    assert api.store.head() == head


def test_a_grant_is_for_what_exists(ana: Ana) -> None:
    refused(ana.add(grants=[grant("viewer", "none")]), 404, "'none'")
    refused(ana.add(grants=[grant("viewer", "default", "qa")]), 404, "'qa'")
    ana.add()
    refused(ana.change(grants=[grant("viewer", "none")]), 404, "'none'")


def test_a_request_to_add_somebody_sent_twice_adds_them_once(ana: Ana, api: Management) -> None:
    new = {"email": EMAIL, "name": "Ana", "password": PASSWORD}
    headers = {**AS_ADMIN, "Idempotency-Key": "k-1"}
    first, again = (api.client.post("/api/v1/people", json=new, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = {**new, "password": "another one entirely"}
    refused(api.client.post("/api/v1/people", json=other, headers=headers), 422, "Idempotency-Key")
    assert ana.sign_in().status_code == 200


def test_changes_keep_to_the_version_that_was_read(ana: Ana, api: Management) -> None:
    read = ana.add().headers["etag"]
    ana.change(name="Anna")
    stale = api.client.patch(
        f"/api/v1/people/{ID}", json={"name": "Other"}, headers={**AS_ADMIN, "If-Match": read}
    )
    refused(stale, 412, "version")


def test_what_is_granted_and_taken_counts_from_the_next_request_on(ana: Ana, api: Management) -> None:
    ana.add(grants=[grant("viewer")])
    token, _ = ana.tokens()

    def tries() -> int:
        body = {"key": "beta", "condition": {"constant": True}}
        path = "/api/v1/projects/default/segments/beta"
        return api.client.put(path, json={"condition": body["condition"]}, headers=bearer(token)).status_code

    assert tries() == 403
    ana.change(grants=[grant("editor")])
    assert tries() == 200
    ana.change(grants=[])
    assert tries() == 403
    (created,) = [
        each for each in api.store.read(after=0, limit=100) if type(each.event).__name__ == "SegmentCreated"
    ]
    assert created.stamp.by == EMAIL


def test_a_project_admin_sees_and_changes_what_is_theirs(ana: Ana, api: Management) -> None:
    api.ask("POST", "", {"key": "other", "name": "Other"})
    ana.add(grants=[grant("admin")])
    bo = ana.add("bo@example.org", grants=[grant("viewer", "other")]).json()["id"]
    token, _ = ana.tokens()

    def changed(**body: Any) -> Any:
        return api.client.patch(f"/api/v1/people/{bo}", json=body, headers=bearer(token))

    assert changed(grants=[grant("editor")]).json()["grants"] == [grant("editor")]
    whole = api.client.get(f"/api/v1/people/{bo}", headers=AS_ADMIN).json()["grants"]
    assert whole == [grant("editor"), grant("viewer", "other")]
    refused(changed(grants=[grant("viewer", "other")]), 403, "project 'other'")
    refused(changed(grants=[grant("viewer", "*")]), 403, "every project")
    refused(changed(name="Bob"), 403, EMAIL)
    refused(changed(disabled=True), 403, EMAIL)
    refused(changed(grants=[], disabled=True), 403, EMAIL)
    assert changed(grants=[]).json()["grants"] == []
    new = {"email": "cy@example.org", "name": "Cy"}
    refused(api.client.post("/api/v1/people", json=new, headers=bearer(token)), 403, EMAIL)
    path = f"/api/v1/people/{bo}/password"
    refused(api.client.post(path, json={"password": PASSWORD}, headers=bearer(token)), 403, EMAIL)


def test_a_viewer_sees_nobody(ana: Ana, api: Management) -> None:
    ana.add(grants=[grant("approver")])
    token, _ = ana.tokens()
    for path in ("/api/v1/people", f"/api/v1/people/{ID}"):
        refused(api.client.get(path, headers=bearer(token)), 403, EMAIL)


def test_what_happened_to_a_person_is_told_to_admins_of_everything(ana: Ana, api: Management) -> None:
    ana.add(grants=[grant("admin")])
    ana.change(grants=[grant("viewer")])
    token, _ = ana.tokens()
    api.catch_up()
    path = f"/api/v1/people/{ID}/history"
    told = api.client.get(path, headers=AS_ADMIN).json()["entries"]
    events = ["GrantsChanged", "PasswordChanged", "GrantsChanged", "PersonAdded"]
    assert [each["event"] for each in told] == events
    assert (told[0]["by"], told[0]["data"]) == ("administrator", {"grants": [grant("viewer")]})
    refused(api.client.get(path, headers=bearer(token)), 403, EMAIL)
    refused(api.client.get(path.replace(ID, "0" * 32), headers=AS_ADMIN), 404)


def test_no_hash_is_in_the_log(ana: Ana, api: Management) -> None:
    ana.add()
    log = api.store.load(person_stream(ID))
    assert [type(each.event).__name__ for each in log] == ["PersonAdded", "PasswordChanged"]
    with api.parts.people.tables.connection() as connection:
        (row,) = connection.execute("SELECT * FROM togglemaster_passwords").fetchall()
        stored = connection.execute("SELECT convert_from(state, 'UTF8') AS text FROM togglemaster_events")
        texts = " ".join(each["text"] for each in stored)
    assert row["hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert row["hash"] not in texts
    assert PASSWORD not in texts
    assert row["id"] in texts


def test_the_person_changes_their_password_with_the_old_one(ana: Ana, client: TestClient) -> None:
    ana.add()
    token, refresh = ana.tokens()
    path, new = f"/api/v1/people/{ID}/password", "tr0ub4dor and three"
    for old in ({}, {"old_password": "wrong"}, {"old_password": new}):
        refused(client.post(path, json={"password": new, **old}, headers=bearer(token)), 403, "old_password")
    refused(client.post(path, json={"password": "short"}, headers=bearer(token)), 422, "password")
    answer = client.post(path, json={"password": new, "old_password": PASSWORD}, headers=bearer(token))
    assert answer.status_code == 200
    refused(ana.me(token), 401)
    refused(ana.refresh(refresh), 401)
    refused(ana.sign_in(), 401)
    assert ana.sign_in(new).status_code == 200


@pytest.fixture
def client(api: Management) -> TestClient:
    return api.client


def test_an_administrator_sets_a_password_and_old_hashes_are_forgotten(ana: Ana, api: Management) -> None:
    ana.add(password=None)
    refused(ana.sign_in(), 401)
    path = f"/api/v1/people/{ID}/password"
    for password in ("the first password", "the second password"):
        assert api.client.post(path, json={"password": password}, headers=AS_ADMIN).status_code == 200
        assert ana.sign_in(password).status_code == 200
    with api.parts.people.tables.connection() as connection:
        assert len(connection.execute("SELECT 1 FROM togglemaster_passwords").fetchall()) == 1
    nobody = path.replace(ID, "0" * 32)
    refused(api.client.post(nobody, json={"password": PASSWORD}, headers=AS_ADMIN), 404)
