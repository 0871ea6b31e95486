"""GrowthBook's SDKs, by the kinds of case they share."""

from typing import Any

import pytest

from commands.importers import growthbook
from domain.evaluation import Evaluation, evaluate


def answer(rules: list[Any], attributes: Any, default: Any = "default", **others: Any) -> Evaluation:
    features = {"feature": {"defaultValue": default, "rules": rules}, **others}
    imported = growthbook.read({"features": features, "savedGroups": {"group": ["a", 5]}})
    assert not imported.refused
    return evaluate(imported.ruleset(), "feature", growthbook.context_of({"attributes": attributes}))


@pytest.mark.parametrize(
    ("condition", "attributes", "holds"),
    [
        ({}, {}, True),
        ({"$or": []}, {}, True),
        ({"$and": []}, {}, True),
        ({"$not": {"name": "hello"}}, {"name": "world"}, True),
        ({"$nor": [{"a": 1}, {"b": 2}]}, {"a": 2, "b": 2}, False),
        ({"father.age": {"$gt": 65}}, {"father": {"age": 70}}, True),
        ({"pets.dog.name": {"$exists": False}}, {"hello": "world"}, True),
        ({"num": {"$in": 1}}, {"num": 1}, False),
        ({"num": {"$nin": 1}}, {"num": 1}, False),
        ({"tags": {"$in": ["a", "b"]}}, {"tags": ["d", "a"]}, True),
        ({"tags": {"$nin": ["a", "b"]}}, {"tags": []}, True),
        ({"nums": {"$elemMatch": {"$gt": 10}}}, {"nums": [0, 15]}, True),
        (
            {"hobbies": {"$elemMatch": {"name": {"$regex": "^ping"}}}},
            {"hobbies": [{"name": "pingpong"}]},
            True,
        ),
        ({"age": {"$gt": -10, "$lt": 10, "$gte": -9, "$lte": 9, "$ne": 10}}, {}, True),
        ({"n": {"$gt": 5, "$lt": 10}}, {"n": "8"}, True),
        ({"n": {"$gt": "5", "$lt": "10"}}, {"n": 8}, True),
        ({"country": {"$ne": "de"}}, {"country": None}, True),
        ({"name": {"$notRegexi": "ABC"}}, {}, True),
        ({"agent": {"$regexi": "(mobile|tablet)"}}, {"agent": "Android Mobile"}, True),
        ({"name": {"$regex": "/???***[)"}}, {"name": "hello"}, False),
        ({"name": {"$regx": "hello"}}, {"name": "hello"}, False),
        ({"tags": {"$ini": ["A"]}}, {"tags": ["d", "a"]}, True),
        ({"tags": {"$alli": ["A", "B"]}}, {"tags": ["a", "c"]}, False),
        ({"tags": {"$all": ["one", "three"]}}, {"tags": ["one", "two", "three"]}, True),
        ({"word": {"$gt": "alphabet", "$lt": "zebra"}}, {"word": "always"}, True),
        ({"word": {"$gt": "alphabet", "$lt": "zebra"}}, {"word": "alphabet"}, False),
        ({"word": {"$gt": "alphabet", "$lt": "zebra"}}, {"word": "AZL"}, False),
        ({"tags": {"$size": 0}}, {"tags": []}, True),
        ({"tags": {"$size": 3}}, {"tags": "abc"}, False),
        ({"tags": {"$size": {"$gt": 2}}}, {"tags": [0, 1, 2]}, True),
        ({"tags": {"$size": {"$gt": 2}}}, {"tags": [0, 1]}, False),
        ({"a": {"$type": "boolean"}}, {"a": 1}, False),
        ({"a": {"$type": "array"}}, {"a": [1]}, True),
        ({"a": {"$type": "object"}}, {"a": {"b": 1}}, True),
        ({"tags": ["hello", "world"]}, {"tags": ["hello", "world"]}, True),
        ({"tags": ["hello", "world"]}, {"tags": ["hello", "world", "foo"]}, False),
        ({"userId": None}, {}, True),
        ({"userId": None}, {"userId": ""}, False),
        ({"v": {"$vgt": "9.99.8", "$vlt": "11.0.1"}}, {"v": "10.12.13"}, True),
        ({"v": {"$vlt": "1.0.0"}}, {"v": "1.0.0-beta"}, True),
        ({"v": {"$veq": "v1.0.0"}}, {"v": "1.0.0+build"}, True),
        ({"v": {"$veq": "3.1.4-1"}}, {"v": "3.1.4.1"}, True),
        ({"v": {"$vgt": "3.1.4"}}, {"v": "x.y.z"}, True),
        ({"box": {"size": "big"}}, {"box": {"size": "big"}}, True),
        ({"box": {"size": "big"}}, {"box": {"size": "big", "lid": 1}}, False),
        ({"box": {"size": "big"}}, {"box": {}}, False),
        ({"seen": False}, {}, False),
        ({"seen": {"$eq": False}}, {}, False),
        ({"tags": {"$nin": ["a"]}}, {}, True),
        ({"who": {"$inGroup": "group"}}, {"who": "a"}, True),
        ({"who": {"$notInGroup": "none"}}, {"who": "a"}, True),
        ({"$groups": {"$elemMatch": {"$eq": "a"}}}, {"$groups": ["a"]}, True),
    ],
)
def test_conditions(condition: Any, attributes: Any, holds: bool) -> None:
    found = answer([{"condition": condition, "force": "in"}], attributes)
    assert found.value == ("in" if holds else "default")


