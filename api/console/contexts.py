"""The context of a question, written as JSON."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui

from api.console.elements import set_attributes, set_text, tag
from api.console.fields import area
from api.console.page import Page

ROWS = 8
ADDRESS_LENGTH = 6_000  # of a context; what passes addresses on, as chats do, cuts longer ones
ANSWER_SECONDS = 10.0  # of a browser that is busy
EXAMPLE = '{"targetingKey": "user-1", "country": "BR"}'


class ContextField:
    """Says where the text is no JSON, and puts the cursor there."""

    def __init__(self, page: Page, text: str) -> None:
        self._page, self._text = page, text
        self._box = tag("div")
        self.write(text)

    def write(self, text: str) -> None:
        """Something else instead of what is there."""
        self._text = indented(text)
        self._box.clear()
        with self._box:
            label = self._page.t("context.label")
            self._field = area(label, self._text, self._typed, rows=ROWS, placeholder=EXAMPLE)
            name = f"context-{self._field.id}"
            self._problem = tag("p", "", "problem code", role="alert", id=name)
            set_attributes(self._field, aria_describedby=name)

    def _typed(self, text: str) -> None:
        self._text = text

    def read(self) -> dict[str, Any] | None:
        """None where it is none; the viewer is told why. Nothing at all is the empty context."""
        text = self._text.strip() or "{}"
        try:
            found = json.loads(text)
        except json.JSONDecodeError as problem:
            self._refuse(self._page.t("context.not_json", **placed(text, problem)), problem.pos)
            return None
        except RecursionError:
            self._refuse(self._page.t("context.too_deep"), 0)
            return None
        if not isinstance(found, dict):
            self._refuse(self._page.t("context.no_object"), 0)
            return None
        self._say("")
        return found

    def _refuse(self, problem: str, place: int) -> None:
        self._say(problem)
        self._field.run_method("focus")
        self._field.run_method("setSelectionRange", place, place + 1)

    def _say(self, problem: str) -> None:
        set_text(self._problem, problem)
        set_attributes(self._field, aria_invalid="true" if problem else None)


def with_context(url: str, context: Mapping[str, Any]) -> str:
    """Without it where it is too long for an address: that is asked, but cannot be passed on.

    It stands after the #, which browsers send to nobody, so that no log of requests has it.
    """
    text = quote(json.dumps(context, ensure_ascii=False), safe="")
    return f"{url}#context={text}" if len(text) <= ADDRESS_LENGTH else url


async def context_of_address() -> str:
    """Empty where there is none. Waits for the browser, which alone knows it."""
    return str(await ui.run_javascript("return togglemaster.context()", timeout=ANSWER_SECONDS) or "")


def placed(text: str, problem: json.JSONDecodeError) -> dict[str, Any]:
    """Line and column from 1, and the line itself up to there."""
    line = text.splitlines()[problem.lineno - 1] if text.splitlines()[problem.lineno - 1 :] else ""
    return {"line": problem.lineno, "column": problem.colno, "before": line[: problem.colno - 1][-40:]}


def indented(text: str) -> str:
    """For people; what is no JSON stays as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
