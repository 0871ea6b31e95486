"""The order of evaluation, its reasons, and that a broken flag breaks only itself.

What single rules mean is in tests/conformance/native as JSON.
"""

import json
from typing import Any

import pytest

from domain.bucketing import bucket
from domain.evaluation import Evaluation, evaluate
from domain.ruleset import Ruleset


def flag(key: str = "f", version: int = 1, **targeting: Any) -> tuple[tuple[str, str], str]:
    document = {
        "key": key,
        "type": "string",
        "variants": {"a": "A", "b": "B", "off": "O"},
        "gate_salt": "g",
        "split_salt": "s",
        "client_visible": False,
        "version": version,
        "targeting": {"enabled": True, "off_variant": "off", "default": {"variant": "a"}, **targeting},
    }
    return ("flag", key), json.dumps(document)


def segment(key: str, condition: Any, **lists: list[str]) -> tuple[tuple[str, str], str]:
    definition = {"condition": condition, **lists}
    return ("segment", key), json.dumps({"key": key, "salt": "x", "version": 1, "definition": definition})


def rule(when: Any, serve: Any, rule_id: str = "r") -> dict[str, Any]:
    return {"id": rule_id, "when": when, "serve": serve}


ALWAYS, NEVER = {"constant": True}, {"constant": False}
B = {"variant": "b"}


def ask(*documents: tuple[tuple[str, str], str], key: str = "f", **context: Any) -> Evaluation:
    return evaluate(Ruleset().updated(documents), key, context)


def test_an_unknown_flag() -> None:
    answer = ask()
    assert (answer.reason, answer.error_code) == ("ERROR", "FLAG_NOT_FOUND")


def test_a_flag_that_is_off_serves_its_off_variant_whatever_else_it_says() -> None:
    answer = ask(flag(enabled=False, rules=[rule(ALWAYS, B)]))
    assert (answer.value, answer.variant, answer.reason) == ("O", "off", "DISABLED")


def test_prerequisites_come_before_targets_and_rules() -> None:
    wanting = flag(
        prerequisites=[{"flag": "api", "variants": ["b"]}],
        targets=[{"variant": "b", "values": ["u1"]}],
    )
    unmet = ask(wanting, flag("api"), targetingKey="u1")
    assert (unmet.variant, unmet.reason, unmet.why) == ("off", "DEFAULT", "prerequisite:api")
    met = ask(wanting, flag("api", default=B), targetingKey="u1")
    assert (met.variant, met.reason, met.why) == ("b", "TARGETING_MATCH", "target")
    assert ask(wanting, targetingKey="u1").why == "prerequisite:api"


def test_targets_come_before_rules_and_the_first_target_counts() -> None:
    targets = [
        {"variant": "b", "values": ["u1"]},
        {"variant": "a", "values": ["u1", "u2"]},
        {"variant": "off", "attribute": "company", "values": ["7"]},
    ]
    asked = flag(targets=targets, rules=[rule(ALWAYS, B)])
    assert ask(asked, targetingKey="u1").variant == "b"
    assert ask(asked, targetingKey="u2").variant == "a"
    assert ask(asked, targetingKey="u3", company=7).variant == "off"
    assert ask(asked, targetingKey="u3").why == "rule"


def test_the_first_target_counts_whatever_attribute_it_asks_for() -> None:
    targets = [
        {"variant": "b", "attribute": "company", "values": ["c"]},
        {"variant": "off", "values": ["u1"]},
        {"variant": "a", "attribute": "company", "values": ["d"]},
    ]
    assert ask(flag(targets=targets), targetingKey="u1", company="c").variant == "b"
    assert ask(flag(targets=targets), targetingKey="u1", company="d").variant == "off"


def test_who_is_outside_of_a_covered_default_gets_the_code_default() -> None:
    nobody = {"split": {"weights": {"b": 100_000}, "coverage": 0}}
    answer = ask(flag(default=nobody), targetingKey="u1")
    assert (answer.variant, answer.reason, answer.error_code) == (None, "DEFAULT", None)
    assert ask(flag(default=nobody)).error_code == "TARGETING_KEY_MISSING"


