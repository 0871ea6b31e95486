"""Targeting in plain words: what a condition asks, and who is served what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple

from domain.languages import LANGUAGES
from domain.targeting import (
    TARGETING_KEY,
    All,
    Any_,
    AnyElement,
    Clause,
    Condition,
    Constant,
    FlagIs,
    Gate,
    InBucket,
    InSegment,
    Not,
    Prerequisite,
    Serve,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Split,
    Target,
    Unanswerable,
)
from domain.values import SCALE

SHOWN = 5  # of a list; nobody reads the 10,000 subjects of a segment


class Why(NamedTuple):
    """A reason that is told in whichever language: a key of the languages, and what is filled in."""

    key: str
    values: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wording:
    """In a language of LANGUAGES; what is somebody's own word stands between asterisks."""

    language: str

    def say(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that the language does not have."""
        return LANGUAGES[self.language][key].format_map(values)

    def percent(self, part: int, of: int = SCALE) -> str:
        return self.say("percent", number=f"{100 * part / of:.5g}".replace(".", self.say("point")))

    def why(self, why: Why) -> str:
        return self.say(why.key, **why.values)

    def says(self, key: str) -> bool:
        return key in LANGUAGES[self.language]

    def joined(self, texts: Iterable[str], how: str) -> str:
        """`a and b and c`, and as `how` is "and" or "or"."""
        found = list(texts)
        return reduce(lambda first, last: self.say(how, first=first, last=last), found) if found else ""

    def listed(self, items: Iterable[object], how: str = "or") -> str:
        """`a, b or c`; of many the first ones, and how many more there are."""
        texts = [str(item) for item in items]
        if len(texts) > SHOWN:
            texts[SHOWN:] = [self.say("more", number=len(texts) - SHOWN)]
        return self.joined([", ".join(texts[:-1]), texts[-1]], how) if len(texts) > 1 else "".join(texts)

    def named(self, names: Iterable[str], how: str = "or") -> str:
        return self.listed((f"*{name}*" for name in names), how)

    def condition(self, condition: Condition) -> str:  # noqa: C901, PLR0911 - one line for each kind is the table
        match condition:
            case All(all=parts):
                return self._group(parts, "and") or self.say("always")
            case Any_(any=parts):
                return self._group(parts, "or") or self.say("never")
            case Not(negated=part):
                return self.say("not", condition=self.condition(part))
            case Clause():
                return self._clause(condition)
            case InSegment(segment=segment):
                return self.say("segment", segment=segment)
            case FlagIs(flag=flag, variants=variants):
                return self.say("flag", flag=flag, variants=self.named(variants))
            case InBucket(bucket=gate):
                return self._by(self.say("bucket", share=self._share(gate)), gate.by)
            case Constant(constant=constant):
                return self.say("always" if constant else "never")
            case AnyElement(any_element=attribute, where=where):
                return self.say("element", attribute=attribute, condition=self.condition(where))
            case Unanswerable(unanswerable=why):
                return self.say("unanswerable", why=why)

    def _group(self, parts: Iterable[Condition], how: str) -> str:
        return self.joined((self._within(part) for part in parts), how)

    def _within(self, part: Condition) -> str:
        text = self.condition(part)
        return f"({text})" if isinstance(part, All | Any_) and len(_parts(part)) > 1 else text

    def _clause(self, clause: Clause) -> str:
        how = "is_not" if clause.negate else "is"
        known = f"{how}.{clause.operator}"
        return self.say(
            known if self.says(known) else f"{how}.other",
            attribute=clause.attribute,
            operator=clause.operator,
            values=self.listed(map(_value, clause.values)),
        )

    def _share(self, gate: Gate) -> str:
        end = self.percent(gate.below, gate.steps)
        if not gate.at_least:
            return end
        return self.say("range", start=self.percent(gate.at_least, gate.steps), end=end)

    def _by(self, what: str, attribute: str) -> str:
        return what if attribute == TARGETING_KEY else self.say("by", what=what, attribute=attribute)

    def serve(self, serve: Serve) -> str:
        match serve:
            case ServeVariant(variant=variant):
                return self.variant(variant)
            case ServeSplit(split=split):
                return self._split(split)
            case ServeCodeDefault():
                return self.say("code_default")
            case Unanswerable():
                return self.say("error")

    def _split(self, split: Split) -> str:
        shares = [
            self.say("share", variant=name, share=self.percent(size, split.steps))
            for name, size in _shares(split)
        ]
        text = self._by(", ".join(shares) or self.say("nothing"), split.by)
        if split.coverage == SCALE:
            return text
        return self.say("covered", what=text, share=self.percent(split.coverage))

    def variant(self, variant: str | None) -> str:
        return self.say("code_default") if variant is None else f"*{variant}*"

    def prerequisites(self, prerequisites: Iterable[Prerequisite]) -> str:
        found = [
            self.say("prerequisite", flag=each.flag, variants=self.named(each.variants))
            for each in prerequisites
        ]
        return self.listed(found, "and") or self.say("no_prerequisite")

    def targets(self, targets: Iterable[Target]) -> str:
        return "; ".join(map(self._target, targets)) or self.say("no_target")

    def _target(self, target: Target) -> str:
        return self.say(
            "target" if target.attribute == TARGETING_KEY else "target.by",
            variant=target.variant,
            attribute=target.attribute,
            values=self.listed(target.values, "and"),
        )


ENGLISH = Wording("en")


def _parts(group: All | Any_) -> tuple[Condition, ...]:
    return group.all if isinstance(group, All) else group.any


def _shares(split: Split) -> list[tuple[str, int]]:
    if split.weights:
        return [(name, weight) for name, weight in split.weights.items() if weight]
    return [(each.variant, each.end - each.start) for each in split.ranges if each.end > each.start]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{value}”" if isinstance(value, str) and (" " in value or not value) else str(value)
