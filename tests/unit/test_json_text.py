from typing import Any

import pytest
from pydantic import ValidationError

from domain.bucketing import ALGORITHMS
from domain.json_text import json_text, number_text
from domain.targeting import AnyElement, Clause
from domain.versions import padded


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-0.0, "0"),
        (-2.5, "-2.5"),
        (0.000001, "0.000001"),
        (0.00000025, "2.5e-7"),
        (1e21, "1e+21"),
        (3e20, "300000000000000000000"),
        (98765432109876543210, "98765432109876540000"),
        (float("inf"), None),
        (10**400, None),
    ],
)
def test_numbers_as_ecmascript_writes_them(number: float, text: str | None) -> None:
    assert number_text(number) == text


def test_keys_that_are_indexes_come_first_and_the_others_stay() -> None:
    assert json_text({"b": 2.0, "10": True, "a": None, "9": [0.5]}) == '{"9":[0.5],"10":true,"b":2,"a":null}'
    assert json_text({"b": 1, "01": 2, "a": 3}) == '{"b":1,"01":2,"a":3}'
    assert json_text({"b": 1, "a": {"d": 1, "c": 2}}, any_order=True) == '{"a":{"c":2,"d":1},"b":1}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3.10.2", "    3-   10-    2-~"),
        ("v3.10-rc.1+build", "    3-   10-rc-    1"),
        (3.5, "    3-    5"),
        ("", "    0"),
        (True, None),
        (None, None),
        ("1" * 300, None),
    ],
)
def test_padded_versions(value: Any, text: str | None) -> None:
    assert padded(value) == text


@pytest.mark.parametrize(
    ("operator", "values", "more", "words"),
    [
        ("is_a", ["text"], {}, "not a kind of value"),
        ("is_a", [1], {}, "string"),
        ("same_json", ["{'a': 1}"], {}, "not JSON"),
        ("semver_caret", ["1.2.3"], {"coerce": "padded"}, "no ranges"),
    ],
)
def test_what_no_clause_can_ask(operator: str, values: Any, more: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Clause.model_validate({"attribute": "a", "operator": operator, "values": values, **more})


def test_what_is_not_said_is_not_written_down() -> None:
    assert "whole" not in Clause(attribute="a", operator="exists").model_dump()
    element = AnyElement(any_element="a", where=Clause(attribute="value", operator="exists"), whole=True)
    assert element.model_dump()["whole"]
    assert "whole" not in element.model_copy(update={"whole": False}).model_dump()


@pytest.mark.parametrize("name", ["growthbook1", "growthbook2"])
def test_fractions_are_hashed_too(name: Any) -> None:
    read = ALGORITHMS[name].read
    assert [read(value) for value in (1.5, 2, "x", True, None)] == ["1.5", "2", "x", None, None]
