"""What Unleash's published cases leave open: refusals, notes, names, odd input, contexts."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import mmh3
import pytest

from commands.importers.imported import Imported, ImportedFlag, Unsayable
from commands.importers.unleash import context_of, read
from domain.evaluation import Evaluation, evaluate

ON: dict[str, Any] = {"name": "default"}


def feature(*strategies: dict[str, Any], name: str = "f", **more: Any) -> dict[str, Any]:
    return {"name": name, "enabled": True, "strategies": list(strategies), **more}


def constrained(operator: str, context_name: str = "plan", **more: Any) -> dict[str, Any]:
    constraint = {"contextName": context_name, "operator": operator, **more}
    return feature({"name": "default", "constraints": [constraint]})


def rollout(percentage: Any, stickiness: str | None = "default", **more: Any) -> dict[str, Any]:
    parameters = {"rollout": percentage, "stickiness": stickiness, "groupId": "g"}
    return {"name": "flexibleRollout", "parameters": parameters, **more}


def variant(name: str, weight: int = 500, payload: str | None = None, **more: Any) -> dict[str, Any]:
    said = {} if payload is None else {"payload": {"type": "string", "value": payload}}
    return {"name": name, "weight": weight, **said, **more}


def of(*features: dict[str, Any], segments: Any = ()) -> Imported:
    return read({"version": 2, "features": list(features), "segments": list(segments)})


def ask(imported: Imported, context: dict[str, Any] | None = None, key: str = "f") -> Evaluation:
    assert imported.refused == []
    ruleset = imported.ruleset()
    assert ruleset.broken == {}
    return evaluate(ruleset, key, context_of(context or {}))


def flag(imported: Imported, key: str = "f") -> ImportedFlag:
    return next(each for each in imported.flags if each.key == key)


def normalized(group: str, value: str) -> int:
    return int(mmh3.hash(f"{group}:{value}", 0, False)) % 100 + 1


class TestConstraints:
    @pytest.mark.parametrize(
        ("constraint", "holds_for", "not_for"),
        [
            ({"operator": "IN", "values": ["5", "true"]}, [5, True, "5"], [None, "6", 5.5]),
            ({"operator": "NOT_IN", "values": ["5"]}, [None, "6", True], ["5", 5]),
            ({"operator": "IN", "values": ["A"], "caseInsensitive": True}, ["A"], ["a"]),
            ({"operator": "IN", "values": ["5"], "inverted": True}, [None, "6"], ["5"]),
            ({"operator": "NOT_IN", "values": ["5"], "inverted": True}, ["5"], [None, "6"]),
            ({"operator": "IN", "values": [], "inverted": True}, [None, "6"], []),
            ({"operator": "NOT_IN"}, [None, "6"], []),
            ({"operator": "STR_CONTAINS", "values": ["x"], "inverted": True}, [None, "y"], ["axe"]),
            ({"operator": "NUM_GT", "value": " 5 "}, ["5.5", 6, "1e1"], ["5", "many", True, None]),
            ({"operator": "NUM_EQ", "value": 5}, ["5.0", 5], ["6", None]),
            ({"operator": "NUM_EQ", "value": "5", "inverted": True}, ["many", None, 6], ["5.0"]),
            ({"operator": "SEMVER_EQ", "value": "2.0.0"}, ["2.0.0", "2.0.0+build"], ["2.0", "v2.0.0"]),
            (
                {"operator": "DATE_BEFORE", "value": "2022-01-01T00:00:00+02:00"},
                ["2021-12-31T21:00:00Z"],
                ["x"],
            ),
            (
                {"operator": "DATE_AFTER", "value": "2020-01-01T00:00:00Z"},
                ["2021-01-01T00:00:00Z"],
                ["2021-01-01", "1700000000000", None],
            ),
            ({"operator": "IN_CIDR", "values": ["x", "10.0.0.9/8"]}, ["10.1.2.3"], ["11.0.0.1", "x", None]),
            ({"operator": "REGEX", "value": "^a", "caseInsensitive": True}, ["Abc"], ["ba", None]),
        ],
    )
    def test_hold_for_just_these(self, constraint: dict[str, Any], holds_for: Any, not_for: Any) -> None:
        imported = of(constrained(**constraint))
        assert [
            value for value in holds_for if ask(imported, {"properties": {"plan": value}}).value
        ] == holds_for
        assert [value for value in not_for if ask(imported, {"properties": {"plan": value}}).value] == []

    @pytest.mark.parametrize("inverted", [False, True])
    @pytest.mark.parametrize(
        ("operator", "values"),
        [
            ("NUM_EQ", {"value": "five"}),
            ("NUM_EQ", {"value": "1_0"}),
            ("NUM_LT", {"value": "inf"}),
            ("NUM_LT", {}),
            ("SEMVER_EQ", {"value": "2.0"}),
            ("DATE_AFTER", {"value": "2022-01-01"}),
            ("REGEX", {"value": "(?=a)b"}),
            ("IN_CIDR", {"values": ["10.0.0.300"]}),
            ("STR_CONTAINS", {"values": []}),
            ("SOUNDS_LIKE", {"values": ["x"]}),
        ],
    )
    def test_without_a_valid_value_never_hold_and_say_so(
        self, operator: str, values: dict[str, Any], inverted: bool
    ) -> None:
        imported = of(constrained(operator, inverted=inverted, **values))
        for plan in ("10", "2.0.0", "10.0.0.1", "ab", None):
            assert ask(imported, {"properties": {"plan": plan}}).value is False
        assert [note for note in imported.notes if operator in note and "never holds" in note]

    def test_ask_for_an_attribute_by_its_whole_name(self) -> None:
        for name in ("a.b", "/a", "~a/b"):
            imported = of(constrained("IN", context_name=name, values=["x"]))
            assert ask(imported, {"properties": {name: "x"}}).value is True
            assert ask(imported, {"properties": {"a": {"b": "x"}}}).value is False
            assert ask(imported, {"properties": {"a": "x"}}).value is False

    def test_of_the_current_time_do_not_hold_without_one_and_say_so(self) -> None:
        for inverted in (False, True):
            after = {"value": "2022-01-01T00:00:00Z", "inverted": inverted}
            imported = of(constrained("DATE_AFTER", context_name="currentTime", **after))
            assert ask(imported).value is False
            assert ask(imported, {"currentTime": "2023-01-01T00:00:00Z"}).value is not inverted
            assert any("takes the present" in note for note in imported.notes)


class TestStrategies:
    def test_a_percentage_takes_in_whom_unleash_takes_in(self) -> None:
        users = [f"user-{number}" for number in range(60)]
        for percentage in (0, 1, 42, 99, 100):
            imported = of(feature(rollout(str(percentage), "userId")))
            inside = [user for user in users if ask(imported, {"userId": user}).value]
            assert inside == [user for user in users if normalized("g", user) <= percentage]

    def test_the_salt_is_the_features_name_where_there_is_no_group(self) -> None:
        strategy = {"name": "flexibleRollout", "parameters": {"rollout": 50}}
        imported = of(feature(strategy))
        for number in range(40):
            expected = normalized("f", str(number)) <= 50
            assert ask(imported, {"userId": str(number)}).value is expected

    def test_default_stickiness_is_the_user_and_without_one_the_session(self) -> None:
        imported = of(feature(rollout("50")))
        inside = next(str(n) for n in range(99) if normalized("g", str(n)) <= 50)
        outside = next(str(n) for n in range(99) if normalized("g", str(n)) > 50)
        assert ask(imported, {"sessionId": inside}).value is True
        assert ask(imported, {"sessionId": inside, "userId": outside}).value is False
        assert ask(imported, {}).value is False
        assert any("Unleash draws" in note for note in imported.notes)

    def test_default_stickiness_at_100_takes_in_everybody_and_a_named_one_only_who_has_it(self) -> None:
        assert ask(of(feature(rollout("100")))).value is True
        assert ask(of(feature(rollout("100", None)))).value is True
        assert ask(of(feature(rollout("100", "plan")))).value is False
        assert ask(of(feature(rollout("100", "plan"))), {"properties": {"plan": True}}).value is True

    @pytest.mark.parametrize(("percentage", "value"), [("0", False), ("100", True)])
    def test_nobody_and_everybody_are_no_matter_of_chance(self, percentage: str, value: bool) -> None:
        legacy = {"name": "gradualRolloutRandom", "parameters": {"percentage": percentage}}
        assert ask(of(feature(rollout(percentage, "random")))).value is value
        assert ask(of(feature(legacy))).value is value

    def test_lists_may_have_blanks_and_networks_that_are_none(self) -> None:
        by_user = of(feature({"name": "userWithId", "parameters": {"userIds": "1, 2 ,3"}}))
        assert [user for user in "1234" if ask(by_user, {"userId": user}).value] == ["1", "2", "3"]
        by_address = of(feature({"name": "remoteAddress", "parameters": {"IPs": "x, 10.0.0.0/8"}}))
        assert ask(by_address, {"remoteAddress": "10.2.3.4"}).value is True
        assert ask(by_address, {"remoteAddress": "x"}).value is False

    def test_a_host_name_is_asked_of_the_context(self) -> None:
        imported = of(feature({"name": "applicationHostname", "parameters": {"hostNames": "A, b"}}))
        assert ask(imported, {"properties": {"hostname": "a"}}).value is True
        assert ask(imported).value is False
        assert any("'hostname'" in note for note in imported.notes)

    @pytest.mark.parametrize(
        ("strategy", "words"),
        [
            ({"name": "tuesdays"}, "'tuesdays' is not one of Unleash's own"),
            ({"name": "default", "segments": [404]}, "segment 404 does not exist"),
            ({"name": "flexibleRollout"}, "has no rollout"),
            ({"name": "gradualRolloutUserId", "parameters": {"percentage": "100"}}, "has no groupId"),
            ({"name": "userWithId"}, ""),
            ({"name": "remoteAddress", "parameters": {"IPs": "x"}}, ""),
            ({"name": "applicationHostname"}, ""),
        ],
    )
    def test_that_never_hold_leave_it_to_the_others(self, strategy: dict[str, Any], words: str) -> None:
        alone, with_another = of(feature(strategy)), of(feature(strategy, ON))
        context = {"userId": "", "remoteAddress": "10.0.0.1"}
        assert ask(alone, context).value is False
        assert ask(with_another, context).rule_id == "strategy-2"
        assert any(words in note for note in alone.notes) or not words

    def test_are_rules_with_their_own_ids_and_titles_where_they_can_be(self) -> None:
        named = of(feature({**ON, "id": "a-1", "title": "Everybody"}, {**ON, "id": "a-2"}))
        assert [(rule.id, rule.name) for rule in flag(named).targeting.rules] == [
            ("a-1", "Everybody"),
            ("a-2", "default"),
        ]
        for ids in (["same", "same"], ["x" * 65, "y"], ["a", "a.2"], ["", "b"]):
            numbered = of(feature(*({**ON, "id": each} for each in ids)))
            assert [rule.id for rule in flag(numbered).targeting.rules] == ["strategy-1", "strategy-2"]

    def test_ask_segments_which_are_imported_by_number(self) -> None:
        constraint = {"contextName": "plan", "operator": "IN", "values": ["gold"]}
        segment = {"id": 7, "name": "Gold", "constraints": [constraint]}
        imported = of(feature({**ON, "segments": [7]}), segments=[segment])
        assert imported.segments["segment-7"].name == "Gold"
        assert ask(imported, {"properties": {"plan": "gold"}}).value is True
        assert ask(imported, {"properties": {"plan": "tin"}}).value is False


class TestVariants:
    def test_share_by_weight_in_unleashs_buckets(self) -> None:
        variants = [variant("a", 100), variant("none", 0), variant("b", 300)]
        imported = of(feature(variants=variants))
        for number in range(60):
            target = mmh3.hash(f"f:{number}", 86028157, False) % 400 + 1
            expected = "a" if target <= 100 else "b"
            given = ask(imported, {"userId": str(number)})
            assert (given.value, given.variant, given.reason) == (True, expected, "SPLIT")
            assert ask(imported, {"sessionId": str(number)}).variant == expected

    def test_without_what_is_hashed_it_is_on_without_a_variant_and_says_so(self) -> None:
        imported = of(feature(variants=[variant("a"), variant("b")]))
        assert (ask(imported).value, ask(imported).variant) == (True, "enabled")
        assert any("Unleash draws one" in note for note in imported.notes)

    def test_a_draw_that_cannot_fail_is_not_told_of(self) -> None:
        variants = [variant("a"), variant("b")]
        for strategy in (rollout("50"), rollout("50", "plan"), rollout("100", "userId")):
            imported = of(feature({**strategy, "variants": variants}))
            assert not any("Unleash draws one" in note for note in imported.notes)

    def test_hashed_by_something_else_than_the_percentage_may_be_without_it(self) -> None:
        variants = [variant("a", stickiness="plan"), variant("b")]
        imported = of(feature(rollout("100", "userId"), variants=variants))
        assert ask(imported, {"userId": "1"}).variant == "enabled"
        assert ask(imported, {"userId": "1", "properties": {"plan": "gold"}}).variant in {"a", "b"}
        assert any("without plan" in note for note in imported.notes)

    def test_of_a_strategy_that_never_holds_need_no_rules_of_their_own(self) -> None:
        strategy = {"name": "tuesdays", "variants": [variant("a"), variant("b")]}
        assert len(flag(of(feature(strategy))).targeting.rules) == 1

    def test_of_a_strategy_have_no_overrides(self) -> None:
        overrides = [{"contextName": "userId", "values": ["1"]}]
        strategy = {**ON, "variants": [variant("a"), variant("b", 0, overrides=overrides)]}
        assert ask(of(feature(strategy)), {"userId": "1"}).variant == "a"

    def test_a_single_one_needs_nothing_to_hash(self) -> None:
        for stickiness in ("default", "plan", "random"):
            variants = [variant("a", stickiness=stickiness), variant("b", 0)]
            given = ask(of(feature(variants=variants)))
            assert (given.value, given.variant, given.reason) == (True, "a", "STATIC")

    def test_with_no_weight_at_all_are_as_if_there_were_none(self) -> None:
        given = ask(of(feature(variants=[variant("a", 0)])), {"userId": "1"})
        assert (given.value, given.variant) == (True, "enabled")

    def test_those_of_the_strategy_come_before_those_of_the_feature(self) -> None:
        strategies = ({**rollout("100"), "variants": [variant("mine")]}, ON)
        imported = of(feature(*strategies, variants=[variant("common")]))
        assert ask(imported).variant == "mine"
        only_second = {"name": "userWithId", "parameters": {"userIds": "1"}, "variants": [variant("mine")]}
        assert ask(of(feature(only_second, ON, variants=[variant("common")]))).variant == "common"

    def test_overrides_come_first_but_only_for_whom_it_is_on(self) -> None:
        overrides = [{"contextName": "plan", "values": ["gold", "5"]}, {"contextName": "x"}]
        variants = [variant("a"), variant("b", 0, overrides=overrides)]
        imported = of(feature({"name": "userWithId", "parameters": {"userIds": "1"}}, variants=variants))
        gold = {"properties": {"plan": "gold"}}
        assert ask(imported, {"userId": "1", **gold}).variant == "b"
        assert ask(imported, {"userId": "1", "properties": {"plan": 5}}).variant == "b"
        assert ask(imported, {"userId": "1"}).variant == "a"
        assert ask(imported, {"userId": "2", **gold}).variant == "disabled"

    def test_payloads_are_a_flag_that_follows_the_first(self) -> None:
        imported = of(feature(variants=[variant("a", payload="1"), variant("b", 0)]))
        assert [each.key for each in imported.flags] == ["f", "f.payload"]
        given = ask(imported, key="f.payload")
        assert (given.value, given.variant) == ({"type": "string", "value": "1"}, "a")
        off = of({**feature(variants=[variant("a", payload="1")]), "enabled": False})
        assert (ask(off, key="f.payload").value, ask(off).reason) == (None, "DISABLED")
        assert [each.key for each in of(feature(variants=[variant("a")])).flags] == ["f"]

    def test_names_of_ours_give_way_to_unleashs(self) -> None:
        imported = of(feature(variants=[variant("enabled"), variant("disabled", 0)]), feature(name="g"))
        assert flag(imported).variants == {
            "disabled-2": False,
            "enabled-2": True,
            "enabled": True,
            "disabled": True,
        }
        assert (ask(imported).variant, ask(imported).value) == ("enabled", True)
        assert len([note for note in imported.notes if "Unleash has a variant" in note]) == 2
        child = feature(ON, name="c", dependencies=[{"feature": "f", "variants": ["enabled"]}])
        both = of(feature(variants=[variant("enabled")]), child)
        assert ask(both, key="c").value is True

    def test_one_name_with_two_payloads_is_two_variants(self) -> None:
        first = {
            "name": "userWithId",
            "parameters": {"userIds": "1"},
            "variants": [variant("a", payload="1")],
        }
        second = {**ON, "variants": [variant("a", payload="2")]}
        imported = of(feature(first, second))
        for user, name in (("1", "a"), ("2", "a-2")):
            assert ask(imported, {"userId": user}).variant == name
            payload = ask(imported, {"userId": user}, key="f.payload").value
            assert payload == {"type": "string", "value": user}
        assert any("more than one payload" in note for note in imported.notes)

    def test_one_name_with_the_same_payload_in_two_strategies_is_one_variant(self) -> None:
        strategy = {**rollout("50"), "variants": [variant("a", payload="1")]}
        imported = of(feature(strategy, {**ON, "variants": [variant("a", payload="1")]}))
        assert list(flag(imported).variants) == ["disabled", "enabled", "a"]
        assert not any("more than one payload" in note for note in imported.notes)

    def test_a_feature_that_has_the_payloads_key_keeps_it(self) -> None:
        imported = of(feature(variants=[variant("a", payload="1")]), feature(name="f.payload"))
        assert ask(imported, key="f.payload").value is True
        assert ask(imported, key="f.payload-2").value == {"type": "string", "value": "1"}
        assert any("'f.payload-2'" in note for note in imported.notes)


class TestDependencies:
    def test_are_asked_before_the_strategies_and_answer_off(self) -> None:
        parent = feature({"name": "userWithId", "parameters": {"userIds": "1"}}, name="p")
        wants_on = feature(ON, dependencies=[{"feature": "p"}])
        wants_off = feature(ON, dependencies=[{"feature": "p", "enabled": False}])
        for user, is_on in (("1", True), ("2", False)):
            assert ask(of(wants_on, parent), {"userId": user}).value is is_on
            assert ask(of(wants_off, parent), {"userId": user}).value is not is_on
        unmet = ask(of(wants_on, parent), {"userId": "2"})
        assert (unmet.reason, unmet.variant, unmet.why) == ("DEFAULT", "disabled", "prerequisite:p")

    def test_on_a_variant_ask_for_that_or_for_none(self) -> None:
        overrides = [{"contextName": "userId", "values": ["1"]}]
        parent = feature(name="p", variants=[variant("a"), variant("b", 0, overrides=overrides)])
        for wanted, users in ((["b"], ["1"]), (["a"], ["2"]), (["a", "b"], ["1", "2"]), (["c"], [])):
            child = feature(ON, dependencies=[{"feature": "p", "variants": wanted}])
            imported = of(parent, child)
            assert [user for user in "12" if ask(imported, {"userId": user}).value] == users
        bare = of(feature(name="p"), feature(ON, dependencies=[{"feature": "p", "variants": ["a"]}]))
        assert ask(bare).value is True
        assert any("without a variant" in note for note in bare.notes)
        by_name = of(
            feature(name="p"), feature(ON, dependencies=[{"feature": "p", "variants": ["disabled"]}])
        )
        assert (ask(by_name).value, by_name.notes) == (True, [])

    @pytest.mark.parametrize("parent", ["nobody", "f", "child"])
    def test_that_unleash_does_not_allow_are_never_met_and_say_so(self, parent: str) -> None:
        child = feature(ON, name="child", dependencies=[{"feature": "p"}])
        imported = of(feature(ON, dependencies=[{"feature": parent}]), child, feature(ON, name="p"))
        assert ask(imported, key="child").value is True
        assert ask(imported).value is False
        assert any(f"parent {parent}" in note and "always off" in note for note in imported.notes)

    def test_of_a_dependency_are_never_met_whatever_the_order_or_what_is_refused(self) -> None:
        middle = feature(ON, name="m", dependencies=[{"feature": "p"}])
        last = feature(ON, dependencies=[{"feature": "m"}])
        assert ask(of(feature(ON, name="p"), middle, last)).value is False
        refused = feature(rollout("1", "random"), name="m", dependencies=[{"feature": "p"}])
        imported = of(feature(ON, name="p"), refused, last)
        assert [each.what for each in imported.refused] == ["flag m"]
        assert evaluate(imported.ruleset(), "f", {}).value is False

    def test_on_what_is_refused_are_refused(self) -> None:
        imported = of(
            feature(rollout("50", "random"), name="p"),
            feature(dependencies=[{"feature": "p"}]),
            feature(name="g"),
        )
        assert [each.key for each in imported.flags] == ["g"]
        assert [each.what for each in imported.refused] == ["flag p", "flag f"]
        assert "its parent 'p' is refused: stickiness 'random'" in imported.refused[1].why or (
            "its parent 'p' is refused: a random 50 %" in imported.refused[1].why
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("broken", "words"),
        [
            (feature(name="a/b"), "'/'"),
            (feature(name=""), "not blank"),
            (feature(name="x" * 201), "200"),
            (feature(rollout("50", "random")), "random 50 %"),
            (feature(rollout("50", "currentTime")), "random 50 %"),
            (feature({"name": "gradualRolloutRandom", "parameters": {"percentage": "1"}}), "random 1 %"),
            (feature(variants=[variant("a", stickiness="random"), variant("b")]), "'random'"),
            (feature(rollout("50.5")), "'50.5' is no whole number"),
            (feature(rollout("150")), "'150' is no whole number"),
            (feature(rollout("-1")), "'-1' is no whole number"),
            (feature(rollout([50])), "'rollout' is not a text"),
            (feature(rollout("50", "")), "without a name"),
            (feature({**ON, "disabled": True}), "disabled"),
            (feature({"parameters": {}}), "'strategies.0.name': Field required"),
            (feature(variants=[{"name": "a", "weight": -1}]), "'variants.0.weight'"),
            (feature(variants=[{"name": "a", "weight": 1.5}]), "'variants.0.weight'"),
            (feature(variants=[variant("a/b")]), "variant name 'a/b'"),
            (feature(variants=[variant(f"v{number}") for number in range(120)]), "122 variants"),
            (feature(variants=[{**variant("a"), "payload": {"type": "json"}}]), "payload.value"),
            (feature(dependencies=[{}]), "'dependencies.0.feature'"),
            (feature(dependencies=[{"feature": "g", "enabled": False, "variants": ["a"]}]), "being off"),
            (constrained("IN", context_name="", values=["a"]), "without a name"),
            (constrained("IN", context_name="x" * 300, values=["a"]), "256"),
            (constrained("REGEX", value="a" * 10_001), "10000"),
            (constrained("IN", values="a"), "'strategies.0.constraints.0.values'"),
            ({"name": "f"}, "'enabled': Field required"),
            (feature({**ON, "segments": [8]}), "segment 8, which it asks for, is refused"),
        ],
        ids=lambda value: value[:30] if isinstance(value, str) else "",
    )
    def test_name_the_flag_and_the_part_and_leave_the_rest(self, broken: dict[str, Any], words: str) -> None:
        imported = of(broken, feature(ON, name="g"), segments=[{"id": 8, "constraints": "none"}])
        (refusal,) = [each for each in imported.refused if each.what.startswith("flag ")]
        assert refusal.what == f"flag {broken['name']}"
        assert words in refusal.why
        assert [each.key for each in imported.flags] == ["g"]

    def test_a_broken_segment_is_named(self) -> None:
        (refusal,) = of(segments=[{"id": 8, "constraints": "none"}]).refused
        assert (refusal.what, "'constraints'" in refusal.why) == ("segment segment-8", True)

    def test_a_payload_flag_that_cannot_be_does_not_take_the_first_with_it(self) -> None:
        name = "x" * 195
        imported = of(feature(name=name, variants=[variant("a", payload="1")]))
        assert [each.key for each in imported.flags] == [name]
        assert [each.what for each in imported.refused] == [f"flag {name}.payload"]

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            ([], "not an object"),
            ("features", "not an object"),
            (None, "not an object"),
            ({}, "'features' or 'events'"),
            ({"features": {}}, "'features' is not a list"),
            ({"features": [], "segments": "none"}, "'segments' is not a list"),
            ({"events": {}}, "'events' is not a list"),
            ({"events": [1]}, "event 1 is not an object"),
            ({"events": [{"type": "hydration"}]}, "'features' is not a list"),
            ({"toggles": []}, "frontend API"),
        ],
    )
    def test_a_document_that_is_none_is_refused_whole(self, document: Any, words: str) -> None:
        with pytest.raises(Unsayable, match=words):
            read(document)

    @pytest.mark.parametrize("nameless", [{}, 5, None, {"name": 7}, []])
    def test_what_has_no_name_is_refused_alone(self, nameless: Any) -> None:
        imported = read({"features": [nameless, feature(ON)], "segments": [nameless]})
        assert [each.key for each in imported.flags] == ["f"]
        assert [each.what for each in imported.refused] == ["flag without a name", "segment without an id"]


class TestEvents:
    def test_are_applied_in_order(self) -> None:
        gold = {"contextName": "plan", "operator": "IN", "values": ["gold"]}
        hydration = {"type": "hydration", "features": [feature(ON, name="kept")], "segments": []}
        segment = {"type": "segment-updated", "segment": {"id": 1, "constraints": [gold]}}
        events = [
            {"type": "feature-updated", "feature": feature(name="before hydration")},
            hydration,
            segment,
            {"type": "feature-updated", "feature": feature({**ON, "segments": [1]})},
            {"type": "feature-updated", "feature": feature(name="gone")},
            {"type": "feature-removed", "featureName": "gone"},
            {"type": "feature-removed", "featureName": ["odd"]},
            {"type": "something-new"},
        ]
        imported = read({"events": events})
        assert [each.key for each in imported.flags] == ["kept", "f"]
        assert ask(imported, {"properties": {"plan": "gold"}}).value is True
        assert any("'something-new'" in note for note in imported.notes)
        for forgets in ({"type": "segment-removed", "segmentId": 1}, hydration):
            put = {"type": "feature-updated", "feature": feature({**ON, "segments": [1]})}
            without = read({"events": [*events, forgets, put]})
            assert ask(without, {"properties": {"plan": "gold"}}).value is False

    def test_the_last_feature_of_a_name_counts(self) -> None:
        assert ask(of(feature(ON), {**feature(ON), "enabled": False})).reason == "DISABLED"


class TestDescriptions:
    def test_are_kept_with_their_tags(self) -> None:
        tags = [{"type": "simple", "value": "a"}, {"type": "team", "value": "b"}, "c", {"type": "simple"}, 5]
        imported = of(feature(description="What it is for", tags=tags))
        assert flag(imported).description == "What it is for"
        assert flag(imported).tags == ("a", "team:b", "c")
        assert any("tags are left out" in note for note in imported.notes)

    def test_too_long_for_us_are_cut_and_null_is_none(self) -> None:
        imported = of(feature(description="x" * 3_000), feature(name="g", description=None, variants=None))
        assert len(flag(imported).description) == 2_000
        assert any("description is cut" in note for note in imported.notes)
        assert flag(imported, "g").description == ""

    def test_nothing_is_said_of_what_is_just_as_in_unleash(self) -> None:
        whole = feature({**rollout("50", "userId"), "variants": [variant("a", payload="1"), variant("b")]})
        assert (of(whole).notes, of(whole).refused) == ([], [])


class TestContexts:
    def test_are_flat_and_the_user_is_the_subject(self) -> None:
        given = {
            "userId": "u",
            "appName": "web",
            "properties": {"plan": "gold", "n": 5, "beta": True, "gone": None, "appName": "other"},
            "region": "eu",
            "sessionId": None,
        }
        assert context_of(given) == {
            "userId": "u",
            "targetingKey": "u",
            "appName": "web",
            "plan": "gold",
            "n": "5",
            "beta": "true",
            "region": "eu",
        }

    def test_of_openfeature_pass_through_with_the_subject_as_user(self) -> None:
        given = {"targetingKey": "u", "age": 5, "organization": {"plan": "gold"}, "properties": "mine"}
        assert context_of(given) == {**given, "userId": "u"}
        assert context_of({}) == {}
        assert context_of({"targetingKey": "t", "userId": 7}) == {"targetingKey": "7", "userId": "7"}

    def test_have_the_current_time_they_are_given_unless_they_bring_one(self) -> None:
        now = datetime(2022, 1, 29, 13, tzinfo=UTC)
        assert context_of({}, now)["currentTime"] == "2022-01-29T13:00:00+00:00"
        assert context_of({}, now.replace(tzinfo=None))["currentTime"] == "2022-01-29T13:00:00+00:00"
        assert context_of({"currentTime": "then"}, now)["currentTime"] == "then"
        imported = of(constrained("DATE_AFTER", context_name="currentTime", value="2022-01-29T12:59:59Z"))
        assert evaluate(imported.ruleset(), "f", context_of({}, now)).value is True

    def test_are_left_as_they_were(self) -> None:
        given = {"userId": "u", "properties": {"plan": 5}}
        before = copy.deepcopy(given)
        context_of(given, datetime.now(UTC))
        assert given == before


WHOLE: dict[str, Any] = {
    "features": [
        feature(
            {
                **rollout("50"),
                "constraints": [{"contextName": "plan", "operator": "NUM_GT", "value": "5", "values": ["a"]}],
                "segments": [1],
                "variants": [variant("a", payload="1"), variant("b")],
            },
            {"name": "userWithId", "parameters": {"userIds": "1"}},
            variants=[variant("c", overrides=[{"contextName": "plan", "values": ["x"]}]), variant("d")],
            dependencies=[{"feature": "p", "variants": ["disabled"]}],
            description="d",
            tags=[{"type": "simple", "value": "t"}],
        ),
        feature(ON, name="p"),
    ],
    "segments": [{"id": 1, "constraints": [{"contextName": "plan", "operator": "IN", "values": ["x"]}]}],
}
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    10**30,
    float("nan"),
    "",
    "\ud800",
    "x" * 3_000,
    [],
    [[]],
    {},
    [{}],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        yield (*path, name)
        yield from places(child, (*path, name))


def with_odd(path: tuple[Any, ...], odd: Any) -> Any:
    document = copy.deepcopy(WHOLE)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = odd
    return document


@pytest.mark.parametrize("path", list(places(WHOLE)), ids=lambda path: ".".join(str(step) for step in path))
def test_nothing_odd_anywhere_raises_or_makes_a_flag_that_does_not_compile(path: tuple[Any, ...]) -> None:
    for odd in ODD:
        try:
            imported = read(with_odd(path, odd))
        except Unsayable:
            continue
        ruleset = imported.ruleset()
        assert ruleset.broken == {}
        for each in imported.flags:
            answer = evaluate(ruleset, each.key, context_of({"userId": "1", "properties": {"plan": "9"}}))
            assert answer.error_code is None


def test_the_document_that_is_made_odd_is_a_good_one() -> None:
    imported = read(WHOLE)
    assert imported.refused == []
    assert [each.key for each in imported.flags] == ["f", "f.payload", "p"]
