"""Flags as the original's clients create, read, change and delete them, byte for byte."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import psycopg
import pytest
from httpx2 import Response

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import (
    ChangeEnvironment,
    ChangeFlag,
    Command,
    CreateFlag,
    FlagDefinition,
    FlagDetails,
    TurnFlagOn,
)
from deploy.samples import DEFINITION
from domain.access import digest
from domain.envelope import Stamp, flag_stream
from domain.values import FlagType
from tests.figures import tell
from tests.integration.original import DATE, JSON, Client, client_of, gave
from tests.integration.shop import STAMP
from tests.integration.unreadable import append_unreadable

FLAG = re.compile(
    rf'\{{"created_at":"({DATE})","description":"(.*)","id":(\d+),"is_enabled":(true|false),"name":"(.*)",'
    rf'"updated_at":"({DATE})"\}}\n'
)
MANY = 1_000
FALSY: tuple[Any, ...] = ({}, [], None, 0, "")
NAME = "enable-new-dashboard"


@pytest.fixture
def client(store: EventStore) -> Iterator[Client]:
    with client_of(store) as client:
        client.key = client.issue()
        yield client


def error(answer: Response, status: int, sentence: str) -> None:
    gave(answer, status, json.dumps({"error": sentence}, separators=(",", ":")) + "\n")


def shown(answer: Response, status: int = 200) -> Any:
    """What is shown of one flag, in the original's bytes."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    assert FLAG.fullmatch(answer.text), answer.text
    return answer.json()


def create(client: Client, name: str = NAME, **more: Any) -> Any:
    return shown(client.ask("POST", "/flags", {"name": name, **more}), 201)


def give(client: Client, command: Command) -> int:
    return Commands(client.store).execute(command, STAMP).position


def test_a_key_is_asked_for_before_anything_else_of_a_request(client: Client) -> None:
    asked = [
        ("GET", "/flags"),
        ("POST", "/flags"),
        *((each, f"/flags/{NAME}") for each in ("GET", "PUT", "DELETE")),
    ]
    for method, path in asked:
        error(client.ask(method, path, key=""), 401, "Authorization header obrigatório")
        error(client.ask(method, path, key="tm_key_" + "0" * 64), 401, "Chave de API inválida")
    bare = client.ask("GET", "/flags", key="", headers={"Authorization": client.key})
    gave(bare, 200, "[]\n")


def test_a_flag_is_shown_as_it_was_created(client: Client) -> None:
    before = client.store.head()
    wish = {"name": NAME, "description": "Ativa o novo dashboard para usuários", "is_enabled": True}
    answer = client.ask("POST", "/flags", wish)
    flag = shown(answer, 201)
    assert "usu\\u00e1rios" in answer.text
    assert {name: flag[name] for name in wish} == wish
    assert flag["id"] == before + 1
    assert flag["created_at"] == flag["updated_at"]
    gave(client.ask("GET", f"/flags/{NAME}"), 200, answer.text)
    gave(client.ask("GET", "/flags"), 200, f"[{answer.text.rstrip()}]\n")
    at = client.events(NAME)[0].stamp
    assert parsedate_to_datetime(flag["created_at"]) == at.at.replace(microsecond=0)
    assert at.by == f"key:{digest(client.key)[:20]}"


def test_a_flag_is_off_and_without_description_unless_it_is_said(client: Client) -> None:
    flag = create(client)
    assert (flag["is_enabled"], flag["description"]) == (False, "")
    assert create(client, "null", description=None)["description"] == ""


def test_flags_are_listed_in_the_order_of_their_names(client: Client) -> None:
    gave(client.ask("GET", "/flags"), 200, "[]\n")
    for name in ("b", "a", "C", "ç"):
        create(client, name)
    assert [each["name"] for each in client.ask("GET", "/flags").json()] == ["C", "a", "b", "ç"]


def test_a_name_is_given_once(client: Client) -> None:
    create(client, "é")
    error(client.ask("POST", "/flags", {"name": "é"}), 409, "Flag 'é' já existe")
    nameless: tuple[Any, ...] = ({"description": "x"}, {"name": ""}, {"name": None}, ["name"], "name", 5)
    for body in (*FALSY, *nameless):
        answer = client.ask("POST", "/flags", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "'name' é obrigatório")


def test_of_ten_who_create_a_flag_at_once_one_does(client: Client) -> None:
    def race(_: int) -> int:
        return client.ask("POST", "/flags", {"name": NAME}).status_code

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(race, range(10))) == [201] + [409] * 9
        client.ask("DELETE", f"/flags/{NAME}")
        assert sorted(pool.map(race, range(10))) == [201] + [409] * 9


