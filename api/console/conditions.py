"""Builds a condition of the API: an editable tree. What it cannot edit is shown and kept as it is."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from nicegui.element import Element

from api.console.condition_tree import (
    KINDS,
    Group,
    Json,
    Kind,
    Leaf,
    Node,
    condition_of,
    leaves,
    missing,
    move,
    new_leaf,
    parent_of,
    remove,
    tree_of,
)
from api.console.elements import VALUE, button, choice, tag
from api.console.operators import GROUPS, OPERATORS, SAME_AS, lines_of, read_lines
from api.console.page import CROSS, Page
from api.console.words import SCALE, Words, share_of

HOW = {"all": ("all", False), "any": ("any", False), "not_all": ("all", True), "none": ("any", True)}
"""What a group may be called, and what it is: of all or any of its parts, and whether negated."""

CHECKED = "(event) => emit(event.target.checked)"
UP, DOWN = "↑", "↓"
STEPS: tuple[tuple[str, str, Literal[-1, 1]], ...] = (("up", UP, -1), ("down", DOWN, 1))
MOST_LINES = 6  # of a field, before it scrolls
LETTERED = {"anything", "texts"}  # values that may differ in the case of their letters only

Changed = Callable[[], Awaitable[None] | None]
Edit = Callable[[Any], None]


class ConditionBuilder:
    """Shows itself where it is made, and tells `changed` after each edit; `condition` is what it is then."""

    def __init__(
        self, page: Page, condition: Mapping[str, Any], changed: Changed, segments: Sequence[str] = ()
    ) -> None:
        self._page, self._changed, self._segments = page, changed, segments
        self._words = Words(page.texts)
        self._tree = tree_of(condition)
        self._fields: dict[tuple[Node, str], Element] = {}
        self._box = tag("div", classes="conditions")
        self._show()

    @property
    def condition(self) -> Json:
        return condition_of(self._tree)

    def problems(self) -> list[str]:
        """What is still to be said, in the viewer's language; empty where it can be sent."""
        found = [key for leaf in leaves(self._tree) if (key := missing(leaf))]
        return [self._page.t(key) for key in dict.fromkeys(found)]

    def _show(self) -> None:
        self._box.clear()
        self._fields.clear()
        with self._box:
            self._group(self._tree)

    async def _tell(self) -> None:
        if (told := self._changed()) is not None:
            await told

    async def _reshape(self, node: Node, field: str) -> None:
        """Shows the tree as it is now; whoever uses the keyboard goes on where they were."""
        self._show()
        if found := self._fields.get((node, field)):
            found.run_method("focus")
        await self._tell()

    def _group(self, group: Group) -> None:
        t = self._page.t
        with tag("div", classes="group", role="group", aria_label=t("conditions.group")):
            with tag("div", classes="line"):
                options = [(name, t(f"conditions.how.{name}")) for name in HOW]
                chosen = next(name for name, meant in HOW.items() if meant == (group.how, group.negated))
                self._choice(group, "how", options, chosen, partial(_set_how, group))
                if group is not self._tree:
                    self._moving(group)
            with tag("div", classes="parts"):
                for part in group.parts:
                    self._group(part) if isinstance(part, Group) else self._leaf(part)
                if not group.parts:
                    tag("p", t("conditions.empty"), "quiet")
            with tag("div", classes="adding"):
                for kind in KINDS[:-1]:
                    self._adding(group, kind)
                button(t("conditions.add.group"), partial(self._add, group, "group"), "chip")

    def _adding(self, group: Group, kind: Kind) -> None:
        button(self._page.t(f"conditions.add.{kind}"), partial(self._add, group, kind), "chip")

    async def _add(self, group: Group, kind: Kind | Literal["group"]) -> None:
        part = Group(parts=[new_leaf("attribute")]) if kind == "group" else new_leaf(kind)
        group.parts.append(part)
        await self._reshape(part.parts[0] if isinstance(part, Group) else part, "first")

    def _leaf(self, leaf: Leaf) -> None:
        with tag(
            "div", classes="line", role="group", aria_label=self._page.t(f"conditions.kind.{leaf.kind}")
        ):
            self._by_kind(leaf)
            self._moving(leaf)

    def _by_kind(self, leaf: Leaf) -> None:
        shown: Mapping[str, Callable[[Leaf], None]] = {
            "attribute": self._clause,
            "segment": self._segment,
            "flag": self._flag,
            "bucket": self._bucket,
            "constant": self._constant,
            "kept": self._kept,
        }
        shown[leaf.kind](leaf)

    def _moving(self, node: Node) -> None:
        t = self._page.t
        with tag("span", classes="moving"):
            for name, sign, step in STEPS:
                act = partial(self._move, node, step, name)
                self._fields[node, name] = button(sign, act, "icon", aria_label=t(f"conditions.{name}"))
            button(CROSS, partial(self._remove, node), "icon", aria_label=t("conditions.remove"))

    async def _move(self, node: Node, step: Literal[-1, 1], field: str) -> None:
        move(self._tree, node, step)
        await self._reshape(node, field)

    async def _remove(self, node: Node) -> None:
        group = parent_of(self._tree, node)
        remove(self._tree, node)
        await self._reshape(group, "how")

    def _clause(self, leaf: Leaf) -> None:
        clause, takes = leaf.value, OPERATORS[leaf.value["operator"]]
        self._text(
            leaf, "first", "conditions.attribute", clause["attribute"], partial(_put, clause, "attribute")
        )
        self._operator(leaf)
        if takes != "nothing":
            values = clause.get("values", [])
            self._lines(
                leaf,
                "conditions.values",
                lines_of(values, takes),
                lambda text: clause.update(values=read_lines(text, takes)),
            )
        self._more(leaf)

    def _operator(self, leaf: Leaf) -> None:
        clause, t = leaf.value, self._page.t
        chosen = (clause["operator"], bool(clause.get("negate")))
        with tag("select", classes="select", aria_label=t("conditions.operator")) as found:
            for group, operators in GROUPS.items():
                with tag("optgroup", label=t(f"conditions.operators.{group}")):
                    for name in operators:
                        if name not in SAME_AS or name == chosen[0]:
                            self._operator_options(name, chosen)
        self._fields[leaf, "operator"] = found

        async def edited(event: Any) -> None:
            _set_operator(clause, event.args)
            await self._reshape(leaf, "operator")

        found.on("change", edited, js_handler=VALUE)

    def _operator_options(self, name: str, chosen: tuple[str, bool]) -> None:
        for negated in (False, True):
            text = self._words.operator(name, negated=negated)
            tag("option", text, value=f"{name} {negated:d}", selected=(name, negated) == chosen)

    def _more(self, leaf: Leaf) -> None:
        """What is hardly ever asked for."""
        clause, takes = leaf.value, OPERATORS[leaf.value["operator"]]
        if takes == "nothing":
            return
        ignored, matched = bool(clause.get("case_insensitive")), clause.get("on_missing") == "match"
        with tag("details", classes="more", open=ignored or matched):
            tag("summary", self._page.t("conditions.more"))
            if takes in LETTERED:
                self._check("conditions.ignore_case", ignored, partial(_put, clause, "case_insensitive"))
            self._check("conditions.match_missing", matched, partial(_set_missing, clause))

    def _segment(self, leaf: Leaf) -> None:
        self._negation(leaf, "conditions.in_segment", "conditions.not_in_segment")
        current = leaf.value["segment"]
        names = list(dict.fromkeys([*self._segments, *([current] if current else [])]))
        options = [("", self._page.t("conditions.choose_segment")), *((name, name) for name in names)]
        self._choice(leaf, "first", options, current, partial(_put, leaf.value, "segment"))

    def _flag(self, leaf: Leaf) -> None:
        value = leaf.value
        self._text(leaf, "first", "conditions.flag", value["flag"], partial(_put, value, "flag"))
        self._negation(leaf, "conditions.serves", "conditions.serves_not")
        self._lines(
            leaf,
            "conditions.variants",
            "\n".join(value["variants"]),
            lambda text: value.update(variants=text.split()),
        )

    def _bucket(self, leaf: Leaf) -> None:
        gate = leaf.value["bucket"]
        self._negation(leaf, "conditions.in_bucket", "conditions.not_in_bucket")
        self._percent(leaf, "first", "at_least", gate)
        self._percent(leaf, "below", "below", gate)
        by = gate.get("by", "targetingKey")
        self._text(leaf, "by", "conditions.by", by, partial(_put, gate, "by"))

    def _percent(self, leaf: Leaf, field: str, name: str, gate: Json) -> None:
        def put(typed: str) -> None:
            gate[name] = round(min(max(float(typed or 0), 0), 100) * SCALE / 100)

        attributes = {"type": "number", "min": "0", "max": "100", "step": "any", "inputmode": "decimal"}
        value = f"{share_of(gate.get(name, 0)):g}"
        self._text(leaf, field, f"conditions.{name}", value, put, **attributes)

    def _constant(self, leaf: Leaf) -> None:
        options = [(each, self._page.t(f"conditions.constant.{each}")) for each in ("true", "false")]
        self._choice(
            leaf,
            "first",
            options,
            "true" if leaf.value["constant"] else "false",
            lambda value: leaf.value.update(constant=value == "true"),
        )

    def _kept(self, leaf: Leaf) -> None:
        with tag("div", classes="kept"):
            tag("p", self._page.t("conditions.kept"), "quiet")
            tag("pre", json.dumps(leaf.value, ensure_ascii=False, indent=1))

    def _negation(self, leaf: Leaf, yes: str, no: str) -> None:
        options = [("yes", self._page.t(yes)), ("no", self._page.t(no))]

        def put(value: str) -> None:
            leaf.negated = value == "no"

        self._choice(leaf, "negated", options, "no" if leaf.negated else "yes", put)

    def _text(self, leaf: Leaf, field: str, label: str, value: str, edit: Edit, **attributes: Any) -> None:
        name = self._page.t(label)
        found = tag(
            "input", classes="field", aria_label=name, placeholder=name, defaultValue=value, **attributes
        )
        self._on_change(leaf, field, found, edit)

    def _lines(self, leaf: Leaf, label: str, value: str, edit: Edit) -> None:
        name, rows = self._page.t(label), min(value.count("\n") + 1, MOST_LINES)
        found = tag(
            "textarea", classes="field", aria_label=name, placeholder=name, rows=rows, defaultValue=value
        )
        self._on_change(leaf, "values", found, edit)

    def _check(self, label: str, checked: bool, edit: Edit) -> None:
        with tag("label", classes="check"):
            found = tag("input", type="checkbox", checked=checked)
            tag("span", self._page.t(label))
        self._on_edit(found, edit, CHECKED)

    def _choice(
        self, node: Node, field: str, options: Sequence[tuple[str, str]], chosen: str, edit: Edit
    ) -> None:
        found = choice(self._page.t(f"conditions.choose.{_kind(node)}"), options, chosen)
        self._on_change(node, field, found, edit)

    def _on_change(self, node: Node, field: str, found: Element, edit: Edit) -> None:
        self._fields[node, field] = found
        self._on_edit(found, edit, VALUE)

    def _on_edit(self, found: Element, edit: Edit, emitted: str) -> None:
        async def edited(event: Any) -> None:
            edit(event.args)
            await self._tell()

        found.on("change", edited, js_handler=emitted)


def _kind(node: Node) -> str:
    return "group" if isinstance(node, Group) else node.kind


def _put(where: Json, name: str, value: Any) -> None:
    where[name] = value


def _set_how(group: Group, name: str) -> None:
    group.how, group.negated = HOW[name]


def _set_missing(clause: Json, match: bool) -> None:
    clause["on_missing"] = "match" if match else "no_match"


def _set_operator(clause: Json, chosen: str) -> None:
    """The values stay, read again as the other operator takes them."""
    before = OPERATORS[clause["operator"]]
    name, _, negated = chosen.partition(" ")
    clause["operator"], clause["negate"] = name, negated == "1"
    takes = OPERATORS[name]
    clause["values"] = (
        [] if takes == "nothing" else read_lines(lines_of(clause.get("values", []), before), takes)
    )