def test_the_first_rule_that_holds_counts() -> None:
    answer = ask(
        flag(rules=[rule(NEVER, B, "no"), rule(ALWAYS, {"variant": "off"}, "yes"), rule(ALWAYS, B, "late")])
    )
    assert (answer.variant, answer.reason, answer.rule_id, answer.why) == (
        "off",
        "TARGETING_MATCH",
        "yes",
        "rule",
    )


def test_static_is_a_flag_that_can_only_give_one_answer() -> None:
    assert ask(flag()).reason == "STATIC"
    assert ask(flag(rules=[rule(NEVER, B)])).reason == "DEFAULT"


def test_a_code_default_has_no_value_and_no_variant() -> None:
    answer = ask(flag(default={"code_default": True}))
    assert (answer.value, answer.variant, answer.error_code) == (None, None, None)


def test_a_split_says_its_bucket() -> None:
    answer = ask(flag(default={"split": {"weights": {"b": 100_000}}}), targetingKey="u1")
    assert (answer.variant, answer.reason) == ("b", "SPLIT")
    assert answer.bucket({"targetingKey": "u1"}) == bucket("s", "u1")


@pytest.mark.parametrize("algorithm", ["native", "launchdarkly"])
def test_a_prefix_stands_before_what_is_hashed(algorithm: str) -> None:
    half = [{"variant": "b", "start": 0, "end": 50_000}]
    for number in range(20):
        split = {"ranges": half, "algorithm": algorithm}
        prefixed = flag(rules=[rule(ALWAYS, {"split": {**split, "prefix": "shop_"}})])
        gated = flag(rules=[rule({"bucket": {"below": 50_000, "prefix": "shop_", "salt": "s"}}, B)])
        plain = flag(rules=[rule(ALWAYS, {"split": split})])
        wanted = ask(plain, targetingKey=f"shop_{number}")
        found = ask(prefixed, targetingKey=f"{number}")
        assert found.variant == wanted.variant
        if algorithm == "native":
            assert ask(gated, targetingKey=f"{number}").variant == wanted.variant
        if found.decided_by:
            assert found.bucket({"targetingKey": f"{number}"}) == wanted.bucket(
                {"targetingKey": f"shop_{number}"}
            )


def test_a_rule_whose_split_has_nothing_to_hash_falls_through() -> None:
    by_company = {"split": {"by": "company", "weights": {"b": 100_000}}}
    asked = flag(rules=[rule(ALWAYS, by_company, "first"), rule(ALWAYS, B, "second")])
    assert ask(asked, company="c").rule_id == "first"
    assert ask(asked).rule_id == "second"


def test_a_default_that_cannot_place_the_context_is_an_error_that_says_so() -> None:
    asked = flag(default={"split": {"weights": {"b": 100_000}}})
    assert ask(asked).error_code == "TARGETING_KEY_MISSING"
    by_company = ask(flag(default={"split": {"by": "company", "weights": {"b": 100_000}}}), company=True)
    assert by_company.error_code == "INVALID_CONTEXT"
    assert "'company'" in str(by_company.error_details)


GATE = {"bucket": {"below": 100_000}}


def test_split_is_the_reason_when_a_bucket_decided() -> None:
    def reason(when: Any) -> str:
        return ask(flag(rules=[rule(when, B)]), targetingKey="u1", country="BR").reason

    brazil = {"attribute": "country", "operator": "in", "values": ["BR"]}
    nobody = {"bucket": {"below": 0}}
    assert reason(GATE) == "SPLIT"
    assert reason({"all": [brazil, GATE]}) == "SPLIT"
    assert reason({"any": [brazil, GATE]}) == "TARGETING_MATCH"
    assert reason({"any": [nobody, brazil]}) == "TARGETING_MATCH"
    assert reason({"any": [nobody, GATE]}) == "SPLIT"
    assert reason({"not": nobody}) == "SPLIT"
    assert reason({"all": [brazil, {"not": {"any": [nobody]}}]}) == "TARGETING_MATCH"


def test_a_gate_keeps_a_split_apart() -> None:
    answer = ask(flag(rules=[rule(GATE, {"split": {"weights": {"b": 100_000}}})]), targetingKey="u1")
    assert (answer.variant, answer.reason) == ("b", "SPLIT")
    assert ask(flag(rules=[rule(GATE, B)])).reason == "DEFAULT"


