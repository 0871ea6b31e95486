"""LaunchDarkly's own published cases: value, variation and reason, from its SDK test harness."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

from commands.importers.launchdarkly import context_of, read
from domain.evaluation import Evaluation, evaluate

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance" / "launchdarkly"
CASES_PUBLISHED = 728
PLACEHOLDER = re.compile(r"<([A-Z0-9_]+)>")
ERROR_CODES = {"MALFORMED_FLAG": "PARSE_ERROR", "FLAG_NOT_FOUND": "FLAG_NOT_FOUND"}
TYPES: Mapping[str, type] = {"bool": bool, "int": int, "string": str}
WRONG_TYPE = {"kind": "ERROR", "errorKind": "WRONG_TYPE"}


class _Yaml(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """In which only true and false are booleans: `on` is a key."""


_Yaml.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


class Case(NamedTuple):
    name: str
    data: Mapping[str, Any]
    evaluation: Mapping[str, Any]


def _expanded(part: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        return {_expanded(key, names): _expanded(value, names) for key, value in part.items()}
    if isinstance(part, list):
        return [_expanded(each, names) for each in part]
    if not isinstance(part, str):
        return part
    whole = PLACEHOLDER.fullmatch(part)
    if whole and whole[1] in names:
        return _expanded(names[whole[1]], names)
    return PLACEHOLDER.sub(lambda found: str(names.get(found[1], found[0])), part)


def _permutations(parameters: list[Any]) -> Iterator[Mapping[str, Any]]:
    if parameters and isinstance(parameters[0], list):
        for chosen in itertools.product(*parameters):
            yield {name: value for each in chosen for name, value in each.items()}
    else:
        yield from parameters or [{}]


def _cases() -> Iterator[Case]:
    for file in sorted(FOLDER.glob("*.yml")):
        document = yaml.load(file.read_text(), Loader=_Yaml)  # noqa: S506 - a SafeLoader, with fewer booleans
        for number, parameters in enumerate(_permutations(document.get("parameters", []))):
            copy = _expanded(document, {**document.get("constants", {}), **parameters})
            for place, each in enumerate(copy["evaluations"]):
                name = each.get("name") or each["flagKey"]
                yield Case(f"{file.stem}-{number}-{place}-{name}", copy["sdkData"], each)


CASES = list(_cases())


def _evaluated(case: Case) -> Evaluation:
    context = case.evaluation.get("context") or case.evaluation["user"]
    return evaluate(read(case.data).ruleset(), case.evaluation["flagKey"], context_of(context))


def _shown(result: Evaluation, case: Case) -> Any:
    """What a caller gets who asked with a default."""
    return case.evaluation.get("default", False) if result.variant is None else result.value


def _reason(case: Case) -> dict[str, Any]:
    """Ours for the one that is published."""
    reason, flag = case.evaluation["expect"]["reason"], case.data["flags"].get(case.evaluation["flagKey"], {})
    match reason["kind"]:
        case "OFF":
            return {"reason": "DISABLED"}
        case "FALLTHROUGH":
            others = any(flag.get(each) for each in ("rules", "targets", "contextTargets", "prerequisites"))
            split = "rollout" in flag["fallthrough"]
            return {"reason": "SPLIT" if split else "DEFAULT" if others else "STATIC", "why": "default"}
        case "TARGET_MATCH":
            return {"reason": "TARGETING_MATCH", "why": "target"}
        case "RULE_MATCH":
            split = "rollout" in flag["rules"][reason["ruleIndex"]]
            return {"reason": "SPLIT" if split else "TARGETING_MATCH", "rule_id": reason["ruleId"]}
        case "PREREQUISITE_FAILED":
            return {"reason": "DEFAULT", "why": f"prerequisite:{reason['prerequisiteKey']}"}
        case _:
            return {"reason": "ERROR", "error_code": ERROR_CODES[reason["errorKind"]]}


def test_the_cases_are_here() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"LaunchDarkly's published cases are not at {FOLDER}")
    assert len(CASES) == CASES_PUBLISHED


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_published_case(case: Case) -> None:
    result, expected = _evaluated(case), case.evaluation["expect"]
    if expected["reason"] == WRONG_TYPE:
        assert result.variant is not None
        assert type(result.value) is not TYPES[case.evaluation["valueType"]]
        return
    value = _shown(result, case)
    assert value == expected["value"]
    assert isinstance(value, bool) == isinstance(expected["value"], bool)
    index = expected.get("variationIndex")
    assert result.variant == (None if index is None else str(index))
    reason = _reason(case)
    assert {name: getattr(result, name) for name in reason} == reason
