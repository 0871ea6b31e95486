"""Who answers what by bucket: the shares of a split, and the commonest split as one look-up for each text."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import mmh3

from domain.conditions import Context, Scope
from domain.targeting import Split
from domain.values import SCALE

T = TypeVar("T")


class Share(NamedTuple):
    """Buckets from `start` to under `end`, and the variant they get; None for nobody's."""

    start: int
    end: int
    variant: str | None


def shares_of(variants: Iterable[str], split: Split) -> list[Share]:
    """Every bucket from 0 on, in order and without gaps; what nobody has is a share without a variant.

    `variants` are the flag's, in its order.
    """
    taken = sorted(_ranges(variants, split))
    shares: list[Share] = []
    end = 0
    for share in taken:
        if share.start > end:
            shares.append(Share(end, share.start, None))
        shares.append(share)
        end = share.end
    return [*shares, Share(end, split.steps, None)] if end < split.steps else shares


def _ranges(variants: Iterable[str], split: Split) -> Iterator[Share]:
    for each in split.ranges:
        if each.start < each.end:
            yield Share(each.start, each.end, each.variant)
    start = 0
    for name in (each for each in variants if split.weights.get(each)):
        weight = split.weights[name]
        if covered := weight * split.coverage // SCALE:
            yield Share(start, start + covered, name)
        start += weight


Asked = Callable[[Context, Scope], T]
Row = tuple[bytes, Sequence[int], Sequence[T]]
"""What is hashed before the text, the shares' ends in the hash's scale, and what each share answers."""


@dataclass(slots=True)
class TextSplit(Generic[T]):
    """The commonest split: of a text that is just an attribute, by our own hash."""

    by: str
    row: Row[T]
    made: Any = None
    """For whoever serves the answers to keep what was made of the row, so that it is made once; no part."""


def text_split(by: str, salt: str, prefix: str, ends: Iterable[int], answers: Sequence[T]) -> TextSplit[T]:
    """The ends are rounded up: `(hash * SCALE) >> 32 < end` is `hash < edge`."""
    return TextSplit(by, (f"{salt}:{prefix}".encode(), [-(-(end << 32) // SCALE) for end in ends], answers))


def pick(rows: Iterable[Row[T]], text: bytes) -> list[T]:
    """What each of them has for that text."""
    hashed = mmh3.hash
    return [answers[bisect_right(edges, hashed(prefix + text, 0, False))] for prefix, edges, answers in rows]


def serve_text(split: TextSplit[T], otherwise: Asked[T]) -> Asked[T]:
    """With nothing between a text and its answer; `otherwise` is for what is no text."""
    name, hashed = split.by, mmh3.hash
    prefix, edges, answers = split.row

    def serve(context: Context, scope: Scope) -> T:
        subject = context.get(name)
        if subject.__class__ is str:
            return answers[bisect_right(edges, hashed(prefix + subject.encode(), 0, False))]
        return otherwise(context, scope)

    return serve
