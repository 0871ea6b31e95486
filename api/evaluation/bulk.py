"""All flags of an environment at once: what is the same for many is put together once for all of them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from api.evaluation.encoding import Made, made
from domain.evaluation import CompiledFlag, evaluate
from domain.ruleset import Ruleset
from domain.targeting import TARGETING_KEY
from projections.documents import KeyDocument
from workers.evaluations import Tally

Context = Mapping[str, Any]
Part = tuple[bytes, Sequence[Tally]]
"""Flags' objects in JSON, with commas between them, and what is to be counted."""

VALUES_KEPT = 1_024  # a country, a plan or a version has fewer; of what has more, these are the first


class Plan:
    """For one version of an environment's ruleset, and one kind of key. For one thread."""

    def __init__(self, ruleset: Ruleset, key: KeyDocument) -> None:
        self.ruleset = ruleset
        fixed: list[Made] = []
        asked: dict[frozenset[str], list[CompiledFlag]] = {}
        for flag in ruleset.flags.values():
            if not may_see(key, flag):
                continue
            if flag.always is not None:
                fixed.append(made(flag.always, flag.key, key))
            else:
                asked.setdefault(_shared(flag), []).append(flag)
        self._fixed = [_together(fixed)] if fixed else []
        apart = asked.pop(NOTHING_SHARED, [])
        self._apart = Group(apart, ruleset, key) if apart else None
        self._groups = [SharedGroup(sorted(names), flags, ruleset, key) for names, flags in asked.items()]

    def answer(self, context: Context) -> Part:
        parts = self._fixed + [group.answer(context) for group in self._groups]
        if self._apart:
            parts.append(self._apart.answer(context))
        return b",".join([body for body, _ in parts]), [tally for _, tallies in parts for tally in tallies]


class Group:
    """Flags that each context is to be asked about anew."""

    def __init__(self, flags: list[CompiledFlag], ruleset: Ruleset, key: KeyDocument) -> None:
        self._flags = flags
        self._decide = [flag.decide for flag in flags]
        self._ruleset = ruleset
        self._key = key

    def answer(self, context: Context) -> Part:
        found = self.made(context)
        return b",".join([each.whole for each in found]), [each.tally for each in found]

    def made(self, context: Context) -> list[Made]:
        ruleset, key = self._ruleset, self._key
        try:
            answers = [decide(context, ruleset) for decide in self._decide]
        except Exception:  # one of them is broken: each by itself then, and only that one answers so
            answers = [evaluate(ruleset, flag.key, context) for flag in self._flags]
        found = [answer.made for answer in answers]
        if None in found:
            return [made(answer, flag.key, key) for answer, flag in zip(answers, self._flags, strict=True)]
        return cast("list[Made]", found)


class SharedGroup(Group):
    """Flags that ask about the same few attributes, which many contexts have the same values of.

    An answer is kept when its values are seen for the second time; before that, many may never be again.
    """

    def __init__(
        self, names: Sequence[str], flags: list[CompiledFlag], ruleset: Ruleset, key: KeyDocument
    ) -> None:
        super().__init__(flags, ruleset, key)
        self._names = names
        self._kept: dict[tuple[Any, ...], Part | None] = {}

    def answer(self, context: Context) -> Part:
        values = tuple([context.get(name) for name in self._names])
        try:
            part = self._kept.get(values, NEW)
        except TypeError:  # a list or an object
            return super().answer(context)
        if part is not None and part is not NEW:
            return part
        return self._first(values, context) if part is NEW else self._second(values, context)

    def _first(self, values: tuple[Any, ...], context: Context) -> Part:
        """1, 1.0 and True are one key to a dictionary, but not to a rule."""
        if len(self._kept) < VALUES_KEPT and all(each.__class__ in KEPT_CLASSES for each in values):
            self._kept[values] = None
        return super().answer(context)

    def _second(self, values: tuple[Any, ...], context: Context) -> Part:
        self._kept[values] = part = _together(self.made(context))
        return part


NEW: Part = (b"", ())
KEPT_CLASSES = (str, type(None))
NOTHING_SHARED: frozenset[str] = frozenset()


def _shared(flag: CompiledFlag) -> frozenset[str]:
    """The attributes that a flag shares with others; who is asked about has one for everybody."""
    asks = flag.asks or NOTHING_SHARED
    return NOTHING_SHARED if TARGETING_KEY in asks else asks


def _together(found: Sequence[Made]) -> Part:
    counters = [counter for each in found for counter in each.tally.counters]
    return b",".join([each.whole for each in found]), (Tally(*counters),)


def may_see(key: KeyDocument, flag: CompiledFlag) -> bool:
    return flag.client_visible or key.kind != "client"
