"""What is said of any history, in every language."""

import re
from string import Formatter
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.differences import Difference, What, differences, targeting_differences
from domain.envelope import Recorded
from domain.languages import LANGUAGES
from domain.operators import OPERATORS
from domain.sentences import sentence
from domain.targeting import Targeting
from domain.wording import ENGLISH, Wording
from tests.integration.histories import SORTS, Act, History, stamp

OTHERS = [each for each in LANGUAGES if Wording(each) != ENGLISH]
NAME = re.compile(r"\*([^*]+)\*")
WORD = re.compile(r"[^\W\d_]+")
DATA = re.compile(r'\*[^*]+\*|“[^”]*”|"(?:[^"\\]|\\.)*"', re.DOTALL)
"""Somebody's own words, and values."""

TEXTS = ["BR", "11", "xy-7", "a bc", "x@y.z", "", "z"]
SUITABLE = {
    "exists": [],
    "before": ["2026-11-22T03:53:56Z"],
    "after": ["2026-11-22T03:53:56Z"],
    "in_cidr": ["10.0.0.0/8"],
    "is_a": ["number"],
    "same_json": ["[]"],
    "modulo": ["3|1"],
    **{each: [1, 2.5, -3] for each in ("eq", "lt", "le", "gt", "ge")},
    **{each: ["1.2.3"] for each in OPERATORS if each.startswith("semver")},
}
"""Values for operators that do not take any text."""

acts = st.lists(
    st.builds(Act, st.integers(0, SORTS - 1), st.integers(0, 1), st.integers(0, 50)), min_size=5, max_size=40
)
names = st.lists(st.sampled_from([f"n{number}" for number in range(8)]), min_size=1, max_size=8, unique=True)


@st.composite
def clauses(draw: st.DrawFn) -> dict[str, Any]:
    operator, negate = draw(st.sampled_from(sorted(OPERATORS))), draw(st.booleans())
    values = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
    return {
        "attribute": "country",
        "operator": operator,
        "negate": negate,
        "values": SUITABLE.get(operator, values),
    }


gates = st.fixed_dictionaries(
    {"below": st.integers(50_000, 100_000)},
    optional={"at_least": st.integers(0, 50_000), "by": st.just("company")},
)
conditions = st.recursive(
    clauses()
    | st.just({"segment": "n0"})
    | st.builds(lambda found: {"flag": "n0", "variants": found}, names)
    | st.builds(lambda gate: {"bucket": gate}, gates)
    | st.builds(lambda each: {"constant": each}, st.booleans()),
    lambda inner: (
        st.builds(
            lambda how, parts: {how: parts}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)
        )
        | st.builds(lambda part: {"not": part}, inner)
        | st.builds(lambda part: {"any_element": "list", "where": part}, clauses())
    ),
    max_leaves=6,
)
splits = st.fixed_dictionaries(
    {"weights": st.just({"n0": 25_000, "n1": 75_000, "n2": 0})},
    optional={"by": st.just("company"), "coverage": st.integers(0, 100_000)},
)
serves = st.sampled_from([{"variant": "n0"}, {"variant": "n1"}, {"code_default": True}]) | st.builds(
    lambda split: {"split": split}, splits
)
rules = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["r0", "r1", "r2"]),
        "name": st.sampled_from(["", "n7"]),
        "when": conditions,
        "serve": serves,
    }
)
targetings = st.fixed_dictionaries(
    {
        "enabled": st.booleans(),
        "off_variant": st.sampled_from([None, "n0"]),
        "default": serves,
        "prerequisites": st.builds(
            lambda flags: [{"flag": each, "variants": ["n0", "n1"]} for each in flags],
            st.lists(st.sampled_from(["f1", "f2"]), unique=True),
        ),
        "targets": st.lists(
            st.fixed_dictionaries(
                {"variant": st.just("n0"), "values": names},
                optional={"attribute": st.just("company")},
            ),
            max_size=2,
        ),
        "rules": st.lists(rules, max_size=3, unique_by=lambda rule: str(rule["id"])),
    }
).map(Targeting.model_validate)


def words(text: str) -> set[str]:
    return {each.lower() for each in WORD.findall(text)}


def words_of(language: str) -> set[str]:
    """All that are not filled in."""
    parts = (Formatter().parse(each) for each in LANGUAGES[language].values())
    return {word for each in parts for literal, _, _, _ in each for word in words(literal)}


def happened(acts: list[Act]) -> list[Difference]:
    """All that a history made different, event by event."""
    history, made = History("shop"), list[Difference]()
    events = [*history.begin()]
    for number in range(len(events) + len(acts)):
        stream, event = events[number] if number < len(events) else history.event(acts[number - len(events)])
        before = history.state(stream)
        history.add(Recorded(number + 1, stream, history.version(stream) + 1, stamp(number), event))
        if stream.kind in {"project", "flag", "segment"}:
            made += differences(before, history.state(stream))
    return made


def speaks(language: str, ours: str, theirs: str) -> None:
    """The same names in it, and none of the other language's words."""
    assert sorted(NAME.findall(ours)) == sorted(NAME.findall(theirs)), (ours, theirs)
    foreign = words_of("en") - words_of(language)
    assert words(DATA.sub(" ", theirs)) & foreign == set(), theirs


@pytest.mark.parametrize("language", OTHERS)
@given(acts)
def test_whatever_happened_is_said_in_one_language_with_the_same_names(
    language: str, acts: list[Act]
) -> None:
    for each in happened(acts):
        speaks(language, sentence(each, ENGLISH), sentence(each, Wording(language)))


@pytest.mark.parametrize("language", OTHERS)
@given(targetings, targetings)
def test_whatever_a_targeting_asks_is_said_in_one_language_with_the_same_names(
    language: str, before: Targeting, after: Targeting
) -> None:
    for each in targeting_differences(before, after, "production"):
        speaks(language, sentence(each, ENGLISH), sentence(each, Wording(language)))


@pytest.mark.parametrize("what", ["include", "exclude"])
@pytest.mark.parametrize("language", OTHERS)
@given(names, names)
def test_whoever_is_in_a_segment_is_said_in_one_language(
    language: str, what: Literal["include", "exclude"], before: list[str], after: list[str]
) -> None:
    made = Difference(what, before=tuple(before), after=tuple(after))
    speaks(language, sentence(made, ENGLISH), sentence(made, Wording(language)))


def test_of_every_sort_of_difference_something_is_said_here() -> None:
    all_sorts = [Act(what, 0, number) for number in (*range(12), *range(12, 0, -1)) for what in range(SORTS)]
    assert {each.what for each in happened(all_sorts)} | {"exclude"} == set(get_args(What))


@pytest.mark.parametrize("language", OTHERS)
def test_english_words_would_be_found(language: str) -> None:
    with pytest.raises(AssertionError):
        speaks(language, "was turned on", "foi turned em production")
    with pytest.raises(AssertionError):
        speaks(language, "serves *n0*", "serve *n1*")
