"""SQS and DynamoDB by ministack, which writes its state down when it is stopped cleanly, and only then."""

import http.client
import os
import sys
from functools import partial
from pathlib import Path

from deploy.embedded.packages import package_dir
from deploy.embedded.place import EmbeddedError, Place, open_place
from deploy.embedded.process import Launch, Part, Program, await_health, free_port, spawn, usable_port


def start_aws(data_dir: Path, *, port: int | None = None) -> Part:
    """Keeps its data in `data_dir/aws`, and its port: queues are stored by URL. Raises EmbeddedError."""
    return await_health(launch_aws(data_dir, port=port))


def launch_aws(data_dir: Path, *, port: int | None = None) -> Launch:
    package_dir("ministack", instead="TOGGLEMASTER_AWS_ENDPOINT_URL")
    place = open_place(data_dir, "aws", private=["aws", "aws/tmp"])
    with place.claim() as lock:
        port = _choose_port(place, port)
        part = spawn(place, _program(place, port), url=f"http://127.0.0.1:{port}", lock=lock)
    return Launch(part, place, partial(_answers, port))


def _program(place: Place, port: int) -> Program:
    # -P: a directory called ministack where we happen to be is not the server.
    return Program([sys.executable, "-P", "-m", "ministack"], place.state, settings=_settings(place, port))


def _settings(place: Place, port: int) -> dict[str, str]:
    return {
        "BIND_HOST": "127.0.0.1",  # otherwise 0.0.0.0
        "MINISTACK_HOST": "127.0.0.1",  # otherwise queue URLs name a host that /etc/hosts may lack
        "GATEWAY_PORT": str(port),
        "SERVICES": "sqs,dynamodb",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(place.state),
        "TMPDIR": str(place.state / "tmp"),  # for its pid file
        "LOG_LEVEL": "WARNING",  # otherwise a line a request
        "IOT_MTLS_ENABLED": "0",  # otherwise it listens on 8883 too
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # otherwise it removes containers it takes for its own
    }


def _choose_port(place: Place, port: int | None) -> int:
    note = place.state / "port"
    known = _known_port(place, note)
    if known and port not in (None, known):
        raise EmbeddedError(_elsewhere(place, known, f"not at port {port}"))
    chosen = usable_port(place.name, port) if port else _reuse(place, known)
    _write(note, f"{chosen}\n")
    return chosen


def _known_port(place: Place, note: Path) -> int | None:
    """The port in the URLs of the queues that are stored here, if any are."""
    return int(note.read_text()) if note.exists() and (place.state / "sqs.json").exists() else None


def _reuse(place: Place, known: int | None) -> int:
    if known is None:
        return free_port()
    try:
        return usable_port(place.name, known)
    except EmbeddedError as error:
        raise EmbeddedError(f"{error} {_elsewhere(place, known, 'and that port is taken')}") from error


def _elsewhere(place: Place, known: int, reason: str) -> str:
    return (
        f"The queues in {place.state} live at port {known}, {reason}. "
        f"Free port {known}, or remove {place.state} to begin without them."
    )


def _write(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)  # noqa: PTH105 (the same either way, but this one says that it is atomic)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
