"""The same questions put to us and to the vendors' own engines, about rules that nobody wrote."""

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ldclient
import pytest
from ldclient.config import Config
from ldclient.integrations import Files
from yggdrasil_engine.engine import UnleashEngine

from commands.importers import launchdarkly, unleash
from domain.evaluation import evaluate

SEEDS = range(8)
FLAGS, CONTEXTS = 40, 60

Chances = random.Random


def chances(seed: int) -> Chances:
    return random.Random(seed)  # noqa: S311 - the same rules at every run


TEXTS = ["BR", "PT", "pro", "free", "1.2.3", "2.0", "a@x.org", "", "10", "2026-11-22T00:00:00Z"]
VALUES: list[Any] = [*TEXTS, 0, 1, 10, 2.5, True, False]
ATTRIBUTES = ["country", "plan", "version", "age", "email", "when"]


def attributes(chance: Chances) -> dict[str, Any]:
    found = {name: chance.choice(VALUES) for name in ATTRIBUTES if chance.random() < 0.7}
    if chance.random() < 0.3:
        found["country"] = chance.sample(TEXTS, 2)
    return found


# LaunchDarkly

OPERATORS = ["in", "startsWith", "endsWith", "contains", "matches", "lessThan", "greaterThanOrEqual"]
OPERATORS += ["before", "after", "semVerEqual", "semVerLessThan", "semVerGreaterThan"]


def ld_clause(chance: Chances) -> dict[str, Any]:
    if chance.random() < 0.15:
        return {"attribute": "", "op": "segmentMatch", "values": ["s0", "s1"][: chance.randint(1, 2)]}
    return {
        "contextKind": chance.choice(["user", "user", "user", "org"]),
        "attribute": chance.choice([*ATTRIBUTES, "key"]),
        "op": chance.choice(OPERATORS),
        "values": [chance.choice([*VALUES, "u1", "u7"]) for _ in range(chance.randint(1, 3))],
        "negate": chance.random() < 0.3,
    }


def ld_serve(chance: Chances) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {"variation": chance.randrange(3)}
    first = chance.randint(0, 100_000)
    second = chance.randint(0, 100_000 - first)
    weights = [(0, first), (2, second), (1, 100_000 - first - second)]
    rollout: dict[str, Any] = {
        "variations": [{"variation": variation, "weight": weight} for variation, weight in weights]
    }
    if chance.random() < 0.3:
        rollout |= {"bucketBy": chance.choice(["country", "age", "key"]), "contextKind": "user"}
    if chance.random() < 0.3:
        rollout |= {"kind": "experiment", "seed": chance.randint(0, 99)}
    return {"rollout": rollout}


def ld_flag(chance: Chances, number: int) -> dict[str, Any]:
    rules = [
        {
            "id": f"r{n}",
            "clauses": [ld_clause(chance) for _ in range(chance.randint(1, 2))],
            **ld_serve(chance),
        }
        for n in range(chance.randint(0, 3))
    ]
    asked = [{"key": f"f{number - 1}", "variation": chance.randrange(3)}] if number % 4 == 3 else []
    return {
        "key": f"f{number}",
        "version": 1,
        "on": chance.random() < 0.85,
        "salt": f"salt{number}",
        "variations": ["a", "b", "c"],
        "offVariation": chance.choice([0, 1, None]),
        "fallthrough": ld_serve(chance),
        "targets": [{"variation": 1, "values": ["u3", "u4"]}] if chance.random() < 0.3 else [],
        "prerequisites": asked,
        "rules": rules,
    }


def ld_document(chance: Chances) -> dict[str, Any]:
    segments = {
        f"s{n}": {
            "key": f"s{n}",
            "version": 1,
            "salt": f"segment{n}",
            "included": ["u1", "u2"],
            "excluded": ["u2", "u5"],
            "rules": [{"clauses": [ld_clause(chance)], "weight": chance.choice([None, 30_000])}] if n else [],
        }
        for n in range(2)
    }
    return {"flags": {f"f{n}": ld_flag(chance, n) for n in range(FLAGS)}, "segments": segments}


