"""The two autoscalers of the cluster: HPA by CPU for evaluation, KEDA by queue for the consumer.

KEDA after https://keda.sh/docs/latest/scalers/aws-sqs/ (messages are those that wait and those in flight),
https://keda.sh/docs/latest/reference/scaledobject-spec/ (polling, cooldown) and
https://keda.sh/docs/latest/concepts/scaling-deployments/ (activation, cached metrics). KEDA itself only
switches between no replicas and one; everything else is an HPA that it makes, with an AverageValue of
`queue_length`. That HPA asks for the metric at each of its syncs, and with `cached` is given that of the last
poll.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from deploy.scaling.hpa import DOWN, SYNC_SECONDS, Autoscaler, Policy, Rules, by_average, by_utilisation

METRICS_SECONDS = 15  # metrics-server --metric-resolution: how old, and the mean of how long, CPU figures are


# One a minute after five quiet minutes: each evaluator that goes sends what it counted.
EVALUATION_DOWN = Rules(DOWN.window_seconds, (Policy("Pods", 1, 60),), "Min")


class CpuSpec(NamedTuple):
    """`target` is a share of the CPU that a pod requests."""

    minimum: int = 2
    maximum: int = 10
    target: float = 0.5
    down: Rules = EVALUATION_DOWN


class QueueSpec(NamedTuple):
    queue_length: float = 5
    minimum: int = 1
    maximum: int = 10
    polling_seconds: int = 30
    cooldown_seconds: int = 300
    activation: float = 0
    cached: bool = False
    down: Rules = DOWN


class CpuScaler:
    def __init__(self, spec: CpuSpec) -> None:
        self._spec = spec
        self._hpa = Autoscaler(spec.minimum, spec.maximum, down=spec.down)
        self._used: deque[float] = deque(maxlen=METRICS_SECONDS)

    def replicas(self, now: int, current: int, ready: int, used: float) -> int:
        """To be asked every second. `used` is the mean of the ready pods, as a share of what they request."""
        self._used.append(used)
        if now % SYNC_SECONDS:
            return current
        mean = sum(self._used) / len(self._used)
        return self._hpa.decide(now, current, by_utilisation(current, ready, mean, self._spec.target))


@dataclass
class QueueScaler:
    spec: QueueSpec
    _hpa: Autoscaler = field(init=False)
    _polled: float = 0
    _active_at: int = 0

    def __post_init__(self) -> None:
        self._hpa = self._new_hpa()

    def replicas(self, now: int, current: int, messages: float) -> int:
        """To be asked every second. `messages` are those that wait and those in flight."""
        if now % self.spec.polling_seconds == 0:
            current = self._poll(now, current, messages)
        if now % SYNC_SECONDS or not current:  # an HPA leaves a Deployment without replicas alone
            return current
        metric = self._polled if self.spec.cached else messages
        return self._hpa.decide(now, current, by_average(current, metric, self.spec.queue_length))

    def _poll(self, now: int, current: int, messages: float) -> int:
        self._polled = messages
        if messages > self.spec.activation:
            self._active_at = now
            return current or max(1, self.spec.minimum)
        if self.spec.minimum or now - self._active_at < self.spec.cooldown_seconds:
            return current
        self._hpa = self._new_hpa()
        return 0

    def _new_hpa(self) -> Autoscaler:
        return Autoscaler(max(1, self.spec.minimum), self.spec.maximum, down=self.spec.down)
