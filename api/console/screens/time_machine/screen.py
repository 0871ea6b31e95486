"""What is around the time machine's views: whose time it is, and the ways between them."""

from collections.abc import Awaitable, Callable, Mapping

from api.console.elements import link, tag
from api.console.fields import FlagField
from api.console.page import Page, Screen
from api.console.screens.time_machine import answers, as_of, comparing, timeline

View = Callable[[Page, str], Awaitable[None]]
"""Made for a flag; for the whole project where none is named."""

VIEWS: Mapping[str, View] = {
    "timeline": timeline.build,
    "then": as_of.build,
    "compare": comparing.build,
    "answers": answers.build,
}


async def build(page: Page) -> None:
    query = page.request.query_params
    view, flag = query.get("view", ""), query.get("flag", "")
    view = view if view in VIEWS else "timeline"
    with tag("div", classes="narrowing"):
        _choose_flag(page, view, flag)
    with tag("nav", classes="views", aria_label=page.t("history.views")):
        for each in VIEWS:
            current = "page" if each == view else None
            link(page.t(f"history.view.{each}"), page.url(view=each, flag=flag), aria_current=current)
    await VIEWS[view](page, flag)


def _choose_flag(page: Page, view: str, flag: str) -> None:
    def go(key: str) -> None:
        if key.strip() != flag:
            page.go(page.url(view=view, flag=key.strip()))

    FlagField(page, page.t("history.flag"), flag, go, placeholder=page.t("history.flag_hint"))
    if flag:
        link(page.t("history.whole_project"), page.url(), "button beside")


SCREEN = Screen("history", "history", build)
