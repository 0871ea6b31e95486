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
        ("EQUAL", "2.0", 2, False),
        ("EQUAL", "5", "+5", False),
        ("EQUAL", 5, "5x", False),
        ("NOT_EQUAL", "abc", 2.0, False),
        ("NOT_EQUAL", "2.5", 2, False),
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
        ("GREATER_THAN", "5", "abc", True),
        ("GREATER_THAN", "5.5", 6, False),
        ("GREATER_THAN", "5.5", 6.0, True),
        ("CONTAINS", "el", "hello", True),
        ("CONTAINS", "1", 123, False),
        ("CONTAINS", "0", "5.0", False),
        ("NOT_CONTAINS", "x", 5.0, False),
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
        ("MODULO", "5|2", 17, True),
        ("MODULO", "5|2", 17.0, True),
        ("MODULO", "5|2", "17", True),
        ("MODULO", "5|2", 18, False),
        ("MODULO", "5|2", "seventeen", False),
        ("MODULO", "2|1", True, True),
        ("REGEX", "Tr", True, True),
        ("REGEX", "tr", True, False),
        ("REGEX", r"ab\Z", "ab", True),
        ("PERCENTAGE_SPLIT", "100", True, True),
        ("PERCENTAGE_SPLIT", "100", 2.5, True),
        ("PERCENTAGE_SPLIT", "many", "x", False),
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
        (("$.identity['identifier']", "EQUAL", "u1"), True),
        (("$.identity.traits['with \"quotes\"']", "EQUAL", "quoted"), True),
        (("$['environment'].name", "IS_SET", ""), False),
        (("$.environment.name", "PERCENTAGE_SPLIT", "100"), True),
        (("$.environment.name", "PERCENTAGE_SPLIT", "0"), False),
        (("$.environment", "PERCENTAGE_SPLIT", "100"), False),
        (("$.features.none.enabled", "IS_SET", ""), False),
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


MADE_KEY_CASES = [
    ("EQUAL", "key_u1", True),
    ("EQUAL", "u1", False),
    ("NOT_EQUAL", "key_u2", True),
    ("IN", "key_u3,key_u1", True),
    ("CONTAINS", "y_u", True),
    ("CONTAINS", "u1", True),
    ("CONTAINS", "_z", False),
    ("NOT_CONTAINS", "ey", False),
    ("GREATER_THAN", "key", True),
    ("GREATER_THAN", "key_u0", True),
    ("LESS_THAN", "key_u0", False),
    ("IS_SET", "", True),
    ("IS_NOT_SET", "", False),
    ("MODULO", "2|0", False),
]


@pytest.mark.parametrize(("asked", "value", "holds"), MADE_KEY_CASES)
def test_the_key_that_is_made_of_the_environment_and_the_identifier(
    asked: str, value: str, holds: bool
) -> None:
    context = {"environment": ENVIRONMENT, "segments": {"1": segment(("$.identity.key", asked, value))}}
    ruleset = flagsmith.read(context).ruleset()
    assert ruleset.in_segment("s", flagsmith.context_of({"targetingKey": "u1"})) is holds
    assert ruleset.in_segment("s", {}) is (asked == "IS_NOT_SET")


@pytest.mark.parametrize("number", range(20))
def test_percentages_need_no_key(number: int) -> None:
    """Whoever gives the identifier alone is where Flagsmith has put its identity."""
    half = segment(("", "PERCENTAGE_SPLIT", "50"), overrides=[feature("half")])
    options = [{"value": "option", "weight": 40, "priority": 1}]
    context = {
        "environment": ENVIRONMENT,
        "segments": {"1": half},
        "features": {"f": feature("default", variants=options)},
    }
    ruleset = flagsmith.read(context).ruleset()
    key = {"identity": {"identifier": f"u{number}", "key": f"key_u{number}"}}
    with_key, without = (
        evaluate(ruleset, "f", flagsmith.context_of(each)) for each in (key, {"targetingKey": f"u{number}"})
    )
    assert (with_key.value, with_key.reason) == (without.value, without.reason)


def asks(flag: str, part: str, asked: str, value: str, *overridden: str, **more: Any) -> dict[str, Any]:
    name = f"{flag} {part} {value}"
    overrides = [{**feature("dependent"), "name": each} for each in overridden]
    return segment((f"$.flags{flag}.{part}", asked, value), name=name, overrides=overrides, **more)


