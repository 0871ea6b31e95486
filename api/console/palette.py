"""The command palette (Ctrl+K): flags by what they are called, and the screens."""

from dataclasses import dataclass, field

from nicegui import ui
from nicegui.element import Element

from api.console.elements import VALUE, WAIT_SECONDS, set_attributes, tag
from api.console.page import Page

MOST_FLAGS = 8
KEYS = """(event) => {
  if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  event.preventDefault();
  emit(event.key);
}"""


@dataclass(slots=True)
class Found:
    what: str
    kind: str
    url: str


@dataclass(slots=True)
class Palette:
    page: Page
    typed: Element
    box: Element
    found: list[Found] = field(default_factory=list)
    chosen: int = 0

    async def search(self, text: str) -> None:
        with self.page.told():
            self.found = [*self._screens(text), *await self._flags(text)]
            self._show(0)

    def press(self, key: str) -> None:
        if not self.found:
            return
        if key == "Enter":
            self.page.go(self.found[self.chosen].url)
        else:
            self._show((self.chosen + (1 if key == "ArrowDown" else -1)) % len(self.found))

    def _screens(self, text: str) -> list[Found]:
        names = {each.name: self.page.t(f"screen.{each.name}") for each in self.page.screens if each.in_menu}
        return [
            Found(title, self.page.t("palette.screen"), self.page.url(name))
            for name, title in names.items()
            if text.lower() in title.lower()
        ]

    async def _flags(self, text: str) -> list[Found]:
        found = await self.page.api.get(self.page.where("flags"), search=text, limit=MOST_FLAGS)
        return [
            Found(each["key"], self.page.t("palette.flag"), flag_url(self.page, each["key"]))
            for each in found["flags"]
        ]

    def _show(self, chosen: int) -> None:
        self.chosen = chosen
        self.box.clear()
        with self.box:
            for n, each in enumerate(self.found):
                with tag(
                    "a", classes="found", id=f"found-{n}", role="option", href=each.url, tabindex="-1"
                ) as option:
                    tag("bdi", each.what)
                    tag("span", each.kind, "quiet")
                set_attributes(option, aria_selected="true" if n == chosen else "false")
            if not self.found:
                tag("p", self.page.t("palette.nothing"), "quiet", role="option", aria_disabled="true")
        set_attributes(self.typed, aria_activedescendant=f"found-{chosen}" if self.found else None)


def flag_url(page: Page, key: str) -> str:
    """The flag's own screen; the list, narrowed to it, where there is none."""
    return page.url("flag", key=key) if page.has("flag") else page.url("flags", search=key)


def palette(page: Page, opener: Element) -> None:
    with ui.dialog() as dialog, tag("div", classes="dialog palette"):
        dialog.props["aria-label"] = page.t("palette.title")
        typed = tag(
            "input",
            classes="field",
            type="text",
            role="combobox",
            autocomplete="off",
            aria_label=page.t("palette.title"),
            placeholder=page.t("palette.hint"),
            aria_expanded="true",
            aria_controls="found",
            autofocus="",
        )
        box = tag("div", id="found", role="listbox", aria_label=page.t("palette.results"), classes="results")
    found = Palette(page, typed, box)
    typed.on(
        "input",
        lambda event: found.search(event.args),
        js_handler=VALUE,
        throttle=WAIT_SECONDS,
        leading_events=False,
    )
    typed.on("keydown", lambda event: found.press(event.args), js_handler=KEYS)

    async def show() -> None:
        dialog.open()
        await found.search("")

    opener.on("click", show, args=[])
