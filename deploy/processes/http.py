"""How an HTTP application is served."""

import uvicorn
from fastapi import FastAPI

from deploy.processes.patient_protocol import PatientProtocol
from deploy.settings import Settings

STOP_SECONDS = 5  # open requests get this long to finish


def serve(app: FastAPI, settings: Settings, port: int) -> None:
    """Returns after SIGTERM or SIGINT, when open requests have been answered."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port or port,
        log_level=settings.log_level,
        access_log=False,  # subjects and keys never reach a log
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        http=PatientProtocol,
    )
