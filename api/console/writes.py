"""Changing one thing from a page, without overwriting what somebody else did meanwhile."""

from collections.abc import Mapping
from typing import Any

from api.console.client import Refused, because, etag
from api.console.dialogs import show_conflict
from api.console.page import Page

OUTDATED = 412
ENTRIES = 20  # of a history; a page is hardly ever further behind


async def written(
    page: Page, method: str, where: str, *, thing: str, version: int, reason: str = "", body: Any = None
) -> Mapping[str, Any] | None:
    """What the API answers to a write that is made on `version` of a thing (its path in the API).

    None when it is not at that version any more: then nothing was changed, and the viewer was told who
    changed what. Raises Refused for everything else.
    """
    try:
        headers = {**etag(version), **because(reason)}
        answer = await page.api.ask(method, where, body=body, headers=headers)
    except Refused as problem:
        if problem.status != OUTDATED:
            raise
        await _tell(page, thing, version)
        return None
    found: Mapping[str, Any] = answer.json()
    return found


async def _tell(page: Page, thing: str, version: int) -> None:
    found = await page.api.get(thing)
    history = await page.api.get(f"{thing}/history", limit=ENTRIES, min_position=found["position"])
    entries = [each for each in history["entries"] if each["version"] > version]
    await show_conflict(page, found.get("key") or found.get("name") or thing, entries)
