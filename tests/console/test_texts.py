"""What the console says in each language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import api.console
from api.console.screens import SCREENS
from api.console.texts import DEFAULT, LANGUAGES, Texts, catalogue

HERE = Path(api.console.__file__).parent
OTHERS = [each for each in LANGUAGES if each != DEFAULT]
COUNTED = ("one", "other")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def written() -> Iterator[str]:
    """A regular expression for each text in the code, where `{…}` of an f-string stands for one word."""
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w-]+"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.escape(node.value)
    for path in HERE.rglob("*.html"):
        yield from map(re.escape, re.findall(r't\("([^"]+)"\)', path.read_text(encoding="utf-8")))


def asked_for() -> Iterator[str]:
    """Keys that the code asks for by their whole name."""
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name == "t":
                    yield str(node.args[0].value)
                elif name == "counted":
                    yield from (f"{node.args[0].value!s}.{number}" for number in COUNTED)
    for path in HERE.rglob("*.html"):
        yield from re.findall(r't\("([^"]+)"\)', path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything_with_the_same_things_filled_in(language: str) -> None:
    ours, theirs = catalogue(DEFAULT), catalogue(language)
    assert list(ours) == list(theirs)
    assert {key: fields(text) for key, text in ours.items()} == {
        key: fields(text) for key, text in theirs.items()
    }
    assert all(text.strip() for text in theirs.values())
    same = [key for key in ours if ours[key] == theirs[key] and len(ours[key].split()) > 1]
    assert same == [], "these were not translated"


def test_a_language_is_a_file_and_a_line_in_the_table() -> None:
    assert {path.stem for path in (HERE / "languages").glob("*.json")} == set(LANGUAGES)


def test_what_the_code_says_is_in_the_catalogue() -> None:
    asked = set(asked_for())
    assert len(asked) > 30
    assert asked - catalogue(DEFAULT).keys() == set()
    assert {f"screen.{each.name}" for each in SCREENS} <= catalogue(DEFAULT).keys()


def test_nothing_in_the_catalogue_is_said_nowhere() -> None:
    texts = [re.compile(each) for each in set(written()) if re.search(r"[a-z]", each)]
    said = {re.sub(r"\.(one|other)$", "", key): key for key in catalogue(DEFAULT)}
    unused = [key for short, key in said.items() if not any(each.fullmatch(short) for each in texts)]
    assert unused == []


def test_numbers_are_written_and_counted_as_the_language_does() -> None:
    said = {each: [Texts(each).counted("flags.evaluations", n) for n in (1, 12_345)] for each in LANGUAGES}
    assert said["en"] == ["1 evaluation", "12,345 evaluations"]
    assert said["pt-BR"] == ["1 avaliação", "12.345 avaliações"]
    assert set(said) == {"en", "pt-BR"}, "say here how the new language has it"
