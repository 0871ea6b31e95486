"""What a draft would change, in sentences; whom it would move; saving it and discarding it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from nicegui.element import Element

from api.console.client import Refused
from api.console.dialogs import ask_reason
from api.console.elements import button, set_text, tag
from api.console.page import Page
from api.console.screens.flag.draft import Draft
from api.console.screens.flag.reach import show_moves
from api.console.words import marked, show
from api.console.writes import written
from domain.roles import Permission

Afterwards = Callable[[], Awaitable[None]]


class DraftBar:
    """Only there while something differs. `anew` shows the flag again as it is by then."""

    def __init__(self, page: Page, draft: Draft, anew: Afterwards) -> None:
        self._page, self._draft, self._anew = page, draft, anew
        self._asked = 0
        self._outdated = False
        self._is_reviewed = page.wants_approval(page.environment)
        with tag(
            "section", classes="draft-bar", aria_label=page.t("draft.title"), data_unsaved=""
        ) as self._box:
            with tag("div", classes="draft-told", tabindex="0"):
                self._said = tag("div", role="status", classes="draft-said")
                self._moves = tag("div", role="status", classes="moves")
            with tag("div", classes="buttons"):
                self._possible = list(self._when_possible())
                button(page.t("draft.discard"), self._discard)
        self._box.set_visibility(False)

    def _when_possible(self) -> Iterator[Element]:
        """Made once, as a click on what is made again meanwhile would be lost."""
        page, t = self._page, self._page.t
        self._first = button(t(self._wanted()), self._save, "button first")
        yield self._first
        if page.may(Permission.READ_RECORDS, page.environment):
            yield button(t("draft.what_if"), self._what_if)

    def _wanted(self) -> str:
        return "draft.propose" if self._is_reviewed else "draft.save"

    @property
    def is_empty(self) -> bool:
        return not self._draft.commands()

    async def show(self, problems: Sequence[str]) -> None:
        """`problems` are what has to be mended before the API can be asked."""
        self._asked += 1
        if self.is_empty and not problems:
            self.clear()
            return
        asked = self._asked
        sentences, refused = ([], list(problems)) if problems else await self._previewed()
        if asked == self._asked:
            self._show(sentences, refused)

    def clear(self) -> None:
        self._asked += 1
        self._outdated = False
        self._said.clear()
        self._moves.clear()
        self._box.set_visibility(False)

    async def outdated(self) -> None:
        """Somebody else changed the flag that this is a draft of."""
        self._outdated = True
        await self.show(())

    async def _previewed(self) -> tuple[list[str], list[str]]:
        where = self._page.where("commands", "preview")
        try:
            found = await self._page.api.post(where, {"commands": self._draft.commands()})
        except Refused as problem:
            return [], [str(problem)]
        self._is_reviewed = found["required"] > 0
        return [sentence for each in found["things"] for sentence in each["sentences"]], []

    def _show(self, sentences: Sequence[str], problems: Sequence[str]) -> None:
        t = self._page.t
        self._said.clear()
        self._moves.clear()
        with self._said:
            tag("p", t("draft.title"), "strong")
            if self._outdated:
                tag("p", t("draft.outdated"), "warning")
            with tag("ul", classes="entries"):
                for each in sentences:
                    with tag("li", dir="auto"):
                        show(marked(each))
            for each in problems:
                tag("p", each, "problem")
        set_text(self._first, t(self._wanted()))
        for each_button in self._possible:
            each_button.set_visibility(not problems)
        self._box.set_visibility(True)

    async def _discard(self) -> None:
        with self._page.told():
            await self._anew()

    async def _what_if(self) -> None:
        page, moves = self._page, self._moves
        moves.clear()
        with moves:
            tag("p", page.t("draft.counting"), "quiet")
        with page.told():
            try:
                where = page.where("environments", page.environment, "what-if")
                body = {"commands": self._draft.commands(), "flags": [self._draft.key]}
                show_moves(page, moves, await page.api.post(where, body))
            except Refused:
                moves.clear()
                raise

    async def _save(self) -> None:
        with self._page.told():
            if self._is_reviewed:
                await self._propose()
            else:
                await self._write()

    async def _write(self) -> None:
        page, key = self._page, self._draft.key
        named = {"flag": key, "environment": page.environment}
        reason: str | None = ""
        if page.wants_reason(page.environment):
            title, why = page.t("draft.save_title", **named), page.t("switch.felt", **named)
            reason = await ask_reason(page, title, why, page.t("draft.save"))
        if reason is None:
            return
        body: dict[str, Any] = {"commands": self._draft.commands()}
        version = self._draft.version
        done = await written(
            page,
            "POST",
            page.where("commands"),
            thing=page.where("flags", key),
            version=version,
            reason=reason,
            body=body,
        )
        if done is None:
            await self.outdated()
            return
        await self._anew()
        page.say(page.t("draft.saved", **named))

    async def _propose(self) -> None:
        page, key = self._page, self._draft.key
        title = page.t("draft.change_title", flag=key, environment=page.environment)
        asked = page.t("draft.reviewed", flag=key)
        reason = await ask_reason(page, title, asked, page.t("draft.propose"))
        if reason is None:
            return
        body = {"title": title, "description": reason, "commands": self._draft.commands()}
        change = await page.api.post(page.where("changes"), body)
        await self._anew()
        page.say(page.t("switch.proposed", title=change["title"], id=change["id"]))
