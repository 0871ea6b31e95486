"""The list of flags: found by words, narrowed, and switched in every environment."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.client import Refused
from api.console.elements import button, choice, link, set_attributes, tag
from api.console.page import CROSS, Page, Screen
from api.console.screens.flag_row import FlagRow
from api.console.screens.new_flag import new_flag
from domain.roles import Permission

PAGE_FLAGS = 50
USAGE_SECONDS = 60.0  # how often the last day is read again
SEARCH_WAIT_SECONDS = 0.2  # between letters
TYPED = "(event) => emit(event.target.value)"
STALE_DAYS = 30  # as the API has it where nothing else is asked for
KINDS = ("release", "experiment", "operational", "permission")
STATUSES = ("never", "unused", "one_answer", "active")
SORTS = ("key", "-key", "-changed", "-created")
NARROWED_BY = ("search", "tag", "owner", "kind", "status", "sort", "archived")


@dataclass(slots=True)
class Flags:
    """What is listed: `only` is what the address narrows it by, `after` where the page begins."""

    page: Page
    only: dict[str, str]
    after: str
    rows: dict[str, FlagRow] = field(default_factory=dict)
    more: str | None = None
    body: Element | None = None
    below: Element | None = None
    chips: Element | None = None

    async def read(self, head: int = 0) -> None:
        """Reads the page; what is shown already is changed where it differs."""
        flags = await self._flags(head)
        if [flag["key"] for flag in flags] == list(self.rows):
            for flag in flags:
                self.rows[flag["key"]].show(flag)
        else:
            self._show_all(flags)
            await self.read_usage()

    async def narrow(self, **only: str) -> None:
        """Shows something else, from its beginning, and says so in the address."""
        self.only |= only
        self.after = ""
        ui.navigate.history.replace(self.page.url(**self._wanted()))
        with self.page.told():
            await self.read()

    async def read_usage(self) -> None:
        """Counts and staleness; a list of flags is of use without them."""
        if not self.rows or not self.page.request.scope.get("console_session"):
            return
        where = self.page.where("environments", self.page.environment, "analytics")
        try:
            hourly, seen = await asyncio.gather(
                self.page.api.get(f"{where}/hourly", flag=list(self.rows)),
                self.page.api.get(f"{where}/flags", limit=PAGE_FLAGS, after=self.after, **self._narrowing()),
            )
        except Refused as problem:
            for row in self.rows.values():
                row.show_no_usage(str(problem))
            return
        statuses = {each["key"]: each for each in seen["flags"]}
        for key, row in self.rows.items():
            row.show_usage(hourly["flags"].get(key, [0] * hourly["hours"]), statuses.get(key))

    async def _flags(self, head: int) -> Sequence[Mapping[str, Any]]:
        api, where = self.page.api, self.page.where("flags")
        narrowing = {**self._narrowing(), "limit": PAGE_FLAGS, "after": self.after, "min_position": head}
        if status := self.only["status"]:
            seen = self.page.where("environments", self.page.environment, "analytics", "flags")
            found = await api.get(seen, status=status, **narrowing)
            self.more = found["next"]
            keys = [each["key"] for each in found["flags"]]
            return list(await asyncio.gather(*(api.get(self.page.where("flags", key)) for key in keys)))
        found = await api.get(where, **narrowing)
        self.more = found["next"]
        flags: Sequence[Mapping[str, Any]] = found["flags"]
        return flags

    def _narrowing(self) -> dict[str, str]:
        return {name: value for name, value in self.only.items() if name != "status" and value}

    def _wanted(self) -> dict[str, str]:
        return {name: value for name, value in self.only.items() if value}

    def _show_all(self, flags: Sequence[Mapping[str, Any]]) -> None:
        assert self.body is not None
        self.body.clear()
        with self.body:
            self.rows = {flag["key"]: FlagRow(self.page, flag, self.narrow) for flag in flags}
            if not flags:
                self._show_nothing()
        self._show_below()
        self._show_chips()

    def _show_nothing(self) -> None:
        """What to do first; where something narrows the list, that is the way out."""
        narrowed = bool(self._narrowing() or self.only["status"])
        with (
            tag("tr", classes="nothing"),
            tag("td", colspan=len(self.page.environments()) + 4, classes="empty"),
        ):
            tag("p", self.page.t("flags.none_found") if narrowed else self.page.t("flags.none"))
            if narrowed:
                link(self.page.t("flags.all"), self.page.url(), "button")
            else:
                tag("pre", self._first_flag())

    def _first_flag(self) -> str:
        base = str(self.page.request.base_url).removesuffix("/").removesuffix(self.page.root)
        return (
            f"curl -X POST {base}{self.page.where('flags')} \\\n"
            "  -H 'X-API-Key: …' -H 'Content-Type: application/json' \\\n"
            """  -d '{"key": "new-checkout", "type": "boolean", "variants": {"on": true, "off": false}}'"""
        )

    def _show_below(self) -> None:
        assert self.below is not None
        self.below.clear()
        with self.below:
            if self.after:
                link(self.page.t("page.first"), self.page.url(**self._wanted()), "button")
            if self.more:
                link(self.page.t("page.next"), self.page.url(after=self.more, **self._wanted()), "button")

    def _show_chips(self) -> None:
        """What narrows the list and has no field of its own."""
        assert self.chips is not None
        self.chips.clear()
        with self.chips:
            for name in ("tag", "owner"):
                if value := self.only[name]:
                    with link("", self.page.url(**{**self._wanted(), name: ""}), "chip") as chip:
                        tag("span", self.page.t(f"narrow.{name}") + ": ")
                        tag("bdi", value)
                        tag("span", f" {CROSS}", aria_hidden="true")
                    set_attributes(chip, aria_label=self.page.t("flags.without", value=value))


async def build(page: Page) -> None:
    query = page.request.query_params
    flags = Flags(page, {name: query.get(name, "") for name in NARROWED_BY}, query.get("after", ""))
    if page.may(Permission.WRITE):
        with tag("div", classes="buttons above"):
            button(page.t("flags.new"), partial(new_flag, page), "button first")
    _narrowing(flags)
    flags.chips = tag("div", classes="chips")
    with tag("div", classes="wide"), tag("table", classes="flags"):
        _head(page)
        flags.body = tag("tbody")
    flags.below = tag("nav", classes="buttons", aria_label=page.t("page.pages"))
    flags._show_all(await flags._flags(0))
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


def _narrowing(flags: Flags) -> None:
    page, only = flags.page, flags.only
    with tag("div", classes="narrowing", role="search"):
        tag(
            "input",
            classes="field",
            type="search",
            defaultValue=only["search"],
            aria_label=page.t("flags.search"),
            placeholder=page.t("flags.search_hint"),
            data_search="",
        ).on(
            "input",
            lambda event: flags.narrow(search=event.args),
            js_handler=TYPED,
            throttle=SEARCH_WAIT_SECONDS,
            leading_events=False,
        )
        _narrowed_by(flags, "kind", KINDS)
        _narrowed_by(flags, "status", STATUSES)
        _narrowed_by(flags, "sort", SORTS, any_=False)
        _narrowed_by(flags, "archived", ("true",))


def _narrowed_by(flags: Flags, name: str, values: Sequence[str], *, any_: bool = True) -> None:
    t = flags.page.t
    options = [(value, t(f"narrow.{name}.{value}")) for value in values]
    if any_:
        options.insert(0, ("", t(f"narrow.{name}.any")))
    choice(t(f"narrow.{name}"), options, flags.only[name]).on(
        "change", lambda event: flags.narrow(**{name: event.args}), js_handler=TYPED
    )


SCREEN = Screen("flags", "flags", build)
