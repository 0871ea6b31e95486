"""What is simulated by default is what the manifests say."""

from deploy.scaling.hpa import DOWN, Policy, Rules
from deploy.scaling.scalers import CpuSpec, QueueSpec
from tests.deploy.manifests import of_kind


def test_evaluators_are_scaled_as_simulated() -> None:
    (found,) = of_kind("production", "HorizontalPodAutoscaler")
    spec, simulated = found["spec"], CpuSpec()
    assert (spec["minReplicas"], spec["maxReplicas"]) == (simulated.minimum, simulated.maximum)
    (metric,) = spec["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == simulated.target * 100
    down = spec["behavior"]["scaleDown"]
    policies = tuple(Policy(each["type"], each["value"], each["periodSeconds"]) for each in down["policies"])
    assert Rules(down["stabilizationWindowSeconds"], policies, down["selectPolicy"]) == simulated.down


def test_consumers_are_scaled_as_simulated() -> None:
    (found,) = of_kind("production", "ScaledObject")
    spec, simulated = found["spec"], QueueSpec()
    (trigger,) = spec["triggers"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (simulated.minimum, simulated.maximum)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (
        simulated.polling_seconds,
        simulated.cooldown_seconds,
    )
    assert float(trigger["metadata"]["queueLength"]) == simulated.queue_length
    assert not trigger.get("useCachedMetrics", simulated.cached)
    assert simulated.down == DOWN
    assert "advanced" not in spec
