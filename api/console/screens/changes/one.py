"""One change request: what it would do, what stands against it, and what may be done about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.elements import button, link, moment, tag
from api.console.moves import WhatIfPanel
from api.console.page import Page, Screen
from api.console.parts import Part, happened, listed, told
from api.console.screens.changes.acts import Acts
from api.console.screens.changes.listed import given
from api.console.screens.changes.words import OPEN, Change, command_words, places, show_author, show_status
from api.console.words import percent


@dataclass(slots=True)
class OneChange:
    page: Page
    id: str
    parts: Mapping[str, Part]
    acts: Acts

    async def read(self, _: int = 0) -> None:
        change = await self.page.api.get(self.page.where("changes", self.id))
        self.acts.change = change
        for part in self.parts.values():
            part.show(change)


async def build(page: Page) -> None:
    acts = Acts(page)
    with tag("p"):
        link(page.t("changes.back"), page.url("changes"))
    parts = {
        "head": Part(lambda change: _head(page, change)),
        "acts": Part(acts.show, "buttons"),
        "conflicts": Part(lambda change: _conflicts(page, change, acts)),
        "effects": Part(lambda change: _effects(page, change)),
        "approvals": Part(lambda change: _approvals(page, change)),
    }
    acts.boxes = tag("div")
    one = OneChange(page, str(page.request.path_params["change"]), parts, acts)
    acts.read = one.read
    await one.read()
    if acts.change["status"] in OPEN:
        environment = next((each for each in sorted(places(acts.change)) if each), page.environment)
        WhatIfPanel(page, {"change": one.id}, environment).show()
    page.follow(one.read)


def _head(page: Page, change: Change) -> None:
    with tag("div", classes="headline"):
        with tag("h2"):
            tag("bdi", change["title"])
        show_status(page, change["status"])
    show_author(page, change)
    if change["description"]:
        tag("p", change["description"], "prose", dir="auto")
    if outcome := change["outcome"]:
        with tag("p"):
            tag("span", page.t(f"change.outcome.{change['status']}") + " ")
            tag("bdi", outcome["by"], "strong")
            tag("span", " · ")
            moment(outcome["at"])
        if outcome["comment"]:
            tag("p", f"“{outcome['comment']}”", dir="auto")
    if change["failure"]:
        told(page.t("change.failed"), "problem")
        tag("p", change["failure"], "problem")
    if change["status"] in OPEN:
        tag("p", _next(page, change), "next")


def _next(page: Page, change: Change) -> str:
    """What it waits for."""
    if change["conflicts"]:
        return page.t("change.next.conflict")
    if change["status"] == "proposed":
        own = "own" if change["author"] == page.who.name else "other"
        return f"{given(page, change)} {page.t(f'change.next.{own}')}"
    return page.t(f"change.next.{change['status']}")


def _conflicts(page: Page, change: Change, acts: Acts) -> None:
    if not change["conflicts"]:
        return
    with tag("section", classes="warned", aria_label=page.t("change.conflicts")):
        tag("h3", page.t("change.conflicts"))
        tag("p", page.t("change.conflicts.explained"))
        with tag("ul", classes="entries"):
            for each in change["conflicts"]:
                happened(each)
        if acts.may_write():
            with tag("div", classes="buttons"):
                button(page.t("change.rebase"), acts.rebase)


def _effects(page: Page, change: Change) -> None:
    with tag("section", aria_label=page.t("change.effects")):
        if change["status"] == "applied":
            tag("h3", page.t("change.done"))
            for each in change["done"]:
                _about(page, each)
                listed(each["sentences"])
            if not change["done"]:
                tag("p", page.t("change.nothing"))
            return
        tag("h3", page.t("change.effects"))
        if change["status"] not in OPEN:
            tag("p", page.t("change.was_wanted"), "quiet")
        effects = change["effects"] or [None] * len(change["about"])
        for about, effect in zip(change["about"], effects, strict=True):
            with tag("div", classes="effect"):
                tag("p", command_words(page, about), "strong", dir="auto")
                if effect is not None:
                    _effect(page, effect)


def _about(page: Page, thing: Mapping[str, Any]) -> None:
    with tag("p", classes="strong"):
        tag("span", page.t(f"kind.{thing['kind']}") + " ")
        tag("bdi", thing["key"])


def _effect(page: Page, effect: Mapping[str, Any]) -> None:
    if effect["refusal"]:
        tag("p", effect["refusal"], "problem")
        return
    if effect["sentences"]:
        listed(effect["sentences"])
    else:
        tag("p", page.t("change.nothing"), "quiet")
    steps = effect["command"].get("steps")
    if isinstance(steps, list) and len(steps) > 1:
        shares = ", ".join(percent(page.texts, each["weight"]) for each in steps)
        tag("p", page.t("change.steps", shares=shares))
    with tag("details"):
        tag("summary", page.t("change.json"))
        with tag("div", classes="sides"):
            for side in ("before", "after"):
                with tag("div"):
                    tag("p", page.t(f"change.{side}"), "quiet")
                    tag("pre", json.dumps(effect[side], indent=2, ensure_ascii=False), tabindex="0")


def _approvals(page: Page, change: Change) -> None:
    if not change["approvals"]:
        return
    with tag("section", aria_label=page.t("change.approved_by")):
        tag("h3", page.t("change.approved_by"))
        with tag("ul", classes="entries"):
            for each in change["approvals"]:
                with tag("li"):
                    tag("bdi", each["by"], "strong")
                    tag("span", " · ")
                    moment(each["at"])
                    if each["comment"]:
                        tag("p", f"“{each['comment']}”", dir="auto")


SCREEN = Screen("change", "changes/{change}", build, below="changes")
