"""The original's authentication service, which was Go: text, and JSON that calls itself text."""

import json
from typing import Any

from api.legacy.access import ADMINISTRATOR, holder_of, presented
from api.legacy.answers import Answer, Answered, go_error, go_json
from api.legacy.parts import Asked
from commands.models import IssueKey
from commands.original.views import ENVIRONMENT, PROJECT
from commands.secret_keys import new_original_key
from commands.unit_of_work import utc_now
from domain.access import digest, original_id
from domain.envelope import Stamp

NAME_LENGTH = 100
BAD_BODY = "Corpo da requisição inválido"
NO_NAME = "O campo 'name' é obrigatório"
LONG_NAME = f"O campo 'name' tem no máximo {NAME_LENGTH} caracteres"
ISSUED = "Guarde esta chave com segurança! Você não poderá vê-la novamente."


def health(_: Asked) -> Answer:
    return go_json(200, {"status": "ok"})


def validate(asked: Asked) -> Answer:
    if not asked.headers.get("authorization"):
        return go_error(401, "Authorization header não encontrado")
    if holder_of(asked.original, presented(asked.headers)) is None:
        return go_error(401, "Chave de API inválida ou inativa")
    return go_json(200, {"message": "Chave válida"})


def issue_key(asked: Asked) -> Answer:
    """The master key is looked at before the method."""
    if asked.original.administrator.principal(presented(asked.headers)) is None:
        return go_error(403, "Acesso não autorizado")
    if asked.method != "POST":
        return go_error(405, "Método não permitido")
    name, key = _name(asked.body), new_original_key()
    sha = digest(key)
    command = IssueKey(
        project=PROJECT, environment=ENVIRONMENT, id=original_id(sha), name=name, kind="original", digest=sha
    )
    stamp = Stamp(ADMINISTRATOR, utc_now(), request=asked.request_id)
    issued = asked.original.commands.execute(command, stamp)
    asked.original.evaluators.wait_for(issued.position)
    return go_json(201, {"name": name, "key": key, "message": ISSUED})


def _name(body: bytes) -> str:
    """As Go's decoder finds it: the first value of the body, and names in any case of letters."""
    members = _first_value(body) or {}
    if not isinstance(members, dict):
        raise Answered(go_error(400, BAD_BODY))
    named = [value for name, value in members.items() if name.lower() == "name" and value is not None]
    name = named[-1] if named else ""
    if not isinstance(name, str) or not _is_storable(name):
        raise Answered(go_error(400, BAD_BODY))
    if not name:
        raise Answered(go_error(400, NO_NAME))
    if len(name) > NAME_LENGTH:
        raise Answered(go_error(400, LONG_NAME))
    return name


def _first_value(body: bytes) -> Any:
    reader = json.JSONDecoder(parse_constant=_no_constant)
    try:
        value, _ = reader.raw_decode(body.decode(errors="replace").lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as problem:
        raise Answered(go_error(400, BAD_BODY)) from problem
    if value is None or isinstance(value, dict):
        return value
    raise Answered(go_error(400, BAD_BODY))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_storable(name: str) -> bool:
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
