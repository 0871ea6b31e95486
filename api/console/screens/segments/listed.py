"""The list of segments, each in words."""

from collections.abc import Mapping
from typing import Any

from api.console.elements import link, tag
from api.console.narrowing import Narrowing
from api.console.page import Page, Screen
from api.console.parts import Part
from api.console.screens.segments.members import show_members
from domain.roles import Permission

PAGE_SEGMENTS = 50


class Segments:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.only = Narrowing(page, ("search", "archived"), self.read)
        with tag("div", classes="narrowing", role="search"):
            self.only.search(page.t("segments.search"))
            archived = [("", page.t("narrow.archived.any")), ("true", page.t("narrow.archived.true"))]
            self.only.chosen("archived", page.t("narrow.archived"), archived)
            if page.may(Permission.WRITE):
                link(page.t("segments.new"), page.url("new_segment"), "button first")
        self._part = Part(self._show)

    async def read(self, head: int = 0) -> None:
        where = self.page.where("segments")
        found = await self.page.api.get(
            where, **self.only.only, limit=PAGE_SEGMENTS, after=self.only.after, min_position=head
        )
        self._part.show({"segments": found["segments"], "next": found["next"]})

    def _show(self, found: Mapping[str, Any]) -> None:
        page = self.page
        if not found["segments"]:
            with tag("div", classes="empty"):
                self.only.nothing(
                    page.t("segments.none"), page.t("segments.none_found"), page.t("segments.all")
                )
        with tag("ul", classes="cards"):
            for segment in found["segments"]:
                with tag("li", classes="card"):
                    self._one(segment)
        self.only.pages(found["next"])

    def _one(self, segment: Mapping[str, Any]) -> None:
        with tag("div", classes="headline"):
            with link("", self.page.url("segment", key=segment["key"]), "key"):
                tag("bdi", segment["name"] or segment["key"])
            if segment["name"]:
                tag("bdi", segment["key"], "quiet")
        if segment["description"]:
            tag("p", segment["description"], "quiet prose", dir="auto")
        show_members(self.page, segment)


async def build(page: Page) -> None:
    segments = Segments(page)
    await segments.read()
    page.follow(segments.read)


SCREEN = Screen("segments", "segments", build)
