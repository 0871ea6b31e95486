"""What every process tells of itself: which build it is, and what the system knows of it."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector


@cache
def build_version() -> str:
    return version("togglemaster")


class Build(Collector):
    def __init__(self, process: str) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        labels = {"process": self._process, "version": build_version()}
        yield InfoMetricFamily("togglemaster_build", "Which process of which version this is", labels)


def process_registry(process: str) -> CollectorRegistry:
    """With what all processes have. `process` is its name on the command line."""
    registry = CollectorRegistry()
    for kind in (ProcessCollector, PlatformCollector, GCCollector):
        kind(registry=registry)
    registry.register(Build(process))
    return registry
