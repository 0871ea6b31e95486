"""All flags of an environment at once: what is the same for many is put together once for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import mmh3

from api.evaluation.encoding import Made, made
from domain.evaluation import CompiledFlag, Evaluation, Outcome, evaluate
from domain.ruleset import Ruleset
from domain.splitting import Row, TextSplit, pick
from domain.targeting import TARGETING_KEY
from projections.documents import KeyDocument
from workers.evaluations import Tally

Context = Mapping[str, Any]
Asked = tuple[CompiledFlag, TextSplit[Evaluation]]

VALUES_KEPT = 1_024  # a country, a plan or a version has fewer; of what has more, these are the first
ANSWERS_KEPT = 500_000  # for each few attributes; about 50 MB, if all of them are answers and none is a split
KEPT_CLASSES = (str, type(None))


class Part(NamedTuple):
    """Flags' objects in JSON, with commas between them, what is to be counted, and what is never the same
    for two bodies.
    """

    body: bytes
    tallies: Sequence[Tally]
    digest: bytes


class Plan:
    """For one version of an environment's ruleset, and one kind of key. For one thread."""

    def __init__(self, ruleset: Ruleset, key: KeyDocument) -> None:
        self.ruleset = ruleset
        apart: list[CompiledFlag] = []
        asked: dict[frozenset[str], list[CompiledFlag]] = {}
        for flag in ruleset.flags.values():
            if may_see(key, flag):
                names = _shared(flag)
                (apart if names is None else asked.setdefault(names, [])).append(flag)
        self._shared = [SharedGroup(sorted(names), flags, ruleset, key) for names, flags in asked.items()]
        self._apart = [Group(apart, ruleset, key)] if apart else []

    def answer(self, context: Context) -> Part:
        parts = [part for group in self._shared for part in group.known(context).answer(context)]
        parts += [group.answer(context) for group in self._apart]
        return Part(
            b",".join([part.body for part in parts]),
            list(chain.from_iterable([part.tallies for part in parts])),
            b"".join([part.digest for part in parts]),
        )


class Group:
    """Flags that each context is to be asked about anew."""

    def __init__(self, flags: Sequence[CompiledFlag], ruleset: Ruleset, key: KeyDocument) -> None:
        self._flags = flags
        self._ruleset = ruleset
        self._key = key

    def answer(self, context: Context) -> Part:
        ruleset, key = self._ruleset, self._key
        try:
            answers = [decide(context, ruleset) for decide in [flag.decide for flag in self._flags]]
        except Exception:  # one of them is broken: each by itself then, and only that one answers so
            answers = [evaluate(ruleset, flag.key, context) for flag in self._flags]
        found = [answer.made for answer in answers]
        if None in found:
            found = [made(answer, flag.key, key) for answer, flag in zip(answers, self._flags, strict=True)]
        return _part(found)


class SplitGroup(Group):
    """Flags that split by one attribute, and ask about nothing else any more."""

    def __init__(self, by: str, asked: Sequence[Asked], ruleset: Ruleset, key: KeyDocument) -> None:
        super().__init__([flag for flag, _ in asked], ruleset, key)
        self._by = by
        self._rows = [_row(split, flag.key, key) for flag, split in asked]

    def answer(self, context: Context) -> Part:
        subject = context.get(self._by)
        if subject.__class__ is not str:
            return super().answer(context)
        try:
            text = subject.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return super().answer(context)
        return _part(pick(self._rows, text))


class Known:
    """What flags come to for the values that they ask about: answers, and splits that are left to ask."""

    def __init__(
        self, flags: Sequence[CompiledFlag], outcomes: Sequence[Outcome], ruleset: Ruleset, key: KeyDocument
    ) -> None:
        fixed: list[Made] = []
        splits: dict[str, list[Asked]] = {}
        for flag, outcome in zip(flags, outcomes, strict=True):
            if isinstance(outcome, TextSplit):
                splits.setdefault(outcome.by, []).append((flag, outcome))
            else:
                fixed.append(made(outcome, flag.key, key))
        self._fixed = [_together(fixed)] if fixed else []
        self._splits = [SplitGroup(by, asked, ruleset, key) for by, asked in splits.items()]

    def answer(self, context: Context) -> list[Part]:
        return self._fixed + [group.answer(context) for group in self._splits]


class SharedGroup:
    """Flags that ask about the same few attributes, which many contexts have the same values of.

    What they come to is kept when the values are seen for the second time; before that, many may never be
    again.
    """

    def __init__(
        self, names: Sequence[str], flags: Sequence[CompiledFlag], ruleset: Ruleset, key: KeyDocument
    ) -> None:
        self._names = names
        self._flags = flags
        self._ruleset = ruleset
        self._key = key
        self._kept: dict[tuple[Any, ...], Known | None] = {}
        self._at_most = min(VALUES_KEPT, 1 + ANSWERS_KEPT // len(flags))

    def known(self, context: Context) -> Known:
        values = tuple([context.get(name) for name in self._names])
        try:
            known = self._kept.get(values)
        except TypeError:  # a list or an object
            return self._ask(context)
        return known or self._meet(values, context)

    def _meet(self, values: tuple[Any, ...], context: Context) -> Known:
        """1, 1.0 and True are one key to a dictionary, but not to a rule."""
        known = self._ask(context)
        if values in self._kept:
            self._kept[values] = known
        elif len(self._kept) < self._at_most and all(each.__class__ in KEPT_CLASSES for each in values):
            self._kept[values] = None
        return known

    def _ask(self, context: Context) -> Known:
        try:
            outcomes = [ask(context, self._ruleset) for ask in [flag.outcome for flag in self._flags]]
        except Exception:  # as above
            outcomes = [self._outcome(flag, context) for flag in self._flags]
        return Known(self._flags, outcomes, self._ruleset, self._key)

    def _outcome(self, flag: CompiledFlag, context: Context) -> Outcome:
        try:
            return flag.outcome(context, self._ruleset)
        except Exception:  # this says what is wrong
            return evaluate(self._ruleset, flag.key, context)


def _shared(flag: CompiledFlag) -> frozenset[str] | None:
    """The attributes that a flag shares with others; who is asked about has one for everybody."""
    return None if flag.asks is None or TARGETING_KEY in flag.asks else flag.asks


def _row(split: TextSplit[Evaluation], flag: str, key: KeyDocument) -> Row[Made]:
    """Kept with the split, which belongs to one flag of one environment."""
    found: Row[Made] | None = split.made
    if found is None:
        prefix, edges, answers = split.row
        found = split.made = prefix, edges, [made(answer, flag, key) for answer in answers]
    return found


def _part(found: Iterable[Made]) -> Part:
    body = b",".join([each.whole for each in found])
    return Part(body, [each.tally for each in found], digest(body))


def _together(found: Sequence[Made]) -> Part:
    counters = [counter for each in found for counter in each.tally.counters]
    return _part(found)._replace(tallies=(Tally(*counters),))


def digest(body: bytes) -> bytes:
    return mmh3.mmh3_x64_128_digest(body)


def may_see(key: KeyDocument, flag: CompiledFlag) -> bool:
    return flag.client_visible or key.kind != "client"
