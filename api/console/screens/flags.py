"""The list of flags: found by words, narrowed, and switched in every environment."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from api.console.client import Refused
from api.console.elements import button, link, set_attributes, tag
from api.console.narrowing import Narrowing
from api.console.page import CROSS, Page, Screen
from api.console.parts import Part
from api.console.screens.flag_row import FlagRow
from api.console.screens.new_flag import new_flag
from domain.roles import Permission

PAGE_FLAGS = 50
USAGE_SECONDS = 60.0  # how often the last day is read again
CHOICES: Mapping[str, Sequence[str]] = {
    "kind": ("", "release", "experiment", "operational", "permission"),
    "status": ("", "never", "unused", "one_answer", "active"),
    "sort": ("key", "-key", "-changed", "-created"),
    "archived": ("", "true"),
}
"""What there is to choose from; an empty one narrows nothing."""
NARROWED_BY = ("search", "tag", "owner", *CHOICES)


class Flags:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.only = Narrowing(page, NARROWED_BY, self.read)
        self._rows: dict[str, FlagRow] = {}
        self._more: str | None = None
        _show_narrowing(page, self.only)
        self._chips = tag("div", classes="chips")
        with tag("div", classes="wide"), tag("table", classes="flags"):
            _head(page)
            self._body = tag("tbody")
        self._below = Part(lambda _: self.only.pages(self._more))

    async def begin(self) -> None:
        """As `read`, but for the counts, which may come later."""
        self._show_all(await self._flags(0))

    async def read(self, head: int = 0) -> None:
        """Reads the page; what is shown already is changed where it differs."""
        flags = await self._flags(head)
        if [flag["key"] for flag in flags] == list(self._rows):
            for flag in flags:
                self._rows[flag["key"]].show(flag)
            self._show_below()
        else:
            self._show_all(flags)
            await self.read_usage()

    async def read_usage(self) -> None:
        """Counts and staleness; a list of flags is of use without them."""
        if not self._rows:
            return
        where = self.page.where("environments", self.page.environment, "analytics")
        try:
            hourly, seen = await asyncio.gather(
                self.page.api.get(f"{where}/hourly", flag=list(self._rows)),
                self.page.api.get(f"{where}/flags", **self._narrowing()),
            )
        except Refused as problem:
            for row in self._rows.values():
                row.show_no_usage(str(problem))
            return
        statuses = {each["key"]: each for each in seen["flags"]}
        for key, row in self._rows.items():
            row.show_usage(hourly["flags"].get(key, [0] * hourly["hours"]), statuses.get(key))

    async def _flags(self, head: int) -> Sequence[Mapping[str, Any]]:
        api, where = self.page.api, self.page.where("flags")
        narrowing = {**self._narrowing(), "min_position": head}
        if status := self.only["status"]:
            seen = self.page.where("environments", self.page.environment, "analytics", "flags")
            found = await api.get(seen, status=status, **narrowing)
            self._more = found["next"]
            keys = [each["key"] for each in found["flags"]]
            return list(await asyncio.gather(*(api.get(self.page.where("flags", key)) for key in keys)))
        found = await api.get(where, **narrowing)
        self._more = found["next"]
        flags: Sequence[Mapping[str, Any]] = found["flags"]
        return flags

    def _narrowing(self) -> dict[str, Any]:
        """The page of the list; of statuses only the analytics know."""
        narrowed = {name: value for name, value in self.only.only.items() if name != "status"}
        return {**narrowed, "limit": PAGE_FLAGS, "after": self.only.after}

    def _show_all(self, flags: Sequence[Mapping[str, Any]]) -> None:
        self._body.clear()
        with self._body:
            self._rows = {flag["key"]: FlagRow(self.page, flag, self.only.to) for flag in flags}
            if not flags:
                self._show_nothing()
        self._show_below()
        self._show_chips()

    def _show_nothing(self) -> None:
        """What to do first; where something narrows the list, that is the way out."""
        t = self.page.t
        with (
            tag("tr", classes="nothing"),
            tag("td", colspan=len(self.page.environments()) + 4, classes="empty"),
        ):
            self.only.nothing(t("flags.none"), t("flags.none_found"), t("flags.all"))
            if not self.only and self.page.may(Permission.WRITE):
                tag("p", t("flags.begin", new=t("flags.new")))
                tag("pre", self._first_flag())

    def _first_flag(self) -> str:
        base = str(self.page.request.base_url).removesuffix("/").removesuffix(self.page.root)
        return (
            f"curl -X POST {base}{self.page.where('flags')} \\\n"
            "  -H 'X-API-Key: …' -H 'Content-Type: application/json' \\\n"
            """  -d '{"key": "new-checkout", "type": "boolean", "variants": {"on": true, "off": false}}'"""
        )

    def _show_below(self) -> None:
        self._below.show((self.only.url(), self.only.after, self._more))

    def _show_chips(self) -> None:
        """What narrows the list and has no field of its own."""
        self._chips.clear()
        with self._chips:
            for name in ("tag", "owner"):
                if value := self.only[name]:
                    with link("", self.only.url(**{name: ""}), "chip") as chip:
                        tag("span", self.page.t(f"narrow.{name}") + ": ")
                        tag("bdi", value)
                        tag("span", f" {CROSS}", aria_hidden="true")
                    set_attributes(chip, aria_label=self.page.t("flags.without", value=value))


async def build(page: Page) -> None:
    if page.may(Permission.WRITE):
        with tag("div", classes="buttons above"):
            button(page.t("flags.new"), partial(new_flag, page), "button first")
    flags = Flags(page)
    await flags.begin()
    page.follow(flags.read)
    ui.timer(USAGE_SECONDS, flags.read_usage, immediate=True)


def _head(page: Page) -> None:
    with tag("thead"), tag("tr"):
        tag("th", page.t("flags.flag"), scope="col")
        tag("th", page.t("flags.lifecycle"), scope="col")
        tag("th", page.t("flags.day", environment=page.environment), scope="col")
        for each in page.environments():
            tag("th", each["name"] or each["key"], scope="col")
        tag("th", page.t("flags.changed"), scope="col")


def _show_narrowing(page: Page, only: Narrowing) -> None:
    with tag("div", classes="narrowing", role="search"):
        only.search(page.t("flags.search"), page.t("flags.search_hint"))
        for name, values in CHOICES.items():
            options = [(value, page.t(f"narrow.{name}.{value or 'any'}")) for value in values]
            only.chosen(name, page.t(f"narrow.{name}"), options)


SCREEN = Screen("flags", "flags", build)
