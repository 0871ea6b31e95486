"""What may be done about a change request, and what is asked before it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.client import because
from api.console.dialogs import Typed, answer_to, dialog
from api.console.elements import button, set_text, tag
from api.console.page import Page
from api.console.parts import happened, listed, told
from api.console.screens.changes.giving import give
from api.console.screens.changes.words import OPEN, Change, may, places
from domain.roles import Permission

INSTANT = "(event) => emit(event.target.value ? new Date(event.target.value).toISOString() : '')"
"""A field has a time of the viewer's own zone; the API takes one that says its zone."""


@dataclass(slots=True)
class Acts:
    """`boxes` is where what is asked is kept: it stays when the rest of the page is made anew."""

    page: Page
    change: Change = field(default_factory=dict)
    boxes: Element | None = None
    read: Callable[[], Awaitable[None]] | None = None

    def may_write(self) -> bool:
        return may(self.page, Permission.WRITE, self.change)

    @property
    def is_own(self) -> bool:
        return bool(self.change["author"] == self.page.who.name)

    def show(self, change: Change) -> None:
        """Only what this viewer may do, in the order in which it is done."""
        self.change = change
        t, status = self.page.t, change["status"]
        approves = may(self.page, Permission.APPROVE, change) and not self.is_own
        if status not in OPEN:
            if status == "applied" and self.may_write():
                button(t("change.undo"), self.undo)
            return
        stands = not change["conflicts"]
        if approves and stands and all(each["by"] != self.page.who.name for each in change["approvals"]):
            first = "button first" if status == "proposed" else "button"
            button(t("change.approve"), partial(self.say, "approve"), first)
        if self.may_write() and stands and status != "proposed":
            button(t("change.apply"), self.apply, "button first")
            button(t("change.schedule"), self.schedule)
        if approves:
            button(t("change.reject"), partial(self.say, "reject"))
        if self.is_own and self.may_write():
            button(t("change.withdraw"), self.withdraw)
        if not approves and not self.may_write():
            tag("p", t("change.may_not"), "quiet")

    async def say(self, what: str) -> None:
        """Approves or rejects it, with a comment."""
        said = await self._ask(what, comment=True)
        if said is not None:
            await self._give(what, {"comment": said})

    async def apply(self) -> None:
        if await self._ask("apply") is not None:
            await self._give("apply", reason=f"{self.change['title']} (change {self.change['id']})")

    async def withdraw(self) -> None:
        if await self._ask("withdraw") is not None:
            await self._give("withdraw")

    async def rebase(self) -> None:
        if await self._ask("rebase") is not None:
            await self._give("rebase")

    async def schedule(self) -> None:
        at = await self._ask_time()
        if at is not None:
            await self._give("schedule", {"apply_at": at})

    async def _give(self, what: str, body: Any = None, reason: str = "") -> None:
        page, change = self.page, self.change
        where = page.where("changes", change["id"], what)
        await give(page, where, change["version"], page.t(f"change.{what}.told"), body, reason)
        with page.told():
            await self._again()

    async def _again(self) -> None:
        assert self.read is not None
        await self.read()

    async def _ask(self, what: str, *, comment: bool = False) -> str | None:
        """What was said about it, which may be nothing; None when they would rather not."""
        page, typed = self.page, Typed()
        assert self.boxes is not None
        with self.boxes, dialog(page.t(f"change.{what}.title", title=self.change["title"])) as found:
            tag("p", page.t(f"change.{what}.explained"))
            if comment:
                typed.field(page.t("change.comment"), rows=3)
            with tag("div", classes="buttons"):
                button(page.t(f"change.{what}"), lambda: found.submit(typed.text.strip()), "button first")
                button(page.t("cancel"), found.close)
        answer: str | None = await answer_to(found)
        return answer

    async def _ask_time(self) -> str | None:
        page, chosen = self.page, Typed()
        assert self.boxes is not None
        with self.boxes, dialog(page.t("change.schedule.title", title=self.change["title"])) as found:
            tag("p", page.t("change.schedule.explained"))
            with tag("label", classes="labelled"):
                tag("span", page.t("change.schedule.at"))
                at = tag("input", classes="field", type="datetime-local", required=True)
                tag("span", page.t("change.schedule.zone"), "quiet")
            at.on("input", lambda event: setattr(chosen, "text", str(event.args)), js_handler=INSTANT)
            missing = tag("p", "", "problem", role="alert")

            def submit() -> None:
                if chosen.text:
                    found.submit(chosen.text)
                else:
                    set_text(missing, page.t("change.schedule.missing"))

            with tag("div", classes="buttons"):
                button(page.t("change.schedule"), submit, "button first")
                button(page.t("cancel"), found.close)
        answer: str | None = await answer_to(found)
        return answer

    async def undo(self) -> None:
        """Shows what would become different, and what stands against it, before it is done."""
        page, wanted = self.page, {"change": self.change["id"]}
        with page.told():
            seen = await page.api.post(page.where("undo"), {**wanted, "preview": True})
            reason = await self._ask_undo(seen)
            if reason is None:
                return
            title = page.t("change.undo.of", title=self.change["title"])
            more: dict[str, Any] = {"partial": True} if seen["conflicts"] else {}
            if self._is_reviewed(seen):
                more["propose"] = {"title": title, "description": reason}
            done = await page.api.post(page.where("undo"), {**wanted, **more}, because(reason or title))
            if done["change"]:
                page.say(page.t("switch.proposed", title=title, id=done["change"]["id"]))
            else:
                page.say(page.t("change.undo.told"))
            await self._again()

    def _is_reviewed(self, seen: Any) -> bool:
        named = {str(each.get("environment", "")) for each in seen["commands"]} or places(self.change)
        return any(map(self.page.wants_approval, named))

    async def _ask_undo(self, seen: Any) -> str | None:
        page, typed = self.page, Typed()
        assert self.boxes is not None
        with self.boxes, dialog(page.t("change.undo.title", title=self.change["title"])) as found:
            for thing in seen["things"]:
                tag("p", f"{page.t('kind.' + thing['kind'])} {thing['key']}", "strong", dir="auto")
                listed(thing["sentences"])
            if seen["conflicts"]:
                tag("p", page.t("change.undo.conflicts"), "problem")
            for conflict in seen["conflicts"]:
                told(conflict["sentence"])
                with tag("ul", classes="entries"):
                    for each in conflict["later"]:
                        happened(each)
            if seen["things"]:
                typed.field(page.t("reason.label"), rows=2)
            else:
                tag("p", page.t("change.undo.nothing"))
            with tag("div", classes="buttons"):
                if seen["things"]:
                    what = page.t(f"change.undo.{'propose' if self._is_reviewed(seen) else 'do'}")
                    button(what, lambda: found.submit(typed.text.strip()), "button first")
                button(page.t("cancel"), found.close)
        answer: str | None = await answer_to(found)
        return answer