def test_a_change_is_of_what_is_named(client: Client) -> None:
    made = create(client, description="old")
    on = shown(client.ask("PUT", f"/flags/{NAME}", {"is_enabled": True}))
    assert {**made, "is_enabled": True, "updated_at": on["updated_at"]} == on
    told = shown(client.ask("PUT", f"/flags/{NAME}", {"description": "new", "other": 1}))
    assert (told["description"], told["is_enabled"], told["id"]) == ("new", True, made["id"])
    both = shown(client.ask("PUT", f"/flags/{NAME}", {"description": None, "is_enabled": "false"}))
    assert (both["description"], both["is_enabled"]) == ("", False)
    assert client.event_names(NAME) == [
        "FlagCreated",
        "FlagTurnedOn",
        "FlagDetailsChanged",
        "FlagDetailsChanged",
        "FlagTurnedOff",
    ]


def test_updated_at_is_when_something_shown_was_changed(client: Client) -> None:
    create(client)
    time.sleep(1.1)  # the original's dates have whole seconds
    commands: list[Command] = [
        ChangeFlag(project="default", flag=NAME, details=FlagDetails(owner="ana")),
        TurnFlagOn(project="default", flag=NAME, environment="staging"),
    ]
    for command in commands:
        Commands(client.store).execute(command, Stamp("ana", client.store.now()))
    same = shown(client.ask("PUT", f"/flags/{NAME}", {"is_enabled": False}))
    assert (same["updated_at"], same["is_enabled"]) == (same["created_at"], False)
    later = shown(client.ask("PUT", f"/flags/{NAME}", {"is_enabled": True}))
    assert later["updated_at"] != later["created_at"] == same["created_at"]


def test_a_change_of_nothing_is_refused_before_the_flag_is_looked_for(client: Client) -> None:
    for body in FALSY:
        answer = client.ask("PUT", "/flags/none", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "Corpo da requisição obrigatório")
    others: tuple[Any, ...] = ({"name": "x"}, ["description"], "is_enabled", 5)
    for body in others:
        answer = client.ask("PUT", "/flags/none", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "Pelo menos um campo ('description', 'is_enabled') é obrigatório")


def test_what_is_not_there_is_not_found(client: Client) -> None:
    for name in ("none", "a%00b", "%ED%A0%80", "a%0Ab", "%20", "..%5C", "x" * 300):
        for method, body in (("GET", None), ("PUT", {"is_enabled": True}), ("DELETE", None)):
            error(client.ask(method, f"/flags/{name}", body), 404, "Flag não encontrada")


def test_a_flag_that_was_deleted_is_gone_and_can_be_created_again(client: Client) -> None:
    made = create(client, description="old", is_enabled=True)
    gave(client.ask("DELETE", f"/flags/{NAME}"), 204, "", "text/html; charset=utf-8")
    for method, body in (("GET", None), ("PUT", {"is_enabled": True}), ("DELETE", None)):
        error(client.ask(method, f"/flags/{NAME}", body), 404, "Flag não encontrada")
    gave(client.ask("GET", "/flags"), 200, "[]\n")
    again = create(client)
    assert (again["description"], again["is_enabled"]) == ("", False)
    assert again["id"] > made["id"]
    assert client.ask("GET", f"/flags/{NAME}").json() == again


def test_paths_and_methods_that_there_are_not_are_refused_as_json(client: Client) -> None:
    for method, path, allow in (
        ("PATCH", "/flags", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/flags", "GET, HEAD, OPTIONS, POST"),
        ("POST", f"/flags/{NAME}", "DELETE, GET, HEAD, OPTIONS, PUT"),
    ):
        answer = client.ask(method, path, key="")
        error(answer, 405, "Método não permitido")
        assert answer.headers["allow"] == allow
        assert client.ask("OPTIONS", path, key="").headers["allow"] == allow
    for path in ("/flags/", "/flags/a/b", "/flags/a%2Fb", "/flags//"):
        error(client.ask("GET", path), 404, "Não há nada neste caminho")
    head = client.ask("HEAD", "/flags")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "3")


def test_only_boolean_flags_are_shown_and_others_keep_their_names(client: Client) -> None:
    definition = FlagDefinition(key="colour", type=FlagType.STRING, variants={"a": "red", "b": "blue"})
    give(client, CreateFlag(project="default", definition=definition))
    gave(client.ask("GET", "/flags"), 200, "[]\n")
    error(client.ask("GET", "/flags/colour"), 404, "Flag não encontrada")
    error(client.ask("DELETE", "/flags/colour"), 404, "Flag não encontrada")
    error(client.ask("POST", "/flags", {"name": "colour"}), 409, "Flag 'colour' já existe")


