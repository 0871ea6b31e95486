"""Every route of the management API, tried by everybody who may not."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.management.access import AdministratorKey
from api.management.app import create_app
from commands.secret_keys import new_key
from domain.roles import EVERY, Grant, Permission, Principal, Role
from tests.figures import tell
from tests.integration.management import ADMIN, Management, parts_at, refused

OPEN = {"/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/logout"}
"""What has to be reached by somebody who has no credential yet."""

FOR_EVERYBODY = {("GET", "/api/v1/projects"), ("GET", "/api/v1/auth/me")}
"""What anybody with a credential may ask; the answer has only what is theirs."""

FOR_ADMINS_OF_ANYTHING = {
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("GET", "/api/v1/people"),
    ("GET", "/api/v1/people/{person}"),
    ("PATCH", "/api/v1/people/{person}"),
}
"""What whoever is admin of some project may ask; the rest is up to what they ask for."""

ASKING = ("/explain", "/evaluate", "/bisect", "/preview")  # what is POSTed and changes nothing
NOT_FOR_VIEWERS = {
    "/api/v1/projects/{project}/environments/{environment}/analytics/records",
}
"""What they may not read of their project: who was served what."""

PLACES = {"project": "default", "environment": "production"}


def routes() -> list[tuple[str, str]]:
    paths = create_app(parts_at("postgresql://postgres@127.0.0.1:1/none")).openapi()["paths"]
    return [
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/") and path not in OPEN
    ]


ROUTES = routes()


def at(path: str, **places: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: {**PLACES, **places}.get(name[1], "x"), path)


class Known:
    """Credentials that are names of principals."""

    def __init__(self, **principals: Principal) -> None:
        self._principals = principals

    def principal(self, credential: str) -> Principal | None:
        return self._principals.get(credential)


def named(name: str, *grants: Grant) -> Principal:
    return Principal(name, grants)


@pytest.fixture
def client(api: Management) -> Iterator[TestClient]:
    api.ask("POST", "", {"key": "other", "name": "Other"})
    known = Known(
        nobody=named("nobody"),
        viewer=named("viewer", Grant(role=Role.VIEWER, project="default")),
        stranger=named("stranger", Grant(role=Role.ADMIN, project="other")),
        elsewhere=named("elsewhere", Grant(role=Role.ADMIN, project="default", environment="staging")),
        editor=named("editor", Grant(role=Role.EDITOR, project="default")),
        approver=named("approver", Grant(role=Role.APPROVER, project="default")),
        admin=named("admin", Grant(role=Role.ADMIN, project="default")),
        root=named("root", Grant(role=Role.ADMIN, project=EVERY)),
    )
    found = replace(api.parts, authenticators=(AdministratorKey(ADMIN), known))
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        yield client


def test_there_are_routes_to_try() -> None:
    assert len(ROUTES) > 30
    assert {method for method, _ in ROUTES} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_nothing_answers_without_a_credential_or_with_a_wrong_one(client: TestClient) -> None:
    for method, path in ROUTES:
        for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer eyJ.a.b"}):
            refused(client.request(method, at(path), json={}, headers=headers), 401)
    tell(
        "routes without a credential, or with a wrong one",
        routes=len(ROUTES),
        tried=3 * len(ROUTES),
        let_in=0,
    )


def test_an_evaluation_key_opens_nothing_here(client: TestClient, api: Management) -> None:
    path = "/default/environments/production/keys"
    for kind in ("server", "client"):
        key = api.ask("POST", path, {"name": "web", "kind": kind}).json()["key"]
        for method, route in ROUTES:
            refused(client.request(method, at(route), json={}, headers={"X-API-Key": key}), 401)


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_whoever_has_no_role_in_the_project_is_refused_everywhere(client: TestClient, who: str) -> None:
    for method, path in ROUTES:
        somewhere = who == "stranger" and (method, path) in FOR_ADMINS_OF_ANYTHING
        if (method, path) not in FOR_EVERYBODY and not somewhere:
            answer = client.request(method, at(path), json={}, headers={"X-API-Key": who})
            refused(answer, 403, who)


def test_a_project_that_is_not_there_is_no_different_from_one_that_is(client: TestClient) -> None:
    for project in ("default", "not-there"):
        answer = client.get(f"/api/v1/projects/{project}/flags", headers={"X-API-Key": "nobody"})
        refused(answer, 403, f"project '{project}'")


def test_a_viewer_changes_nothing(client: TestClient, api: Management) -> None:
    head = api.store.head()
    for method, path in ROUTES:
        answer = client.request(method, at(path), json={}, headers={"X-API-Key": "viewer"})
        if path in NOT_FOR_VIEWERS:
            refused(answer, 403, f"'{Permission.READ_RECORDS}'")
        elif method == "GET" and path.startswith("/api/v1/projects/{project}"):
            assert answer.status_code != 403, path
        elif method != "GET" and not path.endswith(ASKING):
            refused(answer, 403, "viewer")
    assert api.store.head() == head


def test_a_role_in_one_environment_does_not_reach_another(client: TestClient) -> None:
    for method, path in ROUTES:
        if method != "GET" and "{environment}" in path and not path.endswith(ASKING):
            answer = client.request(method, at(path), json={}, headers={"X-API-Key": "elsewhere"})
            refused(answer, 403, "'production'")
            there = client.request(
                method, at(path, environment="staging"), json={}, headers={"X-API-Key": "elsewhere"}
            )
            assert there.status_code != 403, path


def test_only_an_admin_administers(client: TestClient) -> None:
    administered = [
        ("PATCH", "/api/v1/projects/{project}"),
        ("POST", "/api/v1/projects/{project}/environments"),
        ("PATCH", "/api/v1/projects/{project}/environments/{environment}"),
        ("POST", "/api/v1/projects/{project}/environments/{environment}/keys"),
        ("POST", "/api/v1/projects/{project}/environments/{environment}/keys/{key_id}/rotate"),
        ("DELETE", "/api/v1/projects/{project}/environments/{environment}/keys/{key_id}"),
        ("POST", "/api/v1/projects/{project}/webhooks"),
        ("PATCH", "/api/v1/projects/{project}/webhooks/{webhook_id}"),
        ("DELETE", "/api/v1/projects/{project}/webhooks/{webhook_id}"),
        *(
            ("POST", f"/api/v1/projects/{{project}}/webhooks/{{webhook_id}}/{what}")
            for what in ("pause", "resume", "rotate-secret", "test")
        ),
    ]
    for method, path in administered:
        assert (method, path) in ROUTES
        for who in ("editor", "approver"):
            answer = client.request(method, at(path), json={}, headers={"X-API-Key": who})
            refused(answer, 403, f"'{Permission.ADMINISTER}'")
        answer = client.request(method, at(path), json={}, headers={"X-API-Key": "admin"})
        assert answer.status_code != 403
    new = {"key": "third", "name": "Third"}
    for who, status in (("admin", 403), ("root", 201)):
        answer = client.post("/api/v1/projects", json=new, headers={"X-API-Key": who})
        assert answer.status_code == status


def test_commands_given_together_are_looked_at_one_by_one(client: TestClient, api: Management) -> None:
    api.flag()
    on = {"command": "turn_flag_on", "flag": "checkout"}
    path = "/api/v1/projects/default/commands"
    there, here = {**on, "environment": "staging"}, {**on, "environment": "production"}
    for commands, status in (([there], 200), ([there, here], 403)):
        answer = client.post(path, json={"commands": commands}, headers={"X-API-Key": "elsewhere"})
        assert answer.status_code == status, answer.text


def test_a_list_of_projects_has_only_those_that_may_be_read(client: TestClient, api: Management) -> None:
    api.catch_up()
    for who, keys in (("nobody", []), ("stranger", ["other"]), ("root", ["default", "other"])):
        answer = client.get("/api/v1/projects", headers={"X-API-Key": who})
        assert [each["key"] for each in answer.json()["projects"]] == keys


def test_only_admins_have_to_do_with_tokens(client: TestClient) -> None:
    tokens = [(method, path) for method, path in ROUTES if path.startswith("/api/v1/tokens")]
    assert len(tokens) == 5
    for method, path in tokens:
        for who in ("viewer", "editor", "approver"):
            refused(client.request(method, at(path), json={}, headers={"X-API-Key": who}), 403, who)
        answer = client.request(method, at(path), json={}, headers={"X-API-Key": "root"})
        assert answer.status_code in {200, 404, 422}, answer.text


def test_a_token_is_tried_like_any_other_credential(client: TestClient) -> None:
    for kind in ("token", "admin", "server"):
        for headers in ({"X-API-Key": new_key(kind)[1]}, {"Authorization": f"Bearer {new_key(kind)[1]}"}):
            refused(client.get("/api/v1/projects", headers=headers), 401)
