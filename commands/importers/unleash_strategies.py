"""Strategies of Unleash as conditions: what one asks, its constraints, its segments, its percentage."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from commands.importers.imported import Unsayable
from commands.importers.saying import ALWAYS, NEVER, all_of, any_of, clause, exists, negated
from commands.importers.unleash_constraints import WHOLE, Notes, attribute, condition_of, networks_among
from commands.importers.unleash_document import Strategy
from domain.targeting import TARGETING_KEY, Condition, Gate, InBucket, InSegment

DEFAULT = "default"
DEFAULT_STICKY = (TARGETING_KEY, "sessionId")
NEVER_THE_SAME = {"random", "currentTime"}
EVERYBODY = 100
PERCENTAGE = re.compile(r"\+?\d{1,9}", re.ASCII)

Sticky = tuple[str, ...]
"""The attributes that may be hashed; the first that the context has is."""


class Holds(NamedTuple):
    """`hashed`: whenever the condition holds, the context has one of these; empty where nobody knows."""

    when: Condition
    hashed: Sticky = ()


@dataclass(frozen=True)
class Around:
    """What a strategy is read within. `segments` tells the key of each, or why it was refused."""

    feature: str
    segments: Mapping[int, str | Unsayable]
    notes: Notes


def sticky_on(stickiness: str) -> Sticky:
    """Raises Unsayable for a draw that no two evaluations make alike."""
    if stickiness in NEVER_THE_SAME:
        raise Unsayable(f"stickiness '{stickiness}' draws anew at each evaluation, which is not repeatable")
    return DEFAULT_STICKY if stickiness == DEFAULT else (attribute(stickiness),)


def stickiness_of(strategy: Strategy) -> str:
    stickiness = strategy.parameter("stickiness")
    return DEFAULT if stickiness is None else stickiness


def group_of(strategy: Strategy, feature: str) -> str:
    group = strategy.parameter("groupId")
    return feature if group is None else group


def holds(strategy: Strategy, around: Around) -> Holds:
    if strategy.disabled:
        raise Unsayable(f"strategy '{strategy.name}' is marked disabled, which a client is never told")
    kind = KINDS.get(strategy.name, _unknown)
    asked, hashed = kind(strategy, around)
    constraints = [condition_of(each, around.notes) for each in strategy.constraints]
    segments = [_segment(number, around) for number in strategy.segments]
    return Holds(all_of(asked, *constraints, *segments), hashed)


def _segment(number: int, around: Around) -> Condition:
    key = around.segments.get(number)
    if key is None:
        around.notes.append(f"segment {number} does not exist, and what asks for it never holds{WHOLE}")
        return NEVER
    if isinstance(key, Unsayable):
        raise Unsayable(f"segment {number}, which it asks for, is refused: {key}")
    return InSegment(segment=key)


def _everybody(strategy: Strategy, around: Around) -> Holds:
    return Holds(ALWAYS)


def _unknown(strategy: Strategy, around: Around) -> Holds:
    around.notes.append(f"strategy '{strategy.name}' is not one of Unleash's own: it never holds")
    return Holds(NEVER)


def _user_with_id(strategy: Strategy, around: Around) -> Holds:
    users = _listed(strategy, "userIds")
    return Holds(clause(TARGETING_KEY, "in", *users, coerce="lenient") if users else NEVER)


def _remote_address(strategy: Strategy, around: Around) -> Holds:
    networks = networks_among(_listed(strategy, "IPs"))
    return Holds(clause("remoteAddress", "in_cidr", *networks) if networks else NEVER)


def _hostname(strategy: Strategy, around: Around) -> Holds:
    hosts = [host for host in _listed(strategy, "hostNames") if host]
    around.notes.append(
        "strategy 'applicationHostname' asks for the name of the machine that Unleash's client runs on; "
        "give it in the context as 'hostname'"
    )
    return Holds(clause("hostname", "in", *hosts, case_insensitive=True) if hosts else NEVER)


def _listed(strategy: Strategy, name: str) -> list[str]:
    text = strategy.parameter(name)
    return [] if text is None else [each.strip() for each in text.split(",")]


def _random_rollout(strategy: Strategy, around: Around) -> Holds:
    percentage = _percentage(strategy, "percentage", around)
    return Holds(NEVER) if percentage is None else _drawn(percentage)


def _drawn(percentage: int) -> Holds:
    """Nobody and everybody are no matter of chance."""
    if percentage in {0, EVERYBODY}:
        return Holds(ALWAYS if percentage else NEVER)
    raise Unsayable(f"a random {percentage} % is drawn anew at each evaluation, which is not repeatable")


def _rollout_by(by: str) -> Callable[[Strategy, Around], Holds]:
    def rollout(strategy: Strategy, around: Around) -> Holds:
        percentage, group = _percentage(strategy, "percentage", around), strategy.parameter("groupId")
        if group is None:
            around.notes.append(f"strategy '{strategy.name}' has no groupId: in Unleash it never holds")
        if percentage is None or group is None:
            return Holds(NEVER)
        return Holds(_gates((by,), percentage, group), (by,))

    return rollout


def _flexible_rollout(strategy: Strategy, around: Around) -> Holds:
    percentage, stickiness = _percentage(strategy, "rollout", around), stickiness_of(strategy)
    if percentage is None:
        return Holds(NEVER)
    if stickiness in NEVER_THE_SAME or (stickiness == DEFAULT and percentage == EVERYBODY):
        return _drawn(percentage)
    if stickiness == DEFAULT and percentage:
        around.notes.append(
            "a context without userId and sessionId is outside its percentages; Unleash draws for it, anew "
            "each time"
        )
    by = sticky_on(stickiness)
    return Holds(_gates(by, percentage, group_of(strategy, around.feature)), by)


def _percentage(strategy: Strategy, name: str, around: Around) -> int | None:
    text = strategy.parameter(name)
    if text is None:
        around.notes.append(f"strategy '{strategy.name}' has no {name}: it never holds")
        return None
    if not PERCENTAGE.fullmatch(text) or int(text) > EVERYBODY:
        raise Unsayable(f"strategy '{strategy.name}': {name} '{text}' is no whole number from 0 to 100")
    return int(text)


def _gates(by: Sticky, percentage: int, group: str) -> Condition:
    return any_of(
        *(all_of(*absent(by[:place]), _gate(each, percentage, group)) for place, each in enumerate(by))
    )


def absent(attributes: Sticky) -> list[Condition]:
    return [negated(exists(each)) for each in attributes]


def _gate(by: str, percentage: int, group: str) -> Condition:
    return InBucket(bucket=Gate(by=by, below=percentage, salt=group, algorithm="unleash"))


KINDS: Mapping[str, Callable[[Strategy, Around], Holds]] = {
    "default": _everybody,
    "userWithId": _user_with_id,
    "gradualRolloutUserId": _rollout_by(TARGETING_KEY),
    "gradualRolloutSessionId": _rollout_by("sessionId"),
    "gradualRolloutRandom": _random_rollout,
    "flexibleRollout": _flexible_rollout,
    "remoteAddress": _remote_address,
    "applicationHostname": _hostname,
}
