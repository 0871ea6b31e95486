"""The parts of a flag's targeting, as the API's blame tells them, in words."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.console.elements import tag
from api.console.page import Page
from api.console.words import Name, Pieces, Words, show

Part = Mapping[str, Any]
NAMED = {"rule", "variant"}


def part_name(page: Page, part: Part) -> None:
    tag("span", page.t(f"part.{part['what']}"))
    if part["what"] in NAMED:
        value = part["value"]
        tag("span", " ")
        tag("bdi", (value["name"] or value["id"]) if part["what"] == "rule" else part["name"], "name")


def show_part(words: Words, part: Part) -> None:
    with tag("p"):
        show(SAID[part["what"]](words, part["value"]))


def _switch(words: Words, value: bool) -> Pieces:
    return words.fill("part.on" if value else "part.off")


def _prerequisites(words: Words, value: Sequence[Mapping[str, Any]]) -> Pieces:
    if not value:
        return words.fill("part.none")
    return words.condition({"all": value})


def _targets(words: Words, value: Sequence[Mapping[str, Any]]) -> Pieces:
    said = [
        words.fill(
            "part.target",
            variant=(Name(each["variant"]),),
            attribute=(Name(each["attribute"]),),
            values=words.named(each["values"]),
        )
        for each in value
    ]
    return words.listed(said, "words.and_last") if said else words.fill("part.none")


def _json(_: Words, value: Any) -> Pieces:
    return (Name(json.dumps(value, ensure_ascii=False)),)


SAID: Mapping[str, Callable[[Words, Any], Pieces]] = {
    "switch": _switch,
    "off_variant": Words.variant,
    "default": Words.serve,
    "prerequisites": _prerequisites,
    "targets": _targets,
    "rule": Words.rule,
    "variant": _json,
}
"""By what the API calls the part."""
