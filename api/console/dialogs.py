"""What is asked before something is done, and what is told when somebody else was faster."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.elements import VALUE, button, moment, set_text, tag
from api.console.page import Page

REASON_LENGTH = 2_000  # as the API has it


@dataclass(slots=True)
class Typed:
    """What is in a field by now."""

    text: str = ""

    def field(self, label: str, *, rows: int = 1, hint: str = "") -> Element:
        with tag("label", classes="labelled"):
            tag("span", label)
            name = "textarea" if rows > 1 else "input"
            found = tag(name, classes="field", rows=rows if rows > 1 else None, maxlength=REASON_LENGTH)
            if hint:
                tag("span", hint, "quiet")

        def typed(event: Any) -> None:
            self.text = str(event.args)

        found.on("input", typed, js_handler=VALUE)
        return found


@contextmanager
def dialog(title: str) -> Iterator[ui.dialog]:
    """A box with that title, to be awaited; it goes away once it was answered."""
    with ui.dialog() as found, tag("div", classes="dialog"):
        found.props["aria-label"] = title
        tag("h2", title)
        yield found


async def ask_reason(page: Page, title: str, explained: str, confirm: str) -> str | None:
    """Why somebody does it; None when they would rather not. An empty reason is asked for again."""
    reason = Typed()
    with dialog(title) as found:
        tag("p", explained)
        field = reason.field(page.t("reason.label"), rows=3)
        field.props["required"] = True
        missing = tag("p", "", "problem", role="alert")

        def submit() -> None:
            if reason.text.strip():
                found.submit(reason.text.strip())
            else:
                set_text(missing, page.t("reason.missing"))
                field.run_method("focus")

        with tag("div", classes="buttons"):
            button(confirm, submit, "button first")
            button(page.t("cancel"), found.close)
    answer: str | None = await answer_to(found)
    return answer


async def show_conflict(page: Page, what: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Nothing was overwritten: this is what others did meanwhile."""
    with dialog(page.t("conflict.title")) as found:
        tag("p", page.t("conflict.explained", what=what))
        with tag("ul", classes="entries"):
            for each in entries:
                _entry(each)
        with tag("div", classes="buttons"):
            button(page.t("close"), found.close, "button first")
    await answer_to(found)


async def answer_to(found: ui.dialog) -> Any:
    """What was answered; the page may be gone by then, and the box with it."""
    answer = await found
    if not found.is_deleted:
        found.delete()
    return answer


def _entry(entry: Mapping[str, Any]) -> None:
    with tag("li"):
        tag("bdi", entry["by"], "strong")
        tag("span", " · ")
        moment(entry["at"])
        for sentence in entry["sentences"] or [entry["event"]]:
            tag("p", sentence)
        if entry["reason"]:
            tag("p", f"“{entry['reason']}”", "quiet")
