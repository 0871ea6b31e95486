"""A page of the console: who looks at it, where it is, what it can ask and say."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from api.console.client import Api, Refused, SignedOut, in_project
from api.console.elements import button, tag
from api.console.gate import SIGN_IN
from api.console.live import Live, Refresh
from api.console.texts import Texts
from domain.roles import Permission, Principal

SAID_SECONDS = 8.0  # long enough to read two sentences; problems stay until they are dismissed
PRODUCTION = "production"
CROSS = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Screen:
    """One of the console's screens; its name is the text `screen.<name>`.

    `path` comes after project and environment, as `flags` or `flags/{key}`. `build` makes what is on it;
    `below` names the screen of the menu that it is reached from, and is empty for those in the menu.
    """

    name: str
    path: str
    build: Callable[["Page"], Awaitable[None]]
    below: str = ""

    @property
    def in_menu(self) -> bool:
        return not self.below


@dataclass(slots=True)
class Page:
    """`project` is as the API tells it. `said` is where messages appear."""

    request: Request
    api: Api
    who: Principal
    texts: Texts
    live: Live
    screens: Sequence[Screen]
    screen: Screen
    project: Mapping[str, Any]
    environment: str
    said: Element | None = field(default=None)

    @property
    def key(self) -> str:
        """The project's."""
        return str(self.project["key"])

    @property
    def root(self) -> str:
        return str(self.request.scope.get("root_path", ""))

    def t(self, key: str, **values: Any) -> str:
        return self.texts.t(key, **values)

    def where(self, *parts: str) -> str:
        """A path of the API, below this project."""
        return in_project(self.key, *parts)

    def url(self, screen: str = "", *, project: str = "", environment: str = "", **values: str) -> str:
        """Of a screen of this project and environment, unless told otherwise; values that its path does not
        name are its query, and those that are empty are left out."""
        found = next(each for each in self.screens if each.name == (screen or self.screen.name))
        place = "/".join((self.root, project or self.key, environment or self.environment))
        filled = found.path.format_map({name: quote(value, safe="") for name, value in values.items()})
        rest = {name: value for name, value in values.items() if value and f"{{{name}}}" not in found.path}
        return f"{place}/{filled}" + (f"?{urlencode(rest)}" if rest else "")

    def has(self, screen: str) -> bool:
        return any(each.name == screen for each in self.screens)

    def may(self, permission: Permission, environment: str = "") -> bool:
        """What to offer, by the API's own table of roles; what is done is decided by the API alone."""
        return self.who.may(permission, self.key, environment)

    def environments(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.project["environments"]
        return found

    def wants_reason(self, environment: str) -> bool:
        """Where a slip is felt by everybody: in production, and wherever changes are approved."""
        return environment == PRODUCTION or self.wants_approval(environment)

    def wants_approval(self, environment: str) -> bool:
        """`environment` is empty for what concerns all of them, as segments do."""
        return any(each["approvals"] for each in self.environments() if environment in {"", each["key"]})

    def follow(self, refresh: Refresh) -> None:
        """Has `refresh` called with the log's head each time that somebody changed something."""
        client = ui.context.client

        async def read_again(head: int) -> None:
            with client, self.told():
                await refresh(head)

        client.on_delete(self.live.follow(read_again))

    @contextmanager
    def told(self) -> Iterator[None]:
        """A refusal is said in the API's words; whoever is signed out is led to where one signs in."""
        try:
            yield
        except Refused as problem:
            self.say(str(problem), bad=True)
        except SignedOut:
            self.go(f"{self.root}{SIGN_IN}")

    def go(self, url: str) -> None:
        """Leaves for another page of the console. NiceGUI puts the place it is mounted at before it."""
        ui.navigate.to(url.removeprefix(self.root))

    def say(self, text: str, *, bad: bool = False) -> None:
        assert self.said is not None
        with (
            self.said,
            tag("div", classes="said bad" if bad else "said", role="alert" if bad else "status") as box,
        ):
            tag("span", text)
            button(CROSS, box.delete, "bare", aria_label=self.t("dismiss"))
            if not bad:
                ui.timer(SAID_SECONDS, box.delete, once=True)
