"""Boxes with fields: what is filled in is sent from there, and what is refused is said there."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui.element import Element

from api.console.client import Refused
from api.console.dialogs import REASON_LENGTH, answer_to, dialog
from api.console.elements import VALUE, button, choice, set_text, tag
from api.console.page import Page

COPY = """(event) => {
  const field = event.target.closest(".once").querySelector("input");
  field.select();
  navigator.clipboard.writeText(field.value).then(() => emit(true), () => emit(false));
}"""
LONGEST = 254  # letters of a field; the API says what it takes

Values = Mapping[str, str]
Send = Callable[[Values], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is that of an `<input>`, or `textarea`; with `options`, of values and what they are called, it
    is chosen and not typed."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    options: Sequence[tuple[str, str]] = ()
    hint: str = ""
    required: bool = True


def reason(page: Page) -> Field:
    """Asked for where a slip is felt by everybody."""
    wanted = page.wants_reason(page.environment)
    hint = "" if wanted else page.t("form.optional")
    return Field("reason", page.t("reason.label"), kind="textarea", hint=hint, required=wanted)


async def fill_in(
    page: Page, title: str, explained: str, confirm: str, fields: Sequence[Field], send: Send
) -> Any:
    """What `send` answers once it is not refused; None when somebody would rather not."""
    values = {field.name: field.value for field in fields}
    with dialog(title) as found:
        tag("p", explained)
        with tag("div", classes="form"):
            for field in fields:
                _field(field, values)
        problem = tag("p", "", "problem", role="alert")

        async def submit() -> None:
            if missing := [each.label for each in fields if each.required and not values[each.name].strip()]:
                set_text(problem, page.t("form.missing", fields=", ".join(missing)))
                return
            try:
                found.submit(await send({name: value.strip() for name, value in values.items()}))
            except Refused as refusal:
                set_text(problem, str(refusal))

        with tag("div", classes="buttons"):
            button(confirm, submit, "button first")
            button(page.t("cancel"), found.close)
    return await answer_to(found)


def _field(field: Field, values: dict[str, str]) -> None:
    def typed(event: Any) -> None:
        values[field.name] = str(event.args)

    with tag("label", classes="labelled"):
        tag("span", field.label)
        made = choice(field.label, field.options, field.value) if field.options else _typed(field)
        if field.hint:
            tag("span", field.hint, "quiet")
    made.on("change" if field.options else "input", typed, js_handler=VALUE)


def _typed(field: Field) -> Element:
    if field.kind == "textarea":
        return tag("textarea", classes="field", rows=3, maxlength=REASON_LENGTH)
    return tag(
        "input",
        classes="field",
        type=field.kind,
        defaultValue=field.value or None,
        maxlength=LONGEST,
        autocomplete="new-password" if field.kind == "password" else "off",
    )


async def show_once(page: Page, title: str, secret: str) -> None:
    """A text that nobody can be shown again; it is gone from the page once the box is closed."""
    with dialog(title) as found:
        found.props["persistent"] = True
        tag("p", page.t("once.explained"), "strong")
        with tag("div", classes="once"):
            tag("input", classes="field", value=secret, readonly="", aria_label=page.t("once.secret"))
            copied = tag("p", "", "quiet", role="status")

            def tell(event: Any) -> None:
                set_text(copied, page.t("once.copied" if event.args else "once.not_copied"))

            copy = tag("button", page.t("once.copy"), "button", type="button")
            copy.on("click", tell, js_handler=COPY)
        with tag("div", classes="buttons"):
            button(page.t("once.done"), lambda: found.submit(True), "button first")
    await answer_to(found)
