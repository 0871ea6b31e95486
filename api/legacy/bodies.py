"""Reading what flags and rules are sent, and refusing it in the words of the original where it had any."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.legacy.answers import Answered, flask_error
from api.legacy.parts import Asked
from api.strict_json import INTEGER_LIMIT, BadJson, parse
from commands.original.rules import Problem
from domain.values import FlagKey, Text

NAME_LENGTH = 100
NOT_JSON = "Envie o corpo como JSON, com 'Content-Type: application/json'"
BAD_JSON = (
    "O corpo da requisição não é um JSON que se possa guardar: use UTF-8, números de até 63 bits, no máximo"
    " 32 níveis, nenhum nome repetido e nenhum caractere NUL"
)
BAD_NAME = (
    f"tem de ser um texto de 1 a {NAME_LENGTH} caracteres, sem '/', sem caracteres de controle, sem espaços"
    " nas pontas, e diferente de '.' e '..'"
)
BAD_DESCRIPTION = "'description' tem de ser um texto de até 2000 caracteres"
BAD_SWITCH = "'is_enabled' tem de ser true ou false"
BAD_RULES: Mapping[Problem, str] = {
    Problem.NO_OBJECT: "'rules' tem de ser um objeto JSON",
    Problem.UNKNOWN_TYPE: "'rules.type' tem de ser 'PERCENTAGE' ou 'USER_LIST'",
    Problem.NO_NUMBER: "'rules.value' tem de ser um número",
    Problem.NO_TEXTS: "'rules.values' tem de ser uma lista de textos",
    Problem.TOO_LARGE: "'rules' é grande demais: até 50000 valores de até 10000 caracteres, e 2000 no resto",
}
SWITCHES = {"true": True, "false": False}

_KEY: TypeAdapter[str] = TypeAdapter(FlagKey)
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


def body_of(asked: Asked) -> Any:
    """415 for what does not call itself JSON, 400 for what is none."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Answered(flask_error(415, NOT_JSON))
    try:
        return parse(asked.body, _number)
    except BadJson as problem:
        raise Answered(flask_error(400, BAD_JSON)) from problem


def _number(digits: str) -> int | float:
    """As PostgreSQL's jsonb has it: 1e2 is 100, 50.0 stays 50.0."""
    number = float(digits)
    if abs(number) >= INTEGER_LIMIT:
        raise BadJson(f"the number {digits[:24]} is too large")
    if number == 0:  # whatever its exponent, and without its sign
        return 0.0 if "." in digits else 0
    exact = Decimal(digits)
    return number if "." in format(exact, "f") else int(exact)


def members_of(body: Any) -> Mapping[str, Any]:
    """What is no object has no members."""
    return body if isinstance(body, dict) else {}


def is_name(name: Any) -> bool:
    """Whether a flag of ours can have it."""
    return isinstance(name, str) and _fits(_KEY, name)


def new_name(members: Mapping[str, Any], field: str) -> str:
    name = members[field]
    if not is_name(name) or len(name) > NAME_LENGTH:
        raise Answered(flask_error(400, f"'{field}' {BAD_NAME}"))
    return str(name)


def description_of(members: Mapping[str, Any]) -> str:
    """null is no description."""
    description = members["description"]
    if description is None:
        return ""
    if not isinstance(description, str) or not _fits(_TEXT, description):
        raise Answered(flask_error(400, BAD_DESCRIPTION))
    return description


def switch_of(members: Mapping[str, Any]) -> bool:
    """The texts too, which PostgreSQL read as what they say."""
    given = members["is_enabled"]
    switch = SWITCHES.get(given) if isinstance(given, str) else given
    if not isinstance(switch, bool):
        raise Answered(flask_error(400, BAD_SWITCH))
    return switch


def _fits(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True
