"""Targeting in plain words of the viewer's language: what a condition asks, and who is served what."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from api.console.elements import tag
from api.console.numbers import weight
from api.console.texts import Texts, catalogue

SHOWN = 5  # of a list; nobody reads more of one
SCALE = 100_000  # weights and buckets are thousandths of a percent
MARKED = re.compile(r"\*([^*]+)\*")
TARGETING_KEY = "targetingKey"


@dataclass(frozen=True, slots=True)
class Name:
    """What somebody called something: shown by itself, whichever way its letters run."""

    text: str


Pieces = tuple[str | Name, ...]


def plain(pieces: Pieces) -> str:
    return "".join(each.text if isinstance(each, Name) else each for each in pieces)


def marked(sentence: str) -> Pieces:
    """A sentence of the API, in which somebody's own words stand between asterisks."""
    return tuple(Name(text) if n % 2 else text for n, text in enumerate(MARKED.split(sentence)) if text)


def show(pieces: Pieces) -> None:
    for each in pieces:
        if isinstance(each, Name):
            tag("bdi", each.text, "name")
        else:
            tag("span", each)


def share_of(part: float, of: float = SCALE) -> float:
    """In percent, as exact as weights are."""
    return round(100 * part / of, 3)


def percent(texts: Texts, part: float, of: float = SCALE) -> str:
    return weight(texts, share_of(part, of))


@dataclass(frozen=True, slots=True)
class Words:
    texts: Texts

    def fill(self, key: str, **values: Pieces | str) -> Pieces:
        """A text of the catalogue, with pieces in it."""
        found: list[str | Name] = []
        for text, name, _, _ in Formatter().parse(catalogue(self.texts.language)[key]):
            found.append(text)
            if name is not None:
                value = values[name]
                found.extend([value] if isinstance(value, str) else value)
        return tuple(each for each in found if each)

    def operator(self, name: str, *, negated: bool) -> str:
        """An operator that is not known yet is called what the API calls it."""
        key = f"words.is_not.{name}" if negated else f"words.is.{name}"
        return catalogue(self.texts.language).get(key, name)

    def listed(self, items: Sequence[Pieces], key: str = "words.or") -> Pieces:
        """`a, b or c`; of many the first ones, and how many more there are."""
        if len(items) > SHOWN:
            more = self.texts.t("words.more", number=len(items) - SHOWN)
            items = [*items[:SHOWN], (more,)]
        if len(items) < 2:
            return items[0] if items else ()
        return self.fill(key, first=_joined(items[:-1], ", "), last=items[-1])

    def named(self, names: Iterable[str], key: str = "words.or") -> Pieces:
        return self.listed([(Name(each),) for each in names], key)

    def rule(self, rule: Mapping[str, Any]) -> Pieces:
        return self.fill(
            "words.rule", condition=self.condition(rule["when"]), serve=self.serve(rule["serve"])
        )

    def condition(self, condition: Mapping[str, Any]) -> Pieces:
        kind = next((each for each in CONDITIONS if each in condition), "")
        return CONDITIONS[kind](self, condition) if kind else self.fill("words.unknown")

    def serve(self, serve: Mapping[str, Any]) -> Pieces:
        if "variant" in serve:
            return (Name(serve["variant"]),)
        if "split" in serve:
            return self._split(serve["split"])
        return self.fill("words.code_default" if "code_default" in serve else "words.error")

    def variant(self, name: str | None) -> Pieces:
        return self.fill("words.code_default") if name is None else (Name(name),)

    def _group(self, parts: Sequence[Mapping[str, Any]], key: str, empty: str) -> Pieces:
        if not parts:
            return self.fill(empty)
        said = [self._within(part) if len(parts) > 1 else self.condition(part) for part in parts]
        return _joined(said, f" {self.texts.t(key)} ")

    def _within(self, part: Mapping[str, Any]) -> Pieces:
        inner = self.condition(part)
        is_group = any(len(part.get(how, ())) > 1 for how in ("all", "any"))
        return ("(", *inner, ")") if is_group else inner

    def _clause(self, clause: Mapping[str, Any]) -> Pieces:
        verb = self.operator(clause["operator"], negated=clause.get("negate", False))
        values = self.listed([(Name(_value(each)),) for each in clause.get("values", ())])
        return (Name(clause["attribute"]), f" {verb}", *((" ", *values) if values else ()))

    def _bucket(self, condition: Mapping[str, Any]) -> Pieces:
        gate = condition["bucket"]
        steps = gate.get("of") or (100 if gate.get("algorithm") == "sha1" else SCALE)
        first, last = gate.get("at_least", 0), gate["below"]
        share: Pieces = (percent(self.texts, last, steps),)
        if first:
            ends = {"first": percent(self.texts, first, steps), "last": percent(self.texts, last, steps)}
            share = self.fill("words.range", **ends)
        return self.fill("words.bucket", share=share) + self._by(gate.get("by", TARGETING_KEY))

    def _by(self, attribute: str) -> Pieces:
        return () if attribute == TARGETING_KEY else self.fill("words.by", attribute=(Name(attribute),))

    def _split(self, split: Mapping[str, Any]) -> Pieces:
        shares = shares_of(split)
        served = self.listed(
            [
                self.fill("words.share", variant=(Name(name),), share=weight(self.texts, share))
                for name, share in shares
            ],
            "words.and_last",
        )
        covered = split.get("coverage", SCALE)
        within = () if covered == SCALE else self.fill("words.covered", share=percent(self.texts, covered))
        return (served or self.fill("words.nothing")) + self._by(split.get("by", TARGETING_KEY)) + within


def shares_of(split: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Of each variant in percent, of whoever the split reaches; those that get nothing are left out."""
    if split.get("weights"):
        return [(name, share_of(weight)) for name, weight in split["weights"].items() if weight]
    found = [(each["variant"], each["end"] - each["start"]) for each in split.get("ranges", ())]
    steps = split.get("of") or sum(size for _, size in found) or 1
    return [(name, share_of(size, steps)) for name, size in found if size]


def _joined(items: Sequence[Pieces], between: str) -> Pieces:
    found: list[str | Name] = []
    for n, each in enumerate(items):
        found.extend([between, *each] if n else each)
    return tuple(found)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{value}”" if isinstance(value, str) and (" " in value or not value) else str(value)


CONDITIONS: Mapping[str, Any] = {
    "all": lambda words, each: words._group(each["all"], "words.and", "words.always"),
    "any": lambda words, each: words._group(each["any"], "words.or_else", "words.never"),
    "not": lambda words, each: words.fill("words.not", condition=words.condition(each["not"])),
    "attribute": Words._clause,
    "segment": lambda words, each: words.fill("words.segment", segment=(Name(each["segment"]),)),
    "flag": lambda words, each: words.fill(
        "words.flag", flag=(Name(each["flag"]),), variants=words.named(each["variants"])
    ),
    "bucket": Words._bucket,
    "constant": lambda words, each: words.fill("words.always" if each["constant"] else "words.never"),
    "any_element": lambda words, each: words.fill(
        "words.element", attribute=(Name(each["any_element"]),), condition=words.condition(each["where"])
    ),
    "unanswerable": lambda words, each: words.fill("words.unanswerable", why=each["unanswerable"]),
}
"""By the one name that only that kind of condition has."""
