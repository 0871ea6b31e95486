"""Flagsmith's engine, by its test data's kinds of case."""

from typing import Any

import pytest

from commands.importers import flagsmith
from domain.evaluation import Evaluation, evaluate

ENVIRONMENT = {"key": "key", "name": "Environment"}


def segment(*conditions: Any, kind: str = "ALL", **more: Any) -> dict[str, Any]:
    said = [{"property": name, "operator": asked, "value": value} for name, asked, value in conditions]
    return {"key": "1", "name": "s", "rules": [{"type": kind, "conditions": said, "rules": []}], **more}


def is_in(asked: dict[str, Any], traits: Any = None, **identity: Any) -> bool:
    context = {"environment": ENVIRONMENT, "segments": {"1": asked}, "features": {}}
    imported = flagsmith.read(context)
    assert not imported.refused
    who = {"identifier": "u1", "traits": traits or {}, **identity}
    return imported.ruleset().in_segment("s", flagsmith.context_of({**context, "identity": who}))


@pytest.mark.parametrize(
    ("asked", "value", "trait", "holds"),
    [
        ("EQUAL", "red", "red", True),
        ("EQUAL", "red", "blue", False),
        ("EQUAL", "5", 5, True),
        ("EQUAL", "abc", 5, False),
        ("EQUAL", "5.5", 5.5, True),
        ("EQUAL", "2", "2.0", True),
        ("EQUAL", "false", False, True),
        ("EQUAL", "true", False, False),
        ("EQUAL", "1", True, True),
        ("EQUAL", "true", 1, False),
        ("NOT_EQUAL", "red", "blue", True),
        ("NOT_EQUAL", "red", None, False),
        ("NOT_EQUAL", "red", 5, False),
        ("NOT_EQUAL", "false", False, False),
        ("GREATER_THAN", "21", 21, False),
        ("GREATER_THAN_INCLUSIVE", "21", 21, True),
        ("LESS_THAN", "21", "20", True),
        ("LESS_THAN_INCLUSIVE", "1.5", 1.6, False),
        ("GREATER_THAN", "alpha", "beta", True),
        ("CONTAINS", "el", "hello", True),
        ("CONTAINS", "1", 123, False),
        ("NOT_CONTAINS", "el", "world", True),
        ("NOT_CONTAINS", "el", None, False),
        ("REGEX", "[a-z]+x", "abcx-1", True),
        ("REGEX", "x", "abcx", False),
        ("REGEX", r"\d+$", 123, True),
        ("IN", "a,b", "b", True),
        ("IN", '["a", "b"]', "b", True),
        ("IN", ["1", "2"], 2, True),
        ("IN", "[a,b", "b", True),
        ("IN", "1", True, False),
        ("IN", [1.0, 2.0], 2.0, True),
        ("IN", [1, 2], 2.0, False),
        ("IN", [1.0, 2.0], 2, False),
        ("MODULO", "nonsense", 4, False),
        ("IS_SET", "", 0, True),
        ("IS_SET", "", None, False),
        ("IS_NOT_SET", "", None, True),
        ("EQUAL", "1.0.0:semver", "1.0.0", True),
        ("GREATER_THAN", "1.0.0-beta:semver", "1.0.0", True),
        ("GREATER_THAN", "1.0.0:semver", "v2.0.0", False),
        ("NOT_EQUAL", "1.0.0:semver", "nope", False),
    ],
)
def test_operators(asked: str, value: Any, trait: Any, holds: bool) -> None:
    assert is_in(segment(("t", asked, value)), {"t": trait}) is holds


