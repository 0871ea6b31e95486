"""Pieces of a page that are shown again when they change, and what the API says in sentences."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from api.console.elements import moment, tag


class Part:
    """Made anew only when what it shows has changed, so that whatever has the focus keeps it."""

    def __init__(self, build: Callable[[Any], None], classes: str = "") -> None:
        self._build = build
        self._box = tag("div", classes=classes)
        self._shown: object = self

    def show(self, value: Any) -> None:
        if value == self._shown:
            return
        self._shown = value
        self._box.clear()
        with self._box:
            self._build(value)


def told(sentence: str, classes: str = "") -> None:
    """A sentence of the API, in which somebody's own words stand between asterisks."""
    with tag("p", classes=classes):
        for number, part in enumerate(sentence.split("*")):
            tag("bdi" if number % 2 else "span", part, "strong" if number % 2 else "")


def listed(sentences: Iterable[str]) -> None:
    with tag("ul", classes="entries"):
        for each in sentences:
            with tag("li"):
                told(each)


def happened(entry: Mapping[str, Any]) -> None:
    """What somebody did, of a history: who, when, what it made different and why."""
    with tag("li"):
        tag("bdi", entry["by"], "strong")
        tag("span", " · ")
        moment(entry["at"])
        tag("span", " · ")
        tag("bdi", entry["key"])
        for sentence in entry["sentences"] or [entry["event"]]:
            told(sentence)
        if entry["reason"]:
            tag("p", f"“{entry['reason']}”", "quiet", dir="auto")
