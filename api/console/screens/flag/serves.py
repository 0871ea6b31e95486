"""Who is served what: edited, and drawn as a bar of shares."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui.element import Element

from api.console.elements import tag
from api.console.numbers import weight
from api.console.page import Page
from api.console.screens.flag.draft import Json
from api.console.screens.flag.fields import chosen_field, text_field
from api.console.words import SCALE, TARGETING_KEY, Words, plain, share_of, shares_of

SPLIT, CODE_DEFAULT, KEPT = "split", "code_default", "kept"
VARIANT = "variant "  # before a variant's name, so that one may be called "split"
BAR_UNITS = 100  # the width of the bar's own picture: a unit is a percent
DIGITS = 4  # of a share
COLOURS = 8  # in the style sheet; more variants begin again

Changed = Callable[[], Awaitable[None]]


def shares(serve: Json) -> list[tuple[str, float]]:
    """Variant and percent; empty where it cannot be said so."""
    if "variant" in serve:
        return [(serve["variant"], 100.0)]
    return shares_of(serve["split"]) if "split" in serve else []


def bar(page: Page, found: Sequence[tuple[str, float]], order: Sequence[str]) -> None:
    """`found` in percent; the colour of a variant is its place in `order`, and its name stands beside it."""
    if not found:
        return
    label = ", ".join(f"{name} {weight(page.texts, share, DIGITS)}" for name, share in found)
    start = 0.0
    with tag(
        "svg",
        classes="shares",
        viewBox=f"0 0 {BAR_UNITS} 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=page.t("flag.shares", shares=label),
    ):
        for name, share in found:
            tag("rect", classes=colour(name, order), x=f"{start:.3f}", y=0, width=f"{share:.3f}", height=8)
            start += share
    with tag("p", classes="legend"):
        for name, share in found:
            with tag("span", classes="mark"):
                tag("span", classes=f"dot {colour(name, order)}", aria_hidden="true")
                tag("bdi", name or page.t("flags.code_default"))
                tag("span", f" {weight(page.texts, share, DIGITS)}")


def colour(name: str, order: Sequence[str]) -> str:
    return f"v{list(order).index(name) % COLOURS}" if name in order else "vx"


class ServeEditor:
    """Changes `holder[name]`, which is a serve of the API, where it is shown.

    `variants` are those there are by then; `show` shows those that came meanwhile.
    """

    def __init__(
        self,
        page: Page,
        holder: Json,
        name: str,
        variants: Callable[[], Sequence[str]],
        changed: Changed,
        label: str,
    ) -> None:
        self._page, self._holder, self._name, self._label = page, holder, name, label
        self._offered, self._changed = variants, changed
        self._box = tag("div", classes="serve")
        self.show()

    def problem(self) -> str:
        """What is wrong with the weights; empty where nothing is."""
        split = self._serve.get("split")
        if split is None or not split.get("weights") or sum(split["weights"].values()) == SCALE:
            return ""
        total = share_of(sum(split["weights"].values()))
        return self._page.t("flag.weights", total=f"{total:g}")

    @property
    def _variants(self) -> Sequence[str]:
        return self._offered()

    @property
    def _serve(self) -> Json:
        found: Json = self._holder[self._name]
        return found

    def _kind(self) -> str:
        serve = self._serve
        if "variant" in serve:
            return f"{VARIANT}{serve['variant']}"
        if "split" in serve and serve["split"].get("weights"):
            return SPLIT
        return CODE_DEFAULT if "code_default" in serve else KEPT

    def show(self) -> None:
        self._box.clear()
        with self._box:
            self._choice()
            kind = self._kind()
            if kind == SPLIT:
                self._split(self._serve["split"])
            elif kind == KEPT:
                tag("p", self._page.t("conditions.kept"), "quiet")
                tag("pre", json.dumps(self._serve, ensure_ascii=False), "snippet")

    def _choice(self) -> Element:
        t, kind = self._page.t, self._kind()
        options = [(VARIANT + name, name) for name in self._variants]
        if kind.startswith(VARIANT) and kind not in dict(options):
            options.append((kind, kind.removeprefix(VARIANT)))
        options += [(SPLIT, t("flag.split")), (CODE_DEFAULT, t("flag.code_default"))]
        if kind == KEPT:
            options.append((KEPT, plain(Words(self._page.texts).serve(self._serve))))
        return chosen_field(self._label, options, kind, self._choose)

    async def _choose(self, kind: str) -> None:
        if kind.startswith(VARIANT):
            self._holder[self._name] = {"variant": kind.removeprefix(VARIANT)}
        elif kind == CODE_DEFAULT:
            self._holder[self._name] = {"code_default": True}
        elif kind == SPLIT:
            self._holder[self._name] = {"split": {"by": TARGETING_KEY, "weights": evenly(self._variants)}}
        self.show()
        await self._changed()

    def _split(self, split: Json) -> None:
        t, weights = self._page.t, split["weights"]
        percent: dict[str, Any] = {
            "type": "number",
            "min": 0,
            "max": 100,
            "step": "any",
            "inputmode": "decimal",
        }
        with tag("div", classes="weights"):
            for name in dict.fromkeys([*self._variants, *weights]):
                value = f"{share_of(weights.get(name, 0)):g}"
                text_field(t("flag.percent", variant=name), value, self._weigh(weights, name), **percent)
            by = split.get("by", TARGETING_KEY)
            text_field(t("conditions.by"), by, self._put(split, "by", lambda text: text or TARGETING_KEY))
            covered = f"{share_of(split.get('coverage', SCALE)):g}"
            text_field(t("flag.coverage"), covered, self._put(split, "coverage", _steps), **percent)

    def _weigh(self, weights: Json, name: str) -> Callable[[str], Awaitable[None]]:
        """Of two variants the other one gets the rest."""

        async def put(typed: str) -> None:
            weights[name] = _steps(typed)
            others = [each for each in self._variants if each != name]
            if len(others) == 1:
                weights[others[0]] = SCALE - weights[name]
                self.show()
            await self._changed()

        return put

    def _put(self, where: Json, name: str, read: Callable[[str], Any]) -> Callable[[str], Awaitable[None]]:
        async def put(typed: str) -> None:
            where[name] = read(typed)
            await self._changed()

        return put


def _steps(typed: str) -> int:
    """Thousandths of a percent, as weights are."""
    return round(min(max(float(typed or 0), 0), 100) * SCALE / 100)


def evenly(variants: Sequence[str]) -> dict[str, int]:
    size, rest = divmod(SCALE, len(variants))
    return {name: size + (n < rest) for n, name in enumerate(variants)}
