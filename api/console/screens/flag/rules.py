"""The rules of a targeting: each a sentence, which can be opened, moved by keys or dragged."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.conditions import DOWN, UP, ConditionBuilder
from api.console.elements import button, set_attributes, tag
from api.console.page import CROSS, Page
from api.console.screens.flag.draft import Draft, Json
from api.console.screens.flag.fields import text_field
from api.console.screens.flag.serves import ServeEditor, bar, shares
from api.console.words import Words, plain, show

HANDLE = "⠿"
ALLOW = "(event) => event.preventDefault()"
DROPPED = "(event) => { event.preventDefault(); emit(); }"
# Firefox drags only what carries something.
LIFTED = "(event) => { event.dataTransfer.setData('text/plain', 'rule'); emit(); }"

Changed = Callable[[], Awaitable[None]]


class RuleRow:
    """One rule, where it is shown. `told` is a sentence about whom it serves today."""

    def __init__(self, rules: "Rules", rule: Json) -> None:
        self.rule, self._rules, self._page = rule, rules, rules.page
        self._builder: ConditionBuilder | None = None
        self._serve: ServeEditor | None = None
        self.moves: dict[int, Element] = {}
        with tag("li", classes="rule") as self._item:
            with tag("div", classes="rule-line"):
                self._handle()
                self._words = tag("div", classes="said-rule")
                self._buttons()
            self._editor = tag("div", classes="editor")
        self.say()

    def say(self) -> None:
        self._words.clear()
        name = self.rule["name"]
        with self._words:
            if name:
                tag("p", name, "strong", dir="auto")
            with tag("p", dir="auto"):
                show(Words(self._page.texts).rule(self.rule))
            bar(self._page, shares(self.rule["serve"]), self._rules.variants())
            if told := self._rules.reached.get(self.rule["id"], ""):
                tag("p", told, "quiet")

    def problems(self) -> list[str]:
        found = self._builder.problems() if self._builder else []
        return [*found, *([self._serve.problem()] if self._serve else [])]

    def toggle(self) -> None:
        self.close() if self._builder else self.open()

    def close(self) -> None:
        self._editor.clear()
        self._builder = self._serve = None
        set_attributes(self._edit, aria_expanded="false")

    def open(self) -> None:
        t, rule = self._page.t, self.rule
        set_attributes(self._edit, aria_expanded="true")
        with self._editor:
            text_field(t("flag.rule_name"), rule["name"], partial(self._put, "name"), maxlength=200)
            tag("h3", t("flag.when"))
            self._builder = ConditionBuilder(
                self._page, rule["when"], self._condition_changed, self._rules.segments
            )
            self._serve = ServeEditor(
                self._page, rule, "serve", self._rules.variants, self._changed, t("flag.serve")
            )
            button(t("flag.done"), self.toggle)

    def offer(self) -> None:
        """Other variants than before."""
        self.say()
        if self._serve:
            self._serve.show()

    def _handle(self) -> None:
        if self._rules.may:
            handle = tag(
                "span",
                HANDLE,
                "handle",
                draggable="true",
                title=self._page.t("flag.drag"),
                aria_hidden="true",
            )
            handle.on("dragstart", partial(self._rules.lift, self.rule), js_handler=LIFTED)
            self._item.on("dragover", js_handler=ALLOW)
            self._item.on("drop", partial(self._rules.drop, self.rule), js_handler=DROPPED)

    def _buttons(self) -> None:
        t, called = self._page.t, self.rule["name"] or plain(Words(self._page.texts).rule(self.rule))
        with tag("span", classes="moving"):
            if not self._rules.may:
                return
            for sign, step, label in ((UP, -1, "flag.rule_up"), (DOWN, 1, "flag.rule_down")):
                act = partial(self._rules.step, self.rule, step)
                self.moves[step] = button(sign, act, "icon", aria_label=t(label, rule=called))
            self._edit = button(
                t("flag.edit"),
                self.toggle,
                "button small",
                aria_label=t("flag.edit_rule", rule=called),
                aria_expanded="false",
            )
            act = partial(self._rules.remove, self.rule)
            button(CROSS, act, "icon", aria_label=t("flag.remove_rule", rule=called))

    async def _put(self, name: str, value: Any) -> None:
        self.rule[name] = value
        await self._changed()

    async def _condition_changed(self) -> None:
        assert self._builder is not None
        self.rule["when"] = self._builder.condition
        await self._changed()

    async def _changed(self) -> None:
        self.say()
        await self._rules.changed()


class Rules:
    def __init__(
        self, page: Page, draft: Draft, changed: Changed, segments: Sequence[str], *, may: bool
    ) -> None:
        self.page, self._draft, self.changed, self.segments, self.may = page, draft, changed, segments, may
        self.reached: Mapping[str, str] = {}
        self._rows: list[RuleRow] = []
        self._lifted: Json | None = None
        self._list = tag("ol", classes="rules")
        if may:
            with tag("div", classes="buttons"):
                button(page.t("flag.add_rule"), self.add)
        self.show()

    def variants(self) -> list[str]:
        return list(self._draft.variants)

    def problems(self) -> list[str]:
        return [
            self.page.t("flag.in_rule", number=number, problem=problem)
            for number, row in enumerate(self._rows, 1)
            for problem in row.problems()
            if problem
        ]

    def show(self) -> None:
        self._list.clear()
        with self._list:
            self._rows = [RuleRow(self, rule) for rule in self._draft.rules]
            if not self._rows:
                tag("li", self.page.t("flag.no_rules"), "nothing quiet")

    def reach(self, told: Mapping[str, str]) -> None:
        """Whom each rule serves today, by its id."""
        before, self.reached = self.reached, told
        for row in self._rows:
            if told.get(row.rule["id"]) != before.get(row.rule["id"]):
                row.say()

    def offer(self) -> None:
        """Other variants than before."""
        for row in self._rows:
            row.offer()

    def lift(self, rule: Json) -> None:
        self._lifted = rule

    async def drop(self, on: Json) -> None:
        if self._lifted is not None and self._lifted is not on:
            await self._move(self._lifted, _place(self._draft.rules, on))
        self._lifted = None

    async def step(self, rule: Json, step: int) -> None:
        to = _place(self._draft.rules, rule) + step
        if 0 <= to < len(self._draft.rules):
            await self._move(rule, to)
            self._rows[to].moves[step].run_method("focus")

    async def add(self) -> None:
        served = self.variants()[0]
        when = {"all": [{"attribute": "", "operator": "in", "values": []}]}
        self._draft.rules.append({"id": "", "name": "", "when": when, "serve": {"variant": served}})
        self.show()
        self._rows[-1].open()
        await self.changed()

    async def remove(self, rule: Json) -> None:
        del self._draft.rules[_place(self._draft.rules, rule)]
        self.show()
        await self.changed()

    async def _move(self, rule: Json, to: int) -> None:
        self._draft.rules.insert(to, self._draft.rules.pop(_place(self._draft.rules, rule)))
        self.show()
        await self.changed()


def _place(rules: Sequence[Json], rule: Json) -> int:
    """Of that very rule: two may be alike."""
    return next(n for n, each in enumerate(rules) if each is rule)
