"""What happened, as the history tells it: who, when, why, and what it made different."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.element import Element

from api.console.elements import link, moment, tag
from api.console.page import Page
from api.console.palette import flag_url

Entry = Mapping[str, Any]
"""Of a history of the API."""

NAMED = re.compile(r"\*([^*]+)\*")
"""In the API's sentences, what is somebody's own word stands between asterisks."""
WORDS = re.compile(r"(?<!^)(?=[A-Z])")


def sentence(text: str, classes: str = "", element: str = "p") -> Element:
    """Names are kept apart, whichever way their letters run."""
    with tag(element, classes=classes, dir="auto") as found:
        for n, part in enumerate(NAMED.split(text)):
            if part:
                tag("bdi" if n % 2 else "span", part, "name" if n % 2 else "")
    return found


def plain(text: str) -> str:
    return NAMED.sub(r"\1", text)


def told(entry: Entry) -> Sequence[str]:
    """Its sentences; the event's own name where there are none."""
    return entry["sentences"] or [WORDS.sub(" ", entry["event"]).capitalize()]


def when_and_who(entry: Entry) -> None:
    moment(entry["at"])
    tag("span", " · ", aria_hidden="true")
    tag("bdi", entry["by"], "strong")


def what_happened(entry: Entry) -> None:
    """Its sentences and its reason."""
    for each in told(entry):
        sentence(each)
    if entry["reason"]:
        with tag("p", classes="quiet"):
            tag("q", entry["reason"], dir="auto")


def thing(page: Page, entry: Entry) -> None:
    """What it is about; a flag leads to its own page."""
    name = page.t(f"kind.{entry['kind']}")
    if entry["kind"] == "project":
        return
    with tag("span", classes="named-thing"):
        tag("span", name, "quiet")
        if entry["kind"] == "flag":
            with link("", flag_url(page, entry["key"])):
                tag("bdi", entry["key"])
        else:
            tag("bdi", entry["key"])


def event_link(page: Page, entry: Entry, flag: str = "", text: str = "history.event") -> Element:
    """Into the time machine, at that event; `flag` is whose answers it is looked at for."""
    where = page.url("history", view="then", flag=flag or entry["key"], at=str(entry["position"]))
    label = page.t(text, number=entry["position"])
    return link(label, where, "event")


def differing(things: Sequence[Mapping[str, Any]], page: Page) -> None:
    """What differs, thing by thing, as diffs, undos and promotions tell it."""
    with tag("ul", classes="things"):
        for each in things:
            with tag("li"):
                about(page, each)


def about(page: Page, each: Mapping[str, Any]) -> None:
    with tag("p", classes="strong"):
        tag("span", page.t(f"kind.{each['kind']}") + " ", "quiet")
        tag("bdi", each["key"])
    for text in each["sentences"]:
        sentence(text)
