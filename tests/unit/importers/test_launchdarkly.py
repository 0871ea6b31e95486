"""What of LaunchDarkly becomes what here; its own published cases are in tests/conformance."""

from collections.abc import Mapping
from typing import Any

import pytest

from commands.importers.imported import ImportedFlag, Refusal, Unsayable
from commands.importers.launchdarkly import context_of, read
from domain.bucketing import ALGORITHMS
from domain.evaluation import Evaluation, evaluate
from domain.targeting import Rule, ServeSplit, ServeVariant, Split
from domain.values import FlagType

IS_U1 = {"attribute": "key", "op": "in", "values": ["u1"]}


def flag(**parts: Any) -> dict[str, Any]:
    """On; serves false, variation 1, to whom nothing else is served."""
    return {
        "on": True,
        "variations": [True, False],
        "offVariation": 1,
        "fallthrough": {"variation": 1},
        "salt": "salt",
        **parts,
    }


def rule(*clauses: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
    return {"id": "rule", "clauses": list(clauses), "variation": 0, **parts}


def document(segments: Any = None, **flags: Any) -> dict[str, Any]:
    return {"flags": flags, "segments": segments or {}}


def asked(contents: Any, context: Mapping[str, Any], key: str = "f") -> Evaluation:
    imported = read(contents)
    assert imported.refused == []
    return evaluate(imported.ruleset(), key, context_of(context))


def matches(clause: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    return asked(document(f=flag(rules=[rule(clause)])), context).value is True


def only_flag(contents: Any) -> ImportedFlag:
    imported = read(contents)
    assert imported.refused == []
    return imported.flags[0]


def user(key: str = "u1", **attributes: Any) -> dict[str, Any]:
    return {"kind": "user", "key": key, **attributes}


WHOLE = {"variation": 0, "weight": 100_000}
NO_REFERENCE = {"bucketBy": "/a//b", "contextKind": "user", "variations": [WHOLE]}

# The file


@pytest.mark.parametrize(
    "wrapped",
    [
        {"path": "/", "data": document(f=flag())},
        {"event": "put", "data": {"path": "/", "data": document(f=flag())}},
        {"flags": {"f": flag()}},
    ],
)
def test_the_payload_is_found_where_the_stream_has_it(wrapped: Any) -> None:
    assert [each.key for each in read(wrapped).flags] == ["f"]


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        (None, "a file of LaunchDarkly is not an object"),
        ([], "a file of LaunchDarkly is not an object"),
        ({"items": []}, "there are no 'flags'"),
        ({"data": {"data": "text"}}, "there are no 'flags'"),
        ({"flags": []}, None),
        ({"flags": [1]}, "'flags' is not an object"),
        ({"flags": {}, "segments": 5}, "'segments' is not an object"),
    ],
)
def test_what_is_no_payload_is_told_in_a_sentence(odd: Any, sentence: str | None) -> None:
    if sentence is None:
        assert read(odd).flags == []
        return
    with pytest.raises(Unsayable, match=sentence):
        read(odd)


def test_parts_of_the_file_that_are_not_imported_are_noted() -> None:
    assert read({**document(f=flag()), "flagValues": {}}).notes == [
        "'flagValues' of the file is not imported"
    ]


def test_deleted_flags_and_segments_are_left_out() -> None:
    gone = {"deleted": True, "version": 2}
    imported = read(document({"s": gone}, f=flag(), old=gone))
    assert [each.key for each in imported.flags] == ["f"]
    assert (imported.segments, imported.refused) == ({}, [])


@pytest.mark.parametrize(
    ("variations", "kind"),
    [
        ([True, False], FlagType.BOOLEAN),
        (["a", "b"], FlagType.STRING),
        ([1, 2], FlagType.INTEGER),
        ([1, 2.5], FlagType.FLOAT),
        ([1, True], FlagType.OBJECT),
        ([{"a": 1}, None], FlagType.OBJECT),
    ],
)
def test_the_type_is_what_all_variations_have_in_common(variations: list[Any], kind: FlagType) -> None:
    found = only_flag(document(f=flag(variations=variations)))
    assert (found.type, found.variants) == (kind, {"0": variations[0], "1": variations[1]})


