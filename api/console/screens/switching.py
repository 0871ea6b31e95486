"""Turning a flag on and off: at once, with a reason, or as a change request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.dialogs import ask_reason
from api.console.page import Page
from api.console.writes import written


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag, as it is shown, in an environment."""

    flag: Mapping[str, Any]
    environment: str

    @property
    def key(self) -> str:
        return str(self.flag["key"])

    @property
    def is_on(self) -> bool:
        return bool(self.flag["environments"][self.environment]["enabled"])


async def flip(page: Page, switch: Switch) -> Mapping[str, Any] | None:
    """The flag afterwards; None when it is as it was, of which the viewer knows why."""
    to = "off" if switch.is_on else "on"
    named = {"flag": switch.key, "environment": switch.environment}
    if page.wants_approval(switch.environment):
        await _propose(page, switch, to)
        return None
    reason: str | None = ""
    if page.wants_reason(switch.environment):
        reason = await ask_reason(
            page, page.t(f"switch.{to}", **named), page.t("switch.felt", **named), page.t(f"switch.do_{to}")
        )
    if reason is None:
        return None
    thing = page.where("flags", switch.key)
    where = page.where("flags", switch.key, "environments", switch.environment, to)
    version = int(switch.flag["version"])
    return await written(page, "POST", where, thing=thing, version=version, reason=reason)


async def _propose(page: Page, switch: Switch, to: str) -> None:
    named = {"flag": switch.key, "environment": switch.environment}
    title = page.t(f"switch.{to}", **named)
    reason = await ask_reason(page, title, page.t("switch.reviewed", **named), page.t("switch.propose"))
    if reason is None:
        return
    command = {"command": f"turn_flag_{to}", **named}
    body = {"title": title, "description": reason, "commands": [command]}
    change = await page.api.post(page.where("changes"), body)
    page.say(page.t("switch.proposed", title=change["title"], id=change["id"]))
