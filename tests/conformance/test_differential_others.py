"""The same questions put to us and to flagd's, Flagsmith's and GrowthBook's own engines.

Only what all of a vendor's engines agree on is asked; docs/importing.md says where they do not. flagd's
engine for Python counts percentages with its third hash.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flag_engine.engine import get_evaluation_result
from growthbook import GrowthBook
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from commands.importers import flagd3, flagsmith, growthbook
from domain.evaluation import evaluate
from tests.conformance.test_differential import SEEDS, Chances, chances

DOCUMENTS, CONTEXTS = 25, 20
WORDS = ["x", "y", "abc", "xaby"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


# GrowthBook


def gb_value(chance: Chances) -> Any:
    return chance.choice([*WORDS, 5, True])


def gb_test(chance: Chances) -> Any:
    return chance.choice(
        [
            gb_value(chance),
            {"$eq": gb_value(chance)},
            {"$ne": gb_value(chance)},
            {"$in": [gb_value(chance), gb_value(chance)]},
            {"$nin": [gb_value(chance), gb_value(chance)]},
            {"$exists": chance.random() < 0.5},
            {"$not": {"$eq": gb_value(chance)}},
            {"$inGroup": chance.choice(["group", "typed", "future", "none"])},
            {"$notInGroup": chance.choice(["group", "typed", "future", "none"])},
            {"$type": chance.choice(["string", "number", "boolean", "array", "object", "null"])},
            {"$size": chance.choice([0, 1, {"$gt": 1}, {"$in": [0, 2]}])},
            {"$elemMatch": chance.choice([{"$eq": "x"}, {"$ne": "x"}, {"c": "x"}, {"$type": "object"}])},
            {"$all": [chance.choice(["x", 5, {"c": "x"}])]},
            {"$alli": ["X"]},
            {"$unheard-of": 1},
            {"$not": {"$unheard-of": 1}},
            gb_whole(chance),
        ]
    )


def gb_version(chance: Chances) -> str:
    return str(chance.choice(["1.2.3", "v1.2.3-rc.1", "1.2", "1-2-3-4", "1.2.100000", "x", "0"]))


def gb_whole(chance: Chances) -> Any:
    return chance.choice([{}, [], ["x"], ["x", 5], {"c": "x"}, {"c": 5, "d": [1]}, {"d": [1], "c": 5}])


def gb_condition(chance: Chances, depth: int = 2) -> dict[str, Any]:
    groups = ["$or", "$and", "$nor", "$not"] if depth else []
    kind = chance.choice(["test", "test", "test", "version", "$savedGroup", *groups])
    if kind == "test":
        return {chance.choice(["a", "b.c", "b", "n", "t", "t.length", "t.0"]): gb_test(chance)}
    if kind == "version":
        return {"app": {chance.choice(["$veq", "$vne", "$vlt", "$vlte", "$vgt"]): gb_version(chance)}}
    if kind == "$savedGroup":
        return {kind: {"id": chance.choice(["group", "typed", "asking", "circle", "future", "none"])}}
    if kind == "$not":
        return {kind: gb_condition(chance, depth - 1)}
    return {kind: [gb_condition(chance, depth - 1) for _ in range(chance.randint(0, 2))]}


def gb_rule(chance: Chances) -> dict[str, Any]:
    rule: dict[str, Any] = {"hashVersion": chance.choice([1, 2]), "hashAttribute": chance.choice(["id", "n"])}
    if chance.random() < 0.5:
        rule["condition"] = gb_condition(chance)
    if chance.random() < 0.6:
        rule["coverage"] = chance.choice([0, 0.10005, 0.33333, 0.50005, 1])
    if chance.random() < 0.3:
        rule["seed"] = chance.choice(["s", "t"])
    if chance.random() < 0.5:
        return {**rule, "force": chance.choice(["forced", "other"])}
    weights = chance.choice([[0.5, 0.5], [0.1, 0.9], [1 / 3, 2 / 3]])
    if chance.random() < 0.3:
        rule["ranges"] = chance.choice([[[0, 0.5], [0.3, 0.8]], [[0.5, 0.9], [0, 0.6]], [[0.2, 0.4], [0, 1]]])
    if chance.random() < 0.3:
        rule |= {"contextualVariations": ["A", "B"], "contextualBanditRef": "bandit"}
    return {"variations": ["A", "B"], "weights": weights, **rule}


GB_GROUPS: dict[str, Any] = {
    "group": ["x", 5],
    "typed": {"type": "list", "attributeKey": "t", "values": ["x", 5]},
    "asking": {"type": "condition", "condition": {"a": "x", "$savedGroup": {"id": "typed"}}},
    "circle": {"type": "condition", "condition": {"$or": [{"a": "y"}, {"$savedGroup": {"id": "circle"}}]}},
    "future": {"type": "of the future"},
}


def gb_bandits(chance: Chances) -> dict[str, Any]:
    leaves = [
        {"leafId": n, "condition": gb_condition(chance), "weights": chance.choice([[1, 0], [0.3, 0.7], [1]])}
        for n in range(chance.randint(0, 2))
    ]
    return {"bandit": {"contexts": leaves}}


def gb_attributes(chance: Chances) -> dict[str, Any]:
    attributes: dict[str, Any] = {"id": f"u{chance.randrange(1_000)}", "app": gb_version(chance)}
    attributes["b"] = chance.choice([{"c": gb_value(chance)}, {"c": 5, "d": [1]}, {}])
    attributes |= {name: gb_value(chance) for name in "an" if chance.random() < 0.7}
    if chance.random() < 0.3:
        attributes["n"] = chance.choice([gb_version(chance), 1.5, 0])
    if chance.random() < 0.7:
        attributes["t"] = chance.choice([[], ["x"], ["x", 5], [None], [{"c": "x"}], [["x"]], {}])
    return attributes


@pytest.mark.parametrize("seed", SEEDS)
def test_growthbooks_own_sdk_answers_the_same(seed: int) -> None:
    chance = chances(seed)
    for _ in range(DOCUMENTS):
        rules = [gb_rule(chance) for _ in range(chance.randint(0, 3))]
        features: dict[str, Any] = {"f": {"defaultValue": "d", "rules": rules}}
        bandits = gb_bandits(chance)
        document = {"features": features, "savedGroups": GB_GROUPS, "contextualBandits": bandits}
        imported = growthbook.read(document)
        assert imported.refused == []
        ruleset = imported.ruleset()
        for _ in range(CONTEXTS):
            attributes = gb_attributes(chance)
            theirs = GrowthBook(
                attributes=attributes, features=features, savedGroups=GB_GROUPS, contextualBandits=bandits
            )
            ours = evaluate(ruleset, "f", growthbook.context_of({"attributes": attributes}))
            assert ours.value == theirs.eval_feature("f").value, (rules, attributes, ours)


# Flagsmith


def fs_condition(chance: Chances) -> dict[str, Any]:
    operator, values = chance.choice(FS_OPERATORS)
    properties = ["a", "b", "$.identity.identifier", "$.identity.key", "$.environment.name", "$.nowhere"]
    if operator == "PERCENTAGE_SPLIT":
        properties = ["", "a", "$.identity.key", "$.environment.name"]
    elif operator == "REGEX":
        properties = ["a", "b", "$.environment.name"]
    return {"operator": operator, "property": chance.choice(properties), "value": chance.choice(values)}


FS_COMPARED: list[Any] = [
    "5",
    "5.0",
    "5.5",
    "-1",
    "abc",
    "true",
    "1.2.3",
    "1.2.3:semver",
    "odd:semver",
    "",
    5,
]
FS_TRAITS: list[Any] = [
    *["abc", "5", "5.0", "5.5", "+5", "1e3", "xaby", "1.2.3", "True", ""],
    *[5, 5.0, 5.5, -1, 7, True, False, ["x"]],
]
FS_OPERATORS: list[tuple[str, list[Any]]] = [
    *((name, FS_COMPARED) for name in ("EQUAL", "NOT_EQUAL", "CONTAINS", "NOT_CONTAINS")),
    *((f"{name}_THAN{more}", FS_COMPARED) for name in ("GREATER", "LESS") for more in ("", "_INCLUSIVE")),
    ("CONTAINS", ["a", "by", "env_u", "5"]),
    ("NOT_CONTAINS", ["a", "by", "5"]),
    ("IN", ["abc,5", ["x", "5"], '["True", "env_u7"]', "[abc,5", "Env"]),
    ("REGEX", ["a.*", "x", "[0-9]+$", "[Tt]rue", r"5\Z"]),
    ("MODULO", ["2|1", "2.5|0", "5|", "odd", "3|-1", ""]),
    ("IS_SET", [""]),
    ("IS_NOT_SET", [""]),
    ("PERCENTAGE_SPLIT", ["10", "50", "99.9", "0.1", "many"]),
]


def fs_dependency(chance: Chances) -> dict[str, Any]:
    part, values = chance.choice(
        [
            ("enabled", ["true", "false"]),
            ("value", ["v", "1", "o1"]),
            ("variant", ["control", "first", ""]),
            ("nothing", [""]),
        ]
    )
    operator = chance.choice(["EQUAL", "NOT_EQUAL", "IS_SET", "IS_NOT_SET", "IN"])
    flag = chance.choice(["$.flags.base", "$.flags['base']", "$.flags.nobody"])
    return {"operator": operator, "property": f"{flag}.{part}", "value": chance.choice(values)}


def fs_rule(chance: Chances, depth: int = 1, asks: bool = False) -> dict[str, Any]:
    return {
        "type": chance.choice(["ALL", "ANY", "NONE"]),
        "conditions": [
            fs_dependency(chance) if asks and chance.random() < 0.5 else fs_condition(chance)
            for _ in range(chance.randint(1, 2))
        ],
        "rules": [fs_rule(chance, depth - 1, asks) for _ in range(chance.randint(0, 2))] if depth else [],
    }


def fs_feature(chance: Chances, priority: int | None = None, name: str = "f") -> dict[str, Any]:
    feature: dict[str, Any] = {
        "key": str(chance.randint(1, 999)),
        "name": name,
        "enabled": chance.random() < 0.5,
        "value": chance.choice(["v", 1, None]),
    }
    if chance.random() < 0.5:
        options = [
            {"value": f"o{n}", "weight": chance.choice([10, 33.3, 25]), "priority": n} for n in range(3)
        ]
        options[0]["key"] = "first"
        feature["variants"] = options
    return feature if priority is None else {**feature, "priority": priority}


@pytest.mark.parametrize("seed", SEEDS)
def test_flagsmiths_own_engine_answers_the_same(seed: int) -> None:
    chance = chances(seed)
    for _ in range(DOCUMENTS):
        segments = {
            str(n): {
                "key": str(n),
                "name": f"s{n}",
                "rules": [fs_rule(chance, asks=n < 2)],
                "overrides": [fs_feature(chance, priority=n, name="f" if n < 2 else "base")],
            }
            for n in range(4)
        }
        features = {name: fs_feature(chance, name=name) for name in ("f", "base")}
        document: dict[str, Any] = {
            "environment": {"key": "env", "name": "Env"},
            "features": features,
            "segments": segments,
        }
        imported = flagsmith.read(document)
        assert imported.refused == []
        ruleset = imported.ruleset()
        for _ in range(CONTEXTS):
            name = f"u{chance.randrange(1_000)}"
            traits = {key: chance.choice(FS_TRAITS) for key in "ab" if chance.random() < 0.7}
            identity = {"identifier": name, "traits": traits}
            if chance.random() < 0.5:
                identity["key"] = f"key_{name}"
            context = {**document, "identity": identity} if chance.random() < 0.9 else document
            asked = {"identity": identity} if context is not document else {}
            for key, theirs in get_evaluation_result(context)["flags"].items():  # type: ignore[arg-type]
                ours = evaluate(ruleset, key, flagsmith.context_of(asked))
                wanted = {"enabled": theirs["enabled"], "value": theirs["value"]}
                assert json.dumps(ours.value) == json.dumps(wanted), (json.dumps(document), identity, ours)


# flagd


def flagd_condition(chance: Chances, depth: int = 2) -> Any:  # noqa: PLR0911 - one a kind
    attribute = {"var": chance.choice(["a", "b", "u.n"])}
    kind = chance.choice(["===", "!==", "in", "starts_with", "ends_with", "sem_ver", "<", "and", "or", "!"])
    if kind in {"and", "or"} and depth:
        return {kind: [flagd_condition(chance, depth - 1) for _ in range(2)]}
    if kind == "!" and depth:
        return {kind: [flagd_condition(chance, depth - 1)]}
    if kind == "<":
        return {kind: [{"var": "number"}, chance.choice([1, 5, 2.5])]}
    if kind == "sem_ver":
        operator = chance.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~"])
        return {kind: [{"var": "version"}, operator, chance.choice(["1.2.0", "2.0.0-beta", "v1.2.0"])]}
    if kind == "in":
        return {kind: [attribute, chance.sample(WORDS, 2)]}
    if kind in {"starts_with", "ends_with"}:
        return {kind: [attribute, chance.choice(["x", "a", "y"])]}
    return {"===" if kind != "!==" else kind: [attribute, chance.choice(WORDS)]}


def flagd_share(chance: Chances, depth: int) -> list[Any]:
    weight = chance.choice([0, 1, 25, 60, -5, {"if": [flagd_condition(chance, 0), 40, 0]}])
    outcome = flagd_outcome(chance, depth) if chance.random() < 0.3 else chance.choice(["red", "green", None])
    return [outcome] if chance.random() < 0.2 else [outcome, weight]


def flagd_fraction(chance: Chances, depth: int) -> Any:
    """By the targeting key, by an attribute of any type, or by a text joined of two parts."""
    by: list[Any] = chance.choice(
        [
            [],
            [{"var": chance.choice(["a", "any", "u", "missing"])}],
            [{"cat": [chance.choice(["seed-", {"var": "$flagd.flagKey"}]), {"var": chance.choice("ab")}]}],
            ["always the same"],
        ]
    )
    return {"fractional": [*by, *(flagd_share(chance, depth) for _ in range(chance.randint(1, 3)))]}


def flagd_outcome(chance: Chances, depth: int = 3) -> Any:
    if not depth or (depth < 3 and chance.random() < 0.3):
        return chance.choice(["red", "green", "blue", None])
    if chance.random() < 0.3:
        return flagd_fraction(chance, min(depth - 1, 1))
    asked = flagd_condition(chance) if chance.random() < 0.8 else flagd_fraction(chance, 0)
    return {"if": [asked, flagd_outcome(chance, depth - 1), flagd_outcome(chance, depth - 1)]}


ANYTHING: list[Any] = ["u", 5, 5.0, 2.5, True, False, 1e300, {"b": 1, "a": [None, "é"]}]


@pytest.mark.parametrize("seed", SEEDS)
def test_flagds_own_engine_answers_the_same(seed: int) -> None:
    chance = chances(seed)
    for _ in range(DOCUMENTS):
        flag = {
            "state": "ENABLED",
            "variants": {"red": 1, "green": 2, "blue": 3},
            "defaultVariant": "red",
            "targeting": flagd_outcome(chance),
        }
        document = {"flags": {"f": flag}}
        engine = FlagdCore()
        engine.set_flags(json.dumps(document))
        imported = flagd3.read(document)
        assert imported.refused == []
        ruleset = imported.ruleset()
        for _ in range(CONTEXTS):
            context: dict[str, Any] = {name: chance.choice(WORDS) for name in "ab"}
            context |= {"u": {"n": chance.choice(WORDS)}, "number": chance.choice([0, 2, 5, 7.5])}
            context["version"] = chance.choice(["1.2.0", "1.3.1", "2.0.0-beta", "0.9.0"])
            context["any"] = chance.choice(ANYTHING)
            user = f"u{chance.randrange(1_000)}"
            theirs = engine.resolve_integer_value("f", -1, EvaluationContext(user, context))
            ours = evaluate(ruleset, "f", flagd3.context_of({"targetingKey": user, **context}))
            assert (ours.value, ours.variant) == (theirs.value, theirs.variant), (flag, context, user, ours)
