"""The screen of a flag, put together."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from api.console.elements import link, tag
from api.console.page import Page, Screen
from api.console.screens.flag.draft import Draft
from api.console.screens.flag.draft_bar import DraftBar
from api.console.screens.flag.head import Head, tabs
from api.console.screens.flag.parts import Otherwise, Prerequisites, Targets, Variants
from api.console.screens.flag.reach import Reach, told_by_rule
from api.console.screens.flag.rules import Rules
from api.console.screens.flag.snippets import snippets
from api.console.words import Name, Words, show
from domain.roles import Permission

MOST_SEGMENTS = 1_000  # to choose from; as many as the API lists at once


class FlagScreen:
    """Its parts change the draft, and say so by `changed`."""

    def __init__(self, page: Page, flag: Mapping[str, Any], segments: Sequence[str]) -> None:
        self._page, self._segments = page, segments
        self._draft = Draft(flag, page.environment)
        self._body = tag("div", classes="flag-screen")
        self._bar = DraftBar(page, self._draft, self.anew)

    async def read(self, head: int = 0) -> None:
        """What somebody else changed shows at once, unless there is a draft on what was there."""
        del head  # a single flag comes from the log itself, and is never behind it
        flag = await self._page.api.get(self._page.where("flags", self._draft.key))
        if flag["version"] == self._draft.version:
            return
        if self._bar.is_empty:
            await self._take(flag)
        else:
            await self._bar.outdated()

    async def anew(self) -> None:
        await self._take(await self._page.api.get(self._page.where("flags", self._draft.key)))

    async def changed(self) -> None:
        with self._page.told():
            await self._bar.show(self._problems())

    async def _take(self, flag: Mapping[str, Any]) -> None:
        self._draft.take(flag)
        self._bar.clear()
        await self.show()
        await self.read_reach()

    def _offer(self) -> None:
        """Variants that came with the draft can be served by it."""
        self._targets.show()
        self._rules.offer()
        self._otherwise.offer()

    async def _switched(self, flag: Mapping[str, Any]) -> None:
        self._draft.switched(flag)

    def _problems(self) -> list[str]:
        return [*self._rules.problems(), *self._otherwise.problems(), *self._variants.problems()]

    async def show(self) -> None:
        page, draft = self._page, self._draft
        live = not draft.flag["archived"]
        may, may_all = (
            live and page.may(Permission.WRITE, page.environment),
            live and page.may(Permission.WRITE),
        )
        used = await page.api.get(page.where("flags", draft.key, "used-by"))
        self._body.clear()
        with self._body:
            Head(page, draft, self.changed, self._switched, may=may)
            with self._part("reach"):
                self._reach = Reach(page, list(draft.variants))
            with self._part("prerequisites"):
                Prerequisites(page, draft, self.changed, may=may)
                self._show_needed_by(used["flags"])
            with self._part("targets"):
                self._targets = Targets(page, draft, self.changed, may=may)
            with self._part("rules"):
                self._rules = Rules(page, draft, self.changed, self._segments, may=may)
            with self._part("otherwise"):
                self._otherwise = Otherwise(page, draft, self.changed, may=may)
            with self._part("variants"):
                self._variants = Variants(page, draft, self.changed, self._offer, may=may_all)
            with self._part("code"):
                await snippets(page, draft.key, draft.flag["type"])

    async def read_reach(self) -> None:
        """After everything else: it is counted from records."""
        with self._page.told():
            if found := await self._reach.read(self._draft.key):
                rules, others = told_by_rule(self._page, found)
                self._rules.reach(rules)
                self._otherwise.reach(others)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        t = self._page.t
        with tag("section", classes=f"part part-{name}", aria_labelledby=f"part-{name}"):
            tag("h2", t(f"flag.part.{name}"), id=f"part-{name}")
            tag("p", t(f"flag.part.{name}.hint"), "quiet")
            yield

    def _show_needed_by(self, flags: Sequence[Mapping[str, Any]]) -> None:
        page, words = self._page, Words(self._page.texts)
        here = [each for each in flags if each["environment"] == page.environment]
        for each in here:
            with tag("p"):
                variants = words.named(each["variants"])
                show(words.fill("flag.needed_by", flag=(Name(each["flag"]),), variants=variants))
                link(page.t("flag.open"), page.url("flag", key=each["flag"]))
        if not here:
            tag("p", page.t("flag.needed_by_none"), "quiet")


async def build(page: Page) -> None:
    key = page.request.path_params["key"]
    flag, segments = await asyncio.gather(
        page.api.get(page.where("flags", key)), page.api.get(page.where("segments"), limit=MOST_SEGMENTS)
    )
    tabs(page, key)
    screen = FlagScreen(page, flag, [each["key"] for each in segments["segments"]])
    await screen.show()
    page.follow(screen.read)
    ui.timer(0, screen.read_reach, once=True)


SCREEN = Screen("flag", "flags/{key}", build, below="flags")