def test_the_sample_that_dev_makes_is_nobodys_flag(client: Client) -> None:
    give(client, CreateFlag(project="default", definition=FlagDefinition.model_validate(DEFINITION)))
    gave(client.ask("GET", "/flags"), 200, "[]\n")
    error(client.ask("GET", f"/flags/{DEFINITION['key']}"), 404, "Flag não encontrada")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": 5}, "'name'"),
        ({"name": "a/b"}, "'name'"),
        ({"name": " "}, "'name'"),
        ({"name": ".."}, "'name'"),
        ({"name": "a\nb"}, "'name'"),
        ({"name": "n" * 101}, "'name'"),
        ({"name": ["n"]}, "'name'"),
        ({"name": "n", "description": 5}, "'description'"),
        ({"name": "n", "description": "d" * 2_001}, "'description'"),
        ({"name": "n", "is_enabled": None}, "'is_enabled'"),
        ({"name": "n", "is_enabled": 1}, "'is_enabled'"),
        ({"name": "n", "is_enabled": "on"}, "'is_enabled'"),
        ({"name": "n", "is_enabled": [True]}, "'is_enabled'"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(shared: Client, body: Any, word: str) -> None:
    answer = shared.ask("POST", "/flags", body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, JSON)
    assert answer.json()["error"].startswith(word)
    assert shared.ask("GET", "/flags").json() == []


@pytest.fixture(scope="module")
def shared(stack: Any) -> Iterator[Client]:
    """For tests that write nothing."""
    name = "legacy_flags_shared"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    store = EventStore(stack.postgres.url.rsplit("/", 1)[0] + f"/{name}", patience_seconds=30)
    store.create_tables()
    with client_of(store) as client:
        client.key = client.issue()
        yield client
    store.close()


def test_a_body_calls_itself_json_and_is(client: Client) -> None:
    for path, method in (
        ("/flags", "POST"),
        (f"/flags/{NAME}", "PUT"),
        ("/rules", "POST"),
        ("/rules/x", "PUT"),
    ):
        for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
            answer = client.ask(method, path, content=b'{"name": "x"}', headers={"Content-Type": kind})
            assert (answer.status_code, "application/json" in answer.json()["error"]) == (415, True)
        for body in (
            b"",
            b"{",
            b"\xff",
            b'{"name": "a\\u0000"}',
            b'{"name": "\\ud800"}',
            b"1e400",
            b"9" * 400,
        ):
            answer = client.ask(method, path, content=body, headers={"Content-Type": JSON})
            assert (answer.status_code, "JSON" in answer.json()["error"]) == (400, True), body
        answer = client.ask(method, path, content=b" " * (1024 * 1024 + 1), headers={"Content-Type": JSON})
        assert (answer.status_code, "1 MiB" in answer.json()["error"]) == (413, True)
    kinds = ("application/json; charset=utf-8", "application/problem+json")
    for number, kind in enumerate(kinds):
        body = json.dumps({"name": f"n{number}"}).encode()
        assert client.ask("POST", "/flags", content=body, headers={"Content-Type": kind}).status_code == 201


def test_where_production_wants_approvals_a_write_is_refused_in_words(client: Client) -> None:
    create(client)
    give(client, ChangeEnvironment(project="default", environment="production", approvals=1))
    for method, path, body in (
        ("PUT", f"/flags/{NAME}", {"is_enabled": True}),
        ("DELETE", f"/flags/{NAME}", None),
        ("POST", "/rules", {"flag_name": NAME, "rules": {"type": "PERCENTAGE", "value": 5}}),
    ):
        answer = client.ask(method, path, body)
        assert (answer.status_code, answer.headers["content-type"]) == (403, JSON)
        assert "/api/v1/projects/default/changes" in answer.json()["error"]


def test_a_flag_that_cannot_be_read_is_a_fault_in_words_and_the_others_are_shown(client: Client) -> None:
    create(client)
    create(client, "other")
    listed = client.ask("GET", "/flags").text
    append_unreadable(client.store, flag_stream("default", NAME))
    for method, body in (("GET", None), ("PUT", {"is_enabled": True}), ("DELETE", None)):
        answer = client.ask(method, f"/flags/{NAME}", body)
        assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert client.ask("GET", "/flags/other").status_code == 200
    gave(client.ask("GET", "/flags"), 200, listed)


def test_a_flag_that_another_one_asks_for_is_not_deleted(client: Client) -> None:
    create(client, "api")
    create(client, "checkout")
    targeting = {
        "enabled": True,
        "off_variant": "off",
        "default": {"variant": "on"},
        "prerequisites": [{"flag": "api", "variants": ["on"]}],
    }
    put = "/api/v1/projects/default/flags/checkout/environments/production"
    assert client.http.put(put, json=targeting, headers={"X-API-Key": "the master key"}).status_code == 200
    answer = client.ask("DELETE", "/flags/api")
    assert (answer.status_code, "checkout" in answer.json()["error"]) == (409, True)
    assert client.ask("GET", "/flags/api").status_code == 200


def test_a_thousand_flags_are_listed_well_under_a_second(client: Client) -> None:
    commands: list[Command] = []
    for number in range(MANY):
        definition = FlagDefinition(
            key=f"flag-{number:04}", type=FlagType.BOOLEAN, variants={"on": True, "off": False}
        )
        commands.append(CreateFlag(project="default", definition=definition))
        commands.append(TurnFlagOn(project="default", flag=definition.key, environment="production"))
    Commands(client.store).execute_all(commands, STAMP)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        assert len(client.ask("GET", "/flags").json()) == MANY
        took.append(time.perf_counter() - began)
    tell("GET /flags with 1,000 flags", seconds=round(min(took), 3))
    assert min(took) < 1