@pytest.mark.parametrize(
    ("parts", "visible"),
    [
        ({}, False),
        ({"clientSide": True}, True),
        ({"clientSideAvailability": {"usingEnvironmentId": True}}, True),
        ({"clientSideAvailability": {"usingEnvironmentId": False}, "clientSide": True}, False),
        ({"clientSideAvailability": {"usingMobileKey": True}}, False),
    ],
)
def test_who_may_see_a_flag(parts: dict[str, Any], visible: bool) -> None:
    assert only_flag(document(f=flag(**parts))).client_visible is visible


# Refused by name, and the rest imported


REFUSED: list[tuple[Any, str]] = [
    (5, "the flag is not an object"),
    (flag(variations=[]), "it has no variations"),
    (flag(on="yes"), "'on' is not a boolean"),
    (flag(offVariation=True), "'offVariation' is not a whole number"),
    (flag(rules={}), "'rules' is not a list"),
    (flag(rules=[1]), "a part of 'rules' is not an object"),
    (flag(targets=[{"values": ["a"]}]), "'variation' is missing"),
    (flag(targets=[{"variation": 0, "values": [1]}]), "'values' has something else than texts"),
    (flag(prerequisites=[{"key": ["a"], "variation": 0}]), "'key' is not a text"),
    (
        flag(rules=[rule({**IS_U1, "values": [None]})]),
        "'in' with null, an array or an object among its values",
    ),
    (
        flag(rules=[rule({"attribute": "targetingKey", "op": "in", "values": ["a"]})]),
        "attribute 'targetingKey' of a user: here this is the user's key",
    ),
    (
        flag(fallthrough={"rollout": {"bucketBy": "kind", "variations": [WHOLE]}}),
        "bucketed by the kind of the context",
    ),
    (
        flag(fallthrough={"rollout": {"bucketBy": "/a/1", "contextKind": "org", "variations": [WHOLE]}}),
        "bucketed by '/org/a/1': here a number may also be a place in an array",
    ),
]


@pytest.mark.parametrize(("broken", "why"), REFUSED)
def test_a_flag_that_cannot_be_said_is_refused_by_name_and_the_rest_is_imported(
    broken: Any, why: str
) -> None:
    imported = read(document(f=broken, other=flag()))
    assert imported.refused == [Refusal("flag f", why)]
    assert [each.key for each in imported.flags] == ["other"]


def test_a_pattern_that_only_other_engines_know_is_refused() -> None:
    ahead = {"attribute": "name", "op": "matches", "values": ["a(?=b)"]}
    (refusal,) = read(document(f=flag(rules=[rule(ahead)]))).refused
    assert refusal.what == "flag f"
    assert "'a(?=b)' is not an RE2 pattern" in refusal.why


def test_a_pattern_that_no_engine_knows_never_matches() -> None:
    broken = {"attribute": "name", "op": "matches", "values": ["("]}
    assert not matches(broken, user(name="("))
    assert matches({**broken, "values": ["(", 5, "^x"]}, user(name="xy"))


@pytest.mark.parametrize("key", ["a/b", "", " a", "x" * 201])
def test_a_key_that_does_not_fit_is_refused(key: str) -> None:
    imported = read({"flags": {key: flag(), "f": flag()}, "segments": {key: {}}})
    assert [each.what for each in imported.refused] == [f"segment {key}", f"flag {key}"]


