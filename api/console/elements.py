"""Elements of HTML as they are. Text is text and attributes are values: nothing is ever read as markup.

NiceGUI's own `.props("…")` reads attributes out of one text, in which a flag's name could become one; here
each is given by itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from nicegui.element import Element

Handler = Callable[[], Awaitable[None] | None]
VALUE = "(event) => emit(event.target.value)"
"""For an event of a field: what is in it by then."""
WAIT_SECONDS = 0.2  # between letters, before what is typed is looked for
SPARK_WIDTH, SPARK_HEIGHT = 96, 24  # units of its own picture


def tag(name: str, text: str | None = None, classes: str = "", **attributes: Any) -> Element:
    """An element; `aria_label` is written `aria-label`. An attribute that is None or False is left out."""
    found = Element(name)
    if text is not None:
        set_text(found, text)
    if classes:
        found.classes(classes)
    set_attributes(found, **attributes)
    return found


def set_text(element: Element, text: str) -> None:
    element._text = text
    element.update()


def set_attributes(element: Element, **attributes: Any) -> None:
    for name, value in attributes.items():
        attribute = name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            element.props.pop(attribute, None)
        else:
            element.props[attribute] = value
    element.update()


def button(text: str, act: Handler, classes: str = "button", **attributes: Any) -> Element:
    found = tag("button", text, classes, type="button", **attributes)
    found.on("click", act, args=[])
    return found


def link(text: str, to: str, classes: str = "", **attributes: Any) -> Element:
    return tag("a", text, classes, href=to, **attributes)


def moment(at: datetime | str) -> Element:
    """A time in the viewer's own zone, with UTC on hover: `console.js` knows the zone."""
    return tag("tm-time", at=at.isoformat() if isinstance(at, datetime) else at)


def choice(label: str, options: Sequence[tuple[str, str]], chosen: str, **attributes: Any) -> Element:
    """A `<select>` of values and what they are called."""
    with tag("select", classes="select", aria_label=label, **attributes) as found:
        for value, text in options:
            tag("option", text, value=value, selected=value == chosen)
    return found


def sparkline(counts: Sequence[int], label: str) -> None:
    """A line over time, oldest first; `label` says in words what it shows."""
    most, steps = max(counts, default=0) or 1, max(len(counts) - 1, 1)
    points = " ".join(
        f"{n * SPARK_WIDTH / steps:.1f},{(SPARK_HEIGHT - 2) * (1 - count / most) + 1:.1f}"
        for n, count in enumerate(counts)
    )
    box = f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}"
    with tag("svg", classes="spark", viewBox=box, role="img", aria_label=label):
        tag("polyline", points=points)
