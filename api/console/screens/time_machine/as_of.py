"""A flag's targeting as it was: a slider over all that changed its answers, and whose doing each part is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.client import Refused
from api.console.elements import VALUE, link, set_attributes, tag
from api.console.fields import FIRST_VALUE, When
from api.console.happenings import Entry, event_link, plain, told, what_happened, when_and_who
from api.console.page import Page
from api.console.targeting_parts import part_name, show_part
from api.console.words import Words

MOST_ENTRIES = 1_000  # of the slider; what is older is reached by its time or number
ORDER = ("switch", "prerequisites", "targets", "rule", "default", "off_variant", "variant")
"""In which the parts are asked; what else there is follows from these."""
SLIDE_SECONDS = 0.15  # between answers while it is moved


@dataclass(slots=True)
class AsOf:
    """`at` is a position of the log, a time, or empty for now; `entries` the newest first."""

    page: Page
    flag: str
    at: str
    entries: Sequence[Entry]
    slider: Element
    shown: Element
    when: When | None = None

    async def choose(self, at: str) -> None:
        """By the field: the slider goes there too."""
        self.at = at
        self.show_slider()
        await self.show()

    async def slide(self, back: int) -> None:
        """`back` is how many events ago, below 0; 0 is now."""
        self.at = str(self.entries[-back]["position"]) if back else ""
        if self.when is not None:
            self.when.show(self.at)
        await self.show()

    async def read(self, _head: int) -> None:
        """Somebody changed something: now is another."""
        before, self.entries = self.entries, await entries_of(self.page, self.flag)
        if len(before) != len(self.entries):
            self.show_slider()
            if not self.at:
                await self.show()

    def show_slider(self) -> None:
        self.slider.clear()
        with self.slider, tag("label", classes="labelled"):
            tag("span", self.page.t("then.slider", number=len(self.entries)))
            found = tag(
                "input",
                classes="slider",
                type="range",
                min=-(len(self.entries) - 1),
                max=0,
                aria_valuetext=self._said(),
            )
            set_attributes(found, **{FIRST_VALUE: -self._place()})

        async def moved(event: Any) -> None:
            with self.page.told():
                await self.slide(int(event.args))
                set_attributes(found, aria_valuetext=self._said())

        found.on("input", moved, js_handler=VALUE, throttle=SLIDE_SECONDS)

    async def show(self) -> None:
        page, at = self.page, self.at
        ui.navigate.history.replace(page.url(view="then", flag=self.flag, at=at))
        where = page.where("flags", self.flag, "environments", page.environment, "blame")
        try:
            found = await page.api.get(where, at=at)
        except Refused as problem:
            self._show_problem(str(problem))
            return
        if at != self.at:  # it was moved on meanwhile
            return
        self.shown.clear()
        with self.shown:
            self._show_moment()
            self._show_parts(found["parts"])
            self._show_ways()

    def _show_problem(self, problem: str) -> None:
        self.shown.clear()
        with self.shown:
            tag("p", problem, "problem", role="alert")

    def _show_moment(self) -> None:
        entry = self.entries[self._place()] if self.entries else None
        tag("h2", self.page.t("then.then" if self.at else "then.now", environment=self.page.environment))
        if entry is not None:
            with tag("div", classes="happening"):
                tag("p", self.page.t("then.last"), "quiet")
                with tag("div", classes="bar"):
                    when_and_who(entry)
                what_happened(entry)

    def _show_parts(self, parts: Sequence[Mapping[str, Any]]) -> None:
        words = Words(self.page.texts)
        with tag("dl", classes="parts"):
            for part in sorted(filter(_is_shown, parts), key=lambda each: ORDER.index(each["what"])):
                with tag("dt"):
                    part_name(self.page, part)
                with tag("dd"):
                    show_part(words, part)
                    with tag("div", classes="bar quiet"):
                        when_and_who(part["entry"])
                        event_link(self.page, part["entry"], self.flag)

    def _show_ways(self) -> None:
        """What one would like to do next."""
        page, at = self.page, self.at
        with tag("div", classes="buttons"):
            link(page.t("then.explain"), page.url("explain", flag=self.flag, at=at), "button")
            if at:
                compared = page.url(view="compare", flag=self.flag, at=at)
                link(page.t("then.compare"), compared, "button")

    def _place(self) -> int:
        """Of the last event by then, among `entries`."""
        if not self.at:
            return 0
        by_then = (n for n, each in enumerate(self.entries) if _is_by(each, self.at))
        return next(by_then, len(self.entries) - 1)

    def _said(self) -> str:
        if not self.at:
            return self.page.t("when.now")
        entry = self.entries[self._place()]
        return f"{entry['at']} · {entry['by']} · {plain(told(entry)[0])}"


def _is_shown(part: Mapping[str, Any]) -> bool:
    return part["what"] in ORDER


def _is_by(entry: Entry, at: str) -> bool:
    if at.isdecimal():
        return bool(entry["position"] <= int(at))
    try:
        return datetime.fromisoformat(entry["at"]) <= datetime.fromisoformat(at)
    except (ValueError, TypeError):  # the API says what is wrong with it
        return True


async def entries_of(page: Page, flag: str) -> Sequence[Entry]:
    where = page.where("flags", flag, "history")
    asked = {"closure": "true", "environment": page.environment, "limit": MOST_ENTRIES}
    found: Sequence[Entry] = (await page.api.get(where, **asked))["entries"]
    return found


async def build(page: Page, flag: str) -> None:
    if not flag:
        tag("p", page.t("history.choose_flag"), "empty")
        return
    at, entries = page.request.query_params.get("at", ""), await entries_of(page, flag)
    slider, chooser = tag("div"), tag("div")
    found = AsOf(page, flag, at, entries, slider, tag("div", aria_live="polite"))
    found.show_slider()
    with chooser:
        found.when = When(page, page.t("then.field"), at, found.choose)
    await found.show()
    page.follow(found.read)