def test_a_big_segment_is_refused_with_everything_that_asks_for_it() -> None:
    def asks(segment: str) -> dict[str, Any]:
        return {"op": "segmentMatch", "attribute": "", "values": [segment]}

    imported = read(
        document(
            {"big": {"unbounded": True}, "around": {"rules": [{"clauses": [asks("big")]}]}, "other": {}},
            direct=flag(rules=[rule(asks("big"))]),
            through=flag(rules=[rule(asks("around"))]),
            after=flag(prerequisites=[{"key": "through", "variation": 0}]),
            apart=flag(rules=[rule(asks("other"))]),
        )
    )
    assert imported.refused == [
        Refusal("segment big", "a big segment: who is in it is not in the file"),
        Refusal("segment around", "it asks for segment big, which was refused"),
        Refusal("flag direct", "it asks for segment big, which was refused"),
        Refusal("flag through", "it asks for segment around, which was refused"),
        Refusal("flag after", "it asks for flag through, which was refused"),
    ]
    assert [each.key for each in imported.flags] == ["apart"]
    assert [*imported.segments] == ["other"]


def test_nothing_is_noted_of_what_was_refused() -> None:
    imported = read(
        document(f=flag(rules=[rule(IS_U1, variation=9)], fallthrough={"variation": 9}, clientSide=5))
    )
    assert [each.what for each in imported.refused] == ["flag f"]
    assert imported.notes == []


# Clauses


def test_an_attribute_with_dots_in_its_name_is_just_that() -> None:
    clause = {"attribute": "a.b", "op": "in", "values": ["x"]}
    assert matches(clause, user(**{"a.b": "x"}))
    assert not matches(clause, user(a={"b": "x"}))


def test_a_number_in_a_path_is_a_name_and_never_a_place_in_an_array() -> None:
    clause = {"attribute": "/a/1", "op": "in", "values": ["x"], "contextKind": "user", "negate": True}
    assert not matches(clause, user(a=["w", "y"]))
    assert matches(clause, user(a={"1": "y"}))


@pytest.mark.parametrize("clause", [{"op": "unheardOf", "values": [1]}, {"op": "lessThan", "values": ["1"]}])
def test_what_means_nothing_matches_nothing_and_negated_whatever_is_there(clause: dict[str, Any]) -> None:
    asks = {"attribute": "n", **clause}
    assert not matches(asks, user(n=0))
    assert matches({**asks, "negate": True}, user(n=0))
    assert not matches({**asks, "negate": True}, user())


def test_one_is_not_true_even_in_two_rules_that_look_alike() -> None:
    rules = [
        rule({"attribute": "n", "op": "in", "values": [value]}, id=str(value), variation=variation)
        for value, variation in ((1, 0), (True, 1))
    ]
    found = asked(document(f=flag(rules=rules, variations=["number", "boolean"])), user(n=True))
    assert (found.rule_id, found.value) == ("True", "boolean")


@pytest.mark.parametrize(
    ("kind", "context", "held"),
    [
        (None, {"targetingKey": "u1"}, True),
        (None, user(anonymous=False), True),
        (None, user(anonymous=True), False),
        ("org", {"kind": "org", "key": "o1"}, True),
        ("org", user(), False),
        (None, {"kind": "org", "key": "o1"}, False),
    ],
)
def test_who_does_not_say_so_is_not_anonymous(kind: str | None, context: dict[str, Any], held: bool) -> None:
    clause = {"attribute": "anonymous", "op": "in", "values": [False], "contextKind": kind}
    assert matches(clause, context) is held
    assert not matches({**clause, "values": [True]}, {**context, "anonymous": None})


def test_a_context_that_does_not_tell_its_kind_is_a_user() -> None:
    clause = {"attribute": "kind", "op": "in", "values": ["user"]}
    unheard_of = {**clause, "op": "unheardOf", "negate": True}
    ruleset = read(
        document(
            f=flag(rules=[rule(clause)]),
            other=flag(rules=[rule({**clause, "values": ["org"]})]),
            any=flag(rules=[rule(unheard_of)]),
        )
    ).ruleset()
    assert evaluate(ruleset, "f", {"targetingKey": "u1"}).value is True
    assert evaluate(ruleset, "f", {"targetingKey": "u1", "kind": ["org"]}).value is False
    assert evaluate(ruleset, "other", {"targetingKey": "u1"}).value is False
    assert evaluate(ruleset, "any", {"targetingKey": "u1"}).value is True


