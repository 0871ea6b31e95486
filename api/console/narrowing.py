"""What a list is narrowed by, which its address says: words searched for, choices, the page it is at."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from api.console.elements import VALUE, WAIT_SECONDS, choice, link, tag
from api.console.page import Page

Read = Callable[[], Awaitable[None]]
Options = Sequence[tuple[str, str]]


class Narrowing:
    """`only` is what the list is narrowed by, empty where it is not; `after` is where its page begins."""

    def __init__(self, page: Page, names: Sequence[str], read: Read) -> None:
        query = page.request.query_params
        self._page, self._read = page, read
        self.only = {name: query.get(name, "") for name in names}
        self.after = query.get("after", "")

    def __getitem__(self, name: str) -> str:
        return self.only[name]

    def __bool__(self) -> bool:
        return any(self.only.values())

    async def to(self, **only: str) -> None:
        """Shows something else, from its beginning, and says so in the address."""
        self.only |= only
        self.after = ""
        ui.navigate.history.replace(self.url())
        with self._page.told():
            await self._read()

    def url(self, **changed: str) -> str:
        return self._page.url(**self.only | changed)

    def search(self, label: str, hint: str = "") -> None:
        tag(
            "input",
            classes="field",
            type="search",
            defaultValue=self.only["search"],
            aria_label=label,
            placeholder=hint or label,
            data_search="",
        ).on(
            "input",
            lambda event: self.to(search=str(event.args)),
            js_handler=VALUE,
            throttle=WAIT_SECONDS,
            leading_events=False,
        )

    def chosen(self, name: str, label: str, options: Options) -> None:
        choice(label, options, self.only[name]).on(
            "change", lambda event: self.to(**{name: str(event.args)}), js_handler=VALUE
        )

    def nothing(self, none: str, none_found: str, everything: str) -> None:
        """Instead of an empty list; where something narrows it, with the way out. The texts are said."""
        tag("p", none_found if self else none)
        if self:
            link(everything, self._page.url(), "button")

    def pages(self, following: str | None) -> None:
        """`following` is where the next page begins, of which there may be none."""
        with tag("nav", classes="buttons", aria_label=self._page.t("page.pages")):
            if self.after:
                link(self._page.t("page.first"), self.url(), "button")
            if following:
                link(self._page.t("page.next"), self.url(after=following), "button")
