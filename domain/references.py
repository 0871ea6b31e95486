"""What a targeting refers to: its flag's variants, other flags, segments."""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from domain.targeting import (
    All,
    Any_,
    AnyElement,
    Clause,
    Condition,
    Constant,
    FlagIs,
    InBucket,
    InSegment,
    Not,
    Serve,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Targeting,
    Unanswerable,
    children_of,
)

Leaf = Clause | InSegment | FlagIs | InBucket | Constant | Unanswerable


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf of the tree, in reading order."""
    if isinstance(condition, All | Any_ | Not | AnyElement):
        for child in children_of(condition):
            yield from leaves(child)
    else:
        yield condition


def serves(targeting: Targeting) -> Iterator[Serve]:
    yield targeting.default
    yield from (rule.serve for rule in targeting.rules)


def served_variants(targeting: Targeting) -> set[str]:
    """The names of this flag's variants that the targeting mentions anywhere."""
    names = {target.variant for target in targeting.targets}
    if targeting.off_variant is not None:
        names.add(targeting.off_variant)
    for serve in serves(targeting):
        match serve:
            case ServeVariant(variant=variant):
                names.add(variant)
            case ServeSplit(split=split):
                names.update(split.variants)
            case ServeCodeDefault() | Unanswerable():
                pass
    return names


def segments_asked(conditions: Iterable[Condition]) -> set[str]:
    return {leaf.segment for when in conditions for leaf in leaves(when) if isinstance(leaf, InSegment)}


def segments_asked_by(targeting: Targeting) -> set[str]:
    return segments_asked(rule.when for rule in targeting.rules)


def flags_asked(targeting: Targeting) -> Mapping[str, set[str]]:
    """Key of each other flag whose answer this targeting asks for -> the variants it asks about."""
    asked: dict[str, set[str]] = {}
    for prerequisite in targeting.prerequisites:
        asked.setdefault(prerequisite.flag, set()).update(prerequisite.variants)
    for rule in targeting.rules:
        for leaf in leaves(rule.when):
            if isinstance(leaf, FlagIs):
                asked.setdefault(leaf.flag, set()).update(leaf.variants)
    return asked


def attributes_asked(targeting: Targeting, *, splits: bool = True) -> frozenset[str] | None:
    """Where in a context the answer comes from, as paths; None where other flags or segments have a say.

    Without `splits`, it is what is asked before one.
    """
    asked = [target.attribute for target in targeting.targets]
    asked += [each.split.by for each in serves(targeting) if splits and isinstance(each, ServeSplit)]
    for rule in targeting.rules:
        if (found := _attributes_asked(rule.when)) is None:
            return None
        asked += found
    return None if targeting.prerequisites else frozenset(asked)


def _attributes_asked(condition: Condition) -> list[str] | None:
    match condition:
        case AnyElement(any_element=attribute):
            return [attribute]  # what its own conditions ask about is inside that
        case All() | Any_() | Not():
            found = [_attributes_asked(child) for child in children_of(condition)]
            return None if None in found else [each for child in found for each in child or ()]
        case Clause(attribute=attribute):
            return [attribute]
        case InBucket(bucket=gate):
            return [gate.by]
        case InSegment() | FlagIs():
            return None
        case Constant() | Unanswerable():
            return []
        case _:
            assert_never(condition)
