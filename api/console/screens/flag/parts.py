"""What a targeting has beside rules: prerequisites, individual targets, everybody else; and variants."""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from nicegui.element import Element

from api.console.elements import button, link, set_text, tag
from api.console.fields import FlagField
from api.console.page import CROSS, Page
from api.console.screens.flag.draft import Draft, Json
from api.console.screens.flag.fields import chosen_field, lines_in, text_field
from api.console.screens.flag.serves import ServeEditor, bar, shares
from api.console.words import TARGETING_KEY, Name, Words, show

NO_VARIANT = ""  # stands for the code's default in a choice of variants

Changed = Callable[[], Awaitable[None]]
Offer = Callable[[], None]


class Listed(ABC):
    """Things of a draft that are shown one below the other, and can be added and removed."""

    none: str
    add_text: str

    def __init__(self, page: Page, draft: Draft, changed: Changed, *, may: bool) -> None:
        self.page, self.draft, self.changed, self.may = page, draft, changed, may
        self._list = tag("div", classes="listed")
        if may:
            with tag("div", classes="buttons"):
                button(page.t(self.add_text), self._add)
        self.show()

    def show(self) -> None:
        self._list.clear()
        with self._list:
            for each in self.things():
                self.row(each) if self.may else self.said(each)
            if not self.things():
                tag("p", self.page.t(self.none), "quiet")

    @abstractmethod
    def things(self) -> list[Any]: ...

    @abstractmethod
    def row(self, thing: Any) -> None: ...

    @abstractmethod
    def said(self, thing: Any) -> None: ...

    @abstractmethod
    def new(self) -> Any: ...

    def removing(self, thing: Any, label: str) -> None:
        button(CROSS, partial(self._remove, thing), "icon", aria_label=label)

    async def _add(self) -> None:
        self.things().append(self.new())
        self.show()
        await self.changed()

    async def _remove(self, thing: Any) -> None:
        found = self.things()
        del found[next(n for n, each in enumerate(found) if each is thing)]
        self.show()
        await self.changed()

    async def put(self, thing: Json, name: str, value: Any) -> None:
        thing[name] = value
        await self.changed()


class Targets(Listed):
    none, add_text = "flag.no_targets", "flag.add_target"

    def things(self) -> list[Json]:
        found: list[Json] = self.draft.targeting["targets"]
        return found

    def new(self) -> Json:
        return {"variant": next(iter(self.draft.variants)), "attribute": TARGETING_KEY, "values": []}

    def row(self, target: Json) -> None:
        t = self.page.t
        with tag("div", classes="thing", role="group", aria_label=t("flag.target")):
            options = [(name, name) for name in self.draft.variants]
            chosen_field(t("flag.serve"), options, target["variant"], partial(self.put, target, "variant"))
            text_field(
                t("conditions.by"),
                target["attribute"],
                lambda text: self.put(target, "attribute", text.strip()),
            )
            text_field(
                t("flag.target_values"),
                "\n".join(target["values"]),
                lambda text: self.put(target, "values", lines_in(text)),
                lines=True,
            )
            self.removing(target, t("flag.remove_target", variant=target["variant"]))

    def said(self, target: Json) -> None:
        words = Words(self.page.texts)
        with tag("p"):
            values = words.named(target["values"], "words.and_last")
            show(words.fill("flag.target_said", variant=(Name(target["variant"]),), values=values))


class Prerequisites(Listed):
    """Other flags that have to be on and serve certain variants; `variants_of` asks the API for theirs."""

    none, add_text = "flag.no_prerequisites", "flag.add_prerequisite"

    def things(self) -> list[Json]:
        found: list[Json] = self.draft.targeting["prerequisites"]
        return found

    def new(self) -> Json:
        return {"flag": "", "variants": []}

    def row(self, needed: Json) -> None:
        t = self.page.t
        with tag("div", classes="thing", role="group", aria_label=t("flag.prerequisite")):
            FlagField(self.page, t("conditions.flag"), needed["flag"], partial(self._of_flag, needed))
            text_field(
                t("flag.needed_variants"),
                "\n".join(needed["variants"]),
                lambda text: self.put(needed, "variants", lines_in(text)),
                lines=True,
            )
            if needed["flag"]:
                link(t("flag.open"), self.page.url("flag", key=needed["flag"]))
            self.removing(needed, t("flag.remove_prerequisite", flag=needed["flag"]))

    async def _of_flag(self, needed: Json, key: str) -> None:
        """The variants of a boolean flag that mean yes are proposed, so that only its key has to be typed."""
        needed["flag"] = key.strip()
        with self.page.told():
            found = await self.page.api.get(self.page.where("flags", needed["flag"])) if key.strip() else {}
            variants: Mapping[str, Any] = found.get("variants", {})
            needed["variants"] = [name for name, value in variants.items() if value is True] or list(variants)
        self.show()
        await self.changed()

    def said(self, needed: Json) -> None:
        words = Words(self.page.texts)
        with tag("p"):
            flag, variants = (Name(needed["flag"]),), words.named(needed["variants"])
            show(words.fill("flag.needs_said", flag=flag, variants=variants))