@pytest.mark.parametrize(("kind", "holds"), [("ALL", False), ("ANY", True), ("NONE", False)])
def test_kinds_of_rule(kind: str, holds: bool) -> None:
    asked = segment(("t", "EQUAL", "a"), ("t", "EQUAL", "b"), kind=kind)
    assert is_in(asked, {"t": "a"}) is holds


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (("$.identity.identifier", "IN", "u1,u2"), True),
        (("$.identity.key", "EQUAL", "key_u1"), True),
        (("$.environment.name", "EQUAL", "Environment"), True),
        (("$.environment.name", "EQUAL", "Other"), False),
        (("$.identity", "IS_NOT_SET", ""), True),
        (("$.leads.to.nowhere", "IS_NOT_SET", ""), True),
        (("$.not a path", "EQUAL", "trait"), True),
        (('with "quotes"', "EQUAL", "quoted"), True),
    ],
)
def test_properties(condition: Any, holds: bool) -> None:
    assert is_in(segment(condition), {"$.not a path": "trait", 'with "quotes"': "quoted"}) is holds


def feature(value: str, **more: Any) -> dict[str, Any]:
    return {"key": "1", "name": "f", "enabled": True, "value": value, **more}


def answer(default: dict[str, Any], segments: Any = None, key: str | None = None) -> Evaluation:
    context = {"environment": ENVIRONMENT, "features": {"f": default}, "segments": segments or {}}
    imported = flagsmith.read(context)
    assert not imported.refused
    identity = {} if key is None else {"identity": {"identifier": "u1", "key": key}}
    return evaluate(imported.ruleset(), "f", flagsmith.context_of({**context, **identity}))


def test_the_lowest_priority_wins() -> None:
    always = ("$.environment.name", "IS_SET", "")
    segments = {
        str(number): segment(always, name=f"s{number}", overrides=[feature(f"v{number}", priority=priority)])
        for number, priority in ((1, None), (2, 5), (3, 1), (4, 1))
    }
    found = answer(feature("default"), segments)
    assert (found.value, found.reason) == ({"enabled": True, "value": "v3"}, "TARGETING_MATCH")


def test_allocations_follow_the_identity_key() -> None:
    options = [{"value": "half", "weight": 50, "priority": 1}]
    default = feature("control", key="1016365", enabled=False, variants=options)
    override = feature("segment-control", key="1016366", variants=options, priority=0)
    segments = {"1": segment(("$.environment.name", "EQUAL", "Environment"), overrides=[override])}
    key = "8AYnz4q3KEfT5DFtnramnP_user-123"
    found = answer(default, segments, key)
    assert (found.value, found.reason) == ({"enabled": True, "value": "half"}, "SPLIT")
    assert answer(default, segments).value == {"enabled": True, "value": "segment-control"}


def test_a_published_allocation() -> None:
    options = [
        {"value": "bar", "weight": 30, "priority": 3402},
        {"value": "baz", "weight": 30, "priority": 3404},
    ]
    found = answer(feature("foo", key="78986", variants=options), key="32227281")
    assert found.value == {"enabled": True, "value": "baz"}


def test_an_environment_document() -> None:
    state = {"feature": {"name": "f"}, "enabled": True, "feature_state_value": "default", "django_id": 1}
    override = {**state, "feature_state_value": "vip", "feature_segment": {"priority": 1}}
    inner = {
        "type": "ALL",
        "rules": [],
        "conditions": [{"operator": "EQUAL", "property_": "vip", "value": "1"}],
    }
    document = {
        "api_key": "key",
        "name": "Environment",
        "feature_states": [state],
        "project": {
            "segments": [
                {
                    "id": 1,
                    "name": "vips",
                    "rules": [{"type": "ALL", "rules": [inner]}],
                    "feature_states": [override],
                }
            ]
        },
        "identity_overrides": [
            {"identifier": "chosen", "identity_features": [{**state, "feature_state_value": "chosen"}]}
        ],
    }
    ruleset = flagsmith.read(document).ruleset()
    values = [
        evaluate(
            ruleset, "f", flagsmith.context_of({"identity": {"identifier": who, "traits": {"vip": vip}}})
        ).value
        for who, vip in (("a", 0), ("a", 1), ("chosen", 1))
    ]
    assert values == [{"enabled": True, "value": each} for each in ("default", "vip", "chosen")]
