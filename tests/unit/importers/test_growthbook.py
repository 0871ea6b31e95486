from typing import Any

import pytest

from commands.importers import growthbook
from commands.importers.imported import Unsayable


def refusal(rule: Any) -> str:
    features = {"f": {"defaultValue": True, "rules": [rule]}, "plain": {"defaultValue": 1}}
    imported = growthbook.read({"features": features})
    assert [each.key for each in imported.flags] == ["plain"]
    return imported.refused[0].why


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"condition": {"a": {"$regex": "(?=x)"}}, "force": True}, "RE2"),
        ({"condition": {"a": {"b": 1}}, "force": True}, "whole object"),
        ({"condition": {"a": {"$vgt": "nope"}}, "force": True}, "$vgt"),
        ({"condition": {"$savedGroup": {"id": "x"}}, "force": True}, "$savedGroup"),
        ({"contextualBanditRef": "b", "contextualVariations": [1, 2]}, "bandit"),
        ({"force": True, "coverage": "half"}, "'half'"),
        (5, "not an object"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(rule: Any, named: str) -> None:
    assert named in refusal(rule)


def test_what_asks_a_refused_feature_is_refused() -> None:
    asking = {"parentConditions": [{"id": "f", "condition": {"value": True}}], "force": 1}
    features = {"f": {"defaultValue": True, "rules": [5]}, "g": {"defaultValue": 2, "rules": [asking]}}
    imported = growthbook.read({"features": features})
    assert {each.what for each in imported.refused} == {"flag f", "flag g"}
    assert "'f'" in imported.refused[1].why


@pytest.mark.parametrize("document", [None, [], {}, {"features": []}, {"features": {}, "savedGroups": 1}])
def test_no_payload(document: Any) -> None:
    with pytest.raises(Unsayable):
        growthbook.read(document)


def test_contexts() -> None:
    assert growthbook.context_of({"attributes": {"id": "a"}}) == {"id": "a", "targetingKey": "a"}
    assert growthbook.context_of({"targetingKey": "a", "b": 1}) == {"targetingKey": "a", "b": 1}


def test_notes() -> None:
    rule = {"variations": [1, 2], "fallbackAttribute": "x"}
    notes = growthbook.read({"features": {"f": {"defaultValue": 0, "rules": [rule]}}}).notes
    assert {growthbook.ID_NOTE, growthbook.STICKY_NOTE} <= set(notes)
