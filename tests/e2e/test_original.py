"""A client of the original system, through a running platform: every recorded request and its answer's bytes.

Once at the one address that has all of its paths, and once at the five ports that its services had.
"""

import re
import shutil
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from deploy.embedded import free_port, why_not_bindable
from deploy.settings import ORIGINAL_NAMES
from tests.conftest import open_directory
from tests.e2e.conftest import Platform, start, stop
from tests.e2e.original import (
    CHECKOUT,
    DASHBOARD,
    SERVICES,
    STANDS_FOR,
    TEXT,
    Original,
    error,
    flag,
    percentage,
    rule,
)
from tests.recorded_buckets import BUCKETS

ELSEWHERE = {  # what a developer may have set for another program; dev is to look at none of it
    "MASTER_KEY": "of another program",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/elsewhere",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "AWS_REGION": "mars-north-1",
    "PORT": "1",
}

PERCENTAGES = ("0", "12.5", "50", "50.0", "100", "150")

NO_HEADER, BAD_KEY = r"Authorization header obrigat\u00f3rio", r"Chave de API inv\u00e1lida"
ISSUED = (
    '{"name":"meu-primeiro-servico","key":"<key>",'
    '"message":"Guarde esta chave com segurança! Você não poderá vê-la novamente."}\n'
)
INCOMPLETE = '{"error": "user_id e flag_name são obrigatórios"}\n'


def five_free_ports() -> int:
    """The first of them."""
    while True:
        first = free_port()
        if not any(why_not_bindable(first + number) for number in range(len(SERVICES))):
            return first


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    directory = open_directory()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ELSEWHERE.items():
            environment.setenv(name, value)
        platform = start(directory, "--original-ports", "--original-first-port", str(five_free_ports()))
    try:
        yield platform
    finally:
        printed = stop(platform)
        shutil.rmtree(directory)
    assert "Original's ports" in printed


@pytest.fixture(scope="module", params=["one address", "five ports"])
def whole(running: Platform, request: pytest.FixtureRequest) -> Iterator[Original]:
    urls = dict.fromkeys(SERVICES, running.ready["original_url"])
    if request.param == "five ports":
        urls = running.ready["original_ports"]
    with httpx.Client(trust_env=False, timeout=30) as client:
        original = Original(urls, running.ready["admin_key"], client)
        issued = original.ask("auth", "POST", "/admin/keys", '{"name":"test"}', key=original.master)
        original.key = issued.json()["key"]
        yield original


@pytest.fixture
def original(whole: Original) -> Original:
    whole.clean()
    return whole


def test_auth(original: Original) -> None:
    keys, master = ("auth", "POST", "/admin/keys"), original.master
    issued = original.gives((*keys, '{"name":"meu-primeiro-servico"}'), 201, ISSUED, TEXT, key=master)
    key = re.search(STANDS_FOR["<key>"], issued)
    assert key
    for wrong in ("", "wrong", key[0]):
        original.gives((*keys, '{"name":"x"}'), 403, "Acesso não autorizado\n", TEXT, key=wrong)
        original.gives(("auth", "GET", "/admin/keys"), 403, "Acesso não autorizado\n", TEXT, key=wrong)
    original.gives(("auth", "GET", "/admin/keys"), 405, "Método não permitido\n", TEXT, key=master)
    original.gives((*keys, "name=x"), 400, "Corpo da requisição inválido\n", TEXT, key=master)
    original.gives((*keys, "{}"), 400, "O campo 'name' é obrigatório\n", TEXT, key=master)
    validate = ("auth", "GET", "/validate")
    assert original.gives(validate, 200, '{"message":"Chave válida"}\n', TEXT, key=key[0])
    unknown = f"tm_key_{'0' * 64}"
    original.gives(validate, 401, "Chave de API inválida ou inativa\n", TEXT, key=unknown)
    original.gives(validate, 401, "Authorization header não encontrado\n", TEXT, key="")
    bare = original.client.get(f"{original.urls['auth']}/validate", headers={"Authorization": key[0]})
    assert (bare.status_code, bare.text) == (200, '{"message":"Chave válida"}\n')


