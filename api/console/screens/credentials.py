"""Keys and access tokens: made and rotated, shown once; revoked; when they were last used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.cards import asking
from api.console.client import because
from api.console.elements import button, link, moment, tag
from api.console.forms import Field, Values, fill_in, reason, show_once
from api.console.page import Page
from api.console.screens.grants import granted, role_fields, show_grants
from api.console.tables import Table
from api.console.windows import now

DAYS = ("", "30", "90", "365")
OVERLAPS = ("0", "3600", "86400", "604800")  # seconds: now, an hour, a day, a week
USUAL_OVERLAP = "86400"
PAGE_ROWS = 50
KINDS = ("server", "client")


@dataclass(frozen=True, slots=True)
class Sort:
    """Keys or tokens: where the API has them, and what its answers call the list and the secret."""

    name: str
    where: str
    listed: str
    secret: str


class Credentials:
    """`may` is whether the viewer may make and end them. `query` is of the page's address."""

    def __init__(self, page: Page, sort: Sort, *, may: bool) -> None:
        self._page, self._sort, self._may = page, sort, may
        query = page.request.query_params
        self._after, self._revoked = query.get("after", ""), query.get("revoked", "") == "true"
        t = page.t
        if may:
            with tag("p"):
                button(t(f"{sort.name}.new"), self._make, "button first")
        with tag("nav", classes="tabs", aria_label=t("credentials.which")):
            for value, text in (("", "credentials.live"), ("true", "credentials.revoked")):
                current = "true" if self._revoked == bool(value) else None
                link(t(text), page.url(show=sort.name, revoked=value), "tab", aria_current=current)
        self._inside, self._boxes = tag("div"), tag("div")

    async def read(self, head: int = 0) -> None:
        found = await self._page.api.get(
            self._sort.where,
            limit=PAGE_ROWS,
            after=self._after,
            archived="true" if self._revoked else None,
            sort="key" if self._after else None,
            min_position=head or None,
        )
        self._inside.clear()
        with self._inside:
            rows = found[self._sort.listed]
            if rows:
                self._table(rows)
            else:
                tag("p", self._page.t(f"{self._sort.name}.none" if not self._revoked else "credentials.none"))
            if found["next"]:
                url = self._page.url(
                    show=self._sort.name, revoked="true" if self._revoked else "", after=found["next"]
                )
                link(self._page.t("page.next"), url, "button")

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        names = ("access.name", f"{self._sort.name}.for", "access.state", "access.used", "access.made")
        heads = [self._page.t(each) for each in names]
        table = Table(*heads, *([self._page.t("access.do")] if self._ends() else []))
        for each in rows:
            self._row(table, each)

    def _ends(self) -> bool:
        """Whether the viewer may end what is listed."""
        return self._may and not self._revoked

    def _row(self, table: Table, each: Mapping[str, Any]) -> None:
        with table.row():
            tag("bdi", each["name"], "strong")
            tag("p", each["id"], "quiet")
        with table.cell():
            self._purpose(each)
        with table.cell():
            _state(self._page, each)
        with table.cell():
            if each["last_used_at"]:
                moment(each["last_used_at"])
            else:
                tag("span", self._page.t("access.unused"), "quiet")
        with table.cell(classes="changed"):
            moment(each["created_at"])
            tag("bdi", each["created_by"], "quiet below")
        if self._ends():
            with table.cell(), tag("div", classes="row-actions"):
                self._actions(each)

    def _purpose(self, each: Mapping[str, Any]) -> None:
        if self._sort.name == "keys":
            tag("span", self._page.t(f"keys.kind.{each['kind']}"))
        else:
            show_grants(self._page, each["grants"])

    def _actions(self, each: Mapping[str, Any]) -> None:
        t = self._page.t
        if each["replaced_by"] is None:
            label = t("credentials.rotate.title", name=each["name"])
            button(t("credentials.rotate"), partial(self._rotate, each), aria_label=label)
        label = t("credentials.revoke.title", name=each["name"])
        button(t("credentials.revoke"), partial(self._revoke, each), aria_label=label)

    async def _make(self) -> None:
        page, t, name = self._page, self._page.t, self._sort.name
        fields = [Field("name", t("access.name"), hint=t(f"{name}.name_hint"))]
        if name == "keys":
            kinds = [(kind, t(f"keys.kind.{kind}")) for kind in KINDS]
            fields.append(Field("kind", t("keys.for"), "server", options=kinds, hint=t("keys.kind_hint")))
        else:
            fields += role_fields(page, ())
        fields += [_choice(page, "days", DAYS, ""), reason(page)]
        title = t(f"{name}.new")
        await self._issue(title, t(f"{name}.explained"), t("credentials.make"), fields, self._made)

    async def _rotate(self, each: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t
        fields = [_choice(page, "overlap", OVERLAPS, USUAL_OVERLAP), reason(page)]
        title = t("credentials.rotate.title", name=each["name"])
        explained, send = t("credentials.rotate.explained"), partial(self._rotated, each)
        await self._issue(title, explained, t("credentials.rotate"), fields, send)

    async def _issue(
        self, title: str, explained: str, confirm: str, fields: Sequence[Field], send: Any
    ) -> None:
        with asking(self._page, self._boxes):
            if made := await fill_in(self._page, title, explained, confirm, fields, send):
                await show_once(self._page, title, made[self._sort.secret])

    async def _made(self, values: Values) -> Any:
        body: dict[str, Any] = {"name": values["name"]}
        if self._sort.name == "keys":
            body["kind"] = values["kind"]
        else:
            body["grants"] = granted(self._page, values)
        if values["days"]:
            body["expires_at"] = (now() + timedelta(days=int(values["days"]))).isoformat()
        return await self._page.api.post(self._sort.where, body, because(values["reason"]))

    async def _rotated(self, each: Mapping[str, Any], values: Values) -> Any:
        where = f"{self._sort.where}/{each['id']}/rotate"
        body = {"overlap_seconds": int(values["overlap"])}
        return await self._page.api.post(where, body, because(values["reason"]))

    async def _revoke(self, each: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t

        async def send(values: Values) -> Any:
            where = f"{self._sort.where}/{each['id']}"
            return await page.api.ask("DELETE", where, headers=because(values["reason"]))

        title = t("credentials.revoke.title", name=each["name"])
        explained = t(f"{self._sort.name}.revoke_explained")
        with asking(page, self._boxes):
            if await fill_in(page, title, explained, t("credentials.revoke"), [reason(page)], send):
                page.say(t("credentials.revoke.done", name=each["name"]))


def _choice(page: Page, name: str, values: Sequence[str], chosen: str) -> Field:
    t = page.t
    options = [(value, t(f"credentials.{name}.{value or 'never'}")) for value in values]
    return Field(name, t(f"credentials.{name}"), chosen, options=options, required=False)


def _state(page: Page, each: Mapping[str, Any]) -> Element:
    t = page.t
    if each["revoked"]:
        return tag("span", t("credentials.state.revoked"))
    with tag("div") as found:
        if each["replaced_by"] is not None:
            tag("p", t("credentials.state.replaced"))
        if each["expires_at"] is None:
            tag("span", t("credentials.state.always"))
        else:
            tag("span", t("credentials.state.until") + " ")
            moment(each["expires_at"])
    return found
