from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.targeting import Condition, Serve, Targeting, flags_asked, segments_asked_by, served_variants

CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)
SERVE: TypeAdapter[Any] = TypeAdapter(Serve)


@pytest.mark.parametrize(
    "condition",
    [
        {"all": []},
        {"any": [{"constant": True}]},
        {"not": {"segment": "beta"}},
        {"attribute": "country", "operator": "in", "values": ["BR", "PT"], "negate": False},
        {"flag": "other", "variants": ["on"]},
        {"bucket": {"by": "targetingKey", "below": 10_000, "salt": None}},
    ],
)
def test_a_condition_reads_back_as_it_was_written(condition: dict[str, Any]) -> None:
    assert CONDITION.dump_python(CONDITION.validate_python(condition), mode="json") == condition


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
        ({"bucket": {"below": 100_001}}, "less than or equal to 100000"),
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
        ({"split": {"weights": {}}}, "at least 1"),
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


def test_two_rules_cannot_have_one_id() -> None:
    rule = {"id": "a", "when": {"constant": True}, "serve": {"variant": "on"}}
    with pytest.raises(ValidationError, match="two rules have the id 'a'"):
        Targeting.model_validate({"enabled": True, "default": {"variant": "on"}, "rules": [rule, rule]})
