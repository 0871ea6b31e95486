"""Starting a rollout plan of a flag in the environment that one is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.console.client import because
from api.console.dialogs import ask_reason
from api.console.elements import VALUE, button, choice, link, set_attributes, set_text, tag
from api.console.page import Page, Screen
from domain.roles import Permission

PERCENT = 1_000  # weights are of 100,000
HOUR_SECONDS = 3_600
STEPS = (("1", "1"), ("10", "24"), ("50", "24"), ("100", ""), ("", ""), ("", ""))
"""Percent, and hours until the next step: what is offered, and two lines for more."""

MOST_FLAGS = 200  # that are offered while one types; any other key may be typed too
DEFAULT = ""  # stands for what is served where no rule decides


@dataclass(slots=True)
class Wish:
    """What is in the form by now."""

    variant: str
    otherwise: str
    rule: str = DEFAULT
    steps: list[list[str]] = field(default_factory=lambda: [list(each) for each in STEPS])

    def body(self, flag: str, environment: str) -> dict[str, Any]:
        """Raises ValueError or OverflowError for what is no number."""
        steps = [
            {"weight": round(float(share) * PERCENT), "wait_seconds": round(float(hours or 0) * HOUR_SECONDS)}
            for share, hours in self.steps
            if share.strip()
        ]
        named = {"flag": flag, "environment": environment, "rule": self.rule or None}
        return {**named, "variant": self.variant, "otherwise": self.otherwise, "steps": steps}


async def build(page: Page) -> None:
    with tag("p"):
        link(page.t("plans.back"), page.url("plans"))
    if not page.may(Permission.WRITE, page.environment):
        tag("p", page.t("flags.may_not", environment=page.environment), "quiet")
        return
    key = page.request.query_params.get("flag", "")
    await _choose_flag(page, key)
    if key:
        _form(page, await page.api.get(page.where("flags", key)))


async def _choose_flag(page: Page, key: str) -> None:
    """A form of the browser's own: its answer is this page's address."""
    flags = (await page.api.get(page.where("flags"), limit=MOST_FLAGS))["flags"]
    with tag("form", method="get", classes="narrowing"):
        label = page.t("plan.which_flag")
        found = tag("input", classes="field", defaultValue=key, aria_label=label, placeholder=label)
        set_attributes(found, name="flag", list="flags", required=True)
        with tag("datalist", id="flags"):
            for each in flags:
                tag("option", value=each["key"])
        tag("button", page.t("plan.choose_flag"), "button", type="submit")


def _form(page: Page, flag: Mapping[str, Any]) -> None:
    variants = list(flag["variants"])
    wish = Wish(variants[0], variants[-1])
    with tag("div", classes="form"):
        names = [(each, each) for each in variants]
        _chosen(page, wish, "variant", names)
        _chosen(page, wish, "otherwise", names)
        rules = flag["environments"][page.environment]["rules"]
        places = [
            (DEFAULT, page.t("plan.no_rule")),
            *((each["id"], each["name"] or each["id"]) for each in rules),
        ]
        _chosen(page, wish, "rule", places)
        tag("h3", page.t("plan.steps"))
        tag("p", page.t("plan.first_at_once"), "quiet")
        for number, step in enumerate(wish.steps, 1):
            _step(page, number, step)
    missing = tag("p", "", "problem", role="alert")

    async def start() -> None:
        try:
            body = wish.body(flag["key"], page.environment)
        except (ValueError, OverflowError):
            set_text(missing, page.t("plan.no_number"))
            return
        set_text(missing, "")
        with page.told():
            await _start(page, body)

    reviewed = page.wants_approval(page.environment)
    with tag("div", classes="buttons"):
        button(page.t("plan.propose" if reviewed else "plan.start"), start, "button first")


def _chosen(page: Page, wish: Wish, name: str, options: list[tuple[str, str]]) -> None:
    label = page.t(f"plan.form.{name}")
    with tag("label", classes="labelled"):
        tag("span", label)
        choice(label, options, getattr(wish, name)).on(
            "change", lambda event: setattr(wish, name, str(event.args)), js_handler=VALUE
        )


def _step(page: Page, number: int, step: list[str]) -> None:
    with tag("div", classes="chips", role="group", aria_label=page.t("plan.step", number=number)):
        for place, name in enumerate(("percent", "hours")):

            def typed(event: Any, place: int = place) -> None:
                step[place] = str(event.args)

            with tag("label", classes="labelled"):
                tag("span", page.t(f"plan.form.{name}"))
                tag(
                    "input", classes="field", type="number", min="0", step="any", defaultValue=step[place]
                ).on("input", typed, js_handler=VALUE)


async def _start(page: Page, body: Mapping[str, Any]) -> None:
    """At once, with a reason, or as a change request. What cannot be is refused in the API's words."""
    environment, reason = page.environment, ""
    title = page.t("plan.start.title", flag=body["flag"], environment=environment)
    reviewed = page.wants_approval(environment)
    if page.wants_reason(environment):
        explained = page.t("plan.start.reviewed" if reviewed else "plan.start.explained")
        said = await ask_reason(page, title, explained, page.t("plan.propose" if reviewed else "plan.start"))
        if said is None:
            return
        reason = said
    if reviewed:
        wanted = {"title": title, "description": reason, "commands": [{"command": "start_plan", **body}]}
        change = await page.api.post(page.where("changes"), wanted)
        to = page.url("change", change=change["id"])
    else:
        plan = await page.api.post(page.where("plans"), body, because(reason))
        to = page.url("plan", plan=plan["id"])
    page.go(to)


SCREEN = Screen("new_plan", "new-plan", build, below="changes")
