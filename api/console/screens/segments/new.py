"""Making a segment."""

from typing import Any

from api.console.client import Refused, etag
from api.console.dialogs import Typed
from api.console.elements import button, link, set_text, tag
from api.console.page import Page, Screen
from api.console.screens.segments.editor import SegmentEditor
from api.console.writes import OUTDATED
from domain.roles import Permission

NOT_THERE = 0  # the version of what was not made yet: nobody's segment is overwritten
NOBODY: dict[str, Any] = {
    "name": "",
    "description": "",
    "include": [],
    "exclude": [],
    "condition": {"any": []},
}
MOST_SEGMENTS = 1_000  # to choose from in a condition


async def segment_keys(page: Page) -> list[str]:
    found = await page.api.get(page.where("segments"), limit=MOST_SEGMENTS)
    return [each["key"] for each in found["segments"]]


async def build(page: Page) -> None:
    with tag("p"):
        link(page.t("segments.back"), page.url("segments"))
    if not page.may(Permission.WRITE):
        tag("p", page.t("segment.may_not"), "quiet")
        return
    key, keys = Typed(), await segment_keys(page)
    with tag("div", classes="form"):
        key.field(page.t("segment.key"), hint=page.t("segment.key_hint"))
    editor = SegmentEditor(page, NOBODY, keys, lambda: None)
    missing = tag("p", "", "problem", role="alert")

    async def save() -> None:
        wanted = key.text.strip()
        problems = [*([] if wanted else [page.t("segment.key_missing")]), *editor.problems()]
        set_text(missing, " ".join(problems))
        if problems:
            return
        with page.told():
            try:
                where = page.where("segments", wanted)
                await page.api.ask("PUT", where, body=editor.draft, headers=etag(NOT_THERE))
            except Refused as problem:
                if problem.status != OUTDATED:
                    raise
                set_text(missing, page.t("segment.exists", segment=wanted))
            else:
                page.go(page.url("segment", key=wanted))

    with tag("div", classes="buttons"):
        button(page.t("segment.make"), save, "button first")


SCREEN = Screen("new_segment", "new-segment", build, below="segments")
