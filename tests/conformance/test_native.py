"""What single conditions mean, as JSON that anyone may read: tests/conformance/native."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from domain.conditions import compile_condition
from domain.ruleset import Ruleset
from domain.targeting import Condition

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "native" / "clauses.json").read_text())
CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_a_condition_holds_for_just_these(case: dict[str, Any]) -> None:
    holds = compile_condition(CONDITION.validate_python(case.get("clause") or case["condition"]), "salt")
    assert [context for context in case["holds_for"] if not holds(context, Ruleset())] == []
    assert [context for context in case["not_for"] if holds(context, Ruleset())] == []
