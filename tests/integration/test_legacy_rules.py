"""Rules as the original's clients create, read, change and delete them, byte for byte."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import CreateFlag, FlagDefinition
from domain.explain import explain
from domain.values import FlagType
from projections.closure import Closure
from tests.integration.original import DATE, JSON, MASTER, Client, client_of, gave
from tests.integration.shop import STAMP

RULE = re.compile(
    rf'\{{"created_at":"{DATE}","flag_name":"(.*)","id":\d+,"is_enabled":(true|false),"rules":(\{{.*\}}),'
    rf'"updated_at":"{DATE}"\}}\n'
)
NAME = "enable-new-dashboard"
HALF = {"type": "PERCENTAGE", "value": 50}
IN, OUT = "user-123", "user-abc"  # buckets 25 and 71


@pytest.fixture
def client(store: EventStore) -> Iterator[Client]:
    with client_of(store) as client:
        client.key = client.issue()
        assert client.ask("POST", "/flags", {"name": NAME, "is_enabled": True}).status_code == 201
        yield client


def error(answer: Response, status: int, sentence: str) -> None:
    gave(answer, status, json.dumps({"error": sentence}, separators=(",", ":")) + "\n")


def shown(answer: Response, rules: str, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    found = RULE.fullmatch(answer.text)
    assert found, answer.text
    assert found[4] == rules
    return answer.json()


def put(client: Client, rules: Any = HALF, name: str = NAME, **more: Any) -> Response:
    return client.ask("POST", "/rules", {"flag_name": name, "rules": rules, **more})


def served(client: Client, *users: str, name: str = NAME) -> list[Any]:
    documents = Closure(client.store, "default", "production", name).documents
    return [explain(documents, name, {"targetingKey": user}).result.value for user in users]


def target(client: Client, targeting: Any, name: str = NAME) -> None:
    """As somebody does who uses the management API."""
    path = f"/api/v1/projects/default/flags/{name}/environments/production"
    answer = client.http.put(path, json=targeting, headers={"X-API-Key": MASTER})
    assert answer.status_code == 200, answer.text


def targeting(client: Client, name: str = NAME) -> Any:
    path = f"/api/v1/projects/default/flags/{name}/environments/production"
    return client.http.get(path, headers={"X-API-Key": MASTER}).json()


def test_a_key_is_asked_for_before_anything_else_of_a_request(client: Client) -> None:
    for method, path in (
        ("POST", "/rules"),
        *((each, f"/rules/{NAME}") for each in ("GET", "PUT", "DELETE")),
    ):
        error(client.ask(method, path, key=""), 401, "Authorization header obrigatório")
        error(client.ask(method, path, key="x"), 401, "Chave de API inválida")


def test_a_rule_is_shown_as_it_was_created_and_serves_what_it_says(client: Client) -> None:
    assert served(client, IN, OUT) == [True, True]
    answer = put(client)
    rule = shown(answer, '{"type":"PERCENTAGE","value":50}', 201)
    assert (rule["flag_name"], rule["is_enabled"]) == (NAME, True)
    assert rule["id"] == client.events(NAME)[-1].position
    gave(client.ask("GET", f"/rules/{NAME}"), 200, answer.text)
    assert served(client, IN, OUT) == [True, False]


@pytest.mark.parametrize(
    ("sent", "comes_back"),
    [
        ('{"value": 12.5, "type": "PERCENTAGE"}', '{"type":"PERCENTAGE","value":12.5}'),
        ('{"type": "PERCENTAGE", "value": 50.0}', '{"type":"PERCENTAGE","value":50.0}'),
        ('{"type": "PERCENTAGE", "value": 1e2}', '{"type":"PERCENTAGE","value":100}'),
        ('{"type": "PERCENTAGE", "value": 150}', '{"type":"PERCENTAGE","value":150}'),
        ('{"type": "PERCENTAGE", "value": -5}', '{"type":"PERCENTAGE","value":-5}'),
        ('{"type": "USER_LIST", "values": ["u1", "ã"]}', '{"type":"USER_LIST","values":["u1","\\u00e3"]}'),
        ('{"type": "USER_LIST", "values": []}', '{"type":"USER_LIST","values":[]}'),
        (
            '{"type": "PERCENTAGE", "value": 1, "note": {"b": 1, "a": [null, 0.10]}}',
            '{"note":{"a":[null,0.1],"b":1},"type":"PERCENTAGE","value":1}',
        ),
    ],
)
def test_rules_come_back_as_the_original_stored_them(client: Client, sent: str, comes_back: str) -> None:
    body = f'{{"flag_name": "{NAME}", "rules": {sent}}}'.encode()
    answer = client.ask("POST", "/rules", content=body, headers={"Content-Type": JSON})
    shown(answer, comes_back, 201)
    shown(client.ask("GET", f"/rules/{NAME}"), comes_back)


def test_a_list_serves_those_on_it_and_nobody_else(client: Client) -> None:
    put(client, {"type": "USER_LIST", "values": [OUT]})
    assert served(client, IN, OUT, "u1") == [False, True, False]
    many = {"type": "USER_LIST", "values": [f"user-{number}" for number in range(5_000)]}
    rule = client.ask("PUT", f"/rules/{NAME}", {"rules": many}).json()
    assert rule["rules"] == many
    assert served(client, "user-4999", "user-5000") == [True, False]


def test_a_disabled_rule_serves_everybody(client: Client) -> None:
    rule = put(client, is_enabled=False).json()
    assert rule["is_enabled"] is False
    assert served(client, IN, OUT) == [True, True]
    on = shown(client.ask("PUT", f"/rules/{NAME}", {"is_enabled": True}), '{"type":"PERCENTAGE","value":50}')
    assert {**rule, "is_enabled": True, "updated_at": on["updated_at"]} == on
    assert served(client, IN, OUT) == [True, False]
    shown(client.ask("PUT", f"/rules/{NAME}", {"is_enabled": "false"}), '{"type":"PERCENTAGE","value":50}')
    assert served(client, IN, OUT) == [True, True]


def test_a_change_is_one_event_and_nothing_changed_is_none(client: Client) -> None:
    made = put(client).json()
    changed = client.ask("PUT", f"/rules/{NAME}", {"rules": {**HALF, "value": 80}}).json()
    assert (changed["rules"]["value"], changed["id"], changed["created_at"]) == (
        80,
        made["id"],
        made["created_at"],
    )
    assert served(client, OUT) == [True]
    again = client.ask("PUT", f"/rules/{NAME}", {"rules": {**HALF, "value": 80}})
    assert again.json() == changed
    assert client.event_names(NAME) == ["FlagCreated", "FlagTurnedOn", "RuleAdded", "RuleChanged"]


def test_there_is_one_rule_for_a_name(client: Client) -> None:
    put(client)
    error(put(client), 409, f"Regra para a flag '{NAME}' já existe")


def test_a_rule_that_was_deleted_is_gone_and_can_be_created_again(client: Client) -> None:
    made = put(client).json()
    gave(client.ask("DELETE", f"/rules/{NAME}"), 204, "", "text/html; charset=utf-8")
    assert served(client, IN, OUT) == [True, True]
    for method, body in (("GET", None), ("PUT", {"is_enabled": True}), ("DELETE", None)):
        error(client.ask(method, f"/rules/{NAME}", body), 404, "Regra não encontrada")
    assert put(client).json()["id"] > made["id"]


def test_a_rule_outlives_its_flag(client: Client) -> None:
    rule = put(client).json()
    client.ask("DELETE", f"/flags/{NAME}")
    assert served(client, IN) == [None]
    assert client.ask("GET", f"/rules/{NAME}").json() == rule
    changed = client.ask("PUT", f"/rules/{NAME}", {"rules": {**HALF, "value": 20}})
    shown(changed, '{"type":"PERCENTAGE","value":20}')
    assert client.ask("GET", f"/flags/{NAME}").status_code == 404
    client.ask("POST", "/flags", {"name": NAME, "is_enabled": True})
    assert client.ask("GET", f"/rules/{NAME}").json() == changed.json()
    assert served(client, IN, "user-xyz") == [False, True]


def test_a_rule_may_be_there_before_its_flag(client: Client) -> None:
    rule = put(client, name="later").json()
    assert client.ask("GET", "/flags/later").status_code == 404
    assert [each["name"] for each in client.ask("GET", "/flags").json()] == [NAME]
    error(put(client, name="later"), 409, "Regra para a flag 'later' já existe")
    assert client.ask("GET", "/rules/later").json() == rule
    flag = client.ask("POST", "/flags", {"name": "later", "is_enabled": True, "description": "d"}).json()
    assert (flag["is_enabled"], flag["description"], flag["id"] > rule["id"]) == (True, "d", True)
    assert client.ask("GET", "/rules/later").json() == rule
    gave(client.ask("DELETE", "/rules/later"), 204, "", "text/html; charset=utf-8")
    assert served(client, OUT, name="later") == [True]


def test_a_rule_of_no_flag_can_be_deleted(client: Client) -> None:
    put(client, name="later")
    assert client.ask("DELETE", "/rules/later").status_code == 204
    error(client.ask("GET", "/rules/later"), 404, "Regra não encontrada")
    assert client.ask("GET", "/flags/later").status_code == 404


def test_what_a_rule_needs_is_asked_for(client: Client) -> None:
    for body in ({}, [], None, 0, "", {"flag_name": NAME}, {"rules": HALF}, ["flag_name", "rules"], 5):
        answer = client.ask("POST", "/rules", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "'flag_name' e 'rules' (JSON) são obrigatórios")
    for body in ({}, [], None, 0, ""):
        answer = client.ask("PUT", "/rules/none", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "Corpo da requisição obrigatório")
    for body in ({"flag_name": "x"}, ["rules"], "rules", 5):
        answer = client.ask("PUT", "/rules/none", content=json.dumps(body), headers={"Content-Type": JSON})
        error(answer, 400, "Pelo menos um campo ('rules', 'is_enabled') é obrigatório")


def test_rules_that_served_nobody_there_are_refused_by_name(client: Client) -> None:
    for rules, word in (
        (None, "'rules'"),
        ("PERCENTAGE", "'rules'"),
        ({"type": "COUNTRY"}, "'rules.type'"),
        ({"type": "PERCENTAGE", "value": "50"}, "'rules.value'"),
        ({"type": "USER_LIST", "values": [5]}, "'rules.values'"),
        ({**HALF, "note": "n" * 2_000}, "'rules' é grande"),
    ):
        answers = (put(client, rules), client.ask("PUT", f"/rules/{NAME}", {"rules": rules}))
        for answer in answers:
            assert (answer.status_code, answer.json()["error"].startswith(word)) == (400, True), rules
    for name in ("", "a/b", 5, None, "n" * 101):
        answer = client.ask("POST", "/rules", {"flag_name": name, "rules": HALF})
        assert (answer.status_code, answer.json()["error"].startswith("'flag_name'")) == (400, True)
    assert put(client, is_enabled=None).status_code == 400
    assert client.event_names(NAME) == ["FlagCreated", "FlagTurnedOn"]


def test_what_is_not_there_is_not_found_and_not_possible(client: Client) -> None:
    for name in ("none", "a%00b", "%ED%A0%80", "%20"):
        for method, body in (("GET", None), ("PUT", {"is_enabled": True}), ("DELETE", None)):
            error(client.ask(method, f"/rules/{name}", body), 404, "Regra não encontrada")
    answer = client.ask("GET", "/rules")
    error(answer, 405, "Método não permitido")
    assert answer.headers["allow"] == "OPTIONS, POST"
    error(client.ask("GET", "/rules/a/b"), 404, "Não há nada neste caminho")


def test_what_the_management_api_changed_is_not_undone_or_shown_as_something_else(client: Client) -> None:
    put(client)
    changed = targeting(client)
    changed["rules"][0]["when"] = {"attribute": "country", "operator": "in", "values": ["BR"]}
    target(client, changed)
    changed = targeting(client)
    rule = shown(client.ask("GET", f"/rules/{NAME}"), '{"type":"TARGETING"}')
    for method, path, body in (
        ("PUT", f"/rules/{NAME}", {"is_enabled": False}),
        ("PUT", f"/rules/{NAME}", {"rules": HALF}),
        ("DELETE", f"/rules/{NAME}", None),
        ("POST", "/rules", {"flag_name": NAME, "rules": HALF}),
    ):
        answer = client.ask(method, path, body)
        assert (answer.status_code, "/api/v1" in answer.json()["error"]) == (409, True)
    assert targeting(client) == changed
    assert client.ask("GET", f"/rules/{NAME}").json() == rule


def test_a_flag_targeted_by_the_management_api_has_a_rule_of_its_own_sort(client: Client) -> None:
    base = {"enabled": True, "off_variant": "off", "default": {"variant": "on"}}
    for more in (
        {"default": {"variant": "off"}},
        {"off_variant": None},
        {"targets": [{"variant": "on", "values": ["u1"]}]},
        {"rules": [{"when": {"constant": True}, "serve": {"variant": "off"}}]},
    ):
        target(client, {**base, **more})
        shown(client.ask("GET", f"/rules/{NAME}"), '{"type":"TARGETING"}')
        assert put(client).status_code == 409
    target(client, base)
    error(client.ask("GET", f"/rules/{NAME}"), 404, "Regra não encontrada")
    one_sided = FlagDefinition(key="one", type=FlagType.BOOLEAN, variants={"on": True})
    Commands(client.store).execute(CreateFlag(project="default", definition=one_sided), STAMP)
    shown(client.ask("GET", "/rules/one"), '{"type":"TARGETING"}')
    colour = FlagDefinition(key="colour", type=FlagType.STRING, variants={"a": "red"})
    Commands(client.store).execute(CreateFlag(project="default", definition=colour), STAMP)
    assert put(client, name="colour").status_code == 409
    error(client.ask("GET", "/rules/colour"), 404, "Regra não encontrada")


def test_what_stands_beside_the_rule_stays(client: Client) -> None:
    put(client)
    beside = targeting(client)
    beside["targets"] = [{"variant": "on", "values": [OUT], "attribute": "targetingKey"}]
    beside["rules"].append(
        {"id": "more", "name": "", "when": {"constant": True}, "serve": {"variant": "off"}}
    )
    target(client, beside)
    shown(client.ask("GET", f"/rules/{NAME}"), '{"type":"PERCENTAGE","value":50}')
    client.ask("PUT", f"/rules/{NAME}", {"rules": {**HALF, "value": 0}})
    after = targeting(client)
    assert after["rules"][0]["name"] == '{"type":"PERCENTAGE","value":0}'
    assert (after["rules"][1:], after["targets"]) == (beside["rules"][1:], beside["targets"])
    assert client.ask("DELETE", f"/rules/{NAME}").status_code == 204
    after = targeting(client)
    assert (after["rules"], after["targets"]) == (beside["rules"][1:], beside["targets"])


def test_a_flag_of_other_variants_serves_theirs(client: Client) -> None:
    definition = FlagDefinition(key="other", type=FlagType.BOOLEAN, variants={"yes": True, "no": False})
    Commands(client.store).execute(CreateFlag(project="default", definition=definition), STAMP)
    client.ask("PUT", "/flags/other", {"is_enabled": True})
    shown(
        put(client, {"type": "USER_LIST", "values": ["u1"]}, name="other"),
        '{"type":"USER_LIST","values":["u1"]}',
        201,
    )
    assert served(client, "u1", "u2", name="other") == [True, False]
