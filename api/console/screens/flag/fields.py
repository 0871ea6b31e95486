"""Fields with a label that tell what was typed once it is whole.

They begin with `defaultValue`: a `value` is put back by Vue whenever anything on the page changes, over what
somebody is typing just then.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui.element import Element

from api.console.elements import VALUE, choice, tag

CHECKED = "(event) => emit(event.target.checked)"
MOST_LINES = 8

Put = Callable[[Any], Awaitable[None] | None]


def text_field(label: str, value: str, put: Put, *, lines: bool = False, **attributes: Any) -> Element:
    with tag("label", classes="labelled"):
        tag("span", label)
        if lines:
            rows = min(value.count("\n") + 1, MOST_LINES)
            found = tag("textarea", classes="field", defaultValue=value, rows=rows, dir="auto", **attributes)
        else:
            found = tag("input", classes="field", defaultValue=value, dir="auto", **attributes)
    return on_change(found, put)


def chosen_field(label: str, options: Sequence[tuple[str, str]], chosen: str, put: Put) -> Element:
    with tag("label", classes="labelled"):
        tag("span", label)
        found = choice(label, options, chosen)
    return on_change(found, put)


def check_field(label: str, checked: bool, put: Put) -> Element:
    with tag("label", classes="check"):
        found = tag("input", type="checkbox", checked=checked)
        tag("span", label)
    return on_change(found, put, CHECKED)


def on_change(found: Element, put: Put, emitted: str = VALUE) -> Element:
    async def changed(event: Any) -> None:
        if (told := put(event.args)) is not None:
            await told

    return found.on("change", changed, js_handler=emitted)


def lines_in(text: str) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(line.strip() for line in text.split("\n") if line.strip()))
