"""Metrics of processes that answer no requests otherwise."""

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from deploy.settings import Settings


def serve_metrics(settings: Settings, *collectors: Collector) -> None:
    """From a thread of its own, where a port is set."""
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    start_http_server(settings.metrics_port, addr=settings.host, registry=registry)
