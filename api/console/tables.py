"""Tables that are read below each other where the screen is narrow, each cell with its column's name."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui.element import Element

from api.console.elements import tag


class Table:
    """The first of `heads` is of what names a row. Those in `counts` are of numbers."""

    def __init__(self, *heads: str, counts: frozenset[str] = frozenset()) -> None:
        self._heads, self._counts = heads, counts
        self._left = iter(heads)
        with tag("table", classes="stacked"):
            with tag("thead"), tag("tr"):
                for head in heads:
                    tag("th", head, self._classes(head), scope="col")
            self._body = tag("tbody")

    @contextmanager
    def row(self) -> Iterator[Element]:
        """What is in the first cell goes in here; `cell` makes the others, in order, after it."""
        with self._body, tag("tr") as self._row, tag("th", scope="row", classes="about") as found:
            yield found
        self._left = iter(self._heads[1:])

    def cell(self, text: str | None = None, classes: str = "") -> Element:
        head = next(self._left)
        with self._row:
            return tag("td", text, f"{self._classes(head)} {classes}".strip(), data_label=head)

    def _classes(self, head: str) -> str:
        return "count" if head in self._counts else ""
