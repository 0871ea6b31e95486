"""Who belongs to a segment, in words."""

from collections.abc import Mapping
from typing import Any

from api.console.elements import tag
from api.console.page import Page
from api.console.words import Words, show

FIELDS = ("name", "description", "include", "exclude", "condition")
"""What a segment says, of all that the API tells about it."""


def definition_of(segment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: segment[name] for name in FIELDS}


def show_members(page: Page, segment: Mapping[str, Any]) -> None:
    words = Words(page.texts)
    with tag("p", classes="prose"):
        show(words.fill("segment.holds", condition=words.condition(segment["condition"])))
    for name in ("include", "exclude"):
        if segment[name]:
            with tag("p", classes="prose"):
                show(words.fill(f"segment.{name}d", keys=words.named(segment[name], "words.and_last")))
