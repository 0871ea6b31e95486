"""Rollout plans: each a ladder of shares, with the step it is at."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.dialogs import ask_reason
from api.console.elements import button, link, moment, tag
from api.console.narrowing import Narrowing, Options
from api.console.page import Page, Screen
from api.console.palette import flag_url
from api.console.parts import Part
from api.console.screens.changes.giving import give
from api.console.screens.changes.listed import ALL, PAGE_CHANGES, tabs
from api.console.screens.changes.words import show_status
from api.console.words import percent
from domain.roles import Permission

ACTIVE = ("running", "paused", "halted")
OVER = ("finished", "cancelled", "rolled_back")
ACTS: Mapping[str, Sequence[str]] = {
    "running": ("pause", "cancel", "roll-back"),
    "paused": ("resume", "cancel", "roll-back"),
    "halted": ("resume", "cancel", "roll-back"),
    "finished": ("roll-back",),
    "cancelled": ("roll-back",),
    "rolled_back": (),
}
"""What may be done about a plan, by its status."""

UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))

Plan = Mapping[str, Any]


def wait_words(page: Page, seconds: int) -> str:
    """In the largest unit that it is a whole number of."""
    unit, size = next((unit, size) for unit, size in UNITS if seconds % size == 0)
    return page.texts.counted(f"plan.wait.{unit}", seconds // size)


@dataclass(slots=True)
class PlanCard:
    page: Page
    boxes: Element
    read: Callable[[], Awaitable[None]]

    def show(self, plan: Plan) -> None:
        page = self.page
        with tag("div", classes="headline"):
            with link("", page.url("plan", plan=plan["id"]), "key"):
                tag("bdi", plan["flag"])
                tag("span", f" · {plan['environment']}")
            show_status(page, plan["status"])
        with tag("p"):
            where = "rule" if plan["rule"] else "default"
            tag("span", page.t(f"plan.{where}", **{n: plan[n] for n in ("variant", "otherwise", "by")}))
        if plan["why"]:
            tag("p", plan["why"], "problem")
        self._ladder(plan)
        with tag("p", classes="quiet"):
            tag("bdi", plan["created_by"])
            tag("span", " · ")
            moment(plan["created_at"])
            tag("span", " · ")
            link(page.t("plan.flag"), flag_url(page, plan["flag"]))
        if page.may(Permission.WRITE, plan["environment"]):
            with tag("div", classes="buttons"):
                for what in ACTS[plan["status"]]:
                    button(page.t(f"plan.{what}"), partial(self._act, what, plan))

    def _ladder(self, plan: Plan) -> None:
        page, done = self.page, plan["done"]
        with tag("ol", classes="ladder", aria_label=page.t("plan.steps")):
            for number, step in enumerate(plan["steps"], 1):
                state = "now" if number == done else "taken" if number < done else "ahead"
                current = "step" if number == done else None
                with tag("li", classes=f"step {state}", aria_current=current):
                    tag("span", percent(page.texts, step["weight"]), "strong")
                    tag("span", page.t(f"plan.step.{state}"), "quiet")
                    if number == done + 1 and plan["due"]:
                        moment(plan["due"])
                    elif number > done:
                        before = plan["steps"][number - 2]["wait_seconds"]
                        tag("span", page.t("plan.after", wait=wait_words(page, before)), "quiet")

    async def _act(self, what: str, plan: Plan) -> None:
        page, reason = self.page, ""
        if page.wants_reason(plan["environment"]):
            with self.boxes:
                said = await ask_reason(
                    page,
                    page.t(f"plan.{what}.title", flag=plan["flag"]),
                    page.t(f"plan.{what}.explained"),
                    page.t(f"plan.{what}"),
                )
            if said is None:
                return
            reason = said
        where = page.where("plans", plan["id"], what)
        await give(page, where, plan["version"], page.t(f"plan.{what}.told"), reason=reason)
        with page.told():
            await self.read()


class Plans:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.only = Narrowing(page, ("status", "search"), self.read)
        with tag("div", classes="narrowing", role="search"):
            self.only.search(page.t("plans.search"))
            self.only.chosen("status", page.t("changes.status"), self._statuses())
            if page.may(Permission.WRITE, page.environment):
                link(page.t("plans.new"), page.url("new_plan"), "button first")
        self._card = PlanCard(page, tag("div"), self.read)
        self._part = Part(self._show)

    def _statuses(self) -> Options:
        t = self.page.t
        each = [(status, t(f"change.status.{status}")) for status in (*ACTIVE, *OVER)]
        return [("", t("plans.status.active")), *each, (ALL, t("changes.status.all"))]

    async def read(self, head: int = 0) -> None:
        status = self.only["status"]
        found = await self.page.api.get(
            self.page.where("plans"),
            status={ALL: None, "": ACTIVE}.get(status, (status,)),
            search=self.only["search"],
            sort="-created",
            limit=PAGE_CHANGES,
            after=self.only.after,
            min_position=head,
        )
        fresh = [await self._fresh(each) for each in found["plans"]] if not head else found["plans"]
        self._part.show({"plans": fresh, "next": found["next"]})

    async def _fresh(self, plan: Plan) -> Plan:
        """Lists are a moment behind what somebody just did."""
        found: Plan = await self.page.api.get(self.page.where("plans", plan["id"]))
        return found

    def _show(self, found: Mapping[str, Any]) -> None:
        t = self.page.t
        if not found["plans"]:
            with tag("div", classes="empty"):
                self.only.nothing(t("plans.none"), t("plans.none_found"), t("plans.active"))
                if not self.only:
                    link(t("plans.past"), self.page.url(status=ALL), "button")
        with tag("ul", classes="cards"):
            for plan in found["plans"]:
                with tag("li", classes="card"):
                    self._card.show(plan)
        self.only.pages(found["next"])


async def build(page: Page) -> None:
    tabs(page, "plans")
    plans = Plans(page)
    await plans.read()
    page.follow(plans.read)


async def build_one(page: Page) -> None:
    where = page.where("plans", str(page.request.path_params["plan"]))

    async def read(_: int = 0) -> None:
        part.show(await page.api.get(where))

    with tag("p"):
        link(page.t("plans.back"), page.url("plans"))
    card = PlanCard(page, tag("div"), read)
    part = Part(card.show, "card")
    await read()
    page.follow(read)


SCREEN = Screen("plans", "plans", build, below="changes")
ONE = Screen("plan", "plans/{plan}", build_one, below="changes")
