"""Whether there are traces: OpenTelemetry is loaded where it is told where to send them, and nowhere else."""

import logging
import os
from typing import TYPE_CHECKING

from deploy.processes.common import NotConfigured

if TYPE_CHECKING:  # the extra `telemetry`, which most do without
    from deploy.traces import Tracing

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def tracing(process: str) -> "Tracing | None":
    """None unless OTEL_EXPORTER_OTLP_ENDPOINT is set. Raises NotConfigured where the extra is missing."""
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None:
        return None
    try:
        from deploy.traces import exporting
    except ImportError as problem:
        raise NotConfigured(
            f"{endpoint} asks for traces, and OpenTelemetry is not installed ({problem}): install"
            " togglemaster[telemetry], or take the variable away"
        ) from problem
    found = exporting(process)
    for handler in logging.getLogger().handlers:
        handler.addFilter(found.stamp)
    return found
