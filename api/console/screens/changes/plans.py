"""Rollout plans: each a ladder of shares, with the step it is at."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from api.console.dialogs import ask_reason
from api.console.elements import button, choice, link, moment, tag
from api.console.page import Page, Screen
from api.console.palette import flag_url
from api.console.parts import Part
from api.console.screens.changes.giving import give
from api.console.screens.changes.listed import ALL, PAGE_CHANGES, TYPED, tabs
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
                    tag("span", percent(step["weight"]), "strong")
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


@dataclass(slots=True)
class Plans:
    page: Page
    only: dict[str, str]
    after: str
    part: Part | None = None
    card: PlanCard | None = None

    async def read(self, head: int = 0) -> None:
        status = self.only["status"]
        found = await self.page.api.get(
            self.page.where("plans"),
            status={ALL: None, "": ACTIVE}.get(status, (status,)),
            search=self.only["search"],
            sort="-created",
            limit=PAGE_CHANGES,
            after=self.after,
            min_position=head,
        )
        fresh = [await self._fresh(each) for each in found["plans"]] if not head else found["plans"]
        assert self.part is not None
        self.part.show({"plans": fresh, "next": found["next"]})

    async def _fresh(self, plan: Plan) -> Plan:
        """Lists are a moment behind what somebody just did."""
        found: Plan = await self.page.api.get(self.page.where("plans", plan["id"]))
        return found

    async def narrow(self, **only: str) -> None:
        self.only |= only
        self.after = ""
        ui.navigate.history.replace(self.page.url(**self.only))
        with self.page.told():
            await self.read()

    def show(self, found: Mapping[str, Any]) -> None:
        page = self.page
        assert self.card is not None
        if not found["plans"]:
            with tag("div", classes="empty"):
                tag("p", page.t("plans.none_found" if any(self.only.values()) else "plans.none"))
                if any(self.only.values()):
                    link(page.t("plans.active"), page.url(), "button")
                else:
                    link(page.t("plans.past"), page.url(status=ALL), "button")
        with tag("ul", classes="cards"):
            for plan in found["plans"]:
                with tag("li", classes="card"):
                    self.card.show(plan)
        with tag("nav", classes="buttons", aria_label=page.t("page.pages")):
            if self.after:
                link(page.t("page.first"), page.url(**self.only), "button")
            if found["next"]:
                link(page.t("page.next"), page.url(after=found["next"], **self.only), "button")


async def build(page: Page) -> None:
    query = page.request.query_params
    plans = Plans(page, {name: query.get(name, "") for name in ("status", "search")}, query.get("after", ""))
    tabs(page, "plans")
    with tag("div", classes="narrowing", role="search"):
        statuses = [("", page.t("plans.status.active"))]
        statuses += [(each, page.t(f"change.status.{each}")) for each in (*ACTIVE, *OVER)]
        statuses += [(ALL, page.t("changes.status.all"))]
        choice(page.t("changes.status"), statuses, plans.only["status"]).on(
            "change", lambda event: plans.narrow(status=event.args), js_handler=TYPED
        )
        if page.may(Permission.WRITE, page.environment):
            link(page.t("plans.new"), page.url("new_plan"), "button first")
    plans.card = PlanCard(page, tag("div"), plans.read)
    plans.part = Part(plans.show)
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


SCREEN = Screen("plans", "plans", build, in_menu=False)
ONE = Screen("plan", "plans/{plan}", build_one, in_menu=False)