def test_a_segment_that_does_not_exist_has_nobody_in_it_and_is_noted() -> None:
    clause = {"op": "segmentMatch", "attribute": "", "values": ["gone"]}
    assert not matches(clause, user())
    assert matches({**clause, "negate": True}, user())
    assert read(document(f=flag(rules=[rule(clause)]))).notes == [
        "flag f: segment 'gone' does not exist, so nobody is in it"
    ]


def test_lists_longer_than_one_clause_may_be_are_parted() -> None:
    keys = [f"u{number}" for number in range(60_000)]
    clause = {"attribute": "key", "op": "in", "values": keys}
    assert matches(clause, user("u59999"))
    assert not matches({**clause, "negate": True}, user("u59999"))
    assert matches({**clause, "negate": True}, user("u60000"))
    targeted = document(f=flag(targets=[{"variation": 0, "values": keys}]))
    assert asked(targeted, user("u59999")).why == "target"
    listed = document(
        {"s": {"included": keys}}, f=flag(rules=[rule({"op": "segmentMatch", "values": ["s"]})])
    )
    assert asked(listed, user("u59999")).value is True


# What is served


def test_a_percentage_keeps_its_buckets_and_the_last_variation_gets_what_is_left() -> None:
    rollout = {"variations": [{"variation": 1, "weight": 30_000}, {"variation": 0, "weight": 20_000}]}
    found = only_flag(document(f=flag(fallthrough={"rollout": rollout})))
    serve = found.targeting.default
    assert isinstance(serve, ServeSplit)
    assert (serve.split.salt, serve.split.algorithm, serve.split.by) == (
        "f.salt",
        "launchdarkly",
        "targetingKey",
    )
    assert _ranges(serve.split) == [("1", 0, 30_000), ("0", 30_000, 50_000), ("0", 50_000, 100_000)]


def _ranges(split: Split) -> list[tuple[str, int, int]]:
    return [(each.variant, each.start, each.end) for each in split.ranges]


@pytest.mark.parametrize(
    ("parts", "by", "salt"),
    [
        ({"bucketBy": "company"}, "company", "f.salt"),
        ({"bucketBy": "/a/b"}, "/~1a~1b", "f.salt"),
        ({"bucketBy": "/a/b", "contextKind": "org"}, "/org/a/b", "f.salt"),
        ({"contextKind": "org"}, "/org/key", "f.salt"),
        ({"kind": "experiment", "bucketBy": "company", "seed": 61}, "targetingKey", "61"),
    ],
)
def test_what_buckets_are_made_of(parts: dict[str, Any], by: str, salt: str) -> None:
    rollout = {"variations": [WHOLE], **parts}
    serve = only_flag(document(f=flag(fallthrough={"rollout": rollout}))).targeting.default
    assert isinstance(serve, ServeSplit)
    assert (serve.split.by, serve.split.salt) == (by, salt)


@pytest.mark.parametrize(
    "weights", [(60_000, -20_000, 40_000), (60_000, 0, 60_000), (60_000, -70_000, 20_000)]
)
def test_weights_are_counted_up_and_no_bucket_has_two_variations(weights: tuple[int, ...]) -> None:
    shares = [{"variation": place % 2, "weight": weight} for place, weight in enumerate(weights)]
    serve = only_flag(document(f=flag(fallthrough={"rollout": {"variations": shares}}))).targeting.default
    assert isinstance(serve, ServeSplit)
    assert {(variant, end) for variant, _, end in _ranges(serve.split)} >= {("0", 60_000), ("0", 100_000)}
    assert {variant for variant, _, _ in _ranges(serve.split)} == {"0"}


def test_an_experiment_is_noted() -> None:
    rollout = {"kind": "experiment", "variations": [WHOLE]}
    assert read(document(f=flag(fallthrough={"rollout": rollout}))).notes == [
        "flag f: an experiment: its percentages are imported, what it measures is not"
    ]


