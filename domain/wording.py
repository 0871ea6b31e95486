"""Targeting in plain words: what a condition asks, and who is served what."""

from collections.abc import Iterable, Mapping

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
CODE_DEFAULT = "the code's own default"

VERBS: Mapping[str, tuple[str, str]] = {
    "equals": ("is", "is not"),
    "in": ("is", "is not"),
    "exists": ("is given", "is not given"),
    "contains": ("contains", "does not contain"),
    "starts_with": ("starts with", "does not start with"),
    "ends_with": ("ends with", "does not end with"),
    "matches": ("matches", "does not match"),
    "in_cidr": ("is in network", "is not in network"),
    "modulo": ("leaves, divided,", "does not leave, divided,"),
    "is_a": ("is a", "is not a"),
    "same_json": ("is", "is not"),
    "text_lt": ("comes before", "does not come before"),
    "text_le": ("is or comes before", "comes after"),
    "text_gt": ("comes after", "does not come after"),
    "text_ge": ("is or comes after", "comes before"),
    "eq": ("=", "≠"),
    "lt": ("<", "is not <"),
    "le": ("≤", "is not ≤"),
    "gt": (">", "is not >"),
    "ge": ("≥", "is not ≥"),
    "before": ("is before", "is not before"),
    "after": ("is after", "is not after"),
    "semver_eq": ("is version", "is not version"),
    "semver_lt": ("is below version", "is not below version"),
    "semver_le": ("is at most version", "is above version"),
    "semver_gt": ("is above version", "is not above version"),
    "semver_ge": ("is at least version", "is below version"),
    "semver_tilde": ("is version ~", "is not version ~"),
    "semver_caret": ("is version ^", "is not version ^"),
}
"""What an operator is called, and what it is called when it is negated."""


def percent(part: int, of: int = SCALE) -> str:
    return f"{100 * part / of:.5g} %"


def listed(items: Iterable[object], last: str = "or") -> str:
    """`a, b or c`; of many the first ones, and how many more there are."""
    texts = [str(item) for item in items]
    if len(texts) > SHOWN:
        return f"{', '.join(texts[:SHOWN])} {last} {len(texts) - SHOWN} more"
    return f" {last} ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def named(names: Iterable[str], last: str = "or") -> str:
    return listed((f"*{name}*" for name in names), last)


def condition_words(condition: Condition) -> str:  # noqa: C901, PLR0911 - one line for each kind is the table
    match condition:
        case All(all=parts):
            return _group(parts, "and") or "always"
        case Any_(any=parts):
            return _group(parts, "or") or "never"
        case Not(negated=part):
            return f"not ({condition_words(part)})"
        case Clause():
            return _clause(condition)
        case InSegment(segment=segment):
            return f"in segment *{segment}*"
        case FlagIs(flag=flag, variants=variants):
            return f"flag *{flag}* serves {named(variants)}"
        case InBucket(bucket=gate):
            return _gate(gate)
        case Constant(constant=constant):
            return "always" if constant else "never"
        case AnyElement(any_element=attribute, where=where):
            return f"an element of {attribute} has: {condition_words(where)}"
        case Unanswerable(unanswerable=why):
            return f"nobody can tell ({why})"


def _group(parts: Iterable[Condition], word: str) -> str:
    words = [
        (condition_words(part), isinstance(part, All | Any_) and len(_parts(part)) > 1) for part in parts
    ]
    return f" {word} ".join(f"({text})" if group else text for text, group in words)


def _parts(group: All | Any_) -> tuple[Condition, ...]:
    return group.all if isinstance(group, All) else group.any


def _clause(clause: Clause) -> str:
    verb = VERBS[clause.operator][clause.negate]
    return f"{clause.attribute} {verb} {listed(map(_value, clause.values))}".rstrip()


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{value}”" if isinstance(value, str) and (" " in value or not value) else str(value)


def _gate(gate: Gate) -> str:
    if gate.at_least:
        share = f"{percent(gate.at_least, gate.steps)} to {percent(gate.below, gate.steps)}"
    else:
        share = percent(gate.below, gate.steps)
    return f"among {share}{_by(gate.by)}"


def _by(attribute: str) -> str:
    return "" if attribute == TARGETING_KEY else f" by {attribute}"


def serve_words(serve: Serve) -> str:
    match serve:
        case ServeVariant(variant=variant):
            return f"*{variant}*"
        case ServeSplit(split=split):
            return _split(split)
        case ServeCodeDefault():
            return CODE_DEFAULT
        case Unanswerable():
            return "an error"


def _split(split: Split) -> str:
    if split.weights:
        shares = [(name, weight) for name, weight in split.weights.items() if weight]
    else:
        shares = [(each.variant, each.end - each.start) for each in split.ranges if each.end > each.start]
    text = (
        ", ".join(f"*{name}* to {percent(share, split.steps)}" for name, share in shares) or "nobody anything"
    )
    covered = "" if split.coverage == SCALE else f", {percent(split.coverage)} of each"
    return f"{text or 'nobody anything'}{_by(split.by)}{covered}"


def variant_words(variant: str | None) -> str:
    return CODE_DEFAULT if variant is None else f"*{variant}*"


def prerequisites_words(prerequisites: Iterable[Prerequisite]) -> str:
    found = [f"*{each.flag}* to be on and serve {named(each.variants)}" for each in prerequisites]
    return listed(found, "and") or "no other flag"


def targets_words(targets: Iterable[Target]) -> str:
    found = [
        f"*{each.variant}* to {'' if each.attribute == TARGETING_KEY else each.attribute + ' '}"
        f"{listed(each.values, 'and')}"
        for each in targets
    ]
    return "; ".join(found) or "nobody in particular"
