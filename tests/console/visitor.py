"""Somebody with a browser, and what a browser says that nobody sees: errors, and requests to other places."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, ViewportSize, expect

from tests.console.site import Site

NARROW: ViewportSize = {"width": 360, "height": 640}
"""A telephone."""
HOSTILE = "a <script>window.hacked = 1</script> & <img src=x onerror=window.hacked=2>"
RIGHT_TO_LEFT = "\u202etxet terces"
"""Names: the latter turns round what follows, unless it is kept apart."""
SERIOUS = {"serious", "critical"}
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LOOKS, BETWEEN_LOOKS_MS = 4, 1_000  # what a page reads after it stands may move it once more
CONNECTED = "window.did_handshake === true"
ADDRESS_HAS = """(wanted) => {
  const query = new URLSearchParams(location.search);
  return Object.entries(wanted).every(([name, value]) => query.get(name) === value);
}"""


@dataclass
class Visitor:
    """`problems` has to stay empty; `expected` are those that a test brings about, as regular expressions."""

    site: Site
    page: Page
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._asked)

    def enter(self, key: str = "") -> "Visitor":
        """Signed in by a link."""
        self.page.goto(self.site.link(key))
        return self

    def visit(
        self, project: str, screen: str = "flags", environment: str = "development", **query: str
    ) -> None:
        """A screen of the console, once it is there and connected."""
        address = f"{self.site.console}/{project}/{environment}/{quote(screen)}"
        context = query.pop("context", "")
        self.page.goto(
            address
            + (f"?{urlencode(query)}" if query else "")
            + (f"#context={quote(context, safe='')}" if context else "")
        )
        self.connected()

    def connected(self) -> None:
        self.page.wait_for_function(CONNECTED)

    def switch(self, environment: str, flag: str = "checkout") -> Locator:
        return self.page.get_by_role("switch", name=f"{flag} in {environment}", exact=True)

    def flag_keys(self) -> list[str]:
        return self.page.locator(".key").all_inner_texts()

    def sees(self, text: "str | re.Pattern[str]") -> None:
        expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible()

    def asked(self, **wanted: str) -> dict[str, list[str]]:
        """The query of the address, once it has what is wanted: it follows what the page shows."""
        self.page.wait_for_function(ADDRESS_HAS, arg=wanted)
        found = urlsplit(self.page.url)
        return parse_qs(found.query) | parse_qs(found.fragment)

    def violations(self) -> list[str]:
        """What axe finds that keeps somebody from using the page, once that stands."""
        for _ in range(LOOKS):
            if not (found := self._violations()):
                break
            self.page.wait_for_timeout(BETWEEN_LOOKS_MS)
        return found

    def _violations(self) -> list[str]:
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in SERIOUS
        ]

    def width_beyond(self) -> int:
        """How many pixels the page is wider than the window, once it stands."""
        for _ in range(LOOKS):
            if (found := int(self.page.evaluate(BEYOND))) <= 0:
                break
            self.page.wait_for_timeout(BETWEEN_LOOKS_MS)
        return found

    def unexpected(self) -> list[str]:
        return [each for each in self.problems if not any(re.search(known, each) for known in self.expected)]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location["url"].removeprefix(self.site.url)
            self.problems.append(f"{message.type}: {message.text} ({where})")

    def _asked(self, request: Request) -> None:
        found = urlsplit(request.url)
        if found.scheme not in {"data", "blob"} and found.netloc != urlsplit(self.site.url).netloc:
            self.problems.append(f"asked {request.url}, which is not this site")
