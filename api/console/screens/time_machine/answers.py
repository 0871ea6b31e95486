"""Who changed this answer? The events after which contexts were answered otherwise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.client import Refused
from api.console.contexts import ContextField, context_of_address, with_context
from api.console.elements import button, tag
from api.console.fields import moment_field
from api.console.happenings import event_link, thing, what_happened, when_and_who
from api.console.outcomes import outcome
from api.console.page import Page
from domain.roles import Permission

RECORDED = "recorded"


@dataclass(slots=True)
class Search:
    """`window` has `from` and `to`, times; all of the past for a context, the last day for recorded ones."""

    page: Page
    flag: str
    window: dict[str, str]
    context: ContextField
    shown: Element

    async def of_context(self) -> None:
        context = self.context.read()
        if context is not None:
            await self._search({"contexts": [context], **self.window}, context=context)

    async def of_recorded(self) -> None:
        window = {name: value for name, value in self.window.items() if value}
        await self._search({"recorded": window}, whose=RECORDED)

    def limit(self, name: str, value: str) -> None:
        self.window[name] = value

    async def _search(
        self, body: Mapping[str, Any], *, context: Mapping[str, Any] | None = None, whose: str = ""
    ) -> None:
        page = self.page
        url = page.url(view="answers", flag=self.flag, **self.window, whose=whose)
        ui.navigate.history.replace(url if context is None else with_context(url, context))
        where = page.where("flags", self.flag, "environments", page.environment, "bisect")
        self.shown.clear()
        try:
            found = await page.api.post(where, body)
        except Refused as problem:
            with self.shown:
                tag("p", str(problem), "problem", role="alert")
            return
        with self.shown:
            self._show(found)

    def _show(self, found: Mapping[str, Any]) -> None:
        page = self.page
        if not found["complete"]:
            tag("p", page.t("answers.incomplete", number=found["evaluations"]), "quiet")
        if not found["changes"]:
            tag("p", page.t("answers.none" if found["evaluations"] else "answers.nobody"), "empty")
            return
        with tag("ol", classes="timeline", aria_label=page.t("history.view.answers")):
            for each in found["changes"]:
                with tag("li", classes="happening"):
                    self._change(each, found["evaluations"])

    def _change(self, change: Mapping[str, Any], evaluations: int) -> None:
        page, entry = self.page, change["entry"]
        with tag("div", classes="bar"):
            when_and_who(entry)
            if entry["key"] != self.flag or entry["kind"] != "flag":
                thing(page, entry)
        what_happened(entry)
        with tag("p", classes="bar"):
            _answer(page, change, "before")
            tag("span", "→", aria_label=page.t("answers.then"), role="img")
            _answer(page, change, "after")
        if evaluations > 1:
            said = page.t("answers.share", changed=change["changed"], all=evaluations)
            tag("p", f"{said} {json.dumps(change['example'], ensure_ascii=False)}", "quiet", dir="auto")
        event_link(page, entry, self.flag)


def _answer(page: Page, change: Mapping[str, Any], side: str) -> None:
    """Why it was answered so, too, where that is all that changed."""
    outcome(page, change[side])
    if change["before"]["variant"] == change["after"]["variant"]:
        tag("span", page.t(f"reason.{change[side]['reason']}"), "quiet")


async def build(page: Page, flag: str) -> None:
    if not flag:
        tag("p", page.t("history.choose_flag"), "empty")
        return
    query = page.request.query_params
    tag("p", page.t("answers.explained", environment=page.environment), "quiet")
    form = tag("div", classes="form asking")
    shown = tag("div", aria_live="polite")
    window = {name: query.get(name, "") for name in ("from", "to")}
    with form:
        context = ContextField(page, "")
        with tag("div", classes="narrowing"):
            moment_field(page.t("history.from"), window["from"], lambda at: search.limit("from", at))
            moment_field(page.t("history.to"), window["to"], lambda at: search.limit("to", at))
        search = Search(page, flag, window, context, shown)
        with tag("div", classes="buttons"):
            button(page.t("answers.find"), search.of_context, "button first")
            if page.may(Permission.READ_RECORDS, page.environment):
                button(page.t("answers.find_recorded"), search.of_recorded)

    async def begin() -> None:
        """What the address asks, once there is a browser that knows it."""
        with page.told():
            if query.get("whose") == RECORDED:
                await search.of_recorded()
            elif asked := await context_of_address():
                context.write(asked)
                await search.of_context()

    ui.timer(0, begin, once=True)
