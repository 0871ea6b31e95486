"""People and their roles."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from api.console.cards import asking
from api.console.client import because, path
from api.console.elements import button, link, tag
from api.console.forms import Field, Values, fill_in, reason
from api.console.page import Page
from api.console.screens.grants import granted, role_fields, show_grants
from api.console.tables import Table
from api.console.writes import written
from domain.roles import EVERY, Permission

PAGE_PEOPLE = 50
PEOPLE = path("people")


class People:
    """Whoever administers all may add and deactivate; of one project, only change roles in it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        query = page.request.query_params
        self._after, self._search = query.get("after", ""), query.get("search", "")
        self._all = page.who.may(Permission.ADMINISTER, EVERY)
        t = page.t
        if self._all:
            with tag("p"):
                button(t("people.new"), self._add, "button first")
        else:
            tag("p", t("people.some"), "quiet")
        self._searching()
        self._inside, self._boxes = tag("div"), tag("div")

    def _searching(self) -> None:
        """A form of the browser's own, so that what was looked for is in the address."""
        t = self._page.t
        with tag("form", classes="narrowing", role="search", method="get", action=self._page.url()):
            tag("input", type="hidden", name_="show", value="people")
            tag(
                "input",
                classes="field",
                type="search",
                name_="search",
                value=self._search,
                aria_label=t("people.search"),
                placeholder=t("people.search"),
                data_search="",
            )
            tag("button", t("cleanup.search"), "button", type="submit")

    async def read(self, head: int = 0) -> None:
        found = await self._page.api.get(
            PEOPLE, limit=PAGE_PEOPLE, after=self._after, search=self._search, min_position=head or None
        )
        self._inside.clear()
        with self._inside:
            if found["people"]:
                self._table(found["people"])
            else:
                tag("p", self._page.t("people.none_found" if self._search else "people.none"))
            if found["next"]:
                url = self._page.url(show="people", search=self._search, after=found["next"])
                link(self._page.t("page.next"), url, "button")

    def _table(self, people: Sequence[Mapping[str, Any]]) -> None:
        t = self._page.t
        table = Table(t("access.name"), t("people.roles"), t("access.state"), t("access.do"))
        for person in people:
            with table.row():
                tag("bdi", person["name"], "strong")
                with tag("p", classes="quiet"):
                    tag("bdi", person["email"])
            with table.cell():
                show_grants(self._page, person["grants"])
            with table.cell():
                tag("p", t("people.disabled" if person["disabled"] else "people.enabled"))
                if not person["has_password"]:
                    tag("p", t("people.no_password"), "quiet")
            with table.cell(), tag("div", classes="row-actions"):
                self._actions(person)

    def _actions(self, person: Mapping[str, Any]) -> None:
        t, named = self._page.t, {"name": person["name"]}
        label = t("people.roles.title", **named)
        button(t("people.roles.do"), partial(self._change_roles, person), aria_label=label)
        if self._all:
            to = "enable" if person["disabled"] else "disable"
            label = t(f"people.{to}.title", **named)
            button(t(f"people.{to}"), partial(self._switch, person), aria_label=label)

    async def _add(self) -> None:
        page, t = self._page, self._page.t
        fields = [
            Field("email", t("sign_in.email"), kind="email"),
            Field("name", t("access.name")),
            Field(
                "password", t("sign_in.password"), kind="password", hint=t("people.password"), required=False
            ),
            *role_fields(page, ()),
            reason(page),
        ]

        async def send(values: Values) -> Any:
            body: dict[str, Any] = {name: values[name] for name in ("email", "name")}
            body |= {"password": values["password"] or None, "grants": granted(page, values)}
            return await page.api.post(PEOPLE, body, because(values["reason"]))

        with asking(page, self._boxes):
            made = await fill_in(page, t("people.new"), t("people.explained"), t("people.add"), fields, send)
            if made:
                page.say(t("people.added", name=made["name"]))

    async def _change_roles(self, person: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t

        async def send(values: Values) -> bool:
            body = {"grants": granted(page, values, person["grants"])}
            await self._write(person, body, values["reason"])
            return True

        fields = [*role_fields(page, person["grants"]), reason(page)]
        title = t("people.roles.title", name=person["name"])
        with asking(page, self._boxes):
            await fill_in(page, title, t("people.roles.explained"), t("people.save"), fields, send)

    async def _switch(self, person: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t
        to = "enable" if person["disabled"] else "disable"

        async def send(values: Values) -> bool:
            await self._write(person, {"disabled": not person["disabled"]}, values["reason"])
            return True

        title, explained = t(f"people.{to}.title", name=person["name"]), t(f"people.{to}.explained")
        with asking(page, self._boxes):
            await fill_in(page, title, explained, t(f"people.{to}"), [reason(page)], send)

    async def _write(self, person: Mapping[str, Any], body: Any, why: str) -> None:
        thing = f"{PEOPLE}/{person['id']}"
        await written(
            self._page, "PATCH", thing, thing=thing, version=person["version"], reason=why, body=body
        )
