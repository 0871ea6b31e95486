from typing import Any

import pytest

from commands.importers import flagsmith
from commands.importers.flagsmith_paths import steps_of
from commands.importers.imported import Unsayable


def refusals(condition: dict[str, Any]) -> dict[str, str]:
    feature = {"key": "1", "name": "f", "enabled": True, "value": 1}
    rules = [{"type": "ALL", "conditions": [condition]}]
    segments = {"1": {"key": "1", "name": "s", "rules": rules, "overrides": [feature]}}
    features = {"f": feature, "g": {**feature, "name": "g"}}
    imported = flagsmith.read({"environment": {"key": "k"}, "features": features, "segments": segments})
    assert [each.key for each in imported.flags] == ["g"]
    return {each.what: each.why for each in imported.refused}


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ({"operator": "MODULO", "property": "t", "value": "0|1"}, "MODULO"),
        ({"operator": "EQUAL", "property": "$.flags.g.reason", "value": "STATIC"}, "reason"),
        ({"operator": "EQUAL", "property": "$..key", "value": "a"}, "JSONPath"),
        ({"operator": "REGEX", "property": "t", "value": "["}, "not a pattern"),
        ({"operator": "REGEX", "property": "t", "value": "(?=a)"}, "RE2"),
        ({"operator": "LOOKS_LIKE", "property": "t", "value": "a"}, "LOOKS_LIKE"),
        ({"operator": "EQUAL", "property": "targetingKey", "value": "a"}, "taken"),
    ],
)
def test_a_segment_that_cannot_be_said_takes_its_flags_along(condition: Any, named: str) -> None:
    found = refusals(condition)
    assert set(found) == {"segment s", "flag f"}
    assert all(named in why for why in found.values())


@pytest.mark.parametrize("document", [None, [], {}, {"feature_states": 1}, {"features": {"f": 1}}])
def test_no_flagsmith_document(document: Any) -> None:
    with pytest.raises(Unsayable):
        flagsmith.read(document)


def test_contexts() -> None:
    assert flagsmith.context_of({"targetingKey": "5", "age": "5"}) == {"targetingKey": "5", "age": 5}
    identity = {"identifier": "a", "traits": {"x": 2.0, "y": [1]}}
    found = flagsmith.context_of({"environment": {"key": "e"}, "identity": identity})
    assert found == {"targetingKey": "a", "identity": {"key": "e_a"}, "x": "2.0", "y": "[1]"}
    assert flagsmith.context_of({"environment": {"key": "e"}}) == {}


def test_variants_have_readable_names() -> None:
    options = [
        {"value": "a", "weight": 10, "priority": 1},
        {"value": "b", "weight": 10, "priority": 2, "key": "B"},
    ]
    features = {"f": {"key": "1", "name": "f", "enabled": True, "value": 1, "variants": options}}
    imported = flagsmith.read({"environment": {"key": "k"}, "features": features})
    assert list(imported.flags[0].variants) == ["control", "option-1", "B"]
    assert flagsmith.KEY_NOTE not in imported.notes
    assert flagsmith.KEY_NOTE in flagsmith.read({"features": features}).notes


@pytest.mark.parametrize(
    "context",
    [
        {"targetingKey": "ana", "identity": {"key": "77"}, "plan": "pro"},
        {"targetingKey": "ana", "identity": {"key": 77}, "traits": {"plan": "pro"}},
        {"identity": {"identifier": "ana", "key": "77", "traits": {"plan": "pro"}}},
        {"identity": {"identifier": "ana", "key": "77"}, "traits": {"plan": "pro"}},
        {"identity": {"identifier": "ana", "key": "77"}, "targetingKey": "ana", "plan": "pro"},
        {"environment": {"key": "e"}, "identity": {"identifier": "ana", "key": "77"}, "plan": "pro"},
        {"identifier": "ana", "key": "77", "traits": {"plan": "pro"}},
        {"identifier": "ana", "key": "77", "plan": "pro"},
        {
            "identifier": "ana",
            "django_id": 77,
            "identity_traits": [{"trait_key": "plan", "trait_value": "pro"}],
        },
    ],
)
def test_an_identity_comes_in_many_forms(context: dict[str, Any]) -> None:
    assert flagsmith.context_of(context) == {
        "targetingKey": "ana",
        "identity": {"key": "77"},
        "plan": "pro",
    }


def test_an_attribute_may_be_called_identifier() -> None:
    context = {"targetingKey": "ana", "identifier": "x", "key": "y"}
    assert flagsmith.context_of(context) == context


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.a.b", ["a", "b"]),
        ("$.a['b c'][0]", ["a", "b c", 0]),
        ('$.a["it\\"s"]', ["a", 'it"s']),
        ("$.größe", ["größe"]),
        ("$.", None),
        ("$.a b", None),
        ("$.a.*", None),
    ],
)
def test_paths(text: str, steps: Any) -> None:
    assert steps_of(text) == steps
