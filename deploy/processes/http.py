"""How an HTTP application is served."""

from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from deploy.processes.fast_protocol import FastProtocol, Lane
from deploy.processes.patient_protocol import KEEP_ALIVE_SECONDS, PatientProtocol
from deploy.settings import Settings

STOP_SECONDS = 5  # open requests get this long to finish
BACKLOG = 2_048  # connections that wait to be taken; the system may have a lower limit of its own


def serve(app: FastAPI, settings: Settings, port: int, lane: Lane | None = None) -> None:
    """Returns after SIGTERM or SIGINT, when open requests have been answered."""
    protocol: Any = PatientProtocol if lane is None else partial(FastProtocol, lane=lane)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port or port,
        log_level=settings.log_level,
        access_log=False,  # subjects and keys never reach a log
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
        server_header=False,
        http=protocol,
    )
