"""Keys of the original system, as its clients make and use them."""

import re
from collections.abc import Iterator

import pytest
from httpx2 import Response

from commands.event_store import EventStore
from domain.access import digest
from domain.envelope import key_stream
from tests.integration.original import MASTER, TEXT, Client, client_of, gave

KEYS = "/api/v1/projects/default/environments/production/keys"
ADMINISTRATOR = {"X-API-Key": MASTER}
BAD_BODIES = (
    *(b"", b"x", b"[]", b"5", b'"x"', b'{"name": 5}', b'{"name": "a', b'{"name": NaN}', b"\xef\xbb\xbf{}"),
    *(b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b"[" * 100_000, b'{"name":' * 50_000),
)
NAMELESS = (b"{}", b"null", b'{"name": ""}', b'{"name": null}', b'{"nome": "x"} and')
ISSUED = (
    '{"name":"%s","key":"%s","message":"Guarde esta chave com segurança! Você não poderá vê-la novamente."}\n'
)


@pytest.fixture
def client(store: EventStore) -> Iterator[Client]:
    with client_of(store) as client:
        yield client


def test_health_answers_any_method(client: Client) -> None:
    for method in ("GET", "POST", "DELETE", "PATCH"):
        gave(client.ask(method, "/health"), 200, '{"status":"ok"}\n', TEXT)


def test_the_master_key_makes_keys_that_validate(client: Client) -> None:
    answer = client.ask("POST", "/admin/keys", {"name": "meu-primeiro-servico"}, key=MASTER)
    key = answer.json()["key"]
    assert re.fullmatch("tm_key_[0-9a-f]{64}", key)
    gave(answer, 201, ISSUED % ("meu-primeiro-servico", key), TEXT)
    for method in ("GET", "POST", "PUT"):
        gave(client.ask(method, "/validate", key=key), 200, '{"message":"Chave válida"}\n', TEXT)
    bare = client.ask("GET", "/validate", headers={"Authorization": key})
    gave(bare, 200, '{"message":"Chave válida"}\n', TEXT)


def test_a_name_is_written_as_go_writes_it(client: Client) -> None:
    answer = client.ask("POST", "/admin/keys", {"name": 'a<b>&ção\u2028"'}, key=MASTER)
    assert answer.status_code == 201
    assert answer.text.startswith('{"name":"a\\u003cb\\u003e\\u0026ção\\u2028\\"","key":"tm_key_')


def test_whoever_lacks_the_master_key_is_refused_before_anything_else(client: Client) -> None:
    key = client.issue()
    for method in ("GET", "POST", "DELETE"):
        for wrong in ("", "wrong", key):
            refused(client.ask(method, "/admin/keys", key=wrong), 403, "Acesso não autorizado")


def test_with_the_master_key_only_post_is_possible(client: Client) -> None:
    for method in ("GET", "PUT", "DELETE"):
        refused(client.ask(method, "/admin/keys", key=MASTER), 405, "Método não permitido")


def test_a_body_that_is_no_such_json_is_refused(client: Client) -> None:
    for body in BAD_BODIES:
        refused(posted(client, body), 400, "Corpo da requisição inválido")


def test_a_key_has_a_name(client: Client) -> None:
    for body in NAMELESS:
        refused(posted(client, body), 400, "O campo 'name' é obrigatório")


def test_a_name_has_at_most_a_hundred_characters(client: Client) -> None:
    assert client.issue("é" * 100)
    answer = client.ask("POST", "/admin/keys", {"name": "é" * 101}, key=MASTER)
    refused(answer, 400, "O campo 'name' tem no máximo 100 caracteres")


def test_the_first_value_of_a_body_counts(client: Client) -> None:
    answer = posted(client, b' \n{"Name": "x"} and {more')
    assert (answer.status_code, answer.json()["name"]) == (201, "x")


def test_a_body_that_is_too_large_is_refused_in_words(client: Client) -> None:
    answer = posted(client, b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "1 MiB" in answer.text
    assert answer.headers["content-type"] == TEXT


def test_what_is_no_key_in_force_does_not_validate(client: Client) -> None:
    key = client.issue()
    refused(client.ask("GET", "/validate"), 401, "Authorization header não encontrado")
    for wrong in ("x", "tm_key_" + "0" * 64, key[:-1], key + "0", key.upper(), "tm_server_x", MASTER, "é"):
        sent = {"Authorization": f"Bearer {wrong}".encode()}
        answer = client.ask("GET", "/validate", headers=sent)
        refused(answer, 401, "Chave de API inválida ou inativa")


def test_a_key_is_listed_and_revoked_by_the_management_api_but_not_rotated(client: Client) -> None:
    key = client.issue("listado")
    key_id = digest(key)[:20]
    found = client.http.get(f"{KEYS}/{key_id}", headers=ADMINISTRATOR).json()
    assert (found["name"], found["kind"], found["created_by"]) == ("listado", "original", "administrator")
    rotated = client.http.post(f"{KEYS}/{key_id}/rotate", headers=ADMINISTRATOR)
    assert rotated.status_code == 409
    assert "not rotated" in rotated.json()["detail"]
    issued = client.http.post(KEYS, json={"name": "n", "kind": "original"}, headers=ADMINISTRATOR)
    assert issued.status_code == 422
    assert client.ask("GET", "/validate", key=key).status_code == 200
    assert client.http.delete(f"{KEYS}/{key_id}", headers=ADMINISTRATOR).status_code == 200
    refused(client.ask("GET", "/validate", key=key), 401, "Chave de API inválida ou inativa")
    assert client.ask("GET", "/flags", key=key).status_code == 401


def test_a_key_is_no_credential_of_the_management_api(client: Client) -> None:
    key = client.issue()
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert client.http.get("/api/v1/projects", headers=headers).status_code == 401


def test_the_log_has_a_keys_digest_and_not_the_key(client: Client) -> None:
    key = client.issue()
    log = client.store.read(after=0, limit=100)
    assert key not in str(log)
    assert digest(key) in str(client.store.load(key_stream("default", digest(key)[:20])))


def posted(client: Client, body: bytes) -> Response:
    return client.ask("POST", "/admin/keys", key=MASTER, content=body)


def refused(answer: Response, status: int, sentence: str) -> None:
    gave(answer, status, sentence + "\n", TEXT, x_content_type_options="nosniff")
