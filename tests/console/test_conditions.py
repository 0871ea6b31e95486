"""Conditions as the console edits them, and what it says of them."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.condition_tree import (
    Group,
    Leaf,
    Node,
    condition_of,
    groups,
    leaves,
    missing,
    move,
    new_leaf,
    remove,
    tree_of,
)
from api.console.operators import OPERATORS, lines_of, read_lines
from api.console.texts import LANGUAGES, Texts, catalogue
from api.console.words import CONDITIONS, Name, Words, plain
from domain.targeting import CONDITION_KINDS, Operator

LEAVES: list[dict[str, Any]] = [
    {"attribute": "country", "operator": "in", "values": ["BR", "7", 7, True], "on_missing": "match"},
    {"attribute": "age", "operator": "ge", "values": [18.5], "negate": True, "coerce": "lenient"},
    {"attribute": "odd", "operator": "of_tomorrow", "values": [1]},
    {"segment": "staff"},
    {"flag": "new-api", "variants": ["on"]},
    {"bucket": {"by": "company", "below": 30_000, "salt": "s"}},
    {"bucket": {"by": "user", "below": 30, "algorithm": "sha1"}},
    {"constant": True},
    {"any_element": "orders", "where": {"attribute": "total", "operator": "gt", "values": [10]}},
    {"unanswerable": "nobody knows"},
]
CONDITIONS_OF_ALL_KINDS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)


def nodes(root: Group) -> list[Node]:
    return [part for group in groups(root) for part in group.parts]


@given(CONDITIONS_OF_ALL_KINDS)
def test_a_condition_that_nobody_touched_is_given_back_as_it_was(condition: dict[str, Any]) -> None:
    assert condition_of(tree_of(condition)) == condition


@given(CONDITIONS_OF_ALL_KINDS, st.data())
def test_moving_never_loses_a_condition(condition: dict[str, Any], data: st.DataObject) -> None:
    root = tree_of(condition)
    before = sorted(str(leaf.value) for leaf in leaves(root))
    for _ in range(3):
        if there := nodes(root):
            move(root, data.draw(st.sampled_from(there)), data.draw(st.sampled_from([-1, 1])))
    assert sorted(str(leaf.value) for leaf in leaves(root)) == before


def test_a_condition_moves_into_the_group_beside_it_and_out_of_it() -> None:
    root = tree_of({"all": [{"segment": "a"}, {"any": [{"segment": "b"}]}]})
    first = root.parts[0]
    seen = []
    for _ in range(3):
        move(root, first, 1)
        seen.append(condition_of(root))
    assert seen == [
        {"all": [{"any": [{"segment": "a"}, {"segment": "b"}]}]},
        {"all": [{"any": [{"segment": "b"}, {"segment": "a"}]}]},
        {"all": [{"any": [{"segment": "b"}]}, {"segment": "a"}]},
    ]
    remove(root, first)
    assert condition_of(root) == {"all": [{"any": [{"segment": "b"}]}]}


def test_a_part_added_to_a_condition_of_one_makes_a_group_of_it() -> None:
    root = tree_of({"segment": "staff"})
    root.parts.append(Leaf("constant", {"constant": True}))
    assert condition_of(root) == {"all": [{"segment": "staff"}, {"constant": True}]}


def test_every_operator_and_kind_of_the_api_is_known_in_every_language() -> None:
    names = [name for each in get_args(Operator) for name in (get_args(each) or (each,))]
    assert set(OPERATORS) == set(names)
    assert set(CONDITIONS) == set(CONDITION_KINDS)
    needed = {f"words.{form}.{name}" for name in names for form in ("is", "is_not")}
    assert all(needed <= catalogue(language).keys() for language in LANGUAGES)


@pytest.mark.parametrize("takes", ["anything", "texts"])
@given(values=st.lists(st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False))))
def test_values_are_read_as_they_were_shown(takes: Any, values: list[Any]) -> None:
    """Infinity, which JSON has not, aside."""
    kept = [
        each
        for each in values
        if (isinstance(each, str) or takes == "anything") and str(each) not in {"inf", "-inf"}
    ]
    found = read_lines(lines_of(kept, takes), takes)
    assert [(type(each), each) for each in found] == [(type(each), each) for each in kept]


@pytest.mark.parametrize(
    ("kind", "changed", "problem"),
    [
        ("attribute", {}, "needs_attribute"),
        ("attribute", {"attribute": "plan"}, "needs_value"),
        ("attribute", {"attribute": "age", "operator": "gt", "values": ["x"]}, "needs_number"),
        ("attribute", {"attribute": "plan", "operator": "exists"}, None),
        ("segment", {}, "needs_segment"),
        ("flag", {"variants": ["on"]}, "needs_flag"),
        ("flag", {"flag": "new-api"}, "needs_variants"),
        ("bucket", {}, None),
    ],
)
def test_what_is_missing_is_said(kind: Any, changed: dict[str, Any], problem: str | None) -> None:
    leaf = new_leaf(kind)
    leaf.value |= changed
    assert missing(leaf) == (problem and f"conditions.{problem}")


PLAN = {"attribute": "plan", "operator": "in", "values": ["pro", "team"]}
RULE = {
    "when": {
        "all": [
            {"attribute": "country", "operator": "in", "values": ["BR"]},
            {
                "any": [
                    {"attribute": "plan", "operator": "in", "values": ["pro", "team"]},
                    {"segment": "staff"},
                ]
            },
        ]
    },
    "serve": {"split": {"by": "organization", "weights": {"blue": 30_000, "red": 70_000}}},
}


SAID = {
    "en": "If country is BR and (plan is pro or team or in segment staff), serve blue to 30 % and red to 70 %"
    " by organization",
    "pt-BR": "Se country é BR e (plan é pro ou team ou no segmento staff), servir blue a 30 % e red a 70 %"
    " por organization",
}


@pytest.mark.parametrize(("language", "sentence"), SAID.items())
def test_a_rule_is_a_sentence(language: str, sentence: str) -> None:
    said = Words(Texts(language)).rule(RULE)
    assert plain(said) == sentence
    assert Name("staff") in said


@given(CONDITIONS_OF_ALL_KINDS, st.sampled_from(list(LANGUAGES)))
def test_every_condition_has_words(condition: dict[str, Any], language: str) -> None:
    assert plain(Words(Texts(language)).condition(condition))