def test_a_flag_can_ask_for_a_segment_and_for_another_flag() -> None:
    in_beta = rule({"segment": "beta"}, B)
    beta = segment(
        "beta", {"attribute": "plan", "operator": "equals", "values": ["pro"]}, include=["u1"], exclude=["u2"]
    )
    assert ask(flag(rules=[in_beta]), beta, targetingKey="u1").variant == "b"
    assert ask(flag(rules=[in_beta]), beta, targetingKey="u2", plan="pro").variant == "a"
    assert ask(flag(rules=[in_beta]), beta, targetingKey="u3", plan="pro").variant == "b"
    assert ask(flag(rules=[in_beta]), beta, targetingKey="u3").variant == "a"
    assert ask(flag(rules=[in_beta]), targetingKey="u1").variant == "a"
    numbered = segment("beta", NEVER, include=["5"])
    assert ask(flag(rules=[in_beta]), numbered, targetingKey=5).variant == "b"
    asks_other = flag(rules=[rule({"flag": "other", "variants": ["b"]}, B)])
    assert ask(asks_other, flag("other", default=B)).variant == "b"
    assert ask(asks_other, flag("other")).variant == "a"
    assert ask(asks_other).variant == "a"


def test_a_circle_is_an_error_and_not_a_crash() -> None:
    one = flag("f", prerequisites=[{"flag": "g", "variants": ["a"]}])
    other = flag("g", rules=[rule({"flag": "f", "variants": ["a"]}, B)])
    answer = ask(one, other)
    assert (answer.reason, answer.error_code) == ("ERROR", "PARSE_ERROR")
    assert "flag g asks flag f asks flag g" in str(answer.error_details)
    circle = segment("s", {"segment": "t"}), segment("t", {"not": {"segment": "s"}})
    assert ask(flag(rules=[rule({"segment": "s"}, B)]), *circle).error_code == "PARSE_ERROR"


def test_a_broken_flag_breaks_only_itself() -> None:
    broken = flag("bad", default={"variant": "grey"})
    rules = Ruleset().updated([flag(), broken, (("segment", "beta"), "{")])
    assert evaluate(rules, "f", {}).variant == "a"
    answer = evaluate(rules, "bad", {})
    assert (answer.error_code, answer.variant) == ("PARSE_ERROR", None)
    assert "'grey'" in str(answer.error_details)
    assert set(rules.broken) == {("flag", "bad"), ("segment", "beta")}
    asking = rules.updated([flag("asks", rules=[rule({"segment": "beta"}, B)])])
    assert evaluate(asking, "asks", {}).error_code == "PARSE_ERROR"
    mended = asking.updated([segment("beta", ALWAYS)]).updated([(("segment", "beta"), "{")])
    assert evaluate(mended, "asks", {}).variant == "b"


def test_a_flag_that_breaks_keeps_its_last_good_version() -> None:
    rules = Ruleset().updated([flag(version=1)]).updated([flag(version=2, default={"variant": "grey"})])
    assert (evaluate(rules, "f", {}).variant, evaluate(rules, "f", {}).flag_version) == ("a", 1)
    assert rules.broken
    read_anew = Ruleset().updated([flag(version=2, default={"variant": "grey"})], last_good=rules)
    assert evaluate(read_anew, "f", {}).flag_version == 1
    mended = rules.updated([flag(version=3, default=B)])
    assert (evaluate(mended, "f", {}).variant, dict(mended.broken)) == ("b", {})


def test_a_document_can_go_away() -> None:
    rules = Ruleset().updated([flag(), segment("beta", ALWAYS)])
    gone = rules.updated([(("flag", "f"), None), (("segment", "beta"), None)])
    assert evaluate(gone, "f", {}).error_code == "FLAG_NOT_FOUND"
    assert evaluate(rules, "f", {}).variant == "a"


def test_a_context_of_any_shape_gets_an_answer() -> None:
    odd = rule({"attribute": "x", "operator": "lt", "values": [1]}, B)
    values: list[Any] = [None, [], {}, [[]], "1", True, float("nan"), [None, "a", 0]]
    for value in values:
        assert ask(flag(rules=[odd]), x=value).error_code is None
    unforeseen = Ruleset().updated(
        [flag(rules=[rule({"attribute": "x", "operator": "lt", "values": [1]}, B)])]
    )
    assert evaluate(unforeseen, "f", object()).error_code == "GENERAL"  # type: ignore[arg-type]
