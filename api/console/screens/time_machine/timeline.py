"""What happened, the newest first: to a flag's answers, or in the whole project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.elements import button, link, tag
from api.console.fields import field as typed_field
from api.console.fields import moment_field
from api.console.happenings import Entry, event_link, thing, what_happened, when_and_who
from api.console.page import Page
from api.console.screens.time_machine.undoing import label, may_be_undone, undo

PAGE_ENTRIES = 50
NARROWED_BY = ("by", "from", "to")


@dataclass(slots=True)
class Timeline:
    """`only` is what the address narrows it by, `before` where the page begins."""

    page: Page
    flag: str
    only: dict[str, str]
    before: str
    list_: Element
    below: Element
    asked: Element
    shown: list[int] = field(default_factory=list)

    async def read(self, head: int = 0) -> None:
        """What is new comes on top; what was shown stays where it is, and keeps the focus."""
        only = dict(self.only)
        found = await self._history(head)
        if only != self.only:  # something else is wanted by now
            return
        entries: Sequence[Entry] = found["entries"]
        newer = [each for each in entries if not self.shown or each["position"] > self.shown[0]]
        if (
            self.shown
            and [each["position"] for each in entries[len(newer) :]]
            == self.shown[: len(entries) - len(newer)]
        ):
            self._add(newer)
        else:
            self._show_all(entries)
        self._show_below(found["next"])

    async def narrow(self, name: str, value: str) -> None:
        """Shows something else, from its beginning, and says so in the address."""
        self.only[name] = value.strip()
        self.before, self.shown = "", []
        ui.navigate.history.replace(self.page.url(flag=self.flag, **self.only))
        with self.page.told():
            await self.read()

    async def _history(self, head: int) -> Mapping[str, Any]:
        api, where = self.page.api, self.page.where
        asked = {**self.only, "before": self.before, "limit": PAGE_ENTRIES, "min_position": head}
        if not self.flag:
            found = await api.get(where("history"), sentences="true", **asked)
        else:
            there = {"closure": "true", "environment": self.page.environment}
            found = await api.get(where("flags", self.flag, "history"), **there, **asked)
        history: Mapping[str, Any] = found
        return history

    def _add(self, newer: Sequence[Entry]) -> None:
        with self.list_:
            for each in reversed(newer):
                self._entry(each).move(target_index=0)
        self.shown = [each["position"] for each in newer] + self.shown

    def _show_all(self, entries: Sequence[Entry]) -> None:
        self.shown = [each["position"] for each in entries]
        self.list_.clear()
        with self.list_:
            for each in entries:
                self._entry(each)
            if not entries:
                with tag("li", classes="empty"):
                    tag("p", self.page.t("history.nothing"))
                    link(self.page.t("history.everything"), self.page.url(flag=self.flag), "button")

    def _entry(self, entry: Entry) -> Element:
        with tag("li", classes="happening") as found:
            with tag("div", classes="bar"):
                when_and_who(entry)
                if entry["key"] != self.flag or entry["kind"] != "flag":
                    thing(self.page, entry)
            what_happened(entry)
            with tag("div", classes="bar"):
                if self.flag or entry["kind"] == "flag":
                    event_link(self.page, entry, self.flag, "history.as_it_was")
                if may_be_undone(self.page, entry):
                    said = label(self.page, entry)
                    button(self.page.t("undo.offer"), partial(self._undo, entry), "button", aria_label=said)
        return found

    async def _undo(self, entry: Entry) -> None:
        """Asked in a place of its own, as the list may be shown anew meanwhile."""
        with self.page.told(), self.asked:
            await undo(self.page, entry)

    def _show_below(self, older: int | None) -> None:
        self.below.clear()
        with self.below:
            if self.before:
                link(self.page.t("history.newest"), self.page.url(flag=self.flag, **self.only), "button")
            if older:
                where = self.page.url(flag=self.flag, before=str(older), **self.only)
                link(self.page.t("history.older"), where, "button")


async def build(page: Page, flag: str) -> None:
    query = page.request.query_params
    only = {name: query.get(name, "") for name in NARROWED_BY}
    narrowing = tag("div", classes="narrowing", role="search")
    if flag:
        tag("p", page.t("history.closure", environment=page.environment), "quiet")
    found = Timeline(
        page,
        flag,
        only,
        query.get("before", ""),
        tag("ol", classes="timeline", aria_label=page.t("screen.history")),
        tag("nav", classes="buttons", aria_label=page.t("page.pages")),
        tag("div"),
    )
    with narrowing:
        _narrowing(found)
    await found.read()
    if not found.before:
        page.follow(found.read)


def _narrowing(timeline: Timeline) -> None:
    t, only = timeline.page.t, timeline.only
    typed_field(t("history.by"), only["by"], partial(timeline.narrow, "by"), type="text", dir="auto")
    moment_field(t("history.from"), only["from"], partial(timeline.narrow, "from"))
    moment_field(t("history.to"), only["to"], partial(timeline.narrow, "to"))
