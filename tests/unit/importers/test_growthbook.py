from typing import Any

import pytest

from commands.importers import growthbook
from commands.importers.imported import Unsayable
from domain.evaluation import evaluate

GROUPS = {
    "crew": {"type": "list", "attributeKey": "badge", "values": ["ada", 7]},
    "north": {"type": "condition", "condition": {"region": {"$in": ["no", "se"]}}},
    "cold": {"type": "condition", "condition": {"$savedGroup": {"id": "north"}, "degrees": {"$lt": 0}}},
    "ring": {"type": "condition", "condition": {"$or": [{"in": True}, {"$savedGroup": {"id": "ring"}}]}},
    "later": {"type": "of the future"},
    "broken": None,
    "bare": ["ada"],
}


def value(rules: list[Any], attributes: Any, **payload: Any) -> Any:
    features = {"f": {"defaultValue": "out", "rules": rules}}
    imported = growthbook.read({"features": features, "savedGroups": GROUPS, **payload})
    assert imported.refused == []
    return evaluate(imported.ruleset(), "f", growthbook.context_of({"attributes": attributes})).value


def holds(condition: Any, attributes: Any) -> bool:
    return bool(value([{"condition": condition, "force": "in"}], attributes) == "in")


def refusal(rule: Any) -> str:
    features = {"f": {"defaultValue": True, "rules": [rule]}, "plain": {"defaultValue": 1}}
    imported = growthbook.read({"features": features})
    assert [each.key for each in imported.flags] == ["plain"]
    return imported.refused[0].why


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"condition": {"a": {"$regex": "(?=x)"}}, "force": True}, "RE2"),
        ({"condition": {"$or": 5}, "force": True}, "conditions"),
        ({"condition": {"a": {"$gt": "\U0001f600"}}, "force": True}, "order of letters"),
        ({"force": True, "coverage": "half"}, "'half'"),
        ({"variations": [1, 2], "namespace": 3}, "namespace"),
        ({"variations": [1, 2], "ranges": [[0]]}, "range"),
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


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        ({"car": {"doors": 4, "kit": ["abs"]}}, {"doors": 4.0, "kit": ["abs"]}, {"kit": ["abs"], "doors": 4}),
        ({"car": ["a", 1]}, ["a", 1], ["a", True]),
        ({"car": {}}, "anything", {"$none": 1}),
        ({"car": "a"}, "a", ["a"]),
        ({"car": {"$ne": "a"}}, ["a"], "a"),
        ({"car": {"$type": "array"}}, [], {}),
        ({"car": {"$size": 0}}, [], {}),
        ({"car": {"$size": {"$in": [1, 3]}}}, [None], ["a", "b"]),
        ({"car.length": {"$gte": 2}}, ["a", None], ["a"]),
        ({"car": {"$elemMatch": {"$ne": "a"}}}, [{"b": 1}], [None]),
        ({"car": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}, [{"b": 2}], [{"b": 3}]),
        ({"car": {"$all": ["a", {"b": 1}]}}, [{"b": 1}, "a"], ["a"]),
        ({"car": {"$all": []}}, [], "a"),
        ({"car": {"$in": [None, "a"]}}, [None], ["b"]),
        ({"car": {"$gt": "2026-01-31T08:00:00.000Z"}}, "2026-02-01", "2025-12-31T23:59:59.999Z"),
        ({"car": {"$lt": 3}}, None, [1]),
        ({"car": {"$regex": "^\\u00e9t"}}, "été", ["été"]),
    ],
)
def test_conditions_on_one_attribute(condition: Any, met: Any, unmet: Any) -> None:
    if condition != {"car": {}}:
        assert not holds(condition, {"car": unmet})
    assert holds(condition, {"car": met})


