"""A rule of the original system means in ours what it meant there, and is shown as it was given."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.original.rules import BadRules, Problem, Variants, given_of, rule_of
from domain.evaluation import FlagDocument, evaluate
from domain.ruleset import FLAG, Ruleset
from domain.targeting import Constant, Rule, ServeVariant, Targeting
from domain.values import FlagType
from tests.recorded_buckets import BUCKETS

ON_OFF = Variants("on", "off")
NUMBERS = st.integers(-1_000, 1_000) | st.floats(-10, 110) | st.floats(allow_nan=False, allow_infinity=False)
USERS = st.text(max_size=20)
NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zs"), exclude_characters="/"), min_size=1, max_size=20
)
MORE = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8), max_size=3
)
PERCENTAGES = st.builds(lambda more, value: {**more, "type": "PERCENTAGE", "value": value}, MORE, NUMBERS)
LISTS = st.builds(lambda more, values: {**more, "type": "USER_LIST", "values": values}, MORE, st.lists(USERS))


def bucket_there(user: str, flag: str) -> int:
    """The original's formula."""
    return (
        int.from_bytes(hashlib.sha1((user + flag).encode(), usedforsecurity=False).digest()[:4], "big") % 100
    )


def serves(rule: Rule, flag: str, user: str, variants: Variants = ON_OFF) -> Any:
    document = FlagDocument(
        key=flag,
        type=FlagType.BOOLEAN,
        variants={variants.on: True, variants.off: False},
        gate_salt="g",
        split_salt="s",
        client_visible=False,
        version=1,
        targeting=Targeting(
            enabled=True,
            off_variant=variants.off,
            default=ServeVariant(variant=variants.on),
            rules=(Rule.model_validate_json(rule.model_dump_json()),),
        ),
    )
    ruleset = Ruleset().updated([((FLAG, flag), document.model_dump_json())])
    return evaluate(ruleset, flag, {"targetingKey": user}).value


@given(rules=PERCENTAGES, flag=NAMES, user=USERS, enabled=st.booleans())
def test_a_percentage_serves_whom_it_served_there(rules: Any, flag: str, user: str, enabled: bool) -> None:
    rule = rule_of(rules, flag=flag, variants=ON_OFF, enabled=enabled)
    assert serves(rule, flag, user) is (not enabled or bucket_there(user, flag) < rules["value"])


@pytest.mark.parametrize(
    ("flag", "user", "bucket"), [(f, u, b) for f, us in BUCKETS.items() for u, b in us.items()]
)
def test_the_recorded_users_keep_their_buckets(flag: str, user: str, bucket: int) -> None:
    for value, served in ((bucket, False), (bucket + 0.5, True), (bucket + 1, True), (0, False), (100, True)):
        rule = rule_of({"type": "PERCENTAGE", "value": value}, flag=flag, variants=ON_OFF, enabled=True)
        assert serves(rule, flag, user) is served


@given(rules=LISTS, flag=NAMES, user=USERS, enabled=st.booleans(), listed=st.booleans())
def test_a_list_serves_those_on_it_and_nobody_else(
    rules: Any, flag: str, user: str, enabled: bool, listed: bool
) -> None:
    rules = {**rules, "values": [*rules["values"], user]} if listed else rules
    rule = rule_of(rules, flag=flag, variants=ON_OFF, enabled=enabled)
    assert serves(rule, flag, user) is (not enabled or user in rules["values"])


@given(rules=PERCENTAGES | LISTS, flag=NAMES, enabled=st.booleans())
@example(rules={"type": "PERCENTAGE", "value": 50.0}, flag="f", enabled=True)
@example(rules={"type": "PERCENTAGE", "value": 150}, flag="f", enabled=False)
@example(rules={"type": "USER_LIST", "values": []}, flag="f", enabled=True)
@example(rules={"type": "PERCENTAGE", "value": 1, "values": [{"deep": [1.5]}]}, flag="f", enabled=True)
def test_a_rule_is_shown_as_it_was_given(rules: Any, flag: str, enabled: bool) -> None:
    rule = rule_of(rules, flag=flag, variants=ON_OFF, enabled=enabled)
    stored = Rule.model_validate_json(rule.model_dump_json())
    found = given_of(stored, flag=flag, variants=ON_OFF)
    assert found is not None
    assert found.enabled is enabled
    assert json.dumps(found.rules, sort_keys=True) == json.dumps(rules, sort_keys=True)


@given(rules=PERCENTAGES | LISTS, enabled=st.booleans())
def test_a_rule_that_was_changed_is_not_shown_as_what_it_was(rules: Any, enabled: bool) -> None:
    rule = rule_of(rules, flag="f", variants=ON_OFF, enabled=enabled)
    other = ServeVariant(variant="on") if rule.serve != ServeVariant(variant="on") else None
    changes: list[dict[str, Any]] = [
        {"serve": other},
        {"when": Constant(constant=False)},
        {"name": "{"},
        {"name": "[]"},
        {"name": '{"type": "PERCENTAGE", "value": 50.5, "new": 1}'},
    ]
    for change in changes:
        assert given_of(rule.model_copy(update=change), flag="f", variants=ON_OFF) is None
    assert given_of(rule, flag="f", variants=Variants("yes", "no")) is None


def test_flags_of_other_variants_serve_theirs() -> None:
    variants = Variants("yes", "no")
    rule = rule_of({"type": "USER_LIST", "values": ["u1"]}, flag="f", variants=variants, enabled=True)
    assert (serves(rule, "f", "u1", variants), serves(rule, "f", "u2", variants)) == (True, False)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (None, Problem.NO_OBJECT),
        ([], Problem.NO_OBJECT),
        ("PERCENTAGE", Problem.NO_OBJECT),
        ({}, Problem.UNKNOWN_TYPE),
        ({"type": "percentage", "value": 5}, Problem.UNKNOWN_TYPE),
        ({"type": ["PERCENTAGE"], "value": 5}, Problem.UNKNOWN_TYPE),
        ({"type": "PERCENTAGE"}, Problem.NO_NUMBER),
        ({"type": "PERCENTAGE", "value": "50"}, Problem.NO_NUMBER),
        ({"type": "PERCENTAGE", "value": True}, Problem.NO_NUMBER),
        ({"type": "USER_LIST"}, Problem.NO_TEXTS),
        ({"type": "USER_LIST", "values": "u1"}, Problem.NO_TEXTS),
        ({"type": "USER_LIST", "values": ["u1", 5]}, Problem.NO_TEXTS),
        ({"type": "USER_LIST", "values": ["u" * 10_001]}, Problem.TOO_LARGE),
        ({"type": "USER_LIST", "values": ["u"] * 50_001}, Problem.TOO_LARGE),
        ({"type": "PERCENTAGE", "value": 5, "note": "n" * 2_000}, Problem.TOO_LARGE),
    ],
)
def test_what_the_original_served_to_nobody_is_refused(rules: Any, problem: Problem) -> None:
    with pytest.raises(BadRules) as refused:
        rule_of(rules, flag="f", variants=ON_OFF, enabled=True)
    assert refused.value.problem is problem
