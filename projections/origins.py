"""Which event made each part of a flag what it is, and after which events answers were others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.differences import Difference, What, differences
from domain.envelope import Recorded
from domain.evaluation import Evaluation
from domain.flag import Flag, evolve
from domain.ruleset import Ruleset
from projections.influences import Influence, Influences
from projections.recorded_contexts import Asked

PARTS: Mapping[What, str] = {
    "switch": "enabled",
    "off_variant": "off_variant",
    "default": "default",
    "prerequisites": "prerequisites",
    "targets": "targets",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of a flag in one environment as it is, and the last event that made it different."""

    what: What
    name: str
    value: Any
    recorded: Recorded
    differences: tuple[Difference, ...]


def blame(history: Sequence[Recorded], environment: str) -> list[Part]:
    """`history` is the flag's own, from its beginning; what was never touched is its creation's doing."""
    touched: dict[tuple[What, str], tuple[Recorded, tuple[Difference, ...]]] = {}
    state: Any = None
    for recorded in history:
        before, state = state, evolve(state, recorded.event)  # type: ignore[arg-type]
        found = tuple(each for each in differences(before, state) if each.environment in {"", environment})
        touched |= {(each.what, each.name): (recorded, (each,)) for each in found}
    if state is None:
        return []
    made = touched["flag", state.key]
    return [
        Part(what, name, value, *touched.get((what, name), made))
        for what, name, value in _parts(state, environment)
    ]


def _parts(flag: Flag, environment: str) -> Iterator[tuple[What, str, Any]]:
    targeting = flag.targeting(environment)
    yield from ((what, "", getattr(targeting, field)) for what, field in PARTS.items())
    yield from (("rule", rule.id, rule) for rule in targeting.rules)
    if len(targeting.rules) > 1:
        yield "rule_order", "", tuple(rule.name or rule.id for rule in targeting.rules)
    yield from (("variant", name, value) for name, value in flag.variants.items())


@dataclass(frozen=True, slots=True)
class Turn:
    """An event after which some of those who asked are answered otherwise; both by who asked. None is an
    answer that cannot be known."""

    influence: Influence
    before: tuple[Evaluation | None, ...]
    after: tuple[Evaluation | None, ...]

    def known(self) -> Iterator[tuple[int, Evaluation, Evaluation]]:
        """Who asked, by place, and both answers, where there are two."""
        for place, (one, other) in enumerate(zip(self.before, self.after, strict=True)):
            if one is not None and other is not None:
                yield place, one, other

    def changed(self) -> list[tuple[int, Evaluation, Evaluation]]:
        return [(n, one, other) for n, one, other in self.known() if not _same(one, other)]


def turns(influences: Influences, asked: Sequence[Asked], *, after: int) -> Iterator[Turn]:
    """Where answers changed after position `after`, the oldest first."""
    ruleset, before = Ruleset(), None
    for influence, now in influences.with_rulesets():
        if influence.recorded.position > after:
            before = before or _answers(ruleset, influences.key, asked)
            found = _answers(now, influences.key, asked)
            turn = Turn(influence, before, found)
            if turn.changed():
                yield turn
            before = found
        ruleset = now


def _answers(ruleset: Ruleset, key: str, asked: Sequence[Asked]) -> tuple[Evaluation | None, ...]:
    return tuple(each.answer(ruleset, key) for each in asked)


def _same(one: Evaluation, other: Evaluation) -> bool:
    return one is other or _said(one) == _said(other)


def _said(answer: Evaluation) -> tuple[str | None, ...]:
    """What an application can tell apart, in which true is not 1."""
    return repr(answer.value), answer.variant, answer.reason, answer.error_code
