"""Taking back what an event, or a whole change request, made different: looked at first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.client import because
from api.console.dialogs import Typed, answer_to, dialog
from api.console.elements import button, set_text, tag
from api.console.happenings import Entry, differing, plain, sentence, told, what_happened, when_and_who
from api.console.page import Page
from domain.roles import Permission

APPLIED = "ChangeApplied"
NO_WAY_BACK = {"ProjectCreated", "EnvironmentCreated", "SegmentArchived"}
TITLE_LENGTH = 200  # as the API has it


def may_be_undone(page: Page, entry: Entry) -> bool:
    """Whether to offer it; the API knows what cannot be, and says so."""
    if entry["event"] in NO_WAY_BACK:
        return False
    if entry["kind"] == "project":
        return page.may(Permission.ADMINISTER)
    if entry["kind"] == "change":
        return entry["event"] == APPLIED and page.who.may_somewhere(Permission.WRITE, page.key)
    return entry["kind"] in {"flag", "segment"} and page.may(
        Permission.WRITE, entry["data"].get("environment", "")
    )


def label(page: Page, entry: Entry) -> str:
    if entry["event"] == APPLIED:
        return page.t("undo.whole", id=entry["key"])
    return page.t("undo.label", number=entry["position"])


@dataclass(frozen=True, slots=True)
class Undo:
    """Of an event, as the API previews it."""

    page: Page
    what: Mapping[str, Any]
    about: str
    preview: Mapping[str, Any]

    @property
    def _environments(self) -> set[str]:
        return {str(each.get("environment", "")) for each in self.preview["commands"]}

    @property
    def wants_approval(self) -> bool:
        return any(map(self.page.wants_approval, self._environments))

    @property
    def wants_reason(self) -> bool:
        return any(map(self.page.wants_reason, self._environments))

    async def carry_out(self, reason: str, *, proposed: bool) -> None:
        """Raises Refused. What was changed again stays: the viewer saw it."""
        page = self.page
        body = {**self.what, "partial": bool(self.preview["conflicts"])}
        if proposed:
            title = page.t("undo.title", what=plain(self.about))[:TITLE_LENGTH]
            body["propose"] = {"title": title, "description": reason}
        found = await page.api.post(page.where("undo"), body, because(reason))
        if change := found["change"]:
            page.say(page.t("switch.proposed", title=change["title"], id=change["id"]))
        else:
            page.say(page.t("undo.done"))


async def undo(page: Page, entry: Entry) -> None:
    what: dict[str, Any] = {"position": entry["position"]}
    if entry["event"] == APPLIED:
        what = {"change": entry["key"]}
    preview = await page.api.post(page.where("undo"), {**what, "preview": True})
    found = Undo(page, what, " · ".join((entry["key"], *told(entry))), preview)
    answer = await _ask(found, entry)
    if answer is not None:
        reason, proposed = answer
        await found.carry_out(reason, proposed=proposed)


async def _ask(undo: Undo, entry: Entry) -> tuple[str, bool] | None:
    """The reason, and whether it is to be a change request; None when they would rather not."""
    page, reason = undo.page, Typed()
    with dialog(label(page, entry)) as found:
        what_happened(entry)
        _show_preview(undo)
        if undo.preview["things"]:
            field = reason.field(page.t("reason.label"), rows=2)
            missing = tag("p", "", "problem", role="alert")

        def submit(*, proposed: bool) -> None:
            if undo.wants_reason and not reason.text.strip():
                set_text(missing, page.t("reason.missing"))
                field.run_method("focus")
            else:
                found.submit((reason.text.strip(), proposed))

        with tag("div", classes="buttons"):
            if undo.preview["things"]:
                if not undo.wants_approval:
                    key = "undo.rest" if undo.preview["conflicts"] else "undo.do"
                    button(page.t(key), lambda: submit(proposed=False), "button first")
                button(page.t("switch.propose"), lambda: submit(proposed=True))
            button(page.t("cancel"), found.close)
    answer: tuple[str, bool] | None = await answer_to(found)
    return answer


def _show_preview(undo: Undo) -> None:
    page, preview = undo.page, undo.preview
    if preview["things"]:
        tag("h3", page.t("undo.becomes"))
        differing(preview["things"], page)
    if preview["conflicts"]:
        tag("h3", page.t("undo.conflicts"))
        with tag("ul", classes="things conflicts"):
            for each in preview["conflicts"]:
                with tag("li"):
                    sentence(each["sentence"])
                    for later in each["later"]:
                        with tag("div", classes="later quiet"):
                            tag("span", page.t("undo.later", number=later["position"]) + " ")
                            when_and_who(later)
    if not preview["things"]:
        tag("p", page.t("undo.nothing"))