class Variants(Listed):
    """Of the whole flag: what each environment may serve. Kept by name, which cannot be changed.

    `offer` is called when there are others than before.
    """

    none, add_text = "flag.no_variants", "flag.add_variant"

    def __init__(self, page: Page, draft: Draft, changed: Changed, offer: Offer, *, may: bool) -> None:
        self._new: list[Json] = []
        self._unread: set[str] = set()  # whose value is no JSON; a new one has no name yet
        self._offer = offer
        super().__init__(page, draft, changed, may=may)

    def show(self) -> None:
        self._unread.clear()
        super().show()

    def things(self) -> list[Any]:
        return [*self.draft.variants, *self._new]

    def problems(self) -> list[str]:
        found = [f"{name}: {self.page.t('flag.no_json')}".removeprefix(": ") for name in sorted(self._unread)]
        return [*found, *([self.page.t("flag.unnamed_variant")] if self._new else [])]

    def row(self, variant: Any) -> None:
        t, is_new = self.page.t, isinstance(variant, dict)
        with tag("div", classes="thing", role="group", aria_label=t("flag.variant")):
            if is_new:
                text_field(t("flag.variant_name"), "", partial(self._name, variant))
                value = variant["value"]
            else:
                with tag("p", classes="labelled"):
                    tag("span", t("flag.variant_name"))
                    tag("bdi", variant, "name is-fixed")
                value = self.draft.variants[variant]
            self._value(variant, value)
            if is_new or len(self.draft.variants) > 1:  # a flag without variants has nothing to serve
                self.removing(variant, t("flag.remove_variant", variant="" if is_new else variant))

    def said(self, variant: str) -> None:
        with tag("p"):
            tag("bdi", variant, "name")
            tag("code", " " + self._shown(self.draft.variants[variant]))

    def _value(self, variant: Any, value: Any) -> None:
        problem: Element
        called = "" if isinstance(variant, dict) else variant

        async def put(typed: str) -> None:
            try:
                found = typed if self._is_text() else json.loads(typed)
            except ValueError:
                set_text(problem, self.page.t("flag.no_json"))
                self._unread.add(called)
                await self.changed()
                return
            set_text(problem, "")
            self._unread.discard(called)
            where, name = (self.draft.variants, called) if called else (variant, "value")
            where[name] = found
            await self.changed()

        lines = self.draft.flag["type"] in {"object", "string"}
        with tag("div"):
            text_field(self.page.t("flag.variant_value"), self._shown(value), put, lines=lines)
            problem = tag("p", "", "problem", role="alert")

    def _is_text(self) -> bool:
        return bool(self.draft.flag["type"] == "string")

    def _shown(self, value: Any) -> str:
        return value if self._is_text() else json.dumps(value, ensure_ascii=False)

    async def _name(self, variant: Json, typed: str) -> None:
        if name := typed.strip():
            self._new.remove(variant)
            self.draft.variants[name] = variant["value"]
            self.show()
            self._offer()
        await self.changed()

    def new(self) -> Json:
        like = next(iter(self.draft.variants.values()))
        return {"value": like}

    async def _add(self) -> None:
        self._new.append(self.new())
        self.show()
        await self.changed()

    async def _remove(self, variant: Any) -> None:
        if isinstance(variant, dict):
            self._new.remove(variant)
        else:
            del self.draft.variants[variant]
        self.show()
        self._offer()
        await self.changed()


class Otherwise:
    """What everybody else gets, and what is served while the flag is off."""

    def __init__(self, page: Page, draft: Draft, changed: Changed, *, may: bool) -> None:
        self._page, self._draft, self._changed = page, draft, changed
        self._editor: ServeEditor | None = None
        if may:
            self._editor = ServeEditor(
                page,
                draft.targeting,
                "default",
                lambda: list(draft.variants),
                self._default_changed,
                page.t("flag.serve"),
            )
        else:
            with tag("p"):
                show(Words(page.texts).serve(draft.targeting["default"]))
        self._bar = tag("div")
        self._draw()
        self._told = tag("p", "", "quiet")
        self._off_box = tag("div")
        self._off()

    def problems(self) -> list[str]:
        problem = self._editor.problem() if self._editor else ""
        return [problem] if problem else []

    def offer(self) -> None:
        """Other variants than before."""
        if self._editor:
            self._editor.show()
            self._draw()
            self._off()

    def reach(self, told: str) -> None:
        set_text(self._told, told)

    def _draw(self) -> None:
        self._bar.clear()
        with self._bar:
            bar(self._page, shares(self._draft.targeting["default"]), list(self._draft.variants))

    async def _default_changed(self) -> None:
        self._draw()
        await self._changed()

    def _off(self) -> None:
        t, off = self._page.t, self._draft.targeting["off_variant"]
        self._off_box.clear()
        with self._off_box:
            if self._editor is None:
                words = Words(self._page.texts)
                with tag("p"):
                    show(words.fill("flag.off_said", variant=words.variant(off)))
                return
            options = [(name, name) for name in self._draft.variants]
            options.append((NO_VARIANT, t("flag.code_default")))
            chosen_field(t("flag.when_off"), options, off or NO_VARIANT, self._put_off)

    async def _put_off(self, name: str) -> None:
        self._draft.targeting["off_variant"] = name or None
        await self._changed()
