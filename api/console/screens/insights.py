"""What is asked for in an environment: by reason over time, flags to clean up, and names that no flag has."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from api.console.cards import Parts, asking, card
from api.console.chart import Chart, counts_of, in_words, patterns
from api.console.elements import button, link, moment, tag
from api.console.numbers import number
from api.console.page import Page, Screen
from api.console.screens.archiving import archive
from api.console.screens.flag_insights import READ_SECONDS
from api.console.tables import Table
from api.console.windows import chooser, counts_end, name_of, now, window_of
from domain.roles import Permission

PAGE_FLAGS = 20
STATUSES = ("", "never", "unused", "one_answer")


class Insights:
    """Where lists begin and what they show is in the address: `status`, `search`, `after`, `unknown`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked = {
            name: page.request.query_params.get(name, "") for name in ("status", "search", "after", "unknown")
        }
        if self._asked["status"] not in STATUSES:
            self._asked["status"] = ""
        self._window = window_of(page)
        self._head = 0
        self._counted, self._listed = Parts(page), Parts(page)
        self._build()

    def url(self, **changed: str) -> str:
        asked = {"window": name_of(self._page), **self._asked, **changed}
        return self._page.url(**{name: value for name, value in asked.items() if value})

    async def read(self) -> None:
        with self._page.told():
            await self._counted.read()
            await self._listed.read()

    async def read_flags(self, head: int) -> None:
        """Up to that position of the log."""
        self._head = head
        await self._listed.read()

    def _build(self) -> None:
        t = self._page.t
        patterns()
        with card(t("insights.totals")):
            self._totals = Chart(self._page, t("insights.totals"), t("insights.none"))
            self._counted.add(self._read_totals)
        with card(t("cleanup.title")):
            tag("p", t("cleanup.explained"), "quiet")
            with tag("nav", classes="tabs", aria_label=t("narrow.status")):
                for status in STATUSES:
                    current = "true" if status == self._asked["status"] else None
                    text = t(f"cleanup.status.{status or 'any'}")
                    link(text, self.url(status=status, after=""), "tab", aria_current=current)
            self._search()
            self._flags_in, self._boxes = tag("div"), tag("div")
            self._listed.add(self._read_flags)
        with card(t("unknown.title")):
            tag("p", t("unknown.explained"), "quiet")
            self._unknown_in = tag("div")
            self._counted.add(self._read_unknown)

    def _search(self) -> None:
        """A form of the browser's own, so that what was looked for is in the address."""
        t = self._page.t
        with tag("form", classes="narrowing", role="search", method="get", action=self._page.url()):
            for name in ("window", "status"):
                value = name_of(self._page) if name == "window" else self._asked[name]
                tag("input", type="hidden", name_=name, value=value)
            tag(
                "input",
                classes="field",
                type="search",
                name_="search",
                value=self._asked["search"],
                aria_label=t("flags.search"),
                placeholder=t("flags.search_hint"),
                data_search="",
            )
            tag("button", t("cleanup.search"), "button", type="submit")

    def _where(self, *rest: str) -> str:
        return self._page.where("environments", self._page.environment, "analytics", *rest)

    async def _read_totals(self) -> None:
        found = await self._page.api.get(self._where("totals"), **self._window.query(now()))
        end = counts_end(self._window, found["series"])
        counts = counts_of(found["series"], "reasons", end, self._page.t("insights.others"))
        self._totals.show(in_words(counts, self._page.texts))

    async def _read_flags(self) -> None:
        asked = {name: self._asked[name] for name in ("status", "search", "after")}
        found = await self._page.api.get(
            self._where("flags"), limit=PAGE_FLAGS, min_position=self._head or None, **asked
        )
        self._flags_in.clear()
        with self._flags_in:
            if found["flags"]:
                self._flags_table(found)
            else:
                narrowed = any(asked.values())
                tag("p", self._page.t("cleanup.none" if narrowed else "cleanup.no_flags"))
            self._pages("after", found["next"])

    def _flags_table(self, found: Mapping[str, Any]) -> None:
        t = self._page.t
        heads = [t(each) for each in ("flags.flag", "narrow.status", "cleanup.last")]
        table = Table(*heads, *([t("cleanup.do")] if self._may() else []))
        for flag in found["flags"]:
            self._flag(table, flag)

    def _may(self) -> bool:
        return self._page.may(Permission.WRITE)

    def _flag(self, table: Table, flag: Mapping[str, Any]) -> None:
        t, key = self._page.t, flag["key"]
        with table.row(), link("", self._page.url("flag_insights", key=key), "key"):
            tag("bdi", key)
        table.cell(self._status(flag))
        with table.cell():
            if flag["last_evaluated"]:
                moment(flag["last_evaluated"])
        if self._may():
            with table.cell():
                if flag["status"] != "active":
                    label = t("archive.title", flag=key)
                    button(t("archive.do"), partial(self._archive, key), aria_label=label)

    def _status(self, flag: Mapping[str, Any]) -> str:
        t = self._page.t
        if flag["status"] == "active":
            return t("narrow.status.active")
        variant = next(iter(flag["variants"]), "") or t("flags.code_default")
        said = t(f"stale.{flag['status']}", variant=variant)
        return f"{said} · {t('stale.new')}" if flag["new"] else said

    async def _archive(self, key: str) -> None:
        with asking(self._page, self._boxes):
            await archive(self._page, key)

    async def _read_unknown(self) -> None:
        found = await self._page.api.get(
            self._where("unknown-flags"), after=self._asked["unknown"], limit=PAGE_FLAGS
        )
        self._unknown_in.clear()
        with self._unknown_in:
            if found["names"]:
                self._unknown_table(found)
            else:
                tag("p", self._page.t("unknown.none"))
            self._pages("unknown", found["next"])

    def _unknown_table(self, found: Mapping[str, Any]) -> None:
        t, day = self._page.t, self._page.t("unknown.day")
        heads = (t(each) for each in ("unknown.name", "unknown.first", "cleanup.last"))
        table = Table(*heads, day, t("unknown.do"), counts=frozenset({day}))
        for each in found["names"]:
            with table.row():
                tag("bdi", each["name"], "strong")
            for at in (each["first_asked"], each["last_asked"]):
                with table.cell():
                    moment(at)
            table.cell(number(self._page.texts, each["last_24_hours"]))
            table.cell(t("unknown.archived" if each["archived"] else "unknown.missing"))

    def _pages(self, name: str, more: str | None) -> None:
        with tag("nav", classes="buttons", aria_label=self._page.t("page.pages")):
            if self._asked[name]:
                link(self._page.t("page.first"), self.url(**{name: ""}), "button")
            if more:
                link(self._page.t("page.next"), self.url(**{name: more}), "button")


async def build(page: Page) -> None:
    query = page.request.query_params
    chooser(page, **{name: query.get(name, "") for name in ("status", "search")})
    insights = Insights(page)
    page.follow(insights.read_flags)
    ui.timer(READ_SECONDS, insights.read, immediate=True)


SCREEN = Screen("insights", "insights", build)
