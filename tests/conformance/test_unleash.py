"""Unleash's own published cases (its client specification), where they are at hand."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from commands.importers.unleash import context_of, read
from commands.importers.unleash_document import state_of
from domain.evaluation import Evaluation, evaluate
from domain.ruleset import Ruleset

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "unleash"
SPECIFICATIONS = sorted(FOLDER.glob("[0-9]*.json"))
MISSING = pytest.param("", 0, marks=pytest.mark.skip(reason=f"Unleash's published cases are not in {FOLDER}"))
SERVED = {"STATIC", "TARGETING_MATCH", "SPLIT"}


@cache
def specification(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return document


@cache
def ruleset(name: str) -> Ruleset:
    imported = read(specification(name)["state"])
    assert imported.refused == []
    compiled = imported.ruleset()
    assert compiled.broken == {}
    return compiled


def cases(kind: str) -> Iterator[Any]:
    for path in SPECIFICATIONS:
        found = specification(path.name).get(kind, [])
        yield from (
            pytest.param(path.name, number, id=f"{path.stem}-{number}") for number in range(len(found))
        )


def answer(name: str, case: dict[str, Any], key: str) -> Evaluation:
    return evaluate(ruleset(name), key, context_of(case["context"]))


def expected_reasons(name: str, feature: str, enabled: bool) -> set[str]:
    found = state_of(specification(name)["state"]).features.get(feature)
    if found is None:
        return {"ERROR"}
    if not found["enabled"]:
        return {"DISABLED"}
    unmet_by_rule = {"TARGETING_MATCH"} if found.get("dependencies") else set()
    return SERVED if enabled else {"DEFAULT"} | unmet_by_rule


@pytest.mark.parametrize(("name", "number"), list(cases("tests")) or [MISSING])
def test_a_feature_is_enabled_for_whom_unleash_says(name: str, number: int) -> None:
    case = specification(name)["tests"][number]
    given = answer(name, case, case["toggleName"])
    expected: bool = case["expectedResult"]
    assert given.value is expected or (given.error_code == "FLAG_NOT_FOUND" and not expected), case
    assert (given.variant in {"disabled", None}) is not expected, case
    assert given.reason in expected_reasons(name, case["toggleName"], expected), case


@pytest.mark.parametrize(("name", "number"), list(cases("variantTests")) or [MISSING])
def test_a_feature_has_the_variant_and_payload_that_unleash_says(name: str, number: int) -> None:
    case = specification(name)["variantTests"][number]
    feature, expected = case["toggleName"], case["expectedResult"]
    given, payload = answer(name, case, feature), answer(name, case, f"{feature}.payload")
    assert (given.value is True) is expected["feature_enabled"], case
    own_name = "enabled" if expected["feature_enabled"] else "disabled"
    assert given.variant in ({expected["name"]} if expected["enabled"] else {own_name, None}), case
    assert payload.value == expected.get("payload"), case
    assert given.reason in expected_reasons(name, feature, expected["feature_enabled"]), case


@pytest.mark.skipif(not SPECIFICATIONS, reason=f"Unleash's published cases are not in {FOLDER}")
def test_every_published_case_is_run() -> None:
    assert len(list(cases("tests"))) == 227
    assert len(list(cases("variantTests"))) == 52