def test_flags(original: Original) -> None:
    flags, one = ("flags", "POST", "/flags"), f"/flags/{DASHBOARD}"
    for method, path in (("GET", "/flags"), ("POST", "/flags"), ("GET", one), ("PUT", one), ("DELETE", one)):
        original.gives(("flags", method, path, "{}"), 401, error(NO_HEADER), key="")
        original.gives(("flags", method, path, "{}"), 401, error(BAD_KEY), key="wrong")
    original.gives(("flags", "GET", "/flags"), 200, "[]\n")
    original.gives((*flags, "{}"), 400, error(r"'name' \u00e9 obrigat\u00f3rio"))
    body = f'{{"name":"{DASHBOARD}","description":"O painel ção","is_enabled":true}}'
    shown = flag(DASHBOARD, r"O painel \u00e7\u00e3o", enabled=True)
    made = original.gives((*flags, body), 201, shown + "\n")
    original.evaluates("user-123", DASHBOARD, True)
    original.gives((*flags, body), 409, error(rf"Flag '{DASHBOARD}' j\u00e1 existe"))
    original.gives((*flags, f'{{"name":"{CHECKOUT}"}}'), 201, flag(CHECKOUT) + "\n")
    original.gives((*flags, '{"name":"a-first-one"}'), 201, flag("a-first-one") + "\n")
    all_flags = f"[{flag('a-first-one')},{shown},{flag(CHECKOUT)}]\n"
    original.gives(("flags", "GET", "/flags"), 200, all_flags)
    assert original.gives(("flags", "GET", one), 200, shown + "\n") == made
    not_found = error(r"Flag n\u00e3o encontrada")
    for method in ("GET", "PUT", "DELETE"):
        original.gives(("flags", method, "/flags/none", '{"is_enabled":true}'), 404, not_found)
    needed = error(r"Corpo da requisi\u00e7\u00e3o obrigat\u00f3rio")
    original.gives(("flags", "PUT", one, "{}"), 400, needed)
    neither = error(r"Pelo menos um campo ('description', 'is_enabled') \u00e9 obrigat\u00f3rio")
    original.gives(("flags", "PUT", one, '{"name":"x"}'), 400, neither)
    off = shown.replace("true", "false") + "\n"
    changed = original.gives(("flags", "PUT", one, '{"is_enabled":false}'), 200, off)
    original.evaluates("user-123", DASHBOARD, False)
    assert (changed["id"], changed["created_at"]) == (made["id"], made["created_at"])
    described = flag(DASHBOARD, "outra", enabled=True)
    both = '{"description":"outra","is_enabled":true}'
    original.gives(("flags", "PUT", one, both), 200, described + "\n")
    original.evaluates("user-123", DASHBOARD, True)
    original.gives(("flags", "DELETE", one), 204, "")
    original.evaluates("user-123", DASHBOARD, False)
    original.gives(("flags", "GET", one), 404, not_found)
    original.gives(("flags", "DELETE", one), 404, not_found)
    again = original.gives((*flags, f'{{"name":"{DASHBOARD}"}}'), 201, flag(DASHBOARD) + "\n")
    assert again["id"] > made["id"]


def test_rules(original: Original) -> None:
    rules, one = ("rules", "POST", "/rules"), f"/rules/{DASHBOARD}"
    for method, path in (("POST", "/rules"), ("GET", one), ("PUT", one), ("DELETE", one)):
        original.gives(("rules", method, path, "{}"), 401, error(NO_HEADER), key="")
        original.gives(("rules", method, path, "{}"), 401, error(BAD_KEY), key="wrong")
    assert original.ask("rules", "GET", "/rules").status_code == 405
    original.ask("flags", "POST", "/flags", f'{{"name":"{DASHBOARD}","is_enabled":true}}')
    original.evaluates("u1", DASHBOARD, True)
    missing = error(r"'flag_name' e 'rules' (JSON) s\u00e3o obrigat\u00f3rios")
    for body in ("{}", f'{{"flag_name":"{DASHBOARD}"}}', f'{{"rules":{percentage("5")}}}'):
        original.gives((*rules, body), 400, missing)
    body = f'{{"flag_name":"{DASHBOARD}","rules":{percentage("50")}}}'
    made = original.gives((*rules, body), 201, rule(DASHBOARD, percentage("50")) + "\n")
    original.evaluates("u1", DASHBOARD, False)
    original.gives((*rules, body), 409, error(rf"Regra para a flag '{DASHBOARD}' j\u00e1 existe"))
    assert original.gives(("rules", "GET", one), 200, rule(DASHBOARD, percentage("50")) + "\n") == made
    not_found = error(r"Regra n\u00e3o encontrada")
    for method in ("GET", "PUT", "DELETE"):
        original.gives(("rules", method, "/rules/none", '{"is_enabled":true}'), 404, not_found)
    original.gives(("rules", "PUT", one, "{}"), 400, error(r"Corpo da requisi\u00e7\u00e3o obrigat\u00f3rio"))
    neither = error(r"Pelo menos um campo ('rules', 'is_enabled') \u00e9 obrigat\u00f3rio")
    original.gives(("rules", "PUT", one, '{"flag_name":"x"}'), 400, neither)
    off = rule(DASHBOARD, percentage("50"), enabled=False)
    changed = original.gives(("rules", "PUT", one, '{"is_enabled":false}'), 200, off + "\n")
    original.evaluates("u1", DASHBOARD, True)
    assert (changed["id"], changed["created_at"]) == (made["id"], made["created_at"])
    more = f'{{"rules":{percentage("75")},"is_enabled":true}}'
    original.gives(("rules", "PUT", one, more), 200, rule(DASHBOARD, percentage("75")) + "\n")
    original.evaluates("user-gamma", DASHBOARD, False)
    original.evaluates("user-abc", DASHBOARD, True)
    original.gives(("rules", "DELETE", one), 204, "")
    original.evaluates("u1", DASHBOARD, True)
    original.gives(("rules", "GET", one), 404, not_found)
    original.gives(("rules", "DELETE", one), 404, not_found)
    original.gives((*rules, body), 201, rule(DASHBOARD, percentage("50")) + "\n")


