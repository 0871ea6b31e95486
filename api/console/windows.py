"""How far back insights look."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.console.elements import link, tag
from api.console.page import Page


@dataclass(frozen=True, slots=True)
class Window:
    """`steps` bars, of which the last is the step that is going on."""

    granularity: str
    step: timedelta
    steps: int

    def query(self, now: datetime) -> dict[str, Any]:
        """As the API wants it."""
        start = now - (self.steps - 1) * self.step
        return {"from": start.isoformat(), "to": now.isoformat(), "granularity": self.granularity}

    def within(self, now: datetime) -> dict[str, Any]:
        """The same for what has no steps."""
        return {name: value for name, value in self.query(now).items() if name != "granularity"}


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = {
    "1h": Window("minute", MINUTE, 60),
    "24h": Window("hour", HOUR, 24),
    "7d": Window("hour", HOUR, 7 * 24),
    "30d": Window("day", DAY, 30),
}
USUAL = "24h"


def name_of(page: Page) -> str:
    """What the address asks for."""
    found = page.request.query_params.get("window", USUAL)
    return found if found in WINDOWS else USUAL


def window_of(page: Page) -> Window:
    return WINDOWS[name_of(page)]


def chooser(page: Page, **values: str) -> None:
    """Links to the same page with another window; `values` are what else is in its address."""
    with tag("nav", classes="tabs", aria_label=page.t("window")):
        for name in WINDOWS:
            current = "true" if name == name_of(page) else None
            link(page.t(f"window.{name}"), page.url(window=name, **values), "tab", aria_current=current)


def counts_end(window: Window, buckets: Any) -> datetime:
    """Of the last step."""
    return datetime.fromisoformat(buckets[-1]["start"]) + window.step


def now() -> datetime:
    return datetime.now(UTC)
