"""Kubernetes' horizontal pod autoscaler (autoscaling/v2) as functions of metric and time.

After https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/, its sections "Algorithm
details", "Scaling policies", "Stabilization window" and "Default Behavior". What that page leaves open, that
windows are applied before policies and that changes both ways count within a policy's period, is as the
controller does it (kubernetes/kubernetes, pkg/controller/podautoscaler).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

SYNC_SECONDS = 15  # --horizontal-pod-autoscaler-sync-period
TOLERANCE = 0.1  # --horizontal-pod-autoscaler-tolerance
DUST = 1e-9  # what binary fractions add to a quotient that is whole


class Policy(NamedTuple):
    """At most `value` pods, or percent of the pods, more or less within the last `period_seconds`."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_seconds: int


class Rules(NamedTuple):
    """`behavior` of one direction."""

    window_seconds: int
    policies: tuple[Policy, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"


UP = Rules(0, (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
DOWN = Rules(300, (Policy("Percent", 100, 15),))


class Noted(NamedTuple):
    """Replicas that were recommended at a time, or by how many they were changed then."""

    at: float
    replicas: int


def by_utilisation(current: int, ready: int, used: float, target: float) -> int:
    """`used` is the mean of the pods that are ready, as a share of what they request; `target` likewise.

    Pods that start are taken to be idle when there is more to do than planned, and are left out otherwise.
    """
    if not ready:
        return current  # nobody says how busy they are
    ratio = used / target
    if ready < current and ratio > 1:
        damped = ratio * ready / current
        return current if damped < 1 or _close(damped) else _whole(damped * current)
    return current if _close(ratio) else _whole(ratio * ready)


def by_average(current: int, metric: float, target: float) -> int:
    """`metric` is of all pods together, `target` for each (AverageValue)."""
    return current if _close(metric / (target * current)) else _whole(metric / target)


def _close(ratio: float) -> bool:
    return abs(1 - ratio) <= TOLERANCE + DUST


def _whole(replicas: float) -> int:
    return math.ceil(replicas - DUST)


@dataclass
class Autoscaler:
    """From what a metric asks for to what the Deployment is told: windows, policies, least and most."""

    minimum: int
    maximum: int
    up: Rules = UP
    down: Rules = DOWN
    _recommended: list[Noted] = field(default_factory=list)
    _changed: list[Noted] = field(default_factory=list)

    def decide(self, now: float, current: int, wanted: int) -> int:
        """Seconds; `wanted` is what the metric alone asks for."""
        if not self._recommended:
            self._recommended.append(Noted(now, current))
        stable = self._stable(now, current, wanted)
        self._recommended.append(Noted(now, wanted))
        decided = min(max(self._paced(now, current, stable), self.minimum), self.maximum)
        if decided != current:
            self._changed.append(Noted(now, decided - current))
        self._forget(now)
        return decided

    def _stable(self, now: float, current: int, wanted: int) -> int:
        """No more than the least that was recommended lately, no less than the most."""
        least = min([wanted, *_within(self._recommended, now, self.up.window_seconds)])
        most = max([wanted, *_within(self._recommended, now, self.down.window_seconds)])
        return min(max(current, least), most)

    def _paced(self, now: float, current: int, wanted: int) -> int:
        if wanted > current:
            return min(wanted, max(current, self._highest(now, current)))
        if wanted < current:
            return max(wanted, min(current, self._lowest(now, current)))
        return current

    def _highest(self, now: float, current: int) -> int:
        if self.up.select == "Disabled":
            return current
        limits = []
        for policy in self.up.policies:
            begun = self._at_begin(now, current, policy)
            more = policy.value if policy.kind == "Pods" else -(-begun * policy.value // 100)
            limits.append(begun + more)
        return max(limits) if self.up.select == "Max" else min(limits)

    def _lowest(self, now: float, current: int) -> int:
        if self.down.select == "Disabled":
            return current
        limits = []
        for policy in self.down.policies:
            begun = self._at_begin(now, current, policy)
            left = begun - policy.value if policy.kind == "Pods" else begun * (100 - policy.value) // 100
            limits.append(left)
        return min(limits) if self.down.select == "Max" else max(limits)

    def _at_begin(self, now: float, current: int, policy: Policy) -> int:
        """How many there were when the policy's period began."""
        return current - sum(_within(self._changed, now, policy.period_seconds))

    def _forget(self, now: float) -> None:
        periods = [policy.period_seconds for rules in (self.up, self.down) for policy in rules.policies]
        window = max(self.up.window_seconds, self.down.window_seconds)
        self._recommended = [each for each in self._recommended if now - each.at <= window] or [
            self._recommended[-1]
        ]
        self._changed = [each for each in self._changed if now - each.at <= max(periods, default=0)]


def _within(noted: Iterable[Noted], now: float, seconds: float) -> list[int]:
    return [each.replicas for each in noted if now - each.at < seconds]