@pytest.mark.parametrize("part", ["rules", "fallthrough"])
def test_a_share_of_a_variation_that_does_not_exist_is_an_error_for_just_those_in_it(part: str) -> None:
    rollout = {"variations": [{"variation": 7, "weight": 50_000}, {"variation": 0, "weight": 50_000}]}
    parts: dict[str, Any] = {
        "fallthrough": {"fallthrough": {"rollout": rollout}},
        "rules": {"rules": [{"id": "rule", "clauses": [], "rollout": rollout}]},
    }
    contents = document(f=flag(**parts[part]))
    for key in (f"u{number}" for number in range(20)):
        found = asked(contents, user(key))
        in_it = ALGORITHMS["launchdarkly"].hash("f.salt", key, 100_000) < 50_000
        assert (found.error_code, found.value) == (("PARSE_ERROR", None) if in_it else (None, True))


def test_a_variation_that_does_not_exist_is_an_error_only_where_it_is_reached() -> None:
    contents = document(
        f=flag(rules=[rule(IS_U1, variation=2)], targets=[{"variation": -1, "values": ["u2"]}])
    )
    assert asked(contents, user("u1")).error_code == "PARSE_ERROR"
    assert asked(contents, user("u2")).error_code == "PARSE_ERROR"
    assert asked(contents, user("u3")).value is False
    assert read(contents).notes == [
        "flag f: variation -1 does not exist: an error for whom it is reached, as in LaunchDarkly",
        "flag f: some of its individual targets became rules, before its other rules",
        "flag f: variation 2 does not exist: an error for whom it is reached, as in LaunchDarkly",
    ]


@pytest.mark.parametrize(
    "prerequisite",
    [
        flag(fallthrough={"variation": 9}),
        flag(on=False, offVariation=9),
        flag(targets=[{"variation": 9, "values": ["u1"]}]),
        flag(rules=[rule(IS_U1, variation=9)]),
    ],
)
def test_to_the_flag_that_asks_for_it_a_variation_that_does_not_exist_is_another_one(
    prerequisite: Any,
) -> None:
    contents = document(f=flag(prerequisites=[{"key": "p", "variation": 0}]), p=prerequisite)
    found = asked(contents, user())
    assert (found.variant, found.reason, found.why) == ("1", "DEFAULT", "prerequisite:p")
    assert asked(contents, user(), "p").variant is None
    assert any(note.startswith("flag p: ") and "caller's default" in note for note in read(contents).notes)


def test_a_percentage_of_only_variations_that_do_not_exist_is_an_error_to_all() -> None:
    rollout = {"variations": [{"variation": 7, "weight": 50_000}, {"variation": 8, "weight": 50_000}]}
    contents = document(f=flag(fallthrough={"rollout": rollout}))
    assert {asked(contents, user(f"u{number}")).error_code for number in range(9)} == {"PARSE_ERROR"}


@pytest.mark.parametrize("key", ["f", "after"])
def test_a_percentage_of_an_attribute_that_none_can_be_is_an_error_to_whoever_asks(key: str) -> None:
    after = flag(prerequisites=[{"key": "f", "variation": 0}])
    contents = document(f=flag(fallthrough={"rollout": NO_REFERENCE}), after=after)
    assert asked(contents, user(), key).error_code == "PARSE_ERROR"


def test_a_segments_percentage_of_an_attribute_that_none_can_be_is_an_error_where_it_is_reached() -> None:
    share = {"clauses": [IS_U1], "weight": 1, "bucketBy": "/", "rolloutContextKind": "user"}
    in_segment = rule({"op": "segmentMatch", "values": ["s"]})
    contents = document({"s": {"rules": [share]}}, f=flag(rules=[in_segment]))
    assert asked(contents, user("u1")).error_code == "PARSE_ERROR"
    assert asked(contents, user("u2")).value is False


