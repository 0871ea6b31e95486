"""Whom a targeting serves today, by what was recorded; and whom a draft would move."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.element import Element

from api.console.client import Refused
from api.console.elements import tag
from api.console.numbers import number, weight
from api.console.page import Page
from api.console.screens.flag.serves import bar
from api.console.words import Name, Words, show

DIGITS = 3  # of a share
MOST_MOVES = 6  # told one by one


class Reach:
    """Of the targeting as it is, not of the draft."""

    def __init__(self, page: Page, variants: Sequence[str]) -> None:
        self._page, self._variants = page, variants
        self._box = tag("div", classes="reach", aria_live="polite")
        with self._box:
            tag("p", page.t("flag.reading"), "quiet")

    async def read(self, key: str) -> Mapping[str, Any] | None:
        where = self._page.where("flags", key, "environments", self._page.environment, "reach")
        try:
            found: Mapping[str, Any] = await self._page.api.get(where)
        except Refused as problem:
            self._show_none(str(problem))
            return None
        self._show(found)
        return found

    def _show_none(self, why: str) -> None:
        self._box.clear()
        with self._box:
            tag("p", self._page.t("flags.no_usage"), "quiet", title=why)

    def _show(self, found: Mapping[str, Any]) -> None:
        t, total = self._page.t, sum(part["evaluations"] for part in found["parts"])
        self._box.clear()
        with self._box:
            if not found["evaluations"]:
                tag("p", t("flag.nobody_yet"), "quiet")
                return
            counts: dict[str, int] = {}
            for part in found["parts"]:
                counts[part["variant"] or ""] = counts.get(part["variant"] or "", 0) + part["evaluations"]
            bar(self._page, [(name, 100 * count / total) for name, count in counts.items()], self._variants)
            tag("p", self._sample(found), "quiet")
            for rule in found["never"]:
                with tag("p", classes="warning"):
                    name = (Name(rule["name"] or rule["id"]),)
                    show(Words(self._page.texts).fill("flag.rule_never", rule=name))
            _undecided(self._page, found["undecided"])

    def _sample(self, found: Mapping[str, Any]) -> str:
        how = "flag.sample" if found["complete"] else "flag.sample_newest"
        return self._page.t(how, evaluations=number(self._page.texts, found["evaluations"]))


def told_by_rule(page: Page, found: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """A sentence for each rule, by its id, and one for everybody else; empty where nothing was recorded."""
    total = sum(part["evaluations"] for part in found["parts"])
    if not total:
        return {}, ""
    by_rule: dict[str, list[int]] = {each["id"]: [0, 0] for each in found["never"]}
    others = [0, 0]
    for part in found["parts"]:
        counts = by_rule.setdefault(part["rule"]["id"], [0, 0]) if part["rule"] else others
        if part["rule"] or part["why"] is None or part["why"] == "default":
            counts[0] += part["evaluations"]
            counts[1] += part["subjects"]
    return {rule: _today(page, counts, total) for rule, counts in by_rule.items()}, _today(
        page, others, total
    )


def _today(page: Page, counts: Sequence[int], total: int) -> str:
    if not counts[0]:
        return page.t("flag.today_nobody")
    evaluations, subjects = (number(page.texts, count) for count in counts)
    share = weight(page.texts, 100 * counts[0] / total, DIGITS)
    return page.t("flag.today", evaluations=evaluations, subjects=subjects, share=share)


def show_moves(page: Page, box: Element, found: Mapping[str, Any]) -> None:
    """What the API says to a what-if of one flag."""
    t, texts = page.t, page.texts
    box.clear()
    with box:
        if not found["flags"] or not found["flags"][0]["evaluations"]:
            tag("p", t("flag.nobody_yet"), "quiet")
            return
        moves = found["flags"][0]
        values = {
            "evaluations": number(texts, moves["evaluations"]),
            "moved_evaluations": number(texts, moves["moved"]["evaluations"]),
            "moved": number(texts, moves["moved"]["subjects"]),
            "subjects": number(texts, moves["subjects"]),
        }
        tag("p", t("flag.moves" if moves["complete"] else "flag.moves_newest", **values), "strong")
        with tag("ul", classes="entries"):
            for move in moves["moves"][:MOST_MOVES]:
                _move(page, move)
        _undecided(page, moves["undecided"])


def _move(page: Page, move: Mapping[str, Any]) -> None:
    words, after = Words(page.texts), move["after"]
    rule = after["rule"]
    with tag("li"):
        show(
            words.fill(
                "flag.move_by_rule" if rule else "flag.move",
                before=words.variant(move["before"]["variant"]),
                after=words.variant(after["variant"]),
                subjects=number(page.texts, move["subjects"]),
                **({"rule": (Name(rule["name"] or rule["id"]),)} if rule else {}),
            )
        )


def _undecided(page: Page, found: Mapping[str, Any]) -> None:
    if found["evaluations"]:
        names = tuple(found["attributes"])
        words = Words(page.texts)
        with tag("p", classes="warning"):
            show(
                words.fill(
                    "flag.undecided",
                    evaluations=number(page.texts, found["evaluations"]),
                    attributes=words.named(names, "words.and_last") or ("?",),
                )
            )