def ld_context(chance: Chances) -> dict[str, Any]:
    user = {"key": f"u{chance.randrange(12)}", **attributes(chance)}
    if chance.random() < 0.7:
        return {"kind": "user", **user}
    return {"kind": "multi", "user": user, "org": {"key": "o1", **attributes(chance)}}


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_launchdarklys_own_sdk_answers_the_same(seed: int, tmp_path: Path) -> None:
    chance = chances(seed)
    document = ld_document(chance)
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(document))
    imported = launchdarkly.read(document)
    assert imported.refused == []
    rules = imported.ruleset()
    source = Files.new_data_source(paths=[str(file)])
    config = Config("sdk-key", update_processor_class=source, send_events=False, diagnostic_opt_out=True)
    with ldclient.LDClient(config, start_wait=10) as client:
        for _ in range(CONTEXTS):
            context = ld_context(chance)
            theirs_about = ldclient.Context.from_dict(context)
            for key in document["flags"]:
                theirs = client.variation_detail(key, theirs_about, "default")
                ours = evaluate(rules, key, launchdarkly.context_of(context))
                served = "default" if ours.variant is None else ours.value
                assert served == theirs.value, (document["flags"][key], context, theirs.reason, ours)


# Unleash

LISTED = ["IN", "NOT_IN", "STR_STARTS_WITH", "STR_ENDS_WITH", "STR_CONTAINS"]
# Values that mean something to the operator: about the others Unleash's own clients differ.
SINGLE = {
    "NUM_EQ": ["10", "2.5"],
    "NUM_GT": ["1", "9.5"],
    "NUM_LTE": ["10"],
    "DATE_AFTER": ["2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"],
    "DATE_BEFORE": ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"],
    "SEMVER_EQ": ["1.2.3"],
    "SEMVER_GT": ["1.2.2"],
    "SEMVER_LT": ["2.0.0"],
}


def unleash_constraint(chance: Chances) -> dict[str, Any]:
    operator = chance.choice([*LISTED, *SINGLE])
    found: dict[str, Any] = {
        "contextName": chance.choice([*ATTRIBUTES, "userId", "appName"]),
        "operator": operator,
        "inverted": chance.random() < 0.3,
        "caseInsensitive": chance.random() < 0.3,
    }
    if operator in SINGLE:
        return {**found, "value": chance.choice(SINGLE[operator])}
    return {**found, "values": chance.sample(TEXTS, chance.randint(1, 3))}


def unleash_strategy(chance: Chances) -> dict[str, Any]:
    constraints = [unleash_constraint(chance) for _ in range(chance.randint(0, 2))]
    if chance.random() < 0.4:
        return {"name": "default", "constraints": constraints}
    stickiness = chance.choice(["userId", "sessionId", "country"])
    rollout, group = str(chance.randint(0, 100)), f"g{chance.randint(0, 3)}"
    parameters = {"rollout": rollout, "stickiness": stickiness, "groupId": group}
    return {"name": "flexibleRollout", "constraints": constraints, "parameters": parameters}


def unleash_feature(chance: Chances, number: int) -> dict[str, Any]:
    weights = [chance.randint(0, 1_000) for _ in range(chance.choice([0, 2, 3]))]
    return {
        "name": f"f{number}",
        "enabled": chance.random() < 0.85,
        "strategies": [unleash_strategy(chance) for _ in range(chance.randint(0, 3))],
        "variants": [
            {"name": f"v{n}", "weight": weight, "stickiness": "userId"}
            for n, weight in enumerate(weights)
            if sum(weights)
        ],
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_unleashs_own_engine_answers_the_same(seed: int) -> None:
    chance = chances(seed)
    features = [unleash_feature(chance, number) for number in range(FLAGS)]
    document = {"version": 2, "features": features}
    engine = UnleashEngine()
    engine.take_state(json.dumps(document))
    imported = unleash.read(document)
    assert imported.refused == []
    rules = imported.ruleset()
    for _ in range(CONTEXTS):
        properties = {name: chance.choice(TEXTS) for name in ATTRIBUTES if chance.random() < 0.7}
        context: dict[str, Any] = {"userId": f"u{chance.randrange(500)}", "properties": properties}
        if chance.random() < 0.5:
            context["sessionId"] = f"s{chance.randrange(500)}"
        for feature in features:
            key = feature["name"]
            ours = evaluate(rules, key, unleash.context_of(context))
            told = (feature, context, ours)
            assert ours.value is engine.check_enabled(key, context).is_enabled, told
            if feature["variants"] and ours.value:
                assert ours.variant == engine.check_variant(key, context).variant.name, told
