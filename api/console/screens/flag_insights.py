"""What became of one flag: who was served what over time, and whether that is as its targeting says."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from api.console.cards import Parts, card
from api.console.chart import Chart, counts_of, in_words, patterns
from api.console.elements import link, moment, tag
from api.console.numbers import between, counted, number, percent
from api.console.page import Page, Screen
from api.console.palette import flag_url
from api.console.tables import Table
from api.console.windows import chooser, counts_end, now, window_of

READ_SECONDS = 30.0  # how often counts are read again; evaluators send theirs every second
OTHER_PARTS: Mapping[str, str] = {"default": "flag.part.otherwise", "target": "flag.part.targets"}
"""What decides beside rules and prerequisites, and what it is called."""
CHANGES = 500  # marks of one chart; older ones are left out


class FlagInsights:
    def __init__(self, page: Page, key: str) -> None:
        self._page, self._key = page, key
        self._window = window_of(page)
        self._changed = -1
        self._counted, self._judged = Parts(page), Parts(page)
        self._build()

    def _build(self) -> None:
        t = self._page.t
        patterns()
        self._last = tag("p", classes="quiet")
        with tag("div", classes="panels"):
            with card(t("insights.variants")):
                self._variants = Chart(self._page, t("insights.variants"), t("insights.none"))
                self._counted.add(self._read_counts)
            with card(t("insights.reasons")):
                self._reasons = Chart(self._page, t("insights.reasons"), t("insights.none"))
            with card(t("shares.title")):
                self._shares_in = tag("div")
                self._judged.add(self._read_shares)
            with card(t("reach.title")):
                self._reach_in = tag("div")
                self._judged.add(self._read_reach)
            with card(t("subjects.title")):
                self._subjects_in = tag("div")
                self._judged.add(self._read_subjects)

    async def read(self) -> None:
        """What changes while one looks; the rest reads thousands of records."""
        with self._page.told():
            await self._counted.read()

    async def read_where_changed(self, head: int = 0) -> None:
        """All of it, unless the log's newest event is about something else."""
        del head
        history = self._page.where("flags", self._key, "history")
        found = await self._page.api.get(history, closure="true", limit=1)
        last = found["entries"][0]["position"]
        if last != self._changed:
            self._changed = last
            await self._counted.read()
            await self._judged.read()

    def _where(self, *rest: str) -> str:
        return self._page.where(
            "environments", self._page.environment, "analytics", "flags", self._key, *rest
        )

    async def _read_counts(self) -> None:
        asked = self._window.query(now())
        found = await self._page.api.get(self._where(), **asked)
        buckets = found["series"]
        end = counts_end(self._window, buckets)
        history = self._page.where("flags", self._key, "history")
        span = {"from": buckets[0]["start"], "to": end.isoformat(), "limit": CHANGES}
        changes = await self._page.api.get(
            history, closure="true", environment=self._page.environment, **span
        )
        named = [{**each, "variants": self._variants_named(each["variants"])} for each in buckets]
        others = self._page.t("insights.others")
        self._variants.show(counts_of(named, "variants", end, others), changes["entries"])
        reasons = in_words(counts_of(buckets, "reasons", end, others), self._page.texts)
        self._reasons.show(reasons, changes["entries"])
        self._show_last(found["last_evaluated"])

    def _variants_named(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name or self._page.t("flags.code_default"): count for name, count in counts.items()}

    def _show_last(self, last: str | None) -> None:
        self._last.clear()
        with self._last:
            if last is None:
                tag("span", self._page.t("insights.never", environment=self._page.environment))
            else:
                tag("span", self._page.t("insights.last") + " ")
                moment(last)

    async def _read_shares(self) -> None:
        found = await self._page.api.get(self._where("shares"), **self._window.within(now()))
        self._shares_in.clear()
        with self._shares_in:
            self._verdict(found)
            if found["variants"]:
                self._shares_table(found)

    def _verdict(self, found: Mapping[str, Any]) -> None:
        t = self._page.t
        if found["verdict"]:
            tag("p", t(f"shares.{found['verdict']}"), f"judged {found['verdict']}")
            tag("p", t(f"shares.{found['verdict']}.means"), "quiet")
        else:
            tag("p", t("shares.unchecked"), "judged")
            tag("p", found["reason"] or "", "quiet")

    def _shares_table(self, found: Mapping[str, Any]) -> None:
        t, texts = self._page.t, self._page.texts
        numbers = (t(f"shares.{found['basis']}"), t("shares.share"), t("shares.expected"))
        table = Table(t("shares.variant"), *numbers, counts=frozenset(numbers))
        for each in found["variants"]:
            with table.row():
                tag("bdi", each["variant"])
            table.cell(number(texts, each["counted"]))
            table.cell(percent(texts, each["share"]))
            table.cell(percent(texts, each["expected"]))
        with tag("p", classes="quiet"):
            tag("span", t("shares.since") + " ")
            moment(found["start"])

    async def _read_reach(self) -> None:
        where = self._page.where("flags", self._key, "environments", self._page.environment, "reach")
        found = await self._page.api.get(where, **self._window.within(now()))
        self._reach_in.clear()
        with self._reach_in:
            self._show_reach(found)

    def _show_reach(self, found: Mapping[str, Any]) -> None:
        t, texts = self._page.t, self._page.texts
        if not found["evaluations"]:
            tag("p", t("reach.nothing"))
            return
        if found["never"]:
            tag("p", texts.counted("reach.never", len(found["never"])), "judged mismatch")
            with tag("ul"):
                for rule in found["never"]:
                    with tag("li"):
                        tag("bdi", rule["name"] or rule["id"])
        else:
            tag("p", t("reach.all"), "judged match")
        if undecided := found["undecided"]["evaluations"]:
            missing = ", ".join(found["undecided"]["attributes"])
            tag("p", counted(texts, "reach.undecided", undecided, attributes=missing), "quiet")
        self._reach_table(found)

    def _reach_table(self, found: Mapping[str, Any]) -> None:
        t, texts = self._page.t, self._page.texts
        numbers = (t("shares.evaluations"), t("shares.subjects"))
        table = Table(t("reach.part"), t("shares.variant"), *numbers, counts=frozenset(numbers))
        for part in found["parts"]:
            rule = part["rule"]
            with table.row():
                if rule:
                    tag("bdi", rule["name"] or rule["id"])
                else:
                    tag("span", self._other_part(part))
            with table.cell():
                tag("bdi", part["variant"] or t("flags.code_default"))
            table.cell(number(texts, part["evaluations"]))
            table.cell(number(texts, part["subjects"]))
        tag("p", counted(texts, "reach.sample", found["evaluations"]), "quiet")

    def _other_part(self, part: Mapping[str, Any]) -> str:
        """What decided where no rule did."""
        t, (why, _, flag) = self._page.t, (part["why"] or "").partition(":")
        if why == "prerequisite":
            return t("explain.why.prerequisite", flag=flag)
        return t(OTHER_PARTS[why]) if why in OTHER_PARTS else t(f"reason.{part['reason']}")

    async def _read_subjects(self) -> None:
        found = await self._page.api.get(self._where("subjects"), **self._window.within(now()))
        self._subjects_in.clear()
        with self._subjects_in:
            self._show_subjects(found)

    def _show_subjects(self, found: Mapping[str, Any]) -> None:
        t, texts = self._page.t, self._page.texts
        if not found["all"]["estimate"]:
            tag("p", t("subjects.none"))
            return
        rows = {t("subjects.all"): found["all"]}
        rows |= {name or t("flags.code_default"): each for name, each in found["variants"].items()}
        numbers = (t("shares.subjects"), t("subjects.between"))
        table = Table(t("shares.variant"), *numbers, counts=frozenset(numbers))
        for name, each in rows.items():
            with table.row():
                tag("bdi", name)
            table.cell(number(texts, each["estimate"]))
            table.cell(between(texts, each["lower"], each["upper"]))
        tag("p", t("subjects.days", first=found["first_day"], last=found["last_day"]), "quiet")


async def build(page: Page) -> None:
    key = page.request.path_params["key"]
    await page.api.get(page.where("flags", key))  # or it is told that there is none
    with tag("p", classes="crumbs"):
        link(page.t("insights.all"), page.url("insights"))
        tag("span", " / ", aria_hidden="true")
        with link("", flag_url(page, key), "strong"):
            tag("bdi", key)
    chooser(page, key=key)
    insights = FlagInsights(page, key)

    async def first() -> None:
        with page.told():
            await insights.read_where_changed()

    ui.timer(0, first, once=True)  # the page is there before its counts are
    page.follow(insights.read_where_changed)
    ui.timer(READ_SECONDS, insights.read, immediate=False)


SCREEN = Screen("flag_insights", "insights/{key}", build, below="insights")
