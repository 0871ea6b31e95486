"""Changes in plain words: each sentence as a person reads it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from domain import flag as flags
from domain.differences import differences, targeting_differences
from domain.events import (
    FlagCreated,
    FlagDetailsChanged,
    FlagEvent,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)
from domain.flag import Flag
from domain.project import Project
from domain.segment import Segment, SegmentDefinition
from domain.sentences import sentences
from domain.targeting import Condition, Serve, Targeting
from domain.values import FlagType
from domain.wording import ENGLISH

CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)
SERVE: TypeAdapter[Any] = TypeAdapter(Serve)
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro", "very big"], "negate": True}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (BRAZIL, "country is BR"),
        (PRO, "plan is not pro or “very big”"),
        ({"all": []}, "always"),
        ({"any": []}, "never"),
        ({"all": [BRAZIL, {"any": [PRO, {"segment": "beta"}]}]},
         "country is BR and (plan is not pro or “very big” or in segment *beta*)"),
        ({"not": {"flag": "api", "variants": ["on", "half"]}}, "not (flag *api* serves *on* or *half*)"),
        ({"attribute": "age", "operator": "exists"}, "age is given"),
        ({"attribute": "age", "operator": "ge", "values": [18]}, "age ≥ 18"),
        ({"attribute": "paid", "operator": "equals", "values": [True]}, "paid is true"),
        ({"bucket": {"below": 30_000}}, "among 30 %"),
        ({"bucket": {"by": "company", "at_least": 10_000, "below": 12_500}},
         "among 10 % to 12.5 % by company"),
        ({"constant": False}, "never"),
        ({"any_element": "tags", "where": {"attribute": "value", "operator": "equals", "values": ["a"]}},
         "an element of tags has: value is a"),
        ({"unanswerable": "a broken rule"}, "nobody can tell (a broken rule)"),
    ],
)  # fmt: skip
def test_a_condition(condition: Any, words: str) -> None:
    assert ENGLISH.condition(CONDITION.validate_python(condition)) == words


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ({"variant": "on"}, "*on*"),
        ({"code_default": True}, "the code's own default"),
        ({"unanswerable": "broken"}, "an error"),
        ({"split": {"weights": {"on": 25_000, "off": 75_000, "other": 0}}}, "*on* to 25 %, *off* to 75 %"),
        ({"split": {"by": "company", "weights": {"on": 100_000}, "coverage": 50_000}},
         "*on* to 100 % by company, 50 % of each"),
        ({"split": {"algorithm": "sha1", "ranges": [{"variant": "on", "start": 0, "end": 25}]}},
         "*on* to 25 %"),
        ({"split": {"algorithm": "sha1", "ranges": [{"variant": "on", "start": 0, "end": 0}]}},
         "nobody anything"),
    ],
)  # fmt: skip
def test_who_gets_what(serve: Any, words: str) -> None:
    assert ENGLISH.serve(SERVE.validate_python(serve)) == words


def targeting(**more: Any) -> Targeting:
    return Targeting.model_validate(
        {"enabled": True, "off_variant": "off", "default": {"variant": "off"}, **more}
    )


def rule(rule_id: str, share: int = 10_000, when: Any = BRAZIL, name: str = "") -> dict[str, Any]:
    serve = {"split": {"weights": {"on": share, "off": 100_000 - share}}}
    return {"id": rule_id, "name": name, "when": when, "serve": serve}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"enabled": False}, ["was turned off in production"]),
        ({"enabled": False}, {}, ["was turned on in production"]),
        ({}, {"off_variant": None}, ["serves the code's own default when off (before: *off*) in production"]),
        ({}, {"default": {"variant": "on"}}, ["everybody else now gets *on* (before: *off*) in production"]),
        ({}, {"prerequisites": [{"flag": "api", "variants": ["on"]}]},
         ["now needs *api* to be on and serve *on* (before: no other flag) in production"]),
        ({}, {"targets": [{"variant": "on", "values": ["u1", "u2"]},
                          {"variant": "off", "attribute": "company", "values": ["acme"]}]},
         ["now gives *on* to u1 and u2; *off* to company acme (before: nobody in particular) in production"]),
        ({}, {"rules": [rule("br", name="beta testers")]},
         ["new rule *beta testers*: if country is BR, serve *on* to 10 %, *off* to 90 % in production"]),
        ({"rules": [rule("br")]}, {}, ["rule *br* was removed in production"]),
        ({"rules": [rule("br")]}, {"rules": [rule("br", 25_000)]},
         [("rule *br* now serves *on* to 25 %, *off* to 75 % (before: *on* to 10 %, *off* to 90 %)"
           " in production")]),
        ({"rules": [rule("br")]}, {"rules": [rule("br", when=PRO, name="pros")]},
         [("rule *br* is now called *pros* and now asks: plan is not pro or “very big”"
           " (before: country is BR) in production")]),
        ({"rules": [rule("a"), rule("b")]}, {"rules": [rule("b"), rule("a")]},
         ["rules are now asked in the order *b* and *a* in production"]),
        ({}, {}, []),
    ],
)  # fmt: skip
def test_what_differs_between_two_targetings(before: Any, after: Any, told: list[str]) -> None:
    found = targeting_differences(targeting(**before), targeting(**after), "production")
    assert list(sentences(found, ENGLISH)) == told


def a_flag() -> Flag:
    first = targeting(enabled=False)
    made = FlagCreated(
        project="shop",
        key="hero",
        type=FlagType.STRING,
        variants={"red": "#f00", "blue": "#00f"},
        targeting=first,
        gate_salt="g",
        split_salt="s",
    )
    return flags.evolve(None, made)


def told(before: Any, after: Any) -> list[str]:
    return list(sentences(differences(before, after), ENGLISH))


def test_what_differs_between_two_states_of_a_flag() -> None:
    flag = a_flag()
    assert told(None, flag) == ["string flag *hero* was made, with *red* and *blue*"]
    told_by: dict[FlagEvent, str] = {
        FlagDetailsChanged(description="The first screen"): "description is now “The first screen”",
        FlagDetailsChanged(tags=("web", "home")): "tags is now “web and home”",
        FlagDetailsChanged(client_visible=True): "now visible to client keys",
        VariantAdded(name="green", value="#0f0"): 'new variant *green* with the value "#0f0"',
        VariantChanged(name="red", value="#e00"): 'variant *red* is now "#e00" (before: "#f00")',
        VariantRemoved(name="red"): "variant *red* was removed",
    }
    for event, words in told_by.items():
        assert told(flag, flags.evolve(flag, event)) == [words]
    owned = flags.evolve(flag, FlagDetailsChanged(owner="ana", client_visible=True))
    assert told(owned, flag) == ["owner was taken away", "no longer visible to client keys"]


def test_a_variant_that_is_true_is_not_one_that_is_1() -> None:
    made = FlagCreated(
        project="shop", key="o", type=FlagType.OBJECT, variants={"a": {"x": 1}}, targeting=targeting(),
        gate_salt="g", split_salt="s",
    )  # fmt: skip
    flag = flags.evolve(None, made)
    after = flags.evolve(flag, VariantChanged(name="a", value={"x": True}))
    assert told(flag, after) == ['variant *a* is now {"x": true} (before: {"x": 1})']


def test_what_differs_between_two_states_of_a_segment_and_of_a_project() -> None:
    def segment(archived: bool = False, **definition: Any) -> Segment:
        wish = {"condition": BRAZIL, **definition}
        return Segment("shop", "beta", "salt", SegmentDefinition.model_validate(wish), archived)

    plain = segment()
    assert told(None, plain) == ["segment *beta* was made: country is BR"]
    assert told(plain, segment(condition=PRO)) == [
        "now holds whom: plan is not pro or “very big” (before: country is BR)"
    ]
    assert told(segment(include=("u1", "u2")), segment(include=("u2", "u3"))) == [
        "u3 now always in it; u1 no longer always in it"
    ]
    assert told(segment(exclude=("a", "b")), segment(exclude=("b", "a"))) == [
        "the order of those never in it changed"
    ]
    assert told(plain, segment(True, name="Beta")) == ["was archived", "name is now “Beta”"]
    project = Project("shop", "Shop", {"production": "Production"})
    after = Project("shop", "Web shop", {"production": "Live", "qa": "Tests"}, {"production": 2})
    assert told(None, project) == ["project *shop* was made"]
    assert told(project, after) == [
        "name is now “Web shop”",
        "is now called “Live” in production",
        "a new environment, “Tests”, in qa",
        "changes now need 2 approvals in production",
    ]


@given(st.lists(st.text(min_size=1, max_size=3)))
def test_of_a_long_list_it_is_told_how_many_more_there_are(items: list[str]) -> None:
    words = ENGLISH.listed(items)
    assert (f"or {len(items) - 5} more" in words) == (len(items) > 5)
    assert all(item in words for item in items[:5])
