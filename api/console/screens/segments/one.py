"""One segment: who belongs, who asks for it, and whom a draft of it would move."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.dialogs import ask_reason
from api.console.elements import button, link, set_attributes, set_text, tag
from api.console.moves import WhatIfPanel
from api.console.page import Page, Screen
from api.console.palette import flag_url
from api.console.parts import Part
from api.console.screens.segments.editor import SegmentEditor
from api.console.screens.segments.members import definition_of, show_members
from api.console.screens.segments.new import segment_keys
from api.console.writes import written
from domain.roles import Permission

Segment = Mapping[str, Any]


@dataclass(slots=True)
class OneSegment:
    """`segment` is what the draft is made on."""

    page: Page
    key: str
    keys: list[str]
    segment: Segment
    uses: Mapping[str, Any]
    boxes: Element
    parts: dict[str, Part] = field(default_factory=dict)
    editor: SegmentEditor | None = None
    missing: Element | None = None

    @property
    def where(self) -> str:
        return self.page.where("segments", self.key)

    @property
    def is_edited(self) -> bool:
        return self.editor is not None and self.editor.draft != definition_of(self.segment)

    async def read(self, _: int = 0) -> None:
        """A draft stays as it is; what others saved meanwhile is told beside it."""
        segment, self.uses = await self.page.api.get(self.where), await self._uses()
        is_newer = segment["version"] != self.segment["version"]
        if is_newer and not self.is_edited:
            self.segment = segment
        self.parts["newer"].show(segment if is_newer and self.is_edited else None)
        self.parts["uses"].show(self.uses)
        self.parts["editor"].show(self.segment)

    async def _uses(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self.page.api.get(f"{self.where}/used-by")
        return found

    def show_editor(self, segment: Segment) -> None:
        page, self.editor = self.page, None
        with tag("div", classes="headline"):
            with tag("h2"):
                tag("bdi", segment["name"] or segment["key"])
            if segment["name"]:
                tag("bdi", segment["key"], "quiet")
            if segment["archived"]:
                tag("span", page.t("narrow.archived.true"), "chip status")
        if segment["archived"] or not page.may(Permission.WRITE):
            tag("p", segment["description"], "prose", dir="auto")
            show_members(page, segment)
            if not segment["archived"]:
                tag("p", page.t("segment.may_not"), "quiet")
            return
        others = [key for key in self.keys if key != self.key]
        self.editor = SegmentEditor(page, segment, others, self._edited)
        self.missing = tag("p", "", "problem", role="alert")
        with tag("div", classes="buttons"):
            button(
                page.t("segment.propose" if self._is_reviewed() else "segment.save"),
                self.save,
                "button first",
            )
            button(page.t("segment.archive"), self.archive)
        WhatIfPanel(page, self._question, page.environment).show()

    def _edited(self) -> None:
        assert self.missing is not None
        set_text(self.missing, "")
        set_attributes(self.missing, data_unsaved="" if self.is_edited else None)

    def _question(self) -> Mapping[str, Any]:
        return {"commands": [self._command()]}

    def _command(self) -> dict[str, Any]:
        assert self.editor is not None
        return {"command": "put_segment", "segment": self.key, "definition": self.editor.draft}

    def _is_reviewed(self) -> bool:
        return self.page.wants_approval("")

    def _is_felt(self) -> bool:
        """Where a segment asks for it, nobody knows how far that goes."""
        used_in = {each["environment"] for each in self.uses["flags"]}
        return bool(self.uses["segments"]) or any(self.page.wants_reason(each) for each in used_in)

    async def save(self) -> None:
        page, editor = self.page, self.editor
        assert editor is not None
        assert self.missing is not None
        set_text(self.missing, " ".join(editor.problems()))
        if editor.problems():
            return
        if editor.draft == definition_of(self.segment):
            set_text(self.missing, page.t("segment.unchanged"))
            return
        with page.told():
            self.uses = await self._uses()
            reason = await self._reason()
            if reason is None:
                return
            if self._is_reviewed():
                await self._propose(reason)
            else:
                await self._write(editor.draft, reason)

    async def _reason(self) -> str | None:
        page = self.page
        if not (self._is_felt() or self._is_reviewed()):
            return ""
        reviewed = self._is_reviewed()
        explained = page.t("segment.reviewed" if reviewed else "segment.felt")
        with self.boxes:
            return await ask_reason(
                page,
                page.t("segment.save.title", segment=self.key),
                explained,
                page.t("segment.propose" if reviewed else "segment.save"),
            )

    async def _propose(self, reason: str) -> None:
        page, title = self.page, self.page.t("segment.save.title", segment=self.key)
        body = {"title": title, "description": reason, "commands": [self._command()]}
        change = await page.api.post(page.where("changes"), body)
        page.say(page.t("switch.proposed", title=title, id=change["id"]))
        assert self.missing is not None
        set_attributes(self.missing, data_unsaved=None)

    async def _write(self, draft: Mapping[str, Any], reason: str) -> None:
        version = self.segment["version"]
        with self.boxes:
            saved = await written(
                self.page, "PUT", self.where, thing=self.where, version=version, reason=reason, body=draft
            )
        if saved is not None:
            self.segment = saved
            self.page.say(self.page.t("segment.saved"))
        await self.read()

    async def archive(self) -> None:
        page = self.page
        with self.boxes:
            reason = await ask_reason(
                page,
                page.t("segment.archive.title", segment=self.key),
                page.t("segment.archive.explained"),
                page.t("segment.archive"),
            )
            if reason is None:
                return
            with page.told():
                await written(
                    page,
                    "DELETE",
                    self.where,
                    thing=self.where,
                    version=self.segment["version"],
                    reason=reason,
                )
        with page.told():
            await self.read()

    def show_newer(self, newer: Segment | None) -> None:
        """Beside a draft that was made on what is no longer there."""
        if newer is None:
            return
        with tag("section", classes="warned", aria_label=self.page.t("segment.newer")):
            with tag("p"):
                tag("span", self.page.t("segment.newer") + " ")
                tag("bdi", newer["changed_by"], "strong")
            show_members(self.page, newer)
            with tag("div", classes="buttons"):
                button(self.page.t("segment.take_newer"), ui.navigate.reload, data_drop="")

    def show_uses(self, uses: Mapping[str, Any]) -> None:
        page = self.page
        with tag("section", aria_label=page.t("segment.uses")):
            tag("h3", page.t("segment.uses"))
            if not uses["flags"] and not uses["segments"]:
                tag("p", page.t("segment.unused"), "quiet")
            with tag("ul", classes="entries"):
                by_flag = sorted(uses["flags"], key=lambda each: each["flag"])
                for flag, where in groupby(by_flag, key=lambda each: str(each["flag"])):
                    with tag("li"):
                        with link("", flag_url(page, flag)):
                            tag("bdi", flag)
                        tag("span", " · " + ", ".join(each["environment"] for each in where), "quiet")
                for key in uses["segments"]:
                    with tag("li"):
                        tag("span", page.t("kind.segment") + " ")
                        with link("", page.url("segment", key=key)):
                            tag("bdi", key)


async def build(page: Page) -> None:
    key = str(page.request.path_params["key"])
    with tag("p"):
        link(page.t("segments.back"), page.url("segments"))
    segment = await page.api.get(page.where("segments", key))
    uses = await page.api.get(page.where("segments", key) + "/used-by")
    boxes = tag("div")
    one = OneSegment(page, key, await segment_keys(page), segment, uses, boxes)
    one.parts = {"newer": Part(one.show_newer), "editor": Part(one.show_editor), "uses": Part(one.show_uses)}
    one.parts["editor"].show(segment)
    one.parts["uses"].show(uses)
    page.follow(one.read)


SCREEN = Screen("segment", "segments/{key}", build, below="segments")
