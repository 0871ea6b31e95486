"""What differs between two moments or two environments, and making one as the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.client import Refused
from api.console.elements import button, tag
from api.console.fields import When, chosen
from api.console.happenings import differing
from api.console.page import Page
from api.console.screens.time_machine.promoting import Promotion, promote
from domain.roles import Permission

PLACES = ("environment", "at", "other", "to")


@dataclass(slots=True)
class Comparison:
    """Of `place["environment"]` at `place["at"]` with `place["other"]` at `place["to"]`; empty is now."""

    page: Page
    flag: str
    place: dict[str, str]
    shown: Element
    asked: Element
    things: Sequence[Mapping[str, Any]] | None = None

    async def choose(self, name: str, value: str) -> None:
        self.place[name] = value
        with self.page.told():
            await self.show()

    async def show(self) -> None:
        page, place = self.page, self.place
        asked = {name: value for name, value in place.items() if name != "environment"}
        url = page.url(view="compare", flag=self.flag, environment=place["environment"], **asked)
        ui.navigate.history.replace(url)
        self.things = None
        try:
            await self.read()
        except Refused as problem:
            self.shown.clear()
            with self.shown:
                tag("p", str(problem), "problem", role="alert")

    async def read(self, _head: int = 0) -> None:
        """What is shown stays where nothing became different, and keeps the focus. Raises Refused."""
        place = dict(self.place)
        found = await self.page.api.get(self.page.where("diff"), flag=self.flag, **place)
        if found["things"] == self.things or place != self.place:
            return
        self.things = found["things"]
        self.shown.clear()
        with self.shown:
            self._show(found)

    def _show(self, found: Mapping[str, Any]) -> None:
        page, place = self.page, self.place
        one, other = self._called("environment", "at"), self._called("other", "to")
        tag("h2", page.t("compare.title", one=one, other=other))
        if not found["things"]:
            tag("p", page.t("compare.same"), "empty")
            return
        differing(found["things"], page)
        with tag("div", classes="buttons"):
            if not place["to"]:
                self._offer(Promotion(place["environment"], place["at"], place["other"], self.flag))
            if not place["at"] and place["other"] != place["environment"]:
                self._offer(Promotion(place["other"], place["to"], place["environment"], self.flag))

    def _offer(self, promotion: Promotion) -> None:
        page = self.page
        if not page.may(Permission.WRITE, promotion.target):
            return
        key = "promote.back" if promotion.source == promotion.target else "promote.offer"
        text = page.t(key, source=promotion.source, target=promotion.target)
        button(text, partial(self._promote, promotion, text))

    async def _promote(self, promotion: Promotion, text: str) -> None:
        """Asked in a place of its own, as what differs may be shown anew meanwhile."""
        with self.page.told(), self.asked:
            await promote(self.page, promotion, text.rstrip("…"))

    def _called(self, environment: str, at: str) -> str:
        t, there, when = self.page.t, self.place[environment], self.place[at]
        if not when:
            return t("compare.now", environment=there)
        if when.isdecimal():
            return t("compare.event", environment=there, at=when)
        return t("compare.time", environment=there, at=when[:16].replace("T", " "))


async def build(page: Page, flag: str) -> None:
    query = page.request.query_params
    other = query.get("other", "") or page.environment
    place = {"environment": page.environment, "at": query.get("at", ""), "other": other}
    chooser = tag("div", classes="compared")
    shown, asked = tag("div", aria_live="polite"), tag("div")
    found = Comparison(page, flag, place | {"to": query.get("to", "")}, shown, asked)
    with chooser:
        _side(found, "environment", "at", "compare.one")
        _side(found, "other", "to", "compare.other")
    await found.show()
    page.follow(found.read)


def _side(found: Comparison, environment: str, at: str, title: str) -> None:
    page = found.page
    options = [(each["key"], each["name"] or each["key"]) for each in page.environments()]
    with tag("section", classes="side", aria_label=page.t(title)):
        tag("h2", page.t(title))
        chosen(page.t("environment"), options, found.place[environment], partial(found.choose, environment))
        When(page, page.t("then.field"), found.place[at], partial(found.choose, at))