def test_a_flag_that_is_off_with_an_off_variation_that_does_not_exist_answers_the_error() -> None:
    contents = document(
        f=flag(
            on=False,
            offVariation=5,
            targets=[{"variation": 0, "values": ["u1"]}],
            prerequisites=[{"key": "p", "variation": 0}],
        ),
        p=flag(),
    )
    assert asked(contents, user()).error_code == "PARSE_ERROR"
    assert any("it is off there; here it is on" in note for note in read(contents).notes)


def test_where_a_prerequisite_fails_without_an_off_variation_the_callers_default_counts() -> None:
    failing = flag(offVariation=5, prerequisites=[{"key": "gone", "variation": 0}])
    found = asked(document(f=failing), user())
    assert (found.variant, found.reason, found.why) == (None, "DEFAULT", "prerequisite:gone")
    assert read(document(f=failing)).notes == [
        "flag f: its prerequisite 'gone' does not exist, so it is never met",
        "flag f: off variation 5 does not exist: here the caller's default, not an error",
    ]


# Targets and rules


def test_targets_of_kinds_that_take_turns_keep_their_order() -> None:
    contents = document(
        f=flag(
            variations=["a", "b", "c", "d"],
            targets=[{"variation": 1, "values": ["u1"]}],
            contextTargets=[
                {"contextKind": "org", "variation": 0, "values": ["o1"]},
                {"contextKind": "user", "variation": 1, "values": []},
                {"contextKind": "org", "variation": 2, "values": ["o2"]},
            ],
        )
    )

    def of(user_key: str, org_key: str) -> Any:
        return asked(contents, {"kind": "multi", "user": {"key": user_key}, "org": {"key": org_key}}).value

    assert [of("u1", "o1"), of("u1", "o2"), of("u2", "o2"), of("u2", "o3")] == ["a", "b", "c", "b"]
    assert [each.attribute for each in only_flag(contents).targeting.targets] == ["/org/key", "targetingKey"]


def test_after_a_target_that_is_an_error_comes_no_other_for_the_same_subject() -> None:
    targets = [{"variation": -1, "values": ["u1"]}, {"variation": 0, "values": ["u1", "u2"]}]
    contents = document(f=flag(targets=targets))
    assert asked(contents, user("u1")).error_code == "PARSE_ERROR"
    assert asked(contents, user("u2")).value is True


def test_of_two_user_targets_for_one_variation_only_the_first_has_a_place_among_context_targets() -> None:
    targets = [{"variation": 0, "values": ["u1"]}, {"variation": 0, "values": ["u2"]}]
    contents = document(f=flag(targets=targets, contextTargets=[{"variation": 0}]))
    assert [asked(contents, user(key)).value for key in ("u1", "u2")] == [True, False]
    assert asked(document(f=flag(targets=targets)), user("u2")).value is True


def test_rules_without_a_usable_id_are_named_by_their_index() -> None:
    ids = [None, "mine", "mine", "x" * 65]
    found = read(document(f=flag(rules=[rule(IS_U1, id=each) for each in ids])))
    assert [each.id for each in found.flags[0].targeting.rules] == ["rule-0", "mine", "rule-2", "rule-3"]
    assert found.notes == [
        "flag f: the id of rule 2 is too long or given twice; here it is rule-2",
        "flag f: the id of rule 3 is too long or given twice; here it is rule-3",
    ]


def test_a_plain_rule_reads_plainly() -> None:
    clause = {"attribute": "country", "op": "in", "values": ["BR"]}
    (found,) = only_flag(document(f=flag(rules=[rule(clause)]))).targeting.rules
    assert found == Rule.model_validate(
        {
            "id": "rule",
            "when": {"attribute": "country", "operator": "in", "values": ["BR"]},
            "serve": {"variant": "0"},
        }
    )
    assert found.serve == ServeVariant(variant="0")


# Segments


