"""The list of change requests, those that wait for somebody first."""

from collections.abc import Mapping
from typing import Any

from api.console.elements import link, tag
from api.console.narrowing import Narrowing, Options
from api.console.page import Page, Screen
from api.console.parts import Part
from api.console.screens.changes.words import OPEN, OVER, Change, command_words, show_author, show_status

PAGE_CHANGES = 30
COMMANDS_SHOWN = 3  # of one change; all of them are on its own page
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


class Changes:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.only = Narrowing(page, ("status", "owner", "search"), self.read)
        with tag("div", classes="narrowing", role="search"):
            self.only.search(page.t("changes.search"))
            self.only.chosen("status", page.t("changes.status"), self._statuses())
            whose = [("", page.t("changes.owner.anybody")), (page.who.name, page.t("changes.owner.me"))]
            self.only.chosen("owner", page.t("changes.owner"), whose)
        self._part = Part(self._show)

    def _statuses(self) -> Options:
        t = self.page.t
        each = [(status, t(f"change.status.{status}")) for status in (*OPEN, *OVER)]
        return [("", t("changes.status.open")), *each, (ALL, t("changes.status.all"))]

    async def read(self, head: int = 0) -> None:
        status = self.only["status"]
        found = await self.page.api.get(
            self.page.where("changes"),
            status={ALL: None, "": OPEN}.get(status, (status,)),
            search=self.only["search"],
            owner=self.only["owner"],
            sort="-created",
            limit=PAGE_CHANGES,
            after=self.only.after,
            min_position=head,
        )
        self._part.show({"changes": found["changes"], "next": found["next"]})

    def _show(self, found: Mapping[str, Any]) -> None:
        if not found["changes"]:
            self._show_nothing()
        with tag("ul", classes="cards"):
            for change in found["changes"]:
                with tag("li", classes="card"):
                    show_in_list(self.page, change)
        self.only.pages(found["next"])

    def _show_nothing(self) -> None:
        t = self.page.t
        with tag("div", classes="empty"):
            self.only.nothing(t("changes.none"), t("changes.none_found"), t("changes.open"))
            if not self.only:
                link(t("changes.past"), self.page.url(status=ALL), "button")


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
    tabs(page, "changes")
    changes = Changes(page)
    await changes.read()
    page.follow(changes.read)


SCREEN = Screen("changes", "changes", build)
