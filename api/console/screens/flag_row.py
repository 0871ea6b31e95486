"""One flag in the list. What changes is changed in place, so that whatever has the focus keeps it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.elements import button, link, moment, set_attributes, set_text, sparkline, tag
from api.console.page import Page
from api.console.palette import flag_url
from api.console.screens.switching import Switch, flip
from domain.roles import Permission

ABOUT = ("description", "tags", "owner", "kind", "archived")
"""What is said about a flag, which is hardly ever changed."""

Narrow = Callable[..., Awaitable[None]]


class FlagRow:
    def __init__(self, page: Page, flag: Mapping[str, Any], narrow: Narrow) -> None:
        self._page, self._narrow = page, narrow
        self._flag: Mapping[str, Any] = flag
        with tag("tr"):
            self._about = tag("th", scope="row", classes="about")
            with tag("td", "", data_label=page.t("flags.lifecycle")) as self._kind:
                self._stale = tag("span", "", "quiet below")
            self._day = tag("td", data_label=page.t("flags.day", environment=page.environment))
            self._switches = {each["key"]: self._switch(each) for each in page.environments()}
            self._changed = tag("td", data_label=page.t("flags.changed"), classes="changed")
        self._show_about(flag)
        self._show_state(flag)

    def show(self, flag: Mapping[str, Any]) -> None:
        before, self._flag = self._flag, flag
        if any(before[name] != flag[name] for name in ABOUT):
            self._show_about(flag)
        if before["version"] != flag["version"]:
            self._show_state(flag)

    def show_usage(self, counts: Sequence[int], seen: Mapping[str, Any] | None) -> None:
        self._day.clear()
        with self._day:
            said = self._page.texts.counted("flags.evaluations", sum(counts))
            sparkline(counts, said)
            tag("span", said, "quiet")
        set_text(self._stale, self._staleness(seen))

    def show_no_usage(self, why: str) -> None:
        self._day.clear()
        with self._day:
            tag("span", self._page.t("flags.no_usage"), "quiet", title=why)

    def _staleness(self, seen: Mapping[str, Any] | None) -> str:
        """Why it may be ready to be taken out of the code."""
        if seen is None or seen["status"] == "active":
            return ""
        if seen["new"]:
            return self._page.t("stale.new")
        variant = next(iter(seen["variants"]), "") or self._page.t("flags.code_default")
        return self._page.t(f"stale.{seen['status']}", variant=variant)

    def _switch(self, environment: Mapping[str, Any]) -> Element:
        page, key = self._page, environment["key"]
        may = page.may(Permission.WRITE, key) and not self._flag["archived"]
        label = page.t(
            "flags.switch", flag=self._flag["key"], environment=environment["name"] or environment["key"]
        )
        with tag("td", data_label=environment["name"] or key, classes="switches"):
            return button(
                "",
                partial(self._flip, key),
                "switch",
                role="switch",
                aria_label=label,
                disabled=not may,
                title=None if may else page.t("flags.may_not", environment=key),
            )

    async def _flip(self, environment: str) -> None:
        with self._page.told():
            if flag := await flip(self._page, Switch(self._flag, environment)):
                self.show(flag)

    def _show_about(self, flag: Mapping[str, Any]) -> None:
        page = self._page
        self._about.clear()
        with self._about:
            link(flag["key"], flag_url(page, flag["key"]), "key")
            if flag["description"]:
                tag("p", flag["description"], "quiet", dir="auto")
            for each in flag["tags"]:
                self._narrowing("tag", each)
            if flag["owner"]:
                self._narrowing("owner", flag["owner"])
        set_text(self._kind, page.t(f"narrow.kind.{flag['kind']}"))

    def _narrowing(self, name: str, value: str) -> None:
        title = self._page.t(f"narrow.only_{name}")
        button(value, partial(self._narrow, **{name: value}), f"chip {name}", title=title)

    def _show_state(self, flag: Mapping[str, Any]) -> None:
        for environment, switch in self._switches.items():
            on = Switch(flag, environment).is_on
            set_attributes(switch, aria_checked="true" if on else "false")
        self._changed.clear()
        with self._changed:
            moment(flag["changed_at"])
            tag("bdi", flag["changed_by"], "quiet below")
