from typing import Any
from unittest.mock import ANY

import pytest

from commands.importers import flagd
from commands.importers.imported import Unsayable
from commands.importers.vendors import vendor
from domain.evaluation import evaluate


def refusal(targeting: Any) -> str:
    flag = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on", "targeting": targeting}
    imported = flagd.read({"flags": {"f": flag, "plain": {**flag, "targeting": {}}}})
    assert [each.key for each in imported.flags] == ["plain"]
    return imported.refused[0].why


@pytest.mark.parametrize(
    ("targeting", "named"),
    [
        ({"if": [{"<": [{"var": "$flagd.version"}, 5]}, "on"]}, "$flagd.version"),
        ({"fractional": [["on", {"var": "share"}]]}, "'share' where a value is computed"),
        ({"fractional": [{"lower": [{"var": "a"}]}, ["on"]]}, "in lower case"),
        ({"if": [{"<": [{"upper": [{"var": "a"}]}, "B"]}, "on"]}, "in upper case"),
        ({"if": [{">": [{"+": [{"var": "a"}, 1]}, 5]}, "on"]}, "'+'"),
        ({"if": [{"some": [{"var": "a"}, True]}, "on"]}, "'some'"),
        ({"if": [{"==": [{"var": "a"}, {"var": "b"}]}, "on"]}, "two attributes"),
        ({"cat": ["o", "n"]}, "'cat'"),
        ({"fractional": [{"cat": [{"var": "a"}, {"var": "b"}]}, ["on", 1]]}, "not its end"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(targeting: Any, named: str) -> None:
    assert named in refusal(targeting)


@pytest.mark.parametrize(
    "flag", [None, {}, {"state": "ON", "variants": {"a": 1}}, {"state": "ENABLED", "variants": {}}]
)
def test_a_flag_of_another_shape_is_refused(flag: Any) -> None:
    assert [each.what for each in flagd.read({"flags": {"f": flag}}).refused] == ["flag f"]


@pytest.mark.parametrize("document", [None, [], 5, {}, {"flags": 1}, {"flags": {}, "$evaluators": []}])
def test_no_flag_file(document: Any) -> None:
    with pytest.raises(Unsayable):
        flagd.read(document)


def test_a_circle_of_evaluators_is_an_error_when_reached() -> None:
    flag = {"state": "ENABLED", "variants": {"on": True}, "targeting": {"$ref": "a"}}
    imported = flagd.read({"flags": {"f": flag}, "$evaluators": {"a": {"$ref": "b"}, "b": {"$ref": "a"}}})
    assert "unanswerable" in imported.flags[0].targeting.model_dump_json()


def test_nesting_without_end_is_refused() -> None:
    targeting: Any = "on"
    for _ in range(5_000):
        targeting = {"!": [targeting]}
    assert "nested too deeply" in refusal(targeting)


def test_a_variant_name_that_does_not_fit_is_refused() -> None:
    imported = flagd.read(
        {"flags": {"f": {"state": "ENABLED", "variants": {"a/b": 1}, "defaultVariant": "a/b"}}}
    )
    assert "'a/b'" in imported.refused[0].why


def test_notes_say_which_hash_it_is() -> None:
    targeting = {"fractional": [["on", 1]]}
    flag = {"state": "ENABLED", "variants": {"on": True}, "targeting": targeting, "metadata": {"a": 1}}
    notes = flagd.read({"flags": {"f": flag}}).notes
    assert flagd.HASH_NOTE in notes
    assert "flag f: its metadata is left out" in notes


def test_the_context_is_ours_with_the_time() -> None:
    found = flagd.context_of({"targetingKey": "k", "a": {"b": 1}})
    assert found == {"targetingKey": "k", "a": {"b": 1}, "$flagd": {"timestamp": ANY}}


def test_who_asks_the_time_is_told_that_contexts_need_it() -> None:
    targeting = {"if": [{">": [{"var": "$flagd.timestamp"}, 5]}, "on"]}
    flag = {"state": "ENABLED", "variants": {"on": True}, "targeting": targeting}
    imported = flagd.read({"flags": {"f": flag}})
    assert any("$flagd.timestamp" in note for note in imported.notes)
    assert evaluate(imported.ruleset(), "f", {}).error_code == "PARSE_ERROR"
    assert evaluate(imported.ruleset(), "f", flagd.context_of({})).variant == "on"


@pytest.mark.parametrize("name", ["flagd1", "flagd", "flagd3"])
def test_each_hash_has_a_name(name: str) -> None:
    flag = {"state": "ENABLED", "variants": {"on": True}, "targeting": {"fractional": [["on"]]}}
    said = vendor(name).read({"flags": {"f": flag}}).flags[0].targeting.model_dump_json()
    assert f'"algorithm":"{name}' in said
