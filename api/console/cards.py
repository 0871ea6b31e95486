"""Parts of a page that are read by themselves: what cannot be read now leaves the others as they are."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nicegui.element import Element

from api.console.client import Refused
from api.console.elements import set_text, tag
from api.console.page import Page

Read = Callable[[], Awaitable[None]]


@contextmanager
def card(title: str, classes: str = "") -> Iterator[Element]:
    """A part of the page with a heading; what is in it goes in here."""
    with tag("section", classes=f"panel {classes}".strip(), aria_label=title):
        tag("h2", title)
        with tag("div") as inside:
            yield inside


class Parts:
    """Reads each part again, one after the other."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._parts: list[tuple[Element, Read]] = []

    def add(self, read: Read) -> None:
        """Below it is said why it cannot be read, in the API's words."""
        self._parts.append((tag("p", "", "problem", role="status"), read))

    async def read(self) -> None:
        for problem, read in self._parts:
            try:
                await read()
            except Refused as refusal:
                set_text(problem, str(refusal))
            else:
                set_text(problem, "")


@contextmanager
def asking(page: Page, boxes: Element) -> Iterator[None]:
    """While somebody is asked something. The boxes are in `boxes`, as what was pressed may be drawn anew."""
    with page.told(), boxes:
        yield
