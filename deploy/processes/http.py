"""How an HTTP application is served."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from deploy.processes.common import NotConfigured
from deploy.processes.fast_protocol import FastProtocol, Lane
from deploy.processes.patient_protocol import KEEP_ALIVE_SECONDS, PatientProtocol
from deploy.settings import Settings

STOP_SECONDS = 5  # open requests get this long to finish
NOT_STARTED = 3  # exit status; uvicorn's own
BACKLOG = 2_048  # connections that wait to be taken; the system may have a lower limit of its own

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Calls `stopping` before it waits for open answers, so that those without an end are given one."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


def serve(
    app: FastAPI,
    settings: Settings,
    port: int,
    *,
    lane: Lane | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Returns after SIGTERM or SIGINT, when open requests have been answered.

    Raises NotConfigured for a port that it may not listen on.
    """
    sockets = [listen(settings.host, each) for each in (settings.port or port, *settings.also_ports)]
    protocol: Any = PatientProtocol if lane is None else partial(FastProtocol, lane=lane)
    config = uvicorn.Config(
        app,
        log_level=settings.log_level,
        log_config=None,  # as all others
        access_log=False,  # subjects and keys never reach a log
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
        server_header=False,
        http=protocol,
        ws="none" if lane else "auto",  # an evaluator has no websockets, and does not wait for their library
    )
    server = Server(config, stopping)
    with suppress(KeyboardInterrupt):  # it has stopped by then, and raises the signal again
        server.run(sockets)
    if not server.started:
        raise SystemExit(NOT_STARTED)


def listen(host: str, port: int) -> socket.socket:
    """Raises NotConfigured where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        reason = str(problem.strerror or problem).partition(" (")[0]  # then comes the address, once more
        raise NotConfigured(
            f"cannot listen on port {port} of {host}: {reason}. Stop what uses it, or"
            " choose others with TOGGLEMASTER_HOST, TOGGLEMASTER_PORT and TOGGLEMASTER_ALSO_PORTS."
        ) from problem
    log.info("listening on port %d of %s", port, host)
    return found
