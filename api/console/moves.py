"""What-if: whom a draft would move from which variant to which, by recorded evaluations."""

from collections.abc import Callable, Mapping
from typing import Any

from api.console.client import Refused
from api.console.elements import button, link, set_attributes, set_text, tag
from api.console.numbers import number
from api.console.page import Page
from api.console.palette import flag_url
from api.console.parts import Part
from domain.roles import Permission


class WhatIfPanel:
    """`question` is what the API's what-if is asked, or makes that when it is wanted."""

    def __init__(
        self,
        page: Page,
        question: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        environment: str,
    ) -> None:
        self._page, self._question, self._environment = page, question, environment

    def show(self) -> None:
        page = self._page
        with tag("section", aria_label=page.t("moves.title")):
            tag("h3", page.t("moves.title"))
            if not page.may(Permission.READ_RECORDS, self._environment):
                tag("p", page.t("moves.may_not"), "quiet")
                return
            self._ask = button(page.t("moves.ask", environment=self._environment), self._asked)
            self._said = tag("p", "", "quiet", role="status")
            self._found = Part(self._show)

    async def _asked(self) -> None:
        page = self._page
        set_text(self._said, page.t("moves.looking"))
        set_attributes(self._ask, disabled=True)
        question = self._question() if callable(self._question) else self._question
        try:
            with page.told():
                where = page.where("environments", self._environment, "what-if")
                self._found.show(await page.api.post(where, question))
        except Refused as problem:
            page.say(str(problem), bad=True)
        set_text(self._said, "")
        set_attributes(self._ask, disabled=False)

    def _show(self, found: Mapping[str, Any]) -> None:
        page = self._page
        if not found["flags"]:
            tag("p", page.t("moves.no_flags"))
        for each in found["flags"]:
            self._flag(each)
        if found["left_out"]:
            tag("p", page.t("moves.left_out", flags=", ".join(found["left_out"])), "quiet")

    def _flag(self, found: Mapping[str, Any]) -> None:
        page = self._page
        with tag("div", classes="effect"):
            with tag("p", classes="strong"), link("", flag_url(page, found["flag"])):
                tag("bdi", found["flag"])
            if not found["evaluations"]:
                tag("p", page.t("moves.no_records"))
                return
            tag("p", self._summary(found))
            if found["moves"]:
                self._moves(found["moves"])
            if lost := found["undecided"]["evaluations"]:
                lacked = ", ".join(found["undecided"]["attributes"])
                tag("p", page.texts.counted("moves.undecided", lost, attributes=lacked), "quiet")

    def _summary(self, found: Mapping[str, Any]) -> str:
        moved, page = found["moved"], self._page
        which = "moves.all" if found["complete"] else "moves.newest"
        looked_at = page.texts.counted(which, found["evaluations"])
        if not moved["evaluations"]:
            return f"{looked_at} {page.t('moves.none')}"
        subjects = page.texts.counted("moves.subjects", moved["subjects"])
        return f"{looked_at} {page.texts.counted('moves.moved', moved['evaluations'], subjects=subjects)}"

    def _moves(self, moves: list[Mapping[str, Any]]) -> None:
        page = self._page
        with tag("div", classes="scrolls"), tag("table", classes="moves"):
            with tag("thead"), tag("tr"):
                for each in ("from", "to", "evaluations", "subjects"):
                    tag("th", page.t(f"moves.{each}"), scope="col")
            with tag("tbody"):
                for move in moves:
                    with tag("tr"):
                        self._outcome(move["before"])
                        self._outcome(move["after"])
                        tag("td", number(page.texts, move["evaluations"]))
                        tag("td", number(page.texts, move["subjects"]))

    def _outcome(self, outcome: Mapping[str, Any]) -> None:
        with tag("td"):
            tag("bdi", outcome["variant"] or outcome["errorCode"] or self._page.t("flags.code_default"))
            if rule := outcome["rule"]:
                with tag("span", classes="quiet"):
                    tag("span", f" · {self._page.t('moves.rule')} ")
                    tag("bdi", rule["name"] or rule["id"])
