"""The top of a flag: its name, the environments it has, its switch, and what is said about it."""

from functools import partial
from typing import Any

from api.console.elements import button, link, set_attributes, set_text, tag
from api.console.page import Page
from api.console.screens.flag.draft import Draft
from api.console.screens.flag.fields import check_field, chosen_field, lines_in, text_field
from api.console.screens.flag.parts import Changed
from api.console.screens.switching import Switch, flip
from domain.roles import Permission

KINDS = ("release", "experiment", "operational", "permission")


def tabs(page: Page, key: str) -> None:
    query = page.request.query_params
    with tag("nav", classes="tabs", aria_label=page.t("environment")):
        for each in page.environments():
            here = each["key"] == page.environment
            link(
                each["name"] or each["key"],
                page.url("flag", environment=each["key"], key=key, **query),
                "tab",
                aria_current="page" if here else None,
            )


class Head:
    """`switched` is told of the flag as it is after it was turned on or off here."""

    def __init__(self, page: Page, draft: Draft, changed: Changed, switched: Any, *, may: bool) -> None:
        self._page, self._draft, self._changed, self._switched = page, draft, changed, switched
        with tag("div", classes="flag-head"):
            with tag("div", classes="titled"):
                tag("bdi", draft.key, "flag-key")
                if draft.flag["archived"]:
                    tag("span", page.t("narrow.archived.true"), "chip")
            self._switch(may=may)
        self._about()
        if page.may(Permission.WRITE) and not draft.flag["archived"]:
            self._editing()

    def _switch(self, *, may: bool) -> None:
        page, key = self._page, self._draft.key
        place = next(each for each in page.environments() if each["key"] == page.environment)
        label = page.t("flags.switch", flag=key, environment=place["name"] or place["key"])
        with tag("div", classes="switched"):
            self._button = button(
                "",
                self._flip,
                "switch",
                role="switch",
                aria_label=label,
                disabled=not may,
                title=None if may else page.t("flags.may_not", environment=page.environment),
            )
            self._state = tag("span", classes="strong")
        self.show_switch()

    def show_switch(self) -> None:
        on = Switch(self._draft.flag, self._page.environment).is_on
        set_attributes(self._button, aria_checked="true" if on else "false")
        set_text(self._state, self._page.t("flag.is_on" if on else "flag.is_off"))

    async def _flip(self) -> None:
        with self._page.told():
            if flag := await flip(self._page, Switch(self._draft.flag, self._page.environment)):
                await self._switched(flag)
                self.show_switch()

    def _about(self) -> None:
        page, flag = self._page, self._draft.flag
        if flag["description"]:
            tag("p", flag["description"], dir="auto")
        with tag("p", classes="chips"):
            tag("span", page.t(f"narrow.kind.{flag['kind']}"), "chip")
            tag("span", flag["type"], "chip")
            for each in flag["tags"]:
                with link("", page.url("flags", tag=each), "chip"):
                    tag("bdi", each)
            if flag["owner"]:
                with link("", page.url("flags", owner=flag["owner"]), "chip owner"):
                    tag("bdi", flag["owner"])

    def _editing(self) -> None:
        t, details = self._page.t, self._draft.details
        with tag("details", classes="editing"):
            tag("summary", t("flag.edit_details"))
            with tag("div", classes="fields"):
                text_field(
                    t("flag.description"),
                    details["description"],
                    partial(self._put, "description"),
                    lines=True,
                )
                text_field(t("narrow.owner"), details["owner"], partial(self._put, "owner"))
                text_field(
                    t("flag.tags"),
                    "\n".join(details["tags"]),
                    lambda text: self._put("tags", lines_in(text)),
                    lines=True,
                )
                kinds = [(each, t(f"narrow.kind.{each}")) for each in KINDS]
                chosen_field(t("narrow.kind"), kinds, details["kind"], partial(self._put, "kind"))
                check_field(
                    t("flag.client_visible"), details["client_visible"], partial(self._put, "client_visible")
                )

    async def _put(self, name: str, value: Any) -> None:
        self._draft.details[name] = value
        await self._changed()