@pytest.mark.parametrize(
    ("segment", "held"),
    [
        ({"included": ["u1"], "excluded": ["u1"]}, True),
        ({"excluded": ["u1"], "rules": [{"clauses": [IS_U1]}]}, False),
        ({"excluded": ["u1"], "includedContexts": [{"contextKind": "org", "values": ["o1"]}]}, True),
        ({"excludedContexts": [{"contextKind": "org", "values": ["o1"]}], "rules": [{}]}, False),
        ({"rules": [{"weight": 0}]}, False),
        ({"rules": [{"weight": 100_001}]}, True),
        ({"rules": [{"weight": 1, "bucketBy": "nothing"}]}, True),
        ({"rules": [{"weight": 1, "rolloutContextKind": "device"}]}, True),
        ({}, False),
    ],
)
def test_who_is_in_a_segment(segment: dict[str, Any], held: bool) -> None:
    contents = document({"s": segment}, f=flag(rules=[rule({"op": "segmentMatch", "values": ["s"]})]))
    context = {"kind": "multi", "user": {"key": "u1"}, "org": {"key": "o1"}}
    assert asked(contents, context).value is held


def test_a_segments_percentage_is_of_its_own_salt() -> None:
    segment = {"salt": "salty", "rules": [{"weight": 50_000, "bucketBy": "company"}]}
    contents = document({"s": segment}, f=flag(rules=[rule({"op": "segmentMatch", "values": ["s"]})]))
    companies = [f"c{number}" for number in range(20)]
    inside = [
        each for each in companies if ALGORITHMS["launchdarkly"].hash("s.salty", each, 100_000) < 50_000
    ]
    assert [each for each in companies if asked(contents, user(company=each)).value is True] == inside


def test_the_key_in_the_hash_is_the_one_the_document_itself_has() -> None:
    rollout = {"variations": [WHOLE]}
    serve = only_flag(document(f=flag(key="F", fallthrough={"rollout": rollout}))).targeting.default
    assert isinstance(serve, ServeSplit)
    assert serve.split.salt == "F.salt"


def test_a_name_for_both_an_attribute_and_a_kind_is_noted() -> None:
    clauses = [
        {"attribute": "org", "op": "in", "values": ["x"]},
        {"attribute": "key", "contextKind": "org", "op": "in", "values": ["o1"]},
    ]
    assert read(document(f=flag(rules=[rule(*clauses)]))).notes == [
        "'org' is both an attribute of a user and an object: a context can have just one of the two"
    ]


# Contexts


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            {
                "kind": "user",
                "key": "u1",
                "plan": "pro",
                "_meta": {"privateAttributes": ["plan"]},
                "name": None,
            },
            {"targetingKey": "u1", "plan": "pro", "kind": ["user"]},
        ),
        (
            {"kind": "org", "key": "o1", "plan": "pro"},
            {"org": {"key": "o1", "plan": "pro"}, "kind": ["org"]},
        ),
        (
            {"kind": "multi", "user": {"key": "u1", "org": "lost"}, "org": {"key": "o1"}, "odd": 5},
            {"targetingKey": "u1", "org": {"key": "o1"}, "kind": ["user", "org"]},
        ),
        (
            {"key": 5, "country": "BR", "custom": {"country": "no", "n": 1}, "privateAttributeNames": ["n"]},
            {"targetingKey": "5", "country": "BR", "n": 1, "kind": ["user"]},
        ),
        (
            {"targetingKey": "u1", "custom": {"n": 1}, "key": "other"},
            {"targetingKey": "u1", "custom": {"n": 1}, "kind": ["user"]},
        ),
        (
            {"targetingKey": "o1", "kind": "org", "plan": "pro"},
            {"org": {"key": "o1", "plan": "pro"}, "kind": ["org"]},
        ),
        (
            {"targetingKey": "u1", "kind": ["user", "org"], "org": {"key": "o1"}},
            {"targetingKey": "u1", "kind": ["user", "org"], "org": {"key": "o1"}},
        ),
        ({}, {"kind": ["user"]}),
        ({"kind": 5, "key": "u1"}, {"targetingKey": "u1", "kind": ["user"]}),
        ({"kind": "multi", "_meta": {}}, {"kind": []}),
    ],
)
def test_their_context_as_ours(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert context_of(theirs) == ours