def answers(features: dict[str, dict[str, Any]], *segments: Any, who: Any = None) -> dict[str, Any]:
    named = {name: {**each, "name": name} for name, each in features.items()}
    numbered = {str(number): {**each, "key": str(number)} for number, each in enumerate(segments)}
    imported = flagsmith.read({"environment": ENVIRONMENT, "features": named, "segments": numbered})
    assert imported.refused == []
    ruleset, context = imported.ruleset(), flagsmith.context_of(who or {})
    return {name: evaluate(ruleset, name, context).value["value"] for name in features}  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        (asks(".base", "enabled", "EQUAL", "true", "late"), "dependent"),
        (asks("['base']", "enabled", "EQUAL", "false", "late"), "default"),
        (asks(".base", "value", "CONTAINS", "star", "late"), "dependent"),
        (asks(".base", "name", "EQUAL", "base", "late"), "dependent"),
        (asks(".base", "variant", "IS_NOT_SET", "", "late"), "dependent"),
        (asks(".nobody", "enabled", "EQUAL", "true", "late"), "default"),
        (asks(".nobody", "enabled", "IS_NOT_SET", "", "late"), "dependent"),
        (asks(".*", "enabled", "EQUAL", "true", "late"), "default"),
    ],
)
def test_a_flag_may_ask_for_another(condition: dict[str, Any], value: str) -> None:
    found = answers({"late": feature("default"), "base": feature("start")}, condition)
    assert found == {"late": value, "base": "start"}


def test_flags_that_ask_in_a_row() -> None:
    features = {"third": feature("x"), "second": feature("x", enabled=False), "first": feature("x")}
    row = (
        asks(".second", "enabled", "EQUAL", "true", "third"),
        asks(".first", "enabled", "EQUAL", "true", "second"),
    )
    assert answers(features, *row) == {"third": "dependent", "second": "dependent", "first": "x"}


@pytest.mark.parametrize(
    ("who", "value"),
    [({"targetingKey": "u1"}, "dependent"), ({}, "default")],
)
def test_the_name_of_an_option_may_be_asked_for(who: Any, value: str) -> None:
    options = [{"key": "green", "value": 1, "weight": 0, "priority": 1}]
    features = {"late": feature("default"), "base": feature("start", variants=options)}
    asked = asks(".base", "variant", "EQUAL", "control", "late")
    assert answers(features, asked, who=who)["late"] == value


def test_segments_that_close_a_circle_are_left_out() -> None:
    features = {"a": feature("a"), "b": feature("b"), "c": feature("c")}
    circle = (
        asks(".b", "enabled", "EQUAL", "true", "a"),
        asks(".a", "enabled", "EQUAL", "true", "b"),
        asks(".a", "enabled", "IS_NOT_SET", "", "c"),
    )
    assert answers(features, *circle) == {"a": "a", "b": "b", "c": "c"}


def test_a_circle_that_depends_on_who_asks_is_refused() -> None:
    late = segment(("t", "EQUAL", "x"), ("$.flags.f.enabled", "EQUAL", "true"), overrides=[feature("v")])
    context = {"environment": ENVIRONMENT, "features": {"f": feature("d")}, "segments": {"1": late}}
    refused = {each.what: each.why for each in flagsmith.read(context).refused}
    assert set(refused) == {"segment s", "flag f"}
    assert all("circle" in why for why in refused.values())


def test_what_asks_for_a_refused_flag_is_refused() -> None:
    odd = segment(("t", "LOOKS_LIKE", "x"), name="odd", overrides=[{**feature("v"), "name": "base"}])
    asked = asks(".base", "enabled", "EQUAL", "false", "late")
    features = {"late": feature("d"), "base": feature("d", enabled=False)}
    named = {name: {**each, "name": name} for name, each in features.items()}
    segments = {"1": odd, "2": asked}
    imported = flagsmith.read({"environment": ENVIRONMENT, "features": named, "segments": segments})
    assert {each.what for each in imported.refused} == {"segment odd", "flag base", "flag late"}


IDENTITY = {"identifier": "ana", "key": "501", "traits": {"plan": "pro", "seats": 5}}


@pytest.mark.parametrize(
    ("context", "value"),
    [
        ({}, "pros"),
        ({"targetingKey": "ana"}, "pros"),
        ({"targetingKey": "ana", "plan": "pro"}, "pros"),
        ({"identity": IDENTITY}, "pros"),
        ({"targetingKey": "ana", "plan": "free"}, "default"),
        ({"targetingKey": "bob"}, "default"),
        ({"targetingKey": "bob", "plan": "pro", "seats": 9}, "pros"),
        ({"seats": 4}, "default"),
    ],
)
def test_who_says_less_is_the_identity_of_the_document(context: Any, value: str) -> None:
    pros = segment(("plan", "EQUAL", "pro"), ("seats", "NOT_EQUAL", "4"), overrides=[feature("pros")])
    document = {
        "environment": ENVIRONMENT,
        "identity": IDENTITY,
        "features": {"f": feature("default")},
        "segments": {"1": pros},
    }
    found = evaluate(flagsmith.read(document).ruleset(), "f", flagsmith.context_of(context))
    assert found.value == {"enabled": True, "value": value}


def test_the_key_of_the_documents_identity_counts() -> None:
    half = [{"value": "half", "weight": 50, "priority": 1}]
    for number in range(10):
        identity = {"identifier": "ana", "key": str(number)}
        document = {"environment": ENVIRONMENT, "features": {"f": feature("d", variants=half)}}
        asked = flagsmith.context_of({"identity": identity})
        wanted = evaluate(flagsmith.read(document).ruleset(), "f", asked).value
        ruleset = flagsmith.read({**document, "identity": identity}).ruleset()
        assert evaluate(ruleset, "f", {"targetingKey": "ana"}).value == wanted
