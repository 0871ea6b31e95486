"""Which language somebody is answered in, and what is said in each."""

import re
from string import Formatter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api.console.texts
from api.languages import preferred
from domain.change_events import ChangeEvent, PlanEvent
from domain.differences import DETAILS, What
from domain.events import FlagKind, KeyEvent, WebhookEvent
from domain.languages import LANGUAGES
from domain.operators import OPERATORS
from domain.sentences import SENTENCES
from domain.targeting import Clause
from domain.values import FlagType
from domain.wording import Wording

FIRST = next(iter(LANGUAGES))
OTHERS = [each for each in LANGUAGES if each != FIRST]
NAME = re.compile(r"\*{\w+}\*")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything_with_the_same_things_filled_in(language: str) -> None:
    ours, theirs = LANGUAGES[FIRST], LANGUAGES[language]
    assert list(ours) == list(theirs)
    assert {key: places(text) for key, text in ours.items()} == {
        key: places(text) for key, text in theirs.items()
    }
    assert all(text.strip() for text in theirs.values())


@pytest.mark.parametrize("language", OTHERS)
def test_names_stand_between_asterisks_in_every_language(language: str) -> None:
    ours, theirs = LANGUAGES[FIRST], LANGUAGES[language]
    assert {key: sorted(NAME.findall(text)) for key, text in ours.items()} == {
        key: sorted(NAME.findall(text)) for key, text in theirs.items()
    }


def test_shares_are_written_as_each_language_writes_numbers() -> None:
    assert Wording("en").percent(12_500) == "12.5 %"
    assert Wording("pt-BR").percent(12_500) == "12,5 %"


@pytest.mark.parametrize("language", OTHERS)
def test_everything_was_translated(language: str) -> None:
    ours, theirs = LANGUAGES[FIRST], LANGUAGES[language]
    same = [key for key in ours if ours[key] == theirs[key] and re.search(r"[a-z]{2}", _unfilled(ours[key]))]
    assert same == []


def _unfilled(text: str) -> str:
    return "".join(literal for literal, _, _, _ in Formatter().parse(text))


def test_the_console_has_the_languages_of_the_domain() -> None:
    assert list(api.console.texts.LANGUAGES) == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_words_for_whatever_there_is(language: str) -> None:
    said = LANGUAGES[language].keys()
    assert SENTENCES.keys() == set(get_args(What))
    assert {f"{how}.{each}" for how in ("is", "is_not") for each in OPERATORS} <= said
    assert {f"{each}.set" for each in (*DETAILS, "name")} <= said
    assert {f"{each}.gone" for each in (*DETAILS, "name") if each != "kind"} <= said  # every flag has one
    assert {f"kind.{each}" for each in get_args(FlagKind)} <= said
    assert {f"type.{each.value}" for each in FlagType} <= said
    told = (KeyEvent, WebhookEvent, ChangeEvent, PlanEvent)
    assert {f"happened.{each.__name__}" for events in told for each in get_args(events)} == {
        each for each in said if each.startswith("happened.")
    }


@pytest.mark.parametrize(
    ("language", "negate", "words"),
    [
        ("en", False, "country rhymes_with BR"),
        ("en", True, "country not rhymes_with BR"),
        ("pt-BR", True, "country não rhymes_with BR"),
    ],
)
def test_an_operator_that_has_no_words_yet_is_called_by_its_name(
    language: str, negate: bool, words: str
) -> None:
    unknown: Any = "rhymes_with"
    clause = Clause.model_construct(attribute="country", operator=unknown, values=("BR",), negate=negate)
    assert Wording(language).condition(clause) == words


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("PT-br;q=1.0, en;q=0.9", "pt-BR"),
        ("de, pt;q=0.5, en;q=0.4", "pt-BR"),
        ("en;q=0.4,pt;Q=0.5", "pt-BR"),
        ("en-GB, pt-BR;q=0.9", "en"),
        ("de", "en"),
        ("*", "en"),
        ("*;q=0.1, pt", "pt-BR"),
        ("pt;q=0.1, *", "en"),
        ("en;q=0.1, *;q=0.8", "pt-BR"),
        ("en;q=0, *", "pt-BR"),
        ("pt;q=0, de", "en"),
        ("pt-BR;q=0, pt", "en"),
        ("en;q=0", "en"),
        ("pt, en", "pt-BR"),
        ("en, pt", "en"),
        ("pt;q=0.333", "pt-BR"),
        ("pt;q=much, *;q=0.1", "en"),
        ("pt;q=-1", "en"),
        ("pt;q=nan", "en"),
        ("pt;q=0.٣", "en"),
        (";;;,,, =q;q", "en"),
        ("portuguese", "en"),
    ],
)
def test_what_is_wanted_most_of_what_there_is(accepted: str, language: str) -> None:
    assert preferred(accepted, LANGUAGES) == language


@given(st.text(max_size=40) | st.text("pten-BR*;q=0.19, ", max_size=40))
def test_whatever_is_wanted_there_is_an_answer(accepted: str) -> None:
    assert preferred(accepted, LANGUAGES) in LANGUAGES
