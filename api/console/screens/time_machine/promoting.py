"""Making the targeting of one environment as that of another is, or was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from api.console.client import because
from api.console.dialogs import Typed, answer_to, dialog
from api.console.elements import button, set_text, tag
from api.console.fields import tick
from api.console.happenings import about
from api.console.page import Page


@dataclass(frozen=True, slots=True)
class Promotion:
    """`target` becomes what `source` is, or was `at` a moment; of one flag where one is named."""

    source: str
    at: str
    target: str
    flag: str = ""

    def body(self, flags: Sequence[str]) -> dict[str, Any]:
        return {"from": self.source, "at": self.at, "flags": list(flags)}


@dataclass(slots=True)
class Choice:
    """What was ticked, and why."""

    flags: dict[str, bool]
    reason: Typed = field(default_factory=Typed)

    def tick(self, flag: str, is_ticked: bool) -> None:
        self.flags[flag] = is_ticked

    @property
    def chosen(self) -> list[str]:
        return [key for key, is_chosen in self.flags.items() if is_chosen]


async def promote(page: Page, promotion: Promotion, title: str) -> None:
    """Shows what would become different, and does it, or proposes it, where the viewer still wants it."""
    where = page.where("environments", promotion.target, "promote")
    wanted = [promotion.flag] if promotion.flag else []
    preview = await page.api.post(where, {**promotion.body(wanted), "preview": True})
    if not preview["things"]:
        page.say(page.t("promote.nothing"))
        return
    choice = await _ask(page, promotion, title, preview["things"])
    if choice is None:
        return
    body, reason = promotion.body(choice.chosen), choice.reason.text.strip()
    if page.wants_approval(promotion.target):
        body["propose"] = {"title": title, "description": reason}
    found = await page.api.post(where, body, because(reason))
    if change := found["change"]:
        page.say(page.t("switch.proposed", title=change["title"], id=change["id"]))
    else:
        page.say(page.texts.counted("promote.done", len(found["changed"]), target=promotion.target))


async def _ask(
    page: Page, promotion: Promotion, title: str, things: Sequence[Mapping[str, Any]]
) -> Choice | None:
    choice = Choice({each["key"]: True for each in things})
    with dialog(title) as found:
        tag("p", page.t("promote.becomes", target=promotion.target))
        with tag("ul", classes="things"):
            for each in things:
                with tag("li"):
                    tick(each["key"], partial(choice.tick, each["key"]))
                    about(page, each)
        entry = choice.reason.field(page.t("reason.label"), rows=2)
        missing = tag("p", "", "problem", role="alert")

        def submit() -> None:
            if not choice.chosen:
                set_text(missing, page.t("promote.none_chosen"))
            elif page.wants_reason(promotion.target) and not choice.reason.text.strip():
                set_text(missing, page.t("reason.missing"))
                entry.run_method("focus")
            else:
                found.submit(choice)

        with tag("div", classes="buttons"):
            key = "switch.propose" if page.wants_approval(promotion.target) else "promote.do"
            button(page.t(key), submit, "button first")
            button(page.t("cancel"), found.close)
    answer: Choice | None = await answer_to(found)
    return answer
