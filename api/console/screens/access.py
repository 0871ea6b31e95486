"""Who may ask what: the environment's keys, access tokens of programs, and people."""

from typing import Protocol

from nicegui import ui

from api.console.client import path
from api.console.elements import link, tag
from api.console.page import Page, Screen
from api.console.screens.credentials import Credentials, Sort
from api.console.screens.people import People
from domain.roles import EVERY, Permission

SHOWN = ("keys", "tokens", "people")
READ_SECONDS = 30.0  # how often it is asked anew when keys were last used, which is right to half a minute


class Part(Protocol):
    async def read(self, head: int = 0) -> None: ...


def _is_an_admin(page: Page) -> bool:
    """Of everything, of this project or of an environment: who the API tells of tokens and people."""
    return page.who.may(Permission.ADMINISTER, EVERY) or page.who.may_somewhere(
        Permission.ADMINISTER, page.key
    )


def _part(page: Page, shown: str) -> Part | None:
    """None for what the viewer may not see; they are told why."""
    if shown == "keys":
        may = page.may(Permission.ADMINISTER, page.environment)
        if not may:
            tag("p", page.t("keys.may_not", environment=page.environment), "quiet")
        where = page.where("environments", page.environment, "keys")
        return Credentials(page, Sort("keys", where, "keys", "key"), may=may)
    if not _is_an_admin(page):
        tag("p", page.t(f"{shown}.may_not"))
        return None
    if shown == "people":
        return People(page)
    return Credentials(page, Sort("tokens", path("tokens"), "tokens", "token"), may=True)


async def build(page: Page) -> None:
    asked = page.request.query_params.get("show", "")
    shown = asked if asked in SHOWN else SHOWN[0]
    with tag("nav", classes="tabs", aria_label=page.t("screen.access")):
        for each in SHOWN:
            current = "true" if each == shown else None
            text = page.t(f"access.{each}", environment=page.environment)
            link(text, page.url(show=each), "tab", aria_current=current)
    if part := _part(page, shown):
        await part.read()
        page.follow(part.read)
        ui.timer(READ_SECONDS, part.read, immediate=False)


SCREEN = Screen("access", "access", build)