@pytest.mark.parametrize(
    ("asked", "version", "expected"),
    [
        ({"$veq": "4.2.0"}, "4-2-0", True),
        ({"$veq": "4.2.0"}, "4.2", False),
        ({"$vgt": "4.2.0"}, "4.2.0.1", False),
        ({"$vgt": "4.2.0-rc.2"}, "4.2.0-rc.10", True),
        ({"$vgt": "4.2.0"}, "nightly", True),
        ({"$vlt": "4.2.100000"}, "4.2.99999", False),
        ({"$vlte": 4.2}, 4.10, True),
        ({"$vlt": "0.0.1"}, None, True),
        ({"$vne": "1.0.0"}, None, True),
        ({"$vgte": "0"}, True, True),
        ({"$vgte": "0.0.1"}, {}, False),
    ],
)
def test_versions_are_compared_as_padded_text(asked: Any, version: Any, expected: bool) -> None:
    assert holds({"app": asked}, {"app": version}) == expected


@pytest.mark.parametrize(
    ("condition", "attributes", "expected"),
    [
        ({"$savedGroup": {"id": "crew"}}, {"badge": ["bob", 7]}, True),
        ({"$savedGroup": {"id": "crew", "attributeKey": "spare"}}, {"badge": "ada", "spare": "eve"}, False),
        ({"$savedGroup": {"id": "crew", "attributeKey": 5}}, {"badge": "ada"}, False),
        ({"$savedGroup": {"id": "cold"}}, {"region": "no", "degrees": -4}, True),
        ({"$savedGroup": {"id": "cold"}}, {"region": "no", "degrees": 4}, False),
        ({"$savedGroup": {"id": "ring"}}, {"in": True}, True),
        ({"$savedGroup": {"id": "ring"}}, {}, False),
        ({"$not": {"$savedGroup": {"id": "nowhere"}}}, {}, True),
        ({"$not": {"$savedGroup": {"id": "later"}}}, {}, False),
        ({"$savedGroup": {"id": "bare"}}, {"badge": "ada"}, False),
        ({"$savedGroup": "crew"}, {"badge": "ada"}, False),
        ({"$savedGroups": ["crew"]}, {"badge": "ada"}, False),
        ({"a": {"$inGroup": "crew"}}, {"a": "ada"}, True),
        ({"a": {"$notInGroup": "north"}}, {"a": "x"}, False),
        ({"a": {"$notInGroup": "broken"}}, {"a": "x"}, False),
        ({"a": {"$not": {"$inGroup": "later"}}}, {"a": "x"}, False),
        ({"a": {"$notInGroup": "nowhere"}}, {"a": "x"}, True),
    ],
)
def test_saved_groups(condition: Any, attributes: Any, expected: bool) -> None:
    assert holds(condition, attributes) == expected


def test_an_unknown_operator_holds_for_nobody_negated_or_not() -> None:
    for asked in ({"$near": 1}, {"$not": {"$near": 1}}):
        assert not holds({"a": asked}, {"a": 1})
    assert not holds({"$nor": [{"a": {"$near": 1}}]}, {"a": 1})
    assert holds({"$or": [{"a": {"$near": 1}}, {"a": 1}]}, {"a": 1})
    assert holds({"$not": {"a": {"$near": 1, "$gt": 5}}}, {"a": 1})


@pytest.mark.parametrize(("coverage", "expected"), [(0.141, "in"), (0.1409, "out"), (0, "out"), (1, "in")])
def test_whoever_is_exactly_at_the_coverage_is_in(coverage: float, expected: str) -> None:
    """`kiwi` with seed `fruit` is bucket 141 of 1,000."""
    rule = {"force": "in", "coverage": coverage, "seed": "fruit"}
    assert value([rule], {"id": "kiwi"}) == expected


def test_fallback_attributes_are_for_sticky_buckets() -> None:
    rule = {"force": "in", "coverage": 1, "hashAttribute": "mail", "fallbackAttribute": "device"}
    assert value([rule], {"device": "d"}) == "out"
    assert value([{**rule, "hashAttribute": "device"}], {"device": "d"}) == "in"


