"""Whatever the rules and whatever the context: an answer, always the same one, and explained as it is."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bucketing import ALGORITHMS
from domain.evaluation import FlagDocument, evaluate
from domain.explain import explain
from domain.ruleset import Ruleset, SegmentDocument
from domain.segment import SegmentDefinition
from domain.targeting import Targeting
from domain.values import SCALE, FlagType

ATTRIBUTES = ["targetingKey", "country", "plan", "org.plan", "/org/plan", "n"]
FLAGS, SEGMENTS = ["a", "b", "c"], ["s", "t"]
VARIANTS = ["on", "off", "grey"]
VALUES: Any = st.sampled_from(
    ["BR", "pro", "1.2.3", "v1.2", "10.0.0.1", "2026-01-01T00:00:00Z", "", 0, 1, 2.5, True]
)
TEXTS = st.lists(VALUES.filter(lambda each: isinstance(each, str)), min_size=1, max_size=3)
NUMBERS: Any = st.lists(st.integers(-2, 3) | st.floats(-2, 3), min_size=1, max_size=3)


def clause(operator: str, values: Any) -> Any:
    return st.fixed_dictionaries(
        {"attribute": st.sampled_from(ATTRIBUTES), "operator": st.just(operator), "values": values},
        optional={
            "negate": st.booleans(),
            "case_insensitive": st.booleans(),
            "coerce": st.sampled_from(["strict", "partial", "lenient"]),
            "on_missing": st.sampled_from(["match", "no_match"]),
            "whole": st.booleans(),
        },
    )


CLAUSES = st.one_of(
    *(clause(name, st.lists(VALUES, min_size=1, max_size=3)) for name in ("equals", "in")),
    *(clause(name, TEXTS) for name in ("contains", "starts_with", "ends_with")),
    *(clause(name, NUMBERS) for name in ("eq", "lt", "le", "gt", "ge")),
    *(clause(name, st.just(["2025-06-01T00:00:00Z"])) for name in ("before", "after")),
    *(clause(f"semver_{name}", st.just(["1.2.0"])) for name in ("eq", "lt", "ge", "tilde", "caret")),
    clause("matches", st.sampled_from([["^B"], ["o$", "x"]])),
    clause("in_cidr", st.just(["10.0.0.0/8", "::1"])),
    clause("modulo", st.sampled_from([["2|0"], ["3|1", "2.5|0"]])),
    *(clause(f"text_{name}", TEXTS) for name in ("lt", "le", "gt", "ge")),
    clause("is_a", st.sampled_from([["string"], ["number", "array"], ["object", "boolean"]])),
    clause("same_json", st.sampled_from([['"BR"'], ["[1, 2.5]", "{}"]])),
    clause("exists", st.just([])),
)
GATED = [name for name, algorithm in ALGORITHMS.items() if algorithm.steps]
COUNTED = [name for name, algorithm in ALGORITHMS.items() if not algorithm.steps]
GATES = st.builds(
    lambda by, prefix, below, algorithm: {
        "bucket": {"by": by, "prefix": prefix, "below": below, "algorithm": algorithm}
    },
    st.sampled_from(ATTRIBUTES),
    st.sampled_from(["", "env_"]),
    st.integers(0, 100),
    st.sampled_from(GATED),
)
LEAVES = st.one_of(
    CLAUSES,
    GATES,
    st.sampled_from([{"segment": "s"}, {"segment": "t"}, {"segment": "nowhere"}, {"constant": True}]),
    st.sampled_from(COUNTED).map(lambda name: {"bucket": {"below": 5, "of": 11, "algorithm": name}}),
    st.builds(lambda flag: {"flag": flag, "variants": ["on"]}, st.sampled_from([*FLAGS, "nowhere"])),
    st.just({"unanswerable": "it says nothing"}),
)
CONDITIONS: Any = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda each: {"all": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"any": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"not": each}, inner)
        | st.builds(lambda each: {"any_element": "list", "where": each}, inner)
    ),
    max_leaves=5,
)
RANGES = [{"variant": "off", "start": 3, "end": 9}]
SERVES: Any = st.one_of(
    st.builds(lambda name: {"variant": name}, st.sampled_from(VARIANTS)),
    st.just({"code_default": True}),
    st.builds(
        lambda on, by, coverage: {
            "split": {"by": by, "weights": {"on": on, "off": SCALE - on}, "coverage": coverage}
        },
        st.integers(0, SCALE),
        st.sampled_from(ATTRIBUTES),
        st.integers(0, SCALE),
    ),
    st.just(
        {"split": {"ranges": [{"variant": "off", "start": 3, "end": 9}], "of": 11, "algorithm": "flagd"}}
    ),
)
TARGETINGS = st.fixed_dictionaries(
    {
        "enabled": st.sampled_from([True, True, True, False]),
        "off_variant": st.sampled_from(["off", None]),
        "default": SERVES,
        "prerequisites": st.lists(
            st.builds(lambda flag: {"flag": flag, "variants": ["on"]}, st.sampled_from(FLAGS)), max_size=1
        ),
        "targets": st.lists(st.just({"variant": "on", "values": ["u1"]}), max_size=1),
        "rules": st.lists(st.tuples(CONDITIONS, SERVES), max_size=3).map(
            lambda pairs: [
                {"id": f"r{n}", "when": when, "serve": serve} for n, (when, serve) in enumerate(pairs)
            ]
        ),
    }
)
CONTEXTS = st.dictionaries(
    st.sampled_from(["targetingKey", "country", "plan", "n", "org", "list"]),
    VALUES
    | st.none()
    | st.lists(VALUES, max_size=2)
    | st.fixed_dictionaries({"plan": VALUES})
    | st.floats(allow_nan=True),
)


def documents(targetings: list[Any], conditions: list[Any]) -> list[FlagDocument | SegmentDocument]:
    flags: list[FlagDocument | SegmentDocument] = [
        FlagDocument(
            key=key,
            type=FlagType.STRING,
            variants={name: name for name in VARIANTS},
            gate_salt="g",
            split_salt="s",
            client_visible=False,
            version=1,
            targeting=Targeting.model_validate(targeting),
        )
        for key, targeting in zip(FLAGS, targetings, strict=True)
    ]
    for key, condition in zip(SEGMENTS, conditions, strict=True):
        definition = SegmentDefinition.model_validate({"include": ["u2"], "condition": condition})
        flags.append(SegmentDocument(key=key, salt="x", version=1, definition=definition))
    return flags


def compiled(parts: list[FlagDocument | SegmentDocument]) -> Ruleset:
    return Ruleset().updated(
        (("flag" if isinstance(each, FlagDocument) else "segment", each.key), each.model_dump_json())
        for each in parts
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(TARGETINGS, min_size=3, max_size=3), st.lists(CONDITIONS, min_size=2, max_size=2), CONTEXTS)
def test_every_answer_is_total_stable_and_explained(
    targetings: list[Any], conditions: list[Any], context: dict[str, Any]
) -> None:
    parts = documents(targetings, conditions)
    rules = compiled(parts)
    assert not rules.broken
    before = json.dumps(context)
    for key in (*FLAGS, "nowhere"):
        answer = evaluate(rules, key, context)
        assert answer.error_code in {
            None,
            "PARSE_ERROR",
            "TARGETING_KEY_MISSING",
            "INVALID_CONTEXT",
            "FLAG_NOT_FOUND",
        }
        assert evaluate(compiled(parts), key, dict(context)) == answer
        explanation = explain(parts, key, context)
        assert explanation.result == answer
        assert explanation.model_dump_json()
        if answer.why == "rule":
            assert [step.id for step in explanation.rules if step.held][-1] == answer.rule_id
    assert json.dumps(context) == before


@given(st.integers(0, SCALE), st.integers(0, SCALE), st.integers(0, SCALE), st.text(min_size=1))
def test_raising_coverage_takes_nobody_out(on: int, low: int, more: int, subject: str) -> None:
    def served(coverage: int) -> str | None:
        split = {"weights": {"on": on, "off": SCALE - on}, "coverage": coverage}
        rule = {"id": "r", "when": {"constant": True}, "serve": {"split": split}}
        targeting = {"enabled": True, "default": {"code_default": True}, "rules": [rule]}
        other = {"enabled": False, "default": {"code_default": True}}
        parts = documents([targeting, other, other], [{"constant": False}] * 2)
        return evaluate(compiled(parts), "a", {"targetingKey": subject}).variant

    before, after = served(min(low, more)), served(max(low, more))
    assert before in {None, after}
