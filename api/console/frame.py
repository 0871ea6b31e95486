"""What is around every screen: where one is, where one can go, and how one likes to see it."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.console.client import Refused
from api.console.elements import choice, link, tag
from api.console.page import Page
from api.console.palette import palette
from api.console.texts import LANGUAGES, Texts
from api.console.wishes import THEMES, theme_of

MOST_PROJECTS = 200  # in the list to choose from; others are reached by their address
GO = "(event) => window.location.assign(event.target.value + location.hash)"


async def framed(page: Page, projects: Sequence[Mapping[str, Any]]) -> None:
    """The whole page."""
    ui.page_title(f"{page.t(f'screen.{page.screen.name}')} · {page.project['name']} · ToggleMaster")
    with ui.header(elevated=False).classes(replace="top"):
        link(page.t("skip"), "#content", "skip")
        with tag("div", classes="bar"):
            link("ToggleMaster", page.root + "/", "brand")
            _places(page, projects)
            tag("span", classes="space")
            opener = tag("button", page.t("palette.open"), "button", type="button", data_palette="")
            _account(page)
        _menu(page)
    page.said = tag("div", classes="says")
    palette(page, opener)
    with tag("div", id="content", tabindex="-1", classes="content"):
        tag("h1", page.t(f"screen.{page.screen.name}"))
        with page.told():
            await page.screen.build(page)


def problem_page(texts: Texts, problem: Refused, root: str) -> None:
    """Instead of a page that cannot be made."""
    client = ui.context.client
    client.content.clear()
    client.status_code = problem.status
    ui.page_title(f"{texts.t('problem.title')} · ToggleMaster")
    with tag("div", id="content", classes="content empty"):
        tag("h1", texts.t("problem.title"))
        tag("p", str(problem))
        link(texts.t("problem.back"), f"{root}/", "button")


def _places(page: Page, projects: Sequence[Mapping[str, Any]]) -> None:
    keys = {each["key"]: each["name"] for each in (*projects, page.project)}
    screen = page.screen.below or page.screen.name
    choice(
        page.t("project"),
        [(page.url(screen, project=key), name) for key, name in keys.items()],
        page.url(screen),
    ).on("change", js_handler=GO)
    here = dict(page.request.path_params) | dict(page.request.query_params)
    values = {name: value for name, value in here.items() if name not in {"project", "environment", "after"}}
    choice(
        page.t("environment"),
        [
            (page.url(environment=each["key"], **values), each["name"] or each["key"])
            for each in page.environments()
        ],
        page.url(**values),
    ).on("change", js_handler=GO)


def _menu(page: Page) -> None:
    with tag("nav", classes="menu", aria_label=page.t("menu")):
        for screen in page.screens:
            if screen.in_menu:
                current = "page" if screen is page.screen else None
                if screen.name == page.screen.below:
                    current = "true"
                link(page.t(f"screen.{screen.name}"), page.url(screen.name), aria_current=current)


def _account(page: Page) -> None:
    with tag("details", classes="account"):
        tag("summary", page.who.name)
        with tag("div", classes="sheet"):
            _chooser(page, "language", list(LANGUAGES.items()), page.texts.language)
            themes = [(each, page.t(f"theme.{each}")) for each in THEMES]
            _chooser(page, "theme", themes, theme_of(page.request))
            with tag("form", method="post", action=f"{page.root}/sign-out"):
                tag("button", page.t("sign_out"), "button", type="submit")


def _chooser(page: Page, what: str, options: Sequence[tuple[str, str]], chosen: str) -> None:
    with tag("label", classes="chooser"):
        tag("span", page.t(what))
        choice(page.t(what), options, chosen).on(
            "change", js_handler=f"(event) => togglemaster.remember('{what}', event.target.value)"
        )
