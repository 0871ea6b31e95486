"""What the original's services would show of a flag, by its stream in the log.

The original has flags in one table and rules in another, and knows no project, environment or variants: its
flags are the boolean ones of project `default`, and its switch and its rule are those of `production`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast, get_args

from commands.original.rules import RULE_ID, Variants, given_of
from domain.aggregates import fold_all
from domain.envelope import Recorded
from domain.events import (
    FlagCreated,
    FlagDetailsChanged,
    FlagRestored,
    FlagTurnedOff,
    FlagTurnedOn,
    RuleAdded,
    RuleChanged,
    TargetingEvent,
)
from domain.flag import Flag
from domain.targeting import Rule, ServeVariant, Targeting
from domain.values import FlagType

TARGETING_EVENTS = get_args(TargetingEvent)
PROJECT, ENVIRONMENT = "default", "production"
SAMPLE_TAG = "sample"
TARGETING: Mapping[str, Any] = {"type": "TARGETING"}
"""What stands for a rule where the targeting is one that the original could not have."""


@dataclass(frozen=True, slots=True)
class FlagView:
    """`id` is the position of the event by which the flag came to be, the last time it did."""

    id: int
    name: str
    description: str
    is_enabled: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RuleView:
    id: int
    flag_name: str
    is_enabled: bool
    rules: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def is_ours(self) -> bool:
        """Whether it is more than the original can say, so that nothing of the original's may change it."""
        return self.rules is TARGETING


@dataclass(frozen=True, slots=True)
class View:
    """`state` is our flag; `flag` and `rule` are what the original would show. A rule outlives its flag."""

    state: Flag | None = None
    version: int = 0
    position: int = 0
    flag: FlagView | None = None
    rule: RuleView | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the name is taken by a flag that the original's clients are not shown."""
        return self.state is not None and not _is_shown(self.state)


class Moment(NamedTuple):
    position: int
    at: datetime


@dataclass(slots=True)
class _Moments:
    """The last time each of these happened."""

    came: Moment
    shown: Moment
    targeted: Moment
    rule_came: Moment
    rule_changed: Moment


def view_of(log: Sequence[Recorded]) -> View:
    """Of one flag's events, from the first."""
    folded = fold_all(log)
    if folded is None:
        return View()
    flag, moments = cast("Flag", folded.state), _moments(log)
    if not _is_shown(flag):
        return View(flag, folded.version, folded.position)
    shown = None if flag.archived else _flag_view(flag, moments)
    return View(flag, folded.version, folded.position, shown, _rule_view(flag, moments))


def flag_of(log: Sequence[Recorded]) -> FlagView | None:
    """As `view_of` has it, for whoever lists many and asks for no rules."""
    flag = cast("Flag", folded.state) if (folded := fold_all(log)) else None
    if flag is None or flag.archived or not _is_shown(flag):
        return None
    return _flag_view(flag, _moments(log))


def _is_shown(flag: Flag) -> bool:
    """Not what the original could not have had, nor what `togglemaster dev` made to try it out."""
    return flag.type is FlagType.BOOLEAN and SAMPLE_TAG not in flag.tags


def variants_of(flag: Flag) -> Variants | None:
    """None for a flag that lacks one of the two."""
    names = {value: name for name, value in reversed(flag.variants.items()) if isinstance(value, bool)}
    return Variants(names[True], names[False]) if len(names) == 2 else None


def _original_rule(targeting: Targeting) -> Rule | None:
    return next((rule for rule in targeting.rules if rule.id == RULE_ID), None)


def _flag_view(flag: Flag, moments: _Moments) -> FlagView:
    came, shown = moments.came, moments.shown
    return FlagView(came.position, flag.key, flag.description, flag.is_on(ENVIRONMENT), came.at, shown.at)


def _rule_view(flag: Flag, moments: _Moments) -> RuleView | None:
    targeting, variants = flag.targeting(ENVIRONMENT), variants_of(flag)
    rule = _original_rule(targeting)
    if rule is None and variants and _serves_everybody(targeting, variants):
        return None
    given = given_of(rule, flag=flag.key, variants=variants) if rule and variants else None
    if given is None or not _falls_through_to_on(targeting, variants):
        came = moments.came
        return RuleView(came.position, flag.key, True, TARGETING, came.at, moments.targeted.at)
    came = moments.rule_came
    return RuleView(came.position, flag.key, given.enabled, given.rules, came.at, moments.rule_changed.at)


def _serves_everybody(targeting: Targeting, variants: Variants) -> bool:
    others = targeting.rules or targeting.targets or targeting.prerequisites
    return not others and _falls_through_to_on(targeting, variants)


def _falls_through_to_on(targeting: Targeting, variants: Variants | None) -> bool:
    return variants is not None and (targeting.default, targeting.off_variant) == (
        ServeVariant(variant=variants.on),
        variants.off,
    )


def _moments(log: Sequence[Recorded]) -> _Moments:
    first = Moment(log[0].position, log[0].stamp.at)
    moments = _Moments(first, first, first, first, first)
    for recorded in log:
        now = Moment(recorded.position, recorded.stamp.at)
        for name in _noted(recorded):
            setattr(moments, name, now)
    return moments


def _noted(recorded: Recorded) -> tuple[str, ...]:
    """Which of the moments the event is."""
    event = recorded.event
    if isinstance(event, TARGETING_EVENTS) and event.environment != ENVIRONMENT:
        return ()
    match event:
        case FlagCreated() | FlagRestored():
            return "came", "shown"
        case FlagDetailsChanged(description=str()) | FlagTurnedOn() | FlagTurnedOff():
            return ("shown",)
        case RuleAdded(rule=Rule(id=rule_id)) if rule_id == RULE_ID:
            return "targeted", "rule_came", "rule_changed"
        case RuleChanged(rule=Rule(id=rule_id)) if rule_id == RULE_ID:
            return "targeted", "rule_changed"
        case _:
            return ("targeted",) if isinstance(event, TARGETING_EVENTS) else ()
