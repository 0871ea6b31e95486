"""The leaves of a flagd targeting: under which condition it gives what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import Any, NamedTuple

from commands.importers.flagd_operands import truthy
from commands.importers.imported import Unsayable
from commands.importers.saying import ALWAYS, all_of, any_of, constant, exists, is_text, negated
from domain.bucketing import ALGORITHMS
from domain.targeting import TARGETING_KEY, Condition

MOST_WAYS = 256  # a bucketing whose shares depend on conditions is said once for every way they can fall
MOST_WEIGHT = 2**31 - 1  # flagd's own limit


@dataclass(frozen=True)
class Gives:
    """A value: the name of a variant, a boolean that stands for one, or null for the default variant."""

    value: Any


@dataclass(frozen=True)
class Wrong:
    """flagd itself answers with an error here."""

    why: str


class Bucketing(NamedTuple):
    """What is hashed: the salt and an attribute behind it, or with `by` None the salt alone.

    `joined`: the text of both is hashed as one, so the salt alone where the attribute is missing.
    """

    by: str | None
    salt: str
    joined: bool = True


@dataclass(frozen=True)
class Fraction:
    """Shares by the bucket of an attribute; a share of something that is no value leaves its buckets out."""

    by: str
    bucketing: Bucketing
    shares: tuple[tuple[Gives | Wrong, int], ...]

    @property
    def hashed(self) -> Condition:
        """Whether the attribute has a bucket."""
        return exists(self.by) if self.bucketing.joined else is_text(self.by)

    @property
    def has_bucket(self) -> Condition:
        """As `hashed`, but a joined text is there without the attribute too."""
        return ALWAYS if self.bucketing.joined else self.hashed

    @property
    def total(self) -> int:
        return sum(weight for _, weight in self.shares)


Outcome = Gives | Wrong | Fraction


class Leaf(NamedTuple):
    """Of many, the first whose condition holds counts; a fraction without a bucket leaves it to the next."""

    when: Condition
    outcome: Outcome


def always(value: Any) -> list[Leaf]:
    return [Leaf(ALWAYS, Gives(value))]


def wrong(why: str) -> list[Leaf]:
    return [Leaf(ALWAYS, Wrong(why))]


def yes_or_no(condition: Condition) -> list[Leaf]:
    return [Leaf(condition, Gives(True)), Leaf(ALWAYS, Gives(False))]


def under(condition: Condition, leaves: Iterable[Leaf]) -> list[Leaf]:
    return reachable(Leaf(all_of(condition, leaf.when), leaf.outcome) for leaf in leaves)


def reachable(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Without those whose condition never holds, and without what comes after one that always does."""
    kept = []
    for leaf in leaves:
        if leaf.when != constant(False):
            kept.append(leaf)
        if leaf.when == ALWAYS and not isinstance(leaf.outcome, Fraction):
            break
    return kept


def is_truthy(outcome: Outcome, what: str) -> bool:
    match outcome:
        case Gives(value=value):
            return truthy(value)
        case Wrong(why=why):
            raise Unsayable(why)
        case Fraction(shares=shares):
            answers = {is_truthy(each, what) for each, weight in shares if weight}
            if len(answers) == 1:
                return answers.pop()
            raise Unsayable(f"'fractional' inside {what}: a bucket decides between variants only")


def truth(leaves: Sequence[Leaf], what: str) -> Condition:
    """Whether the value that comes out counts as true."""
    result = constant(False)
    for leaf in reversed(leaves):
        if is_truthy(leaf.outcome, what):
            has_bucket = leaf.outcome.has_bucket if isinstance(leaf.outcome, Fraction) else ALWAYS
            result = any_of(all_of(leaf.when, has_bucket), result)
        else:
            result = all_of(negated(leaf.when), result)
    return result


Entry = tuple[Sequence[Leaf], Sequence[Leaf]]
"""What a share gives, and its weight, each as leaves."""


def fraction(bucketing: Bucketing, entries: Sequence[Entry]) -> list[Leaf]:
    """Leaves for every way in which the values and weights of the shares can fall."""
    choices = [list(product(values, weights)) for values, weights in entries]
    if prod(len(choice) for choice in choices) > MOST_WAYS:
        raise Unsayable(f"a 'fractional' whose shares depend on conditions in more than {MOST_WAYS} ways")
    return reachable(leaf for picked in product(*choices) for leaf in _one_way(bucketing, picked))


def _one_way(bucketing: Bucketing, picked: Sequence[tuple[Leaf, Leaf]]) -> list[Leaf]:
    when = all_of(*(leaf.when for pair in picked for leaf in pair))
    values = [_plain(value.outcome) for value, _ in picked]
    weights = [each for _, weight in picked if (each := _weight(weight.outcome)) is not None]
    if len(weights) < len(values) or not 0 < sum(weights) <= MOST_WEIGHT:
        return [Leaf(when, Gives(None))]
    shares = tuple(zip(values, weights, strict=True))
    if bucketing.by is None:
        return [Leaf(when, _without_attribute(bucketing.salt, shares))]
    return under(when, _by_attribute(Fraction(bucketing.by, bucketing, shares)))


def _by_attribute(whole: Fraction) -> list[Leaf]:
    by, (_, salt, joined) = whole.by, whole.bucketing
    missing = [Leaf(negated(exists(by)), _without_attribute(salt, whole.shares))] if joined else []
    text = ALWAYS if joined or by == TARGETING_KEY else whole.hashed
    return [Leaf(text, whole), *missing, Leaf(ALWAYS, Gives(None))]


def _without_attribute(salt: str, shares: Sequence[tuple[Gives | Wrong, int]]) -> Gives | Wrong:
    bucket = ALGORITHMS["flagd"].hash(salt, "", sum(weight for _, weight in shares))
    ends = accumulate(weight for _, weight in shares)
    return next(value for (value, _), end in zip(shares, ends, strict=True) if bucket < end)


def _plain(outcome: Outcome) -> Gives | Wrong:
    if isinstance(outcome, Fraction):
        raise Unsayable("a 'fractional' inside the share of another")
    return outcome


def _weight(outcome: Outcome) -> int | None:
    """Below zero is zero; None for what is no weight, which makes flagd give null."""
    value = outcome.value if isinstance(outcome, Gives) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else None
