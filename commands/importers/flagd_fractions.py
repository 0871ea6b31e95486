"""flagd's `fractional`: what is hashed, and which share of the weights the hash falls into."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from commands.importers.flagd_coercion import text_of
from commands.importers.flagd_hashing import MOST_WEIGHT, Hashing
from commands.importers.flagd_operands import Attribute, Fixed, as_list
from commands.importers.flagd_outcomes import (
    Bucketing,
    Fraction,
    Gives,
    Leaf,
    PlainLeaf,
    Wrong,
    always,
    plain,
    reachable,
    under,
)
from commands.importers.flagd_reader import Reader, operation, side
from commands.importers.imported import Unsayable
from commands.importers.saying import ALWAYS, all_of, clause, exists, is_text, negated
from domain.bucketing import ALGORITHMS, AlgorithmName
from domain.targeting import TARGETING_KEY, Condition

MOST_WAYS = 256  # a bucketing whose shares depend on conditions is said once for every way they can fall


class Static(NamedTuple):
    """A bucketing that asks nothing of the context."""

    algorithm: AlgorithmName
    value: Any


Way = tuple[Condition, Bucketing | Static]
Entry = tuple[Sequence[PlainLeaf], Sequence[PlainLeaf]]
"""What a share gives, and its weight, each as leaves."""


def fractional(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    if not arguments:
        return always(None)
    if isinstance(arguments[0], list):
        ways, shares = list(_pair(reader)), arguments
    else:
        ways, shares = list(_ways(reader, arguments[0])), arguments[1:]
    entries = _entries(reader, shares)
    if entries is None:
        return always(None)
    found = [leaf for when, by in ways for leaf in under(when, _fraction(reader.hashing, by, entries))]
    return reachable([*found, *always(None)])


def _ways(reader: Reader, expression: Any) -> Iterator[Way]:
    """What is hashed, and when; the first that holds counts, and in no way it is null."""
    name, arguments = operation(expression)
    if name == "cat":
        yield from _joined(reader, [side(reader, each) for each in as_list(arguments)])
        return
    found = side(reader, expression)
    if isinstance(found, Fixed):
        yield from _fixed(reader, found.value)
        return
    _refuse_case(found)
    if reader.hashing.any_type:
        yield exists(found.name), Bucketing(reader.hashing.value, found.name)
    else:
        yield is_text(found.name), Bucketing(reader.hashing.value, found.name)
    for when, by in _fixed(reader, found.default):
        yield all_of(negated(exists(found.name)), when), by


def _fixed(reader: Reader, value: Any) -> Iterator[Way]:
    hashing = reader.hashing
    if value is None and not hashing.any_type:
        yield from _pair(reader)
    elif isinstance(value, str) or (hashing.any_type and value is not None):
        yield ALWAYS, Static(hashing.value, value)


def _pair(reader: Reader) -> Iterator[Way]:
    """The flag's key with the targeting key, if that is a text and not empty."""
    given = all_of(is_text(TARGETING_KEY), negated(clause(TARGETING_KEY, "equals", "")))
    yield given, Bucketing(reader.hashing.pair, TARGETING_KEY, reader.flag_key)


def _joined(reader: Reader, parts: Sequence[Fixed | Attribute]) -> Iterator[Way]:
    *before, last = parts or [Fixed("")]
    if any(isinstance(each, Attribute) for each in before):
        raise Unsayable("'fractional' by a text with an attribute that is not its end")
    salt = "".join(text_of(each.value) for each in before if isinstance(each, Fixed))
    algorithm = reader.hashing.text
    if isinstance(last, Fixed):
        yield ALWAYS, Static(algorithm, salt + text_of(last.value))
        return
    _refuse_case(last)
    yield exists(last.name), Bucketing(algorithm, last.name, salt)
    yield negated(exists(last.name)), Static(algorithm, salt + text_of(last.default))


def _refuse_case(attribute: Attribute) -> None:
    if attribute.case:
        raise Unsayable(f"'fractional' by '{attribute.name}' in {attribute.case} case")
    if attribute.needed:
        raise Unsayable(f"'fractional' by '{attribute.name}'")


def _entries(reader: Reader, shares: Sequence[Any]) -> list[Entry] | None:
    """None where one is no share at all, which makes flagd give null."""
    entries: list[Entry] = []
    for share in shares:
        if not isinstance(share, list) or len(share) not in {1, 2}:
            return None
        weight = reader.values(share[1]) if len(share) == 2 else always(1)
        entries.append((list(plain(reader.leaves(share[0]))), list(plain(weight))))
    return entries


def _fraction(hashing: Hashing, by: Bucketing | Static, entries: Sequence[Entry]) -> list[Leaf]:
    """Leaves for every way in which the values and weights of the shares can fall."""
    choices = [list(product(values, weights)) for values, weights in entries]
    if prod(len(choice) for choice in choices) > MOST_WAYS:
        raise Unsayable(f"a 'fractional' whose shares depend on conditions in more than {MOST_WAYS} ways")
    return reachable(leaf for picked in product(*choices) for leaf in _one_way(hashing, by, picked))


def _one_way(
    hashing: Hashing, by: Bucketing | Static, picked: Sequence[tuple[PlainLeaf, PlainLeaf]]
) -> list[Leaf]:
    when = all_of(*(leaf.when for pair in picked for leaf in pair))
    outcomes = tuple(value.outcome for value, _ in picked)
    weights = [each for _, weight in picked if (each := _weight(weight.outcome)) is not None]
    if len(weights) < len(outcomes) or not 0 < sum(weights) <= MOST_WEIGHT:
        return [Leaf(when, Gives(None))]
    whole = _whole(hashing, by, outcomes, weights)
    return [Leaf(when, whole), *([Leaf(when, Gives(None))] if isinstance(whole, Fraction) else [])]


def _whole(
    hashing: Hashing, by: Bucketing | Static, outcomes: tuple[Gives | Wrong, ...], weights: Sequence[int]
) -> Gives | Wrong | Fraction:
    ends, steps = hashing.ends(weights), hashing.steps or sum(weights)
    if isinstance(by, Bucketing):
        return Fraction(by, outcomes, ends, steps)
    bucket = ALGORITHMS[by.algorithm].hash("", by.value, steps)
    return next(iter(outcomes[bisect_right(ends, bucket) :]), Gives(None))


def _weight(outcome: Gives | Wrong) -> int | None:
    """Below zero is zero, null is one; None for what is no weight, which makes flagd give null."""
    value = outcome.value if isinstance(outcome, Gives) else None
    if isinstance(outcome, Gives) and value is None:
        return 1
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else None
