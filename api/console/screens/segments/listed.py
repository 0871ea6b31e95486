"""The list of segments, each in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.console.elements import choice, link, tag
from api.console.page import Page, Screen
from api.console.parts import Part
from api.console.screens.segments.members import show_members
from domain.roles import Permission

PAGE_SEGMENTS = 50
SEARCH_WAIT_SECONDS = 0.2  # between letters
TYPED = "(event) => emit(event.target.value)"


@dataclass(slots=True)
class Segments:
    page: Page
    only: dict[str, str]
    after: str
    part: Part | None = None

    async def read(self, head: int = 0) -> None:
        where = self.page.where("segments")
        found = await self.page.api.get(
            where, **self.only, limit=PAGE_SEGMENTS, after=self.after, min_position=head
        )
        assert self.part is not None
        self.part.show({"segments": found["segments"], "next": found["next"]})

    async def narrow(self, **only: str) -> None:
        self.only |= only
        self.after = ""
        ui.navigate.history.replace(self.page.url(**self.only))
        with self.page.told():
            await self.read()

    def show(self, found: Mapping[str, Any]) -> None:
        page = self.page
        if not found["segments"]:
            with tag("div", classes="empty"):
                narrowed = any(self.only.values())
                tag("p", page.t("segments.none_found" if narrowed else "segments.none"))
                if narrowed:
                    link(page.t("segments.all"), page.url(), "button")
        with tag("ul", classes="cards"):
            for segment in found["segments"]:
                with tag("li", classes="card"):
                    self._one(segment)
        with tag("nav", classes="buttons", aria_label=page.t("page.pages")):
            if self.after:
                link(page.t("page.first"), page.url(**self.only), "button")
            if found["next"]:
                link(page.t("page.next"), page.url(after=found["next"], **self.only), "button")

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
    query = page.request.query_params
    only = {name: query.get(name, "") for name in ("search", "archived")}
    segments = Segments(page, only, query.get("after", ""))
    with tag("div", classes="narrowing", role="search"):
        _search(segments)
        options = [("", page.t("narrow.archived.any")), ("true", page.t("narrow.archived.true"))]
        choice(page.t("narrow.archived"), options, only["archived"]).on(
            "change", lambda event: segments.narrow(archived=event.args), js_handler=TYPED
        )
        if page.may(Permission.WRITE):
            link(page.t("segments.new"), page.url("new_segment"), "button first")
    segments.part = Part(segments.show)
    await segments.read()
    page.follow(segments.read)


def _search(segments: Segments) -> None:
    label = segments.page.t("segments.search")
    tag(
        "input",
        classes="field",
        type="search",
        defaultValue=segments.only["search"],
        aria_label=label,
        placeholder=label,
        data_search="",
    ).on(
        "input",
        lambda event: segments.narrow(search=event.args),
        js_handler=TYPED,
        throttle=SEARCH_WAIT_SECONDS,
        leading_events=False,
    )


SCREEN = Screen("segments", "segments", build)
