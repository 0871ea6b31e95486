"""The list of change requests, those that wait for somebody first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.console.elements import choice, link, tag
from api.console.page import Page, Screen
from api.console.parts import Part
from api.console.screens.changes.words import OPEN, OVER, Change, command_words, show_author, show_status

PAGE_CHANGES = 30
COMMANDS_SHOWN = 3  # of one change; all of them are on its own page
SEARCH_WAIT_SECONDS = 0.2  # between letters
TYPED = "(event) => emit(event.target.value)"
ALL = "all"


def tabs(page: Page, current: str) -> None:
    """What is reviewed, and what is made step by step."""
    with tag("nav", classes="tabs", aria_label=page.t("changes.tabs")):
        for screen in ("changes", "plans"):
            if page.has(screen):
                link(
                    page.t(f"changes.tab.{screen}"),
                    page.url(screen),
                    aria_current="page" if screen == current else None,
                )


@dataclass(slots=True)
class Changes:
    page: Page
    only: dict[str, str]
    after: str
    part: Part | None = None

    async def read(self, head: int = 0) -> None:
        status = self.only["status"]
        found = await self.page.api.get(
            self.page.where("changes"),
            status={ALL: None, "": OPEN}.get(status, (status,)),
            search=self.only["search"],
            owner=self.only["owner"],
            sort="-created",
            limit=PAGE_CHANGES,
            after=self.after,
            min_position=head,
        )
        assert self.part is not None
        self.part.show({"changes": found["changes"], "next": found["next"]})

    async def narrow(self, **only: str) -> None:
        self.only |= only
        self.after = ""
        ui.navigate.history.replace(self.page.url(**self.only))
        with self.page.told():
            await self.read()

    def show(self, found: Mapping[str, Any]) -> None:
        if not found["changes"]:
            self._show_nothing()
        with tag("ul", classes="cards"):
            for change in found["changes"]:
                with tag("li", classes="card"):
                    show_in_list(self.page, change)
        with tag("nav", classes="buttons", aria_label=self.page.t("page.pages")):
            if self.after:
                link(self.page.t("page.first"), self.page.url(**self.only), "button")
            if found["next"]:
                following = self.page.url(after=found["next"], **self.only)
                link(self.page.t("page.next"), following, "button")

    def _show_nothing(self) -> None:
        narrowed = any(self.only.values())
        with tag("div", classes="empty"):
            tag("p", self.page.t("changes.none_found") if narrowed else self.page.t("changes.none"))
            if narrowed:
                link(self.page.t("changes.open"), self.page.url(), "button")
            else:
                link(self.page.t("changes.past"), self.page.url(status=ALL), "button")


def show_in_list(page: Page, change: Change) -> None:
    with tag("div", classes="headline"):
        with link("", page.url("change", change=change["id"]), "key"):
            tag("bdi", change["title"])
        show_status(page, change["status"])
    show_author(page, change)
    with tag("ul", classes="entries"):
        for about in change["about"][:COMMANDS_SHOWN]:
            with tag("li"):
                tag("bdi", command_words(page, about))
    if len(change["about"]) > COMMANDS_SHOWN:
        more = len(change["about"]) - COMMANDS_SHOWN
        tag("p", page.texts.counted("changes.more", more), "quiet")
    if change["status"] == "proposed":
        tag("p", given(page, change), "quiet")
    if change["failure"]:
        tag("p", change["failure"], "problem")


def given(page: Page, change: Change) -> str:
    return page.texts.counted("change.approvals", change["required"], given=len(change["approvals"]))


async def build(page: Page) -> None:
    query = page.request.query_params
    only = {name: query.get(name, "") for name in ("status", "owner", "search")}
    changes = Changes(page, only, query.get("after", ""))
    tabs(page, "changes")
    with tag("div", classes="narrowing", role="search"):
        _search(changes)
        statuses = [("", page.t("changes.status.open"))]
        statuses += [(each, page.t(f"change.status.{each}")) for each in (*OPEN, *OVER)]
        statuses += [(ALL, page.t("changes.status.all"))]
        _chosen(changes, "status", statuses)
        whose = [("", page.t("changes.owner.anybody")), (page.who.name, page.t("changes.owner.me"))]
        _chosen(changes, "owner", whose)
    changes.part = Part(changes.show)
    await changes.read()
    page.follow(changes.read)


def _search(changes: Changes) -> None:
    page = changes.page
    tag(
        "input",
        classes="field",
        type="search",
        defaultValue=changes.only["search"],
        aria_label=page.t("changes.search"),
        placeholder=page.t("changes.search"),
        data_search="",
    ).on(
        "input",
        lambda event: changes.narrow(search=event.args),
        js_handler=TYPED,
        throttle=SEARCH_WAIT_SECONDS,
        leading_events=False,
    )


def _chosen(changes: Changes, name: str, options: list[tuple[str, str]]) -> None:
    choice(changes.page.t(f"changes.{name}"), options, changes.only[name]).on(
        "change", lambda event: changes.narrow(**{name: event.args}), js_handler=TYPED
    )


SCREEN = Screen("changes", "changes", build)