@pytest.mark.parametrize(
    ("version", "seed", "value", "bucket"),
    [
        (1, "", "a", 220),
        (1, "", "b", 77),
        (1, "b", "a", 946),
        (1, "", "def", 652),
        (2, "", "a", 216),
        (2, "", "b", 9054),
        (2, "b", "ab", 4876),
    ],
)
def test_hashes(version: int, seed: str, value: str, bucket: int) -> None:
    """A range of the one bucket that the hash is known to give."""
    steps = 1000 if version == 1 else 10_000
    one = [bucket / steps, (bucket + 1) / steps]
    filtered = {"force": "in", "filters": [{"seed": seed, "hashVersion": version, "ranges": [one]}]}
    assert answer([filtered], {"id": value}).value == "in"


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ({"variations": [1, 2]}, [(1, 0, 500), (2, 500, 1000)]),
        ({"variations": [1, 2], "coverage": 0.5}, [(1, 0, 250), (2, 500, 750)]),
        ({"variations": [1, 2], "weights": [0.4, 0.6]}, [(1, 0, 400), (2, 400, 1000)]),
        ({"variations": [1, 2], "weights": [0.4, 0.3]}, [(1, 0, 500), (2, 500, 1000)]),
        ({"variations": [1, 2], "coverage": -0.2}, []),
        ({"variations": [1, 2], "coverage": 1.5}, [(1, 0, 500), (2, 500, 1000)]),
        ({"variations": [1, 2], "ranges": [[0, 0.1], [0.9, 1]]}, [(1, 0, 100), (2, 900, 1000)]),
        ({"variations": [1]}, []),
    ],
)
def test_bucket_ranges(rule: Any, shares: Any) -> None:
    imported = growthbook.read({"features": {"f": {"defaultValue": 0, "rules": [rule]}}})
    splits = [each.serve.model_dump()["split"]["ranges"] for each in imported.flags[0].targeting.rules]
    found = [(int(each["variant"]), each["start"], each["end"]) for ranges in splits for each in ranges]
    assert found == shares


@pytest.mark.parametrize(
    ("rules", "attributes", "value", "reason"),
    [
        ([], {}, "default", "STATIC"),
        ([{"force": "x", "coverage": 0.6}], {"id": "3"}, "x", "SPLIT"),
        ([{"force": "x", "coverage": 1}], {"id": ""}, "default", "DEFAULT"),
        ([{"force": "x", "coverage": 1}], {}, "default", "DEFAULT"),
        ([{"force": "x", "coverage": 1, "fallbackAttribute": "anon"}], {"anon": "z"}, "default", "DEFAULT"),
        ([{"force": "x", "condition": {"a": 1}}, {"force": "y"}], {}, "y", "TARGETING_MATCH"),
        ([{"variations": ["a", "b"], "hashVersion": 3}, {"force": "y"}], {"id": "1"}, "y", "TARGETING_MATCH"),
        (
            [
                {"variations": ["a", "a2"], "meta": [{"passthrough": True}, {"passthrough": True}]},
                {"force": "y"},
            ],
            {"id": "1"},
            "y",
            "TARGETING_MATCH",
        ),
    ],
)
def test_rules(rules: Any, attributes: Any, value: Any, reason: str) -> None:
    found = answer(rules, attributes)
    assert (found.value, found.reason) == (value, reason)


@pytest.mark.parametrize(
    ("gate", "country", "value"),
    [(True, "us", "on"), (True, "de", None), (False, "us", "on"), (False, "de", "default")],
)
def test_prerequisites(gate: bool, country: str, value: Any) -> None:
    parent = {"defaultValue": False, "rules": [{"condition": {"country": "us"}, "force": True}]}
    rule = {"parentConditions": [{"id": "parent", "condition": {"value": True}, "gate": gate}], "force": "on"}
    assert answer([rule], {"country": country}, parent=parent).value == value