def test_evaluate(original: Original) -> None:
    original.ask("flags", "POST", "/flags", f'{{"name":"{DASHBOARD}","is_enabled":true}}')
    for method in ("GET", "POST", "PUT", "DELETE"):
        original.evaluates("user-123", DASHBOARD, True, method)
    original.evaluates("user-123", "unknown", False)
    original.evaluates("usuário-ã", DASHBOARD, True)
    for query in ("", "?user_id=u1", f"?flag_name={DASHBOARD}", f"?user_id=&flag_name={DASHBOARD}"):
        original.gives(("evaluate", "GET", f"/evaluate{query}"), 400, INCOMPLETE, TEXT, key="")


def test_every_service_says_how_it_is_without_a_key(original: Original) -> None:
    for service in SERVICES:
        for method in ("GET", "POST", "DELETE"):
            answer = original.ask(service, method, "/health", key="")
            assert (answer.status_code, answer.text) == (200, '{"status":"ok"}\n')


@pytest.mark.parametrize("name", BUCKETS)
def test_everybody_stays_in_their_bucket(original: Original, name: str) -> None:
    original.ask("flags", "POST", "/flags", f'{{"name":"{name}","is_enabled":true}}')
    original.ask("rules", "POST", "/rules", f'{{"flag_name":"{name}","rules":{percentage("1")}}}')
    for value in PERCENTAGES:
        changed = ("rules", "PUT", f"/rules/{name}", f'{{"rules":{percentage(value)}}}')
        original.gives(changed, 200, rule(name, percentage(value)) + "\n")
        wanted = {user for user, bucket in BUCKETS[name].items() if bucket < float(value)}
        assert original.served(name) == wanted, value


def test_a_list_of_users_works_which_it_never_did(original: Original) -> None:
    listed = '{"type":"USER_LIST","values":["u1","u2"]}'
    original.ask("flags", "POST", "/flags", f'{{"name":"{CHECKOUT}","is_enabled":true}}')
    made = ("rules", "POST", "/rules", f'{{"flag_name":"{CHECKOUT}","rules":{listed}}}')
    original.gives(made, 201, rule(CHECKOUT, listed) + "\n")
    assert original.served(CHECKOUT) == {"u1", "u2"}


def test_a_kill_switch_acts_at_once_wherever_one_asks(original: Original, running: Platform) -> None:
    original.ask("flags", "POST", "/flags", f'{{"name":"{DASHBOARD}","is_enabled":true}}')
    query = f"/evaluate?user_id=u1&flag_name={DASHBOARD}"
    places = (running.ready["original_url"], running.ready["original_evaluate_url"])
    for on in (False, True) * 5:
        switched = f'{{"is_enabled":{str(on).lower()}}}'
        assert original.ask("flags", "PUT", f"/flags/{DASHBOARD}", switched).status_code == 200
        answers = [original.client.get(place + query).json()["result"] for place in places]
        assert answers == [on, on]


def test_dev_says_where_the_originals_clients_are_to_go(running: Platform) -> None:
    ready = running.ready
    assert (ready["original_url"], ready["original_evaluate_url"]) == (
        ready["management_url"],
        ready["evaluation_url"],
    )
    ports = [int(url.rsplit(":", 1)[1]) for url in ready["original_ports"].values()]
    assert list(ready["original_ports"]) == list(SERVICES)
    assert ports == list(range(ports[0], ports[0] + len(SERVICES)))


def test_dev_looks_at_none_of_the_names_that_another_program_may_have(running: Platform) -> None:
    assert set(ELSEWHERE) == set(ORIGINAL_NAMES.values())
    for name, value in ELSEWHERE.items():
        assert value not in running.ready.values(), name
    refused = httpx.post(
        f"{running.ready['original_url']}/admin/keys",
        json={"name": "x"},
        headers={"Authorization": f"Bearer {ELSEWHERE['MASTER_KEY']}"},
    )
    assert refused.status_code == 403
