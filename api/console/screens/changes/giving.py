"""Doing something about a change or a plan as it is shown."""

from typing import Any

from api.console.client import Refused, because, etag
from api.console.page import Page
from api.console.writes import OUTDATED


async def give(page: Page, where: str, version: int, told: str, body: Any = None, reason: str = "") -> None:
    """Says what was done; whoever acts on an older version is told so, and nothing is done."""
    with page.told():
        try:
            await page.api.post(where, body, {**etag(version), **because(reason)})
        except Refused as problem:
            if problem.status != OUTDATED:
                raise
            page.say(page.t("change.outdated"), bad=True)
        else:
            page.say(told)
