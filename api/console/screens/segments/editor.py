"""The form of a segment. It edits a draft; nothing happens before it is saved."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from api.console.conditions import ConditionBuilder
from api.console.elements import VALUE, tag
from api.console.page import Page
from api.console.parts import Part
from api.console.screens.segments.members import definition_of, show_members

LIST_LINES = 4  # of keys, before the field scrolls
NAME_LENGTH = 300  # keeps a name a name; the API takes more


class SegmentEditor:
    """Shows itself where it is made. `draft` is what it says by now, and `changed` is told of each edit.

    Fields get a `defaultValue`: a `value` would be set again, over what somebody types, whenever anything on
    the page changes.
    """

    def __init__(
        self, page: Page, segment: Mapping[str, Any], segments: Sequence[str], changed: Callable[[], None]
    ) -> None:
        self._page, self._changed = page, changed
        self._fields = deepcopy(definition_of(segment))
        with tag("div", classes="form"):
            self._text("name", maxlength=NAME_LENGTH)
            self._text("description")
            with tag("div", role="group", aria_label=page.t("segment.condition")):
                tag("h3", page.t("segment.condition"))
                self._builder = ConditionBuilder(page, segment["condition"], self._edited, segments)
            for name in ("include", "exclude"):
                self._keys(name)
        with tag("section", classes="effect", aria_label=page.t("segment.in_words")):
            tag("h3", page.t("segment.in_words"))
            self._words = Part(lambda draft: show_members(page, draft))
            self._words.show(self.draft)

    @property
    def draft(self) -> dict[str, Any]:
        return {**self._fields, "condition": deepcopy(self._builder.condition)}

    def problems(self) -> Sequence[str]:
        return self._builder.problems()

    def _edited(self) -> None:
        self._words.show(self.draft)
        self._changed()

    def _text(self, name: str, **attributes: Any) -> None:
        with tag("label", classes="labelled"):
            tag("span", self._page.t(f"segment.{name}"))
            found = tag("input", classes="field", defaultValue=self._fields[name], dir="auto", **attributes)

        def typed(event: Any) -> None:
            self._fields[name] = str(event.args)
            self._edited()

        found.on("input", typed, js_handler=VALUE)

    def _keys(self, name: str) -> None:
        with tag("label", classes="labelled"):
            tag("span", self._page.t(f"segment.{name}"))
            value = "\n".join(self._fields[name])
            found = tag("textarea", classes="field", rows=LIST_LINES, defaultValue=value)
            tag("span", self._page.t("segment.keys_hint"), "quiet")

        def typed(event: Any) -> None:
            lines = (line.strip() for line in str(event.args).split("\n"))
            self._fields[name] = list(dict.fromkeys(line for line in lines if line))
            self._edited()

        found.on("change", typed, js_handler=VALUE)
