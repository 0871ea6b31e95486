"""Taking a flag out of use, which everybody feels: always with a reason."""

from api.console.dialogs import ask_reason
from api.console.page import Page
from api.console.writes import written


async def archive(page: Page, key: str) -> None:
    """Proposes it where an environment wants changes approved. Raises Refused."""
    thing = page.where("flags", key)
    version = int((await page.api.get(thing))["version"])
    title = page.t("archive.title", flag=key)
    if page.wants_approval(""):
        await _propose(page, key, title)
        return
    reason = await ask_reason(page, title, page.t("archive.explained"), page.t("archive.do"))
    if reason is None:
        return
    if await written(page, "DELETE", thing, thing=thing, version=version, reason=reason):
        page.say(page.t("archive.done", flag=key))


async def _propose(page: Page, key: str, title: str) -> None:
    reason = await ask_reason(page, title, page.t("archive.reviewed", flag=key), page.t("switch.propose"))
    if reason is None:
        return
    body = {"title": title, "description": reason, "commands": [{"command": "archive_flag", "flag": key}]}
    change = await page.api.post(page.where("changes"), body)
    page.say(page.t("switch.proposed", title=change["title"], id=change["id"]))
