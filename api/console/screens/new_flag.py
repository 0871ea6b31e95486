"""Making a flag: a key and a type are enough; it is off everywhere until somebody turns it on."""

import json
from collections.abc import Mapping
from typing import Any

from api.console.client import Refused
from api.console.dialogs import Typed, answer_to, dialog
from api.console.elements import VALUE, button, choice, set_attributes, set_text, tag
from api.console.page import Page

BEGUN_WITH: Mapping[str, Mapping[str, Any]] = {
    "boolean": {"on": True, "off": False},
    "string": {"blue": "blue", "green": "green"},
    "integer": {"small": 1, "large": 10},
    "float": {"low": 0.5, "high": 1.5},
    "object": {"old": {}, "new": {"colour": "blue"}},
}
"""By type; the names and values that the fields begin with."""

VARIANT_ROWS = 5


async def new_flag(page: Page) -> None:
    """Asks for it until the API takes it, and leads to it."""
    key, description = Typed(), Typed()
    variants = Typed(_text("boolean"))
    kind = "boolean"
    with dialog(page.t("new_flag.title")) as found:
        field = key.field(page.t("new_flag.key"), hint=page.t("new_flag.key_hint"))
        description.field(page.t("new_flag.description"))
        types = [(each, page.t(f"new_flag.type.{each}")) for each in BEGUN_WITH]
        with tag("label", classes="labelled"):
            tag("span", page.t("new_flag.type"))
            chosen = choice(page.t("new_flag.type"), types, kind)
        values = variants.field(
            page.t("new_flag.variants"), rows=VARIANT_ROWS, hint=page.t("new_flag.variants_hint")
        )
        set_attributes(values, value=variants.text)
        problem = tag("p", "", "problem", role="alert")

        def choose(event: Any) -> None:
            nonlocal kind
            kind = str(event.args)
            variants.text = _text(kind)
            set_attributes(values, value=variants.text)

        async def submit() -> None:
            try:
                body = {"key": key.text.strip(), "type": kind, "description": description.text}
                await page.api.post(page.where("flags"), {**body, "variants": json.loads(variants.text)})
            except json.JSONDecodeError as fault:
                set_text(problem, page.t("new_flag.no_json", line=fault.lineno, why=fault.msg))
            except Refused as refusal:
                set_text(problem, str(refusal))
                field.run_method("focus")
            else:
                found.submit(key.text.strip())

        chosen.on("change", choose, js_handler=VALUE)
        with tag("div", classes="buttons"):
            button(page.t("new_flag.make"), submit, "button first")
            button(page.t("cancel"), found.close)
    made: str | None = await answer_to(found)
    if made is not None:
        page.go(page.url("flag", key=made))


def _text(kind: str) -> str:
    return json.dumps(BEGUN_WITH[kind], indent=2, ensure_ascii=False)
