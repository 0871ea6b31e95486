"""An answer and how it came about: each condition that was asked, what it saw, and whose doing it is."""

import json
from collections.abc import Mapping
from typing import Any

from api.console.elements import tag
from api.console.happenings import event_link, what_happened, when_and_who
from api.console.outcomes import outcome
from api.console.page import Page
from api.console.words import Words, percent, show

HELD, NOT_HELD = "\N{CHECK MARK}", "\N{MULTIPLICATION SIGN}"
GROUPS = ("all", "any", "not")
"""Conditions whose own words only repeat those of the steps in them."""


def show_explanation(page: Page, found: Mapping[str, Any], *, at: str, now: Mapping[str, Any] | None) -> None:
    """`now` is today's answer, where `found` is of another time."""
    tag("h2", page.t("explain.then" if at else "explain.now", environment=page.environment))
    with tag("div", classes="verdict"):
        with tag("p", classes="big"):
            outcome(page, found)
        tag("p", _why(page, found))
        _share(page, found)
    if now is not None:
        _today(page, found, now)
    _behind(page, found)
    _trace(page, found)


def _why(page: Page, found: Mapping[str, Any]) -> str:
    why = found["metadata"].get("why", "")
    if found["reason"] in {"ERROR", "DISABLED"}:
        return page.t(f"reason.{found['reason']}")
    if why.startswith("prerequisite:"):
        return page.t("explain.why.prerequisite", flag=why.partition(":")[2])
    rule = next((each for each in found["rules"] if each["id"] == found["metadata"].get("ruleId")), None)
    if rule is not None:
        return page.t("explain.why.rule", rule=rule["name"] or rule["id"])
    return page.t(f"explain.why.{why}")


def _share(page: Page, found: Mapping[str, Any]) -> None:
    """Where a split decided: the bucket, and which buckets get that variant."""
    if (share := found["share"]) is None:
        return
    bucket, steps = found["metadata"]["bucket"], share["steps"]
    said = page.t(
        "explain.share",
        by=share["by"],
        bucket=percent(page.texts, bucket, steps),
        start=percent(page.texts, share["start"], steps),
        end=percent(page.texts, share["end"], steps),
        variant=found["variant"],
    )
    tag("p", said, dir="auto")
    left, width = 100 * share["start"] / steps, 100 * (share["end"] - share["start"]) / steps
    with tag("div", classes="scale", aria_hidden="true"):
        tag("span", classes="covered").style(f"left:{left:.3f}%;width:{width:.3f}%")
        tag("span", classes="bucket-mark").style(f"left:{100 * bucket / steps:.3f}%")


def _today(page: Page, found: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    said = [(each["variant"], each["value"], each["errorCode"]) for each in (found, now)]
    with tag("p", classes="today"):
        if said[0] == said[1]:
            tag("span", page.t("explain.same_now"))
        else:
            tag("span", page.t("explain.other_now") + " ")
            outcome(page, now)


def _behind(page: Page, found: Mapping[str, Any]) -> None:
    if (entry := found["entry"]) is None:
        return
    tag("h3", page.t("explain.behind"))
    with tag("div", classes="happening"):
        with tag("div", classes="bar"):
            when_and_who(entry)
        what_happened(entry)
        event_link(page, entry, found["flag"])


def _trace(page: Page, found: Mapping[str, Any]) -> None:
    tag("h3", page.t("explain.steps"))
    if not found["rules"] and not found["prerequisites"]:
        tag("p", page.t("explain.no_steps"), "quiet")
        return
    words = Words(page.texts)
    with tag("ol", classes="trace"):
        for step in found["prerequisites"]:
            with tag("li"):
                tag("p", page.t("explain.prerequisite"), "quiet")
                _step(page, words, step)
        for rule in found["rules"]:
            with tag("li"):
                with tag("p", classes="bar"):
                    _mark(page, held=rule["held"])
                    tag("bdi", rule["name"] or rule["id"], "name")
                    if rule["position"] is not None:
                        entry = {"position": rule["position"], "key": found["flag"]}
                        event_link(page, entry, found["flag"])
                _step(page, words, rule["step"])


def _step(page: Page, words: Words, step: Mapping[str, Any]) -> None:
    condition = step["condition"]
    with tag("div", classes="step"):
        with tag("p", classes="clause"):
            _mark(page, held=step["held"])
            group = next((each for each in GROUPS if each in condition), "")
            if group:
                tag("span", page.t(f"explain.group.{group}"))
            else:
                with tag("span"):
                    show(words.condition(condition))
                _saw(page, step)
        for each in step["steps"]:
            _step(page, words, each)


def _saw(page: Page, step: Mapping[str, Any]) -> None:
    """The attribute as it was, or the bucket."""
    condition, saw = step["condition"], step["saw"]
    if "bucket" in condition and saw is not None:
        gate = condition["bucket"]
        said = page.t("explain.bucket", bucket=saw, start=gate.get("at_least", 0), end=gate["below"])
        tag("span", said, "quiet")
    elif "attribute" in condition or "any_element" in condition:
        shown = page.t("explain.missing") if saw is None else json.dumps(saw, ensure_ascii=False)
        with tag("span", classes="quiet"):
            tag("span", page.t("explain.saw") + " ")
            tag("bdi", shown)


def _mark(page: Page, *, held: bool) -> None:
    key = "explain.held" if held else "explain.not_held"
    tag(
        "span",
        HELD if held else NOT_HELD,
        "mark held" if held else "mark",
        role="img",
        aria_label=page.t(key),
    )
