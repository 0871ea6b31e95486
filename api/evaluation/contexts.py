"""The context in a request's body, read strictly, and mostly fast."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.evaluation.refusal import Refusal
from api.strict_json import INTEGER_LIMIT, BadJson, parse

NUMBERS = (int, float)


def read_context(raw: bytes) -> Mapping[str, Any]:
    """No body at all is an empty context. Raises Refusal."""
    if (context := _plain(raw)) is not None:
        return context
    try:
        body = parse(raw) if raw else {}
    except BadJson as problem:
        raise Refusal(400, "PARSE_ERROR", str(problem)) from problem
    found = body.get("context") if isinstance(body, dict) else body
    if not isinstance(body, dict) or not isinstance(found, dict | None):
        details = 'the body has to be an object like {"context": {"targetingKey": "user-1"}}'
        raise Refusal(400, "INVALID_CONTEXT", details)
    return found or {}


def _plain(raw: bytes) -> dict[str, Any] | None:
    """What nearly every client sends: attributes that are no lists and no objects, without an escape.

    None where only the strict reader can tell. Where there are as many names as colons in the text, none was
    there twice; what else the strict reader refuses needs a backslash, a bracket, a third brace or a very
    large number.
    """
    if b"\\" in raw or b"[" in raw or raw.count(b"{") != 2:
        return None
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    context = body.get("context")
    if context.__class__ is not dict or len(body) != 1 or 1 + len(context) != raw.count(b":"):
        return None
    for value in context.values():
        if value.__class__ in NUMBERS and not -INTEGER_LIMIT < value < INTEGER_LIMIT:
            return None
    return context
