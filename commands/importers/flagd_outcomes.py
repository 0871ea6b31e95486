"""The leaves of a flagd targeting: under which condition it gives what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from commands.importers.flagd_coercion import truthy
from commands.importers.saying import ALWAYS, all_of, any_of, constant, negated
from domain.bucketing import AlgorithmName
from domain.targeting import Condition, Gate, InBucket, ProblemCode, Unanswerable

TEXT_LENGTH = 2_000


@dataclass(frozen=True)
class Gives:
    """A value: the name of a variant, a boolean that stands for one, or null for the default variant."""

    value: Any


@dataclass(frozen=True)
class Wrong:
    """flagd itself answers with an error here."""

    why: str
    code: ProblemCode = "PARSE_ERROR"

    @property
    def said(self) -> Unanswerable:
        return Unanswerable(unanswerable=self.why[:TEXT_LENGTH], code=self.code)


class Bucketing(NamedTuple):
    """What is hashed, and how: an attribute, with a salt."""

    algorithm: AlgorithmName
    by: str
    salt: str = ""


class Share(NamedTuple):
    outcome: Gives | Wrong
    start: int
    end: int


@dataclass(frozen=True)
class Fraction:
    """Shares by the bucket of an attribute, laid end to end; `ends` has the end of each."""

    bucketing: Bucketing
    outcomes: tuple[Gives | Wrong, ...]
    ends: tuple[int, ...]
    steps: int

    @property
    def shares(self) -> list[Share]:
        bounds = pairwise((0, *self.ends))
        return [
            Share(outcome, start, end)
            for outcome, (start, end) in zip(self.outcomes, bounds, strict=True)
            if start < end
        ]

    def gate(self, share: Share) -> Condition:
        """Whether the bucket lies in this share."""
        algorithm, by, salt = self.bucketing
        gate = Gate(
            by=by, at_least=share.start, below=share.end, of=self.steps, salt=salt, algorithm=algorithm
        )
        return InBucket(bucket=gate)


Outcome = Gives | Wrong | Fraction


class Leaf(NamedTuple):
    """Of many, the first whose condition holds counts; a fraction without a bucket leaves it to the next."""

    when: Condition
    outcome: Outcome


class PlainLeaf(NamedTuple):
    when: Condition
    outcome: Gives | Wrong


def always(value: Any) -> list[Leaf]:
    return [Leaf(ALWAYS, Gives(value))]


def wrong(why: str, code: ProblemCode = "PARSE_ERROR") -> list[Leaf]:
    return [Leaf(ALWAYS, Wrong(why, code))]


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


def plain(leaves: Iterable[Leaf]) -> Iterator[PlainLeaf]:
    """Every share of a fraction as a leaf of its own."""
    for leaf in leaves:
        if isinstance(whole := leaf.outcome, Fraction):
            for share in whole.shares:
                yield PlainLeaf(all_of(leaf.when, whole.gate(share)), share.outcome)
        else:
            yield PlainLeaf(leaf.when, whole)


def truth(leaves: Sequence[Leaf]) -> Condition:
    """Whether the value that comes out counts as true."""
    result = constant(False)
    for when, outcome in reversed(list(plain(leaves))):
        if isinstance(outcome, Wrong):
            result = any_of(all_of(when, outcome.said), all_of(negated(when), result))
        elif truthy(outcome.value):
            result = any_of(when, result)
        else:
            result = all_of(negated(when), result)
    return result
