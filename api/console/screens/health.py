"""Whether the installation is well, in words and with what to do; for whoever administers all of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.console.cards import card
from api.console.client import path
from api.console.elements import button, moment, set_attributes, set_text, tag
from api.console.numbers import counted, number
from api.console.page import Page, Screen
from api.console.windows import now
from domain.roles import EVERY, Permission

HEALTH = path("health")
READ_SECONDS = 10.0  # each time a few dozen queries; what is away may take seconds to be sure of
SHOWN = 10  # documents and streams that are named; the API and the command line tell more


class Health:
    def __init__(self, page: Page) -> None:
        self._page = page
        t = page.t
        self._asked = tag("p", t("health.asking"), "quiet", role="status")
        with tag("div", classes="panels"):
            with card(t("health.services")):
                self._services = tag("div")
            with card(t("health.ruleset")):
                self._ruleset = tag("div")
                self._verify_button = button(t("health.verify"), self._verify)
                tag("p", t("health.verify_explained"), "quiet")
                self._verified = tag("div", role="status")
            with card(t("health.views")):
                self._views = tag("div")
            with card(t("health.queue")):
                self._queue = tag("div")
            with card(t("health.dropped")):
                self._dropped = tag("div")

    async def read(self) -> None:
        with self._page.told():
            found = await self._page.api.get(HEALTH)
            self._asked.clear()
            set_text(self._asked, self._page.t("health.asked") + " ")
            with self._asked:
                moment(now())
            self._show(found)

    def _show(self, found: Mapping[str, Any]) -> None:
        for inside, show in (
            (self._services, self._show_services),
            (self._ruleset, self._show_ruleset),
            (self._views, self._show_views),
            (self._queue, self._show_queue),
            (self._dropped, self._show_dropped),
        ):
            inside.clear()
            with inside:
                show(found)

    def _show_services(self, found: Mapping[str, Any]) -> None:
        t = self._page.t
        for each in found["services"]:
            name = t(f"health.{each['name']}")
            if each["reachable"]:
                tag("p", t("health.answers", name=name), "judged well")
            else:
                tag("p", t("health.away", name=name), "judged ill")
                tag("p", each["to_do"])
                tag("p", each["problem"], "quiet")

    def _show_ruleset(self, found: Mapping[str, Any]) -> None:
        t, ruleset = self._page.t, found["ruleset"]
        if ruleset is None:
            tag("p", t("health.unknown"))
            return
        if ruleset["generation"] is None:
            tag("p", t("health.no_ruleset"), "judged ill")
            return
        self._lag(ruleset["lag"], t("health.up_to_date"))
        if not ruleset["projector"]:
            tag("p", t("health.no_projector"), "judged ill")
        self._show_frozen(ruleset["frozen"])
        _facts(
            (t("health.generation"), ruleset["generation"]),
            (t("health.position"), number(self._page.texts, ruleset["position"])),
            (t("health.head"), number(self._page.texts, found["head"])),
            (t("health.lag"), number(self._page.texts, ruleset["lag"])),
            (t("health.previous"), ruleset["previous"] or t("health.nothing_kept")),
            (t("health.projector"), ruleset["projector"] or t("health.nobody")),
        )

    def _lag(self, lag: int, well: str) -> None:
        if lag > 0:
            tag("p", counted(self._page.texts, "health.behind", lag), "judged")
        elif lag:
            tag("p", self._page.t("health.ahead"), "judged ill")
        else:
            tag("p", well, "judged well")

    def _show_frozen(self, frozen: Sequence[Mapping[str, Any]]) -> None:
        if not frozen:
            return
        tag("p", self._page.texts.counted("health.frozen", len(frozen)), "judged ill")
        with tag("ul"):
            for each in frozen[:SHOWN]:
                with tag("li"):
                    tag("bdi", each["stream"], "strong")
                    tag("p", f"{each['position']}: {each['problem']}")

    def _show_views(self, found: Mapping[str, Any]) -> None:
        t = self._page.t
        if found["views"] is None:
            tag("p", t("health.unknown"))
            return
        self._lag(max(each["lag"] for each in found["views"]), t("health.views_well"))
        facts = ((each["name"], number(self._page.texts, each["position"])) for each in found["views"])
        _facts(*facts)

    def _show_queue(self, found: Mapping[str, Any]) -> None:
        t, queue = self._page.t, found["queue"]
        if queue is None:
            tag("p", t("health.unknown"))
            return
        if queue["dead"]:
            tag("p", counted(self._page.texts, "health.dead", queue["dead"]), "judged ill")
        else:
            tag("p", t("health.none_dead"), "judged well")
        _facts(
            (t("health.waiting"), number(self._page.texts, queue["waiting"])),
            (t("health.dead_letters"), number(self._page.texts, queue["dead"])),
        )

    def _show_dropped(self, found: Mapping[str, Any]) -> None:
        t, dropped = self._page.t, found["dropped"]
        if dropped is None:
            tag("p", t("health.unknown"))
            return
        if dropped["producers"]:
            tag("p", t("health.some_dropped", days=dropped["days"]), "judged ill")
            tag("p", dropped["to_do"])
        else:
            tag("p", t("health.none_dropped", days=dropped["days"]), "judged well")
        _facts(
            (t("health.not_counted"), number(self._page.texts, dropped["counts"])),
            (t("health.not_recorded"), number(self._page.texts, dropped["records"])),
        )
        self._show_producers(dropped)

    def _show_producers(self, dropped: Mapping[str, Any]) -> None:
        """Who dropped what, the latest first."""
        t, texts = self._page.t, self._page.texts
        if dropped["producers"]:
            self._when(t("health.dropped_since"), dropped["since"])
        with tag("ul"):
            for each in dropped["producers"]:
                with tag("li"):
                    tag("bdi", each["producer"], "strong")
                    numbers = {what: number(texts, each[what]) for what in ("counts", "records")}
                    tag("p", t("health.dropped_by", **numbers))
                    self._when(t("health.dropped_last"), each["last"])
        if dropped["more"]:
            tag("p", counted(texts, "health.more_dropped", dropped["more"]), "quiet")

    def _when(self, what: str, at: str) -> None:
        with tag("p", f"{what} ", "quiet"):
            moment(at)

    async def _verify(self) -> None:
        t = self._page.t
        self._say(t("health.verifying"), "judged")
        set_attributes(self._verify_button, disabled=True)
        with self._page.told():
            try:
                self._show_verified(await self._page.api.post(f"{HEALTH}/verify"))
            finally:
                set_attributes(self._verify_button, disabled=None)

    def _say(self, text: str, classes: str) -> None:
        self._verified.clear()
        with self._verified:
            tag("p", text, classes)

    def _show_verified(self, found: Mapping[str, Any]) -> None:
        t, at = self._page.t, {"generation": found["generation"], "position": found["position"]}
        if found["agrees"]:
            self._say(t("health.agrees", **at), "judged well")
            return
        self._say(counted(self._page.texts, "health.differs", found["differ"], **at), "judged ill")
        with self._verified:
            with tag("ul"):
                for each in found["drifts"][:SHOWN]:
                    with tag("li"):
                        tag("bdi", f"{each['scope']} {each['document']}")
                        tag("span", f": {each['difference']}")
            self._show_frozen(found["frozen"])


def _facts(*facts: tuple[str, str]) -> None:
    with tag("dl", classes="facts"):
        for name, value in facts:
            tag("dt", name)
            with tag("dd"):
                tag("bdi", value)


async def build(page: Page) -> None:
    if not page.who.may(Permission.ADMINISTER, EVERY):
        tag("p", page.t("health.may_not"))
        return
    health = Health(page)
    ui.timer(READ_SECONDS, health.read, immediate=True)


SCREEN = Screen("health", "health", build)
