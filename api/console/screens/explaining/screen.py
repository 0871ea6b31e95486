"""The question: which flag, for whom, and when. The address holds it, so that an answer can be passed on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.client import Refused
from api.console.contexts import ContextField, context_of_address, with_context
from api.console.elements import VALUE, button, link, tag
from api.console.fields import FlagField, When
from api.console.outcomes import outcome
from api.console.page import Page, Screen
from api.console.screens.explaining.answer import show_explanation
from domain.roles import Permission

MOST_RECORDS = 50  # to pick a context from


@dataclass(slots=True)
class Question:
    """`flag` is empty for all of them; `at` a position of the log, a time, or empty for now."""

    page: Page
    flag: str
    at: str
    context: ContextField
    when: When
    picker: Element
    shown: Element

    async def choose_flag(self, flag: str) -> None:
        self.flag = flag.strip()
        await self.offer_recorded()

    async def choose_time(self, at: str) -> None:
        self.at = at

    async def ask(self) -> None:
        context = self.context.read()
        if context is None:
            return
        page = self.page
        ui.navigate.history.replace(with_context(page.url(flag=self.flag, at=self.at), context))
        self.shown.clear()
        with self.shown:
            try:
                await (self._explain(context) if self.flag else self._evaluate(context))
            except Refused as problem:
                tag("p", str(problem), "problem", role="alert")

    async def _explain(self, context: Mapping[str, Any]) -> None:
        page, body = self.page, {"flag": self.flag, "context": context}
        where = page.where("environments", page.environment, "explain")
        found = (await page.api.ask("POST", where, body=body, query={"at": self.at})).json()
        now = await page.api.post(where, body) if self.at else None
        show_explanation(page, found, at=self.at, now=now)

    async def _evaluate(self, context: Mapping[str, Any]) -> None:
        page = self.page
        where = page.where("environments", page.environment, "evaluate")
        found = (await page.api.ask("POST", where, body={"context": context}, query={"at": self.at})).json()
        if not found["flags"]:
            tag("p", page.t("explain.no_flags"), "empty")
            return
        with tag("table", classes="answers"):
            with tag("thead"), tag("tr"):
                for name in ("explain.flag", "explain.answer", "explain.reason"):
                    tag("th", page.t(name), scope="col")
            with tag("tbody"):
                for each in found["flags"]:
                    self._row(each, with_context(page.url(flag=each["flag"], at=self.at), context))

    def _row(self, found: Mapping[str, Any], explained: str) -> None:
        with tag("tr"):
            with tag("th", scope="row"), link("", explained):
                tag("bdi", found["flag"])
            with tag("td"):
                outcome(self.page, found)
            tag("td", self.page.t(f"reason.{found['reason']}"))

    async def offer_recorded(self) -> None:
        """Contexts that were recorded of the flag, for whoever may see them."""
        page = self.page
        self.picker.clear()
        if not self.flag or not page.may(Permission.READ_RECORDS, page.environment):
            return
        where = page.where("environments", page.environment, "analytics", "records")
        try:
            records = (await page.api.get(where, flag=self.flag, limit=MOST_RECORDS))["records"]
        except Refused as problem:
            with self.picker:
                tag("p", page.t("explain.no_records", why=str(problem)), "quiet")
            return
        with self.picker:
            self._show_picker(records)

    def _show_picker(self, records: Sequence[Mapping[str, Any]]) -> None:
        page = self.page
        if not records:
            tag("p", page.t("explain.nothing_recorded"), "quiet")
            return

        async def pick(event: Any) -> None:
            if event.args:
                await self._take(records[int(event.args)])

        with tag("label", classes="labelled"):
            tag("span", page.t("explain.recorded"))
            with tag("select", classes="select") as found:
                tag("option", page.t("explain.pick"), value="")
                for n, each in enumerate(records):
                    tag("option", _called(each), value=str(n))
        found.on("change", pick, js_handler=VALUE)

    async def _take(self, record: Mapping[str, Any]) -> None:
        """As it was asked then, and when it was asked."""
        context = dict(record["attributes"])
        if record["subject"] is not None:
            context = {"targetingKey": record["subject"], **context}
        self.context.write(json.dumps(context))
        self.at = str(record["position"] or "")
        self.when.show(self.at)
        with self.page.told():
            await self.ask()


def _called(record: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(record["at"])
    return f"{record['subject'] or '—'} · {record['variant'] or '—'} · {at:%Y-%m-%d %H:%M:%S} UTC"


async def build(page: Page) -> None:
    query = page.request.query_params
    flag, at = (query.get(name, "") for name in ("flag", "at"))
    tag("p", page.t("explain.explained", environment=page.environment), "quiet")
    with tag("div", classes="form asking"):
        flags, picker, contexts, moments = (tag("div") for _ in range(4))
        buttons = tag("div", classes="buttons")
    shown = tag("div", classes="explained", aria_live="polite")

    async def chose_flag(key: str) -> None:
        await question.choose_flag(key)

    async def chose_time(moment: str) -> None:
        await question.choose_time(moment)

    with flags:
        FlagField(page, page.t("explain.which"), flag, chose_flag, placeholder=page.t("explain.all"))
    with contexts:
        field = ContextField(page, "")
    with moments:
        when = When(page, page.t("explain.when"), at, chose_time)
    question = Question(page, flag, at, field, when, picker, shown)
    with buttons:
        button(page.t("explain.ask"), question.ask, "button first")
    await question.offer_recorded()

    async def begin() -> None:
        """What the address asks, once there is a browser that knows it."""
        with page.told():
            if context := await context_of_address():
                field.write(context)
            if context or flag:
                await question.ask()

    ui.timer(0, begin, once=True)


SCREEN = Screen("explain", "explain", build)