@pytest.mark.parametrize("identifier", [1.5, 3, 3.0, "x", 1.5e-7])
def test_numbers_are_hashed_as_javascript_writes_them(identifier: Any) -> None:
    text = {1.5: "1.5", 3: "3", "x": "x", 1.5e-7: "1.5e-7"}[identifier]
    rules = [{"force": "in", "hashVersion": 2, "range": [low / 10, (low + 1) / 10]} for low in range(10)]
    found = [value([rule], {"id": identifier}) for rule in rules]
    assert found == [value([rule], {"id": text}) for rule in rules]
    assert found.count("in") == 1


@pytest.mark.parametrize("identifier", [True, False, 0, "", None, ["a"], {}])
def test_what_identifies_nobody(identifier: Any) -> None:
    assert value([{"force": "in", "coverage": 1}], {"id": identifier}) == "out"


def test_a_hash_attribute_is_a_name_and_no_path() -> None:
    rule = {"force": "in", "coverage": 1, "hashAttribute": "a.b"}
    assert value([rule], {"a.b": "x"}) == "in"
    assert value([rule], {"a": {"b": "x"}}) == "out"


def test_where_ranges_overlap_the_first_has_it() -> None:
    rule = {"variations": ["a", "b", "c"], "ranges": [[0.2, 0.4], [0.1, 0.6], [0, 1]]}
    flag = growthbook.read({"features": {"f": {"defaultValue": "d", "rules": [rule]}}}).flags[0]
    ranges = flag.targeting.rules[0].serve.model_dump()["split"]["ranges"]
    assert [(each["variant"], each["start"], each["end"]) for each in ranges] == [
        ("a", 200, 400),
        ("b", 100, 200),
        ("b", 400, 600),
        ("c", 0, 100),
        ("c", 600, 1000),
    ]


BANDIT = {"contextualVariations": ["tea", "milk"], "contextualBanditRef": "drinks", "weights": [0, 1]}


@pytest.mark.parametrize(
    ("leaves", "attributes", "expected"),
    [
        ([{"condition": {"sun": True}, "weights": [1, 0]}], {"sun": True}, "tea"),
        ([{"condition": {"sun": True}, "weights": [1, 0]}], {}, "milk"),
        ([{"condition": {"sun": True}, "weights": [1]}, {"weights": [1, 0]}], {"sun": True}, "milk"),
        ([{"condition": {"sun": True}, "weights": [0, 1]}, {"weights": [1, 0]}], {"sun": True}, "milk"),
        ([], {}, "milk"),
    ],
)
def test_a_bandit_has_the_weights_of_its_first_leaf(leaves: Any, attributes: Any, expected: str) -> None:
    bandits = {"drinks": {"contexts": leaves}}
    assert value([BANDIT], {"id": "u", **attributes}, contextualBandits=bandits) == expected


def test_a_leaf_that_leaves_somebody_out_hands_them_to_no_other_leaf() -> None:
    leaves = [{"condition": {"sun": True}, "weights": [1, 0]}, {"weights": [0, 1]}]
    rule = {**BANDIT, "coverage": 0.000001}
    bandits = {"drinks": {"contexts": leaves}}
    assert value([rule], {"id": "u", "sun": True}, contextualBandits=bandits) == "out"


def test_a_feature_without_any_value() -> None:
    imported = growthbook.read({"features": {"f": {}, "g": {"rules": [{"force": None}]}}})
    assert imported.refused == []
    assert [evaluate(imported.ruleset(), key, {}).variant for key in "fg"] == [None, None]


def test_a_forced_null_is_the_code_default() -> None:
    assert value([{"force": None, "condition": {"a": 1}}, {"force": "in"}], {"a": 1}) is None


def test_prerequisites_that_ask_for_each_other_serve_no_value() -> None:
    def asking(key: str) -> Any:
        parent = {"id": key, "condition": {"value": True}, "gate": True}
        return {"defaultValue": True, "rules": [{"parentConditions": [parent]}]}

    imported = growthbook.read({"features": {"f": asking("g"), "g": asking("f")}})
    assert evaluate(imported.ruleset(), "f", {}).value is None
