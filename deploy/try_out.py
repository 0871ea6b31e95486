"""Evaluating without a server: questions in, one a line, answers out in the same order."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from domain.conditions import Context
from domain.evaluation import evaluate
from domain.ruleset import Ruleset
from domain.values import FlagType, fits

Answer = dict[str, Any]
ContextOf = Callable[[Mapping[str, Any]], Context]
"""Makes our context of what is given as one."""


def answers(
    ruleset: Ruleset, lines: Iterable[str], context_of: ContextOf = lambda given: given
) -> Iterator[str]:
    """Each line is `{"flag", "context", "default"?, "type"?}`; one that is none is answered as that."""
    for line in lines:
        if line.strip():
            yield json.dumps(_answer(ruleset, context_of, line), ensure_ascii=False)


def _answer(ruleset: Ruleset, context_of: ContextOf, line: str) -> Answer:
    try:
        question = json.loads(line)
    except ValueError as problem:
        return _error("", None, "PARSE_ERROR", f"the question is not JSON: {problem}")
    if not isinstance(question, dict) or not isinstance(question.get("flag"), str):
        return _error("", None, "PARSE_ERROR", 'a question is like {"flag": "new-checkout", "context": {}}')
    default, context = question.get("default"), question.get("context") or {}
    if not isinstance(context, Mapping):
        return _error(question["flag"], default, "INVALID_CONTEXT", "the context is not an object")
    return _evaluated(ruleset, question["flag"], context_of(context), default, question.get("type"))


def _evaluated(ruleset: Ruleset, flag: str, context: Context, default: JsonValue, wanted: Any) -> Answer:
    result = evaluate(ruleset, flag, context)
    if result.error_code:
        return _error(flag, default, result.error_code, result.error_details)
    if result.variant is None:
        return _told(flag, default, None, result.reason, result.metadata(context))
    if wanted in {*FlagType} and not fits(FlagType(wanted), result.value):
        return _error(flag, default, "TYPE_MISMATCH", f"the flag's value is not of type {wanted}")
    return _told(flag, result.value, result.variant, result.reason, result.metadata(context))


def _told(
    flag: str, value: JsonValue, variant: str | None, reason: str, metadata: Mapping[str, Any]
) -> Answer:
    return {"flag": flag, "value": value, "variant": variant, "reason": reason, "metadata": metadata}


def _error(flag: str, default: JsonValue, code: str, details: str | None) -> Answer:
    told = _told(flag, default, None, "ERROR", {})
    return {**told, "errorCode": code, "errorDetails": details}
