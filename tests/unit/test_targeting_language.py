from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from domain import limits
from domain.references import flags_asked, segments_asked_by, served_variants
from domain.targeting import (
    Condition,
    Serve,
    Targeting,
)

CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)
RANGES = [{"variant": "on", "start": 0, "end": 150}]
SERVE: TypeAdapter[Any] = TypeAdapter(Serve)


@pytest.mark.parametrize(
    "condition",
    [
        {"all": []},
        {"any": [{"constant": True}]},
        {"not": {"segment": "beta"}},
        {"attribute": "country", "operator": "in", "values": ["BR", "PT"], "negate": True},
        {"flag": "other", "variants": ["on"]},
        {"bucket": {"below": 10_000}},
        {"bucket": {"at_least": 5, "below": 50, "salt": "", "algorithm": "unleash"}},
        {"any_element": "orders", "where": {"attribute": "total", "operator": "gt", "values": [5]}},
        {"unanswerable": "it refers to nothing"},
    ],
)
def test_a_condition_reads_back_as_it_was_written(condition: dict[str, Any]) -> None:
    read = CONDITION.validate_python(condition)
    written = CONDITION.dump_python(read, mode="json")
    assert CONDITION.validate_python(written) == read
    assert CONDITION.dump_python(read, mode="json", exclude_defaults=True) == condition


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, "exactly one of all, any"),
        ({"all": [], "any": []}, "exactly one of all, any"),
        ([], "exactly one of all, any"),
        ({"attribute": "a", "operator": "like", "values": ["x"]}, "Input should be 'equals'"),
        ({"attribute": "a", "operator": "in", "values": []}, "needs at least one value"),
        ({"attribute": "a", "operator": "exists", "values": ["x"]}, "takes no values"),
        ({"attribute": "a", "operator": "contains", "values": [1]}, "compares text"),
        ({"attribute": "a", "operator": "gt", "values": ["1"]}, "compares numbers"),
        ({"attribute": "a", "operator": "gt", "values": [True]}, "compares numbers"),
        ({"attribute": "a", "operator": "in", "values": [{}]}, "valid"),
        ({"bucket": {"below": 100_001}}, "at most 100000"),
        ({"bucket": {"below": 101, "algorithm": "sha1"}}, "at most 100 with"),
        ({"bucket": {"below": 1, "algorithm": "flagd"}}, "'of' says how many"),
        ({"bucket": {"below": 3, "of": 2, "algorithm": "flagd"}}, "at most 2 with"),
        ({"attribute": "a", "operator": "matches", "values": ["(a"]}, "not an RE2 pattern"),
        ({"attribute": "a", "operator": "matches", "values": ["a" * 1_001]}, "at most 1000 characters"),
        ({"attribute": "a", "operator": "semver_eq", "values": ["1.2"]}, "not a semantic version"),
        ({"attribute": "a", "operator": "before", "values": ["2026-11-22"]}, "not a time"),
        ({"attribute": "a", "operator": "in_cidr", "values": ["10.0.0.0/99"]}, "is not an address"),
        ({"attribute": "a", "operator": "modulo", "values": ["4"]}, "a divisor and a remainder"),
        ({"attribute": "a", "operator": "modulo", "values": ["0|1"]}, "a divisor and a remainder"),
        ({"flag": "f", "variants": []}, "at least 1"),
        ({"segment": "a", "colour": 1}, "colour"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_in_words(condition: Any, words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        CONDITION.validate_python(condition)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ({"variant": "on", "code_default": True}, "exactly one of variant, split, code_default"),
        ({"split": {"weights": {"on": 1}}}, "weights sum to 100000 (100 %), these sum to 1"),
        ({"split": {"weights": {}}}, "either 'weights' or 'ranges'"),
        ({"split": {"weights": {"on": 100_000}, "ranges": RANGES}}, "either 'weights' or 'ranges'"),
        ({"split": {"weights": {"on": 100_000}, "algorithm": "sha1"}}, "needs 'ranges'"),
        ({"split": {"ranges": RANGES, "coverage": 5}}, "'coverage' goes with 'weights'"),
        ({"split": {"ranges": RANGES, "algorithm": "sha1"}}, "between 0 and 100"),
        ({"split": {"ranges": RANGES, "algorithm": "flagd"}}, "'of' says"),
        ({"split": {"ranges": RANGES, "of": 5}}, "'of' says"),
        ({"split": {"ranges": [*RANGES, {"variant": "off", "start": 149, "end": 151}]}}, "do not overlap"),
        ({"split": {"weights": {"on": 100_001, "off": -1}}}, "greater than or equal to 0"),
        ({"code_default": False}, "True"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(serve: Any, words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        SERVE.validate_python(serve)
    assert words in str(refusal.value)


def test_what_a_targeting_refers_to() -> None:
    targeting = Targeting.model_validate(
        {
            "enabled": True,
            "off_variant": "off",
            "default": {"split": {"weights": {"on": 100_000}}},
            "prerequisites": [{"flag": "api", "variants": ["v2"]}],
            "targets": [{"variant": "targeted", "values": ["u1"]}],
            "rules": [
                {
                    "id": "a",
                    "when": {"any": [{"not": {"segment": "staff"}}, {"flag": "api", "variants": ["v3"]}]},
                    "serve": {"code_default": True},
                }
            ],
        }
    )
    assert served_variants(targeting) == {"on", "off", "targeted"}
    assert segments_asked_by(targeting) == {"staff"}
    assert flags_asked(targeting) == {"api": {"v2", "v3"}}


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"constant": True}
    for _ in range(depth - 1):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            [{"id": f"r{n}", "when": {"constant": True}, "serve": {"variant": "on"}} for n in range(1_001)],
            "1000",
        ),
        ([{"id": "r", "when": nested(limits.DEPTH + 1), "serve": {"variant": "on"}}], "deeper than 24"),
        (
            [{"id": "r", "when": {"any": [{"constant": True}] * 5_000}, "serve": {"variant": "on"}}],
            "more than 5000 conditions",
        ),
    ],
    ids=["rules", "depth", "conditions"],
)
def test_what_is_too_much_is_refused_in_words(rules: list[Any], words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Targeting.model_validate({"enabled": True, "default": {"variant": "on"}, "rules": rules})
    assert words in str(refusal.value)
    deepest = [{"id": "r", "when": nested(limits.DEPTH), "serve": {"variant": "on"}}]
    assert Targeting.model_validate({"enabled": True, "default": {"variant": "on"}, "rules": deepest})


def test_two_rules_cannot_have_one_id() -> None:
    rule = {"id": "a", "when": {"constant": True}, "serve": {"variant": "on"}}
    with pytest.raises(ValidationError, match="two rules have the id 'a'"):
        Targeting.model_validate({"enabled": True, "default": {"variant": "on"}, "rules": [rule, rule]})


def test_a_prefix_is_written_only_where_there_is_one() -> None:
    stored = {"bucket": {"by": "id", "at_least": 0, "below": 5, "salt": None, "algorithm": "native"}}
    dumped = CONDITION.dump_python(CONDITION.validate_python(stored))
    assert "prefix" not in dumped["bucket"]
    stored["bucket"]["prefix"] = "shop_"
    assert CONDITION.dump_python(CONDITION.validate_python(stored))["bucket"]["prefix"] == "shop_"
