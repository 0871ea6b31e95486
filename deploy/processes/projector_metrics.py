"""What a projector process tells of its views, of the ruleset and of the log."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from commands.event_store import EventStore
from projections.confirmation import Confirmation
from projections.postgres_views import PostgresView
from projections.ruleset_store import REBUILD, RulesetStore
from workers.projector import Loop, Projection

RULESET = "ruleset"
COUNTERS: Mapping[str, tuple[str, Callable[[Loop], int]]] = {
    "batches": ("batches written", lambda loop: loop.projector.batches),
    "events": ("events in them", lambda loop: loop.projector.events),
    "failures": ("times that a view could not be written", lambda loop: loop.pulse.failures),
}


class ProjectionMetrics(Collector):
    """What this process did."""

    def __init__(self, projection: Projection) -> None:
        self._lease = projection.ruleset.lease
        self._loops = {view_name(each.pulse.name): each for each in projection.loops}

    def collect(self) -> Iterator[Metric]:
        for name, (meaning, count) in COUNTERS.items():
            family = CounterMetricFamily(f"togglemaster_projector_{name}", meaning, labels=["view"])
            for view, loop in self._loops.items():
                family.add_metric([view], count(loop))
            yield family
        yield GaugeMetricFamily(
            "togglemaster_projector_holds_lease", "1 for who writes the ruleset", bool(self._lease.number)
        )


class Positions:
    """How far each view is behind the log."""

    def __init__(self, log: EventStore, rulesets: RulesetStore, views: list[PostgresView]) -> None:
        self._log, self._rulesets, self._views = log, rulesets, views

    def __call__(self) -> Iterator[Metric]:
        """Positions are asked for before the head, so that no lag is negative."""
        positions = {view_name(each.name): each.position() for each in self._views}
        if generation := self._rulesets.live():
            positions[RULESET] = self._rulesets.position(generation)
        head = self._log.head()
        yield GaugeMetricFamily("togglemaster_log_head", "position of the last event", head)
        position = GaugeMetricFamily(
            "togglemaster_projector_position", "position that a view is at", labels=["view"]
        )
        lag = GaugeMetricFamily(
            "togglemaster_projector_lag_positions", "how far a view is behind the log", labels=["view"]
        )
        for view, at in positions.items():
            position.add_metric([view], at)
            lag.add_metric([view], head - at)
        yield from (position, lag)


class Model:
    """What Redis says of the ruleset."""

    def __init__(self, rulesets: RulesetStore) -> None:
        self._rulesets, self._confirmation = rulesets, Confirmation(rulesets.redis)
        self._rebuild: object = None

    def __call__(self) -> Iterator[Metric]:
        generation = self._rulesets.live()
        frozen = self._rulesets.frozen(generation) if generation else {}
        yield GaugeMetricFamily("togglemaster_ruleset_frozen_streams", "flags and others frozen", len(frozen))
        if isfinite(ago := self._confirmation.seconds_ago()):
            yield GaugeMetricFamily(
                "togglemaster_ruleset_confirmed_seconds", "since it was seen at the head of the log", ago
            )
        yield GaugeMetricFamily(
            "togglemaster_ruleset_rebuilding", "1 while a rebuild is at work", self._rebuilding()
        )

    def _rebuilding(self) -> bool:
        """One that was killed has left its lease behind, and shows no other beat than the last time."""
        before, self._rebuild = self._rebuild, self._rulesets.redis.hmget(REBUILD, ["holder", "beat"])
        return self._rebuild not in (before, [None, None])


def view_name(name: str) -> str:
    """Without the version of its tables."""
    return name.partition("/")[0]
