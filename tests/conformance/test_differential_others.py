"""The same questions put to us and to flagd's, Flagsmith's and GrowthBook's own engines.

Only what all of a vendor's engines agree on is asked; docs/importing.md says where they do not. flagd's
percentages are left out, since its engine for Python counts them with its third hash.
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

from commands.importers import flagd, flagsmith, growthbook
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
            {"$inGroup": "group"},
        ]
    )


def gb_condition(chance: Chances, depth: int = 2) -> dict[str, Any]:
    kind = chance.choice(["test", "test", "$or", "$and", "$nor", "$not"]) if depth else "test"
    if kind == "test":
        return {chance.choice(["a", "b.c", "n"]): gb_test(chance)}
    if kind == "$not":
        return {kind: gb_condition(chance, depth - 1)}
    return {kind: [gb_condition(chance, depth - 1) for _ in range(chance.randint(0, 2))]}


def gb_rule(chance: Chances) -> dict[str, Any]:
    rule: dict[str, Any] = {"hashVersion": chance.choice([1, 2])}
    if chance.random() < 0.5:
        rule["condition"] = gb_condition(chance)
    if chance.random() < 0.6:
        rule["coverage"] = chance.choice([0, 0.1, 0.333, 0.5, 1])
    if chance.random() < 0.3:
        rule["seed"] = chance.choice(["s", "t"])
    if chance.random() < 0.5:
        return {**rule, "force": chance.choice(["forced", "other"])}
    weights = chance.choice([[0.5, 0.5], [0.1, 0.9], [1 / 3, 2 / 3]])
    return {**rule, "variations": ["A", "B"], "weights": weights}


@pytest.mark.parametrize("seed", SEEDS)
def test_growthbooks_own_sdk_answers_the_same(seed: int) -> None:
    chance = chances(seed)
    for _ in range(DOCUMENTS):
        rules = [gb_rule(chance) for _ in range(chance.randint(0, 3))]
        features: dict[str, Any] = {"f": {"defaultValue": "d", "rules": rules}}
        groups: dict[str, Any] = {"group": ["x", 5]}
        document = {"features": features, "savedGroups": groups}
        imported = growthbook.read(document)
        assert imported.refused == []
        ruleset = imported.ruleset()
        for _ in range(CONTEXTS):
            attributes: dict[str, Any] = {"id": f"u{chance.randrange(1_000)}", "b": {"c": gb_value(chance)}}
            attributes |= {name: gb_value(chance) for name in "an" if chance.random() < 0.7}
            theirs = GrowthBook(attributes=attributes, features=features, savedGroups=groups)
            ours = evaluate(ruleset, "f", growthbook.context_of({"attributes": attributes}))
            assert ours.value == theirs.eval_feature("f").value, (rules, attributes, ours)


# Flagsmith


def fs_condition(chance: Chances) -> dict[str, Any]:
    operator, values = chance.choice(
        [
            ("EQUAL", ["5", "abc", "true"]),
            ("NOT_EQUAL", ["5", "abc", "true"]),
            ("CONTAINS", ["a", "by"]),
            ("NOT_CONTAINS", ["a", "by"]),
            ("IN", ["abc,5", "x,y"]),
            ("REGEX", ["a.*", "x"]),
            ("IS_SET", [""]),
            ("IS_NOT_SET", [""]),
            ("PERCENTAGE_SPLIT", ["10", "50", "99.9", "0.1"]),
        ]
    )
    asked = "" if operator == "PERCENTAGE_SPLIT" else chance.choice(["a", "b", "$.identity.identifier"])
    return {"operator": operator, "property": asked, "value": chance.choice(values)}


def fs_rule(chance: Chances, depth: int = 1) -> dict[str, Any]:
    return {
        "type": chance.choice(["ALL", "ANY", "NONE"]),
        "conditions": [fs_condition(chance) for _ in range(chance.randint(1, 2))],
        "rules": [fs_rule(chance, depth - 1) for _ in range(chance.randint(0, 2))] if depth else [],
    }


def fs_feature(chance: Chances, priority: int | None = None) -> dict[str, Any]:
    feature: dict[str, Any] = {
        "key": str(chance.randint(1, 999)),
        "name": "f",
        "enabled": chance.random() < 0.5,
        "value": chance.choice(["v", 1, None]),
    }
    if chance.random() < 0.5:
        options = [
            {"value": f"o{n}", "weight": chance.choice([10, 33.3, 25]), "priority": n} for n in range(3)
        ]
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
                "rules": [fs_rule(chance)],
                "overrides": [fs_feature(chance, priority=n)],
            }
            for n in range(2)
        }
        features = {"f": fs_feature(chance)}
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
            traits = {
                key: chance.choice(["abc", "5", 5, True, "xaby"]) for key in "ab" if chance.random() < 0.7
            }
            context = {**document, "identity": {"identifier": name, "key": f"env_{name}", "traits": traits}}
            theirs = get_evaluation_result(context)["flags"]["f"]  # type: ignore[arg-type]
            ours = evaluate(ruleset, "f", flagsmith.context_of(context))
            wanted = {"enabled": theirs["enabled"], "value": theirs["value"]}
            assert ours.value == wanted, (json.dumps(document), traits, ours)


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


def flagd_outcome(chance: Chances, depth: int = 3) -> Any:
    if not depth or (depth < 3 and chance.random() < 0.3):
        return chance.choice(["red", "green", "blue", None])
    return {
        "if": [flagd_condition(chance), flagd_outcome(chance, depth - 1), flagd_outcome(chance, depth - 1)]
    }


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
        imported = flagd.read(document)
        assert imported.refused == []
        ruleset = imported.ruleset()
        for _ in range(CONTEXTS):
            context: dict[str, Any] = {name: chance.choice(WORDS) for name in "ab"}
            context |= {"u": {"n": chance.choice(WORDS)}, "number": chance.choice([0, 2, 5, 7.5])}
            context["version"] = chance.choice(["1.2.0", "1.3.1", "2.0.0-beta", "0.9.0"])
            theirs = engine.resolve_integer_value("f", -1, EvaluationContext("u1", context))
            ours = evaluate(ruleset, "f", flagd.context_of({"targetingKey": "u1", **context}))
            assert (ours.value, ours.variant) == (theirs.value, theirs.variant), (flag, context, ours)
