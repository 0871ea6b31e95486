"""Fields of forms. What somebody types stays theirs: the page gives a field its first value only."""

from collections.abc import Callable
from typing import Any

from nicegui.element import Element

from api.console.elements import VALUE, WAIT_SECONDS, button, set_attributes, tag
from api.console.page import Page

CHECKED = "(event) => emit(event.target.checked)"
MOMENT = "(event) => emit(event.target.value ? new Date(event.target.value).toISOString() : '')"
"""A time without a zone is one of the viewer's."""
MOST_FLAGS = 20  # that are suggested
FIRST_VALUE = "^value"
"""As an attribute: as a property it would be set again with each change of anything on the page."""

Told = Callable[[str], Any]


def field(label: str, value: str, told: Told, *, on: str = "change", **attributes: Any) -> Element:
    """With its label above; `told` is given what is in it by then."""
    with tag("label", classes="labelled"):
        tag("span", label)
        found = tag("input", classes="field", **attributes)
        set_attributes(found, **{FIRST_VALUE: value})
    found.on(on, lambda event: told(str(event.args)), js_handler=VALUE)
    return found


def area(label: str, value: str, told: Told, *, rows: int, **attributes: Any) -> Element:
    with tag("label", classes="labelled"):
        tag("span", label)
        found = tag("textarea", value, "field code", rows=rows, spellcheck="false", **attributes)
    found.on("input", lambda event: told(str(event.args)), js_handler=VALUE)
    return found


def moment_field(label: str, at: str, told: Told) -> None:
    """A time in the viewer's zone; `told` is given it as RFC 3339 in UTC, or nothing."""
    with tag("label", classes="labelled"):
        tag("span", label)
        with tag("tm-moment", at=at):
            found = tag("input", classes="field", type="datetime-local", step=1)
    found.on("change", lambda event: told(str(event.args)), js_handler=MOMENT)


def chosen(label: str, options: list[tuple[str, str]], value: str, told: Told) -> Element:
    """A `<select>` with its label above."""
    with tag("label", classes="labelled"):
        tag("span", label)
        with tag("select", classes="select") as found:
            for each, text in options:
                tag("option", text, value=each, selected=each == value)
    found.on("change", lambda event: told(str(event.args)), js_handler=VALUE)
    return found


def tick(label: str, told: Callable[[bool], Any]) -> None:
    """A box that is ticked at first; what it is about stands beside it."""
    found = tag("input", classes="tick", type="checkbox", checked=True, aria_label=label)
    found.on("change", lambda event: told(bool(event.args)), js_handler=CHECKED)


class When:
    """A moment to be chosen: a time, or the number of an event; neither is now.

    Whichever was not chosen is emptied; the other is left alone while somebody is in it.
    """

    def __init__(self, page: Page, label: str, at: str, told: Told) -> None:
        self._page, self._told = page, told
        self._label = label
        with tag("fieldset", classes="when", aria_label=label):
            self._time, self._event, self._now = tag("div"), tag("div"), tag("div", classes="now")
        self.show(at)

    def show(self, at: str) -> None:
        self._show_time("" if at.isdecimal() else at)
        self._show_event(at if at.isdecimal() else "")
        self._show_now(at)

    def _show_time(self, at: str) -> None:
        self._time.clear()
        with self._time:
            moment_field(self._label, at, self._choose_time)

    def _show_event(self, at: str) -> None:
        self._event.clear()
        with self._event:
            label = self._page.t("when.event")
            field(label, at, self._choose_event, type="text", inputmode="numeric", size=8)

    def _show_now(self, at: str) -> None:
        self._now.clear()
        if at:
            with self._now:
                button(self._page.t("when.now"), self._choose_now)

    async def _choose_time(self, at: str) -> None:
        self._show_event("")
        await self._choose(at)

    async def _choose_event(self, at: str) -> None:
        self._show_time("")
        await self._choose(at.strip())

    async def _choose_now(self) -> None:
        self.show("")
        await self._choose("")

    async def _choose(self, at: str) -> None:
        self._show_now(at)
        await self._told(at)


class FlagField:
    """A flag's key, with keys to choose from that are like what is typed."""

    def __init__(self, page: Page, label: str, value: str, told: Told, **attributes: Any) -> None:
        self._page = page
        self._options = tag("datalist")
        name = f"flags-{self._options.id}"
        set_attributes(self._options, id=name)
        found = field(label, value, told, type="text", list=name, autocomplete="off", **attributes)
        found.on("input", self._search, js_handler=VALUE, throttle=WAIT_SECONDS, leading_events=False)
        found.on("focus", lambda: self._suggest(""), args=[])

    async def _search(self, event: Any) -> None:
        await self._suggest(str(event.args))

    async def _suggest(self, text: str) -> None:
        with self._page.told():
            found = await self._page.api.get(self._page.where("flags"), search=text, limit=MOST_FLAGS)
            self._options.clear()
            with self._options:
                for each in found["flags"]:
                    tag("option", value=each["key"])
