"""PostgreSQL from the binaries of a package, in the foreground, on 127.0.0.1 only."""

import os
import pwd
from functools import partial
from pathlib import Path

import psycopg

from deploy.embedded.place import EmbeddedError, Place, first_closed, open_place
from deploy.embedded.postgres_binaries import Binaries, binaries_for
from deploy.embedded.postgres_cluster import end_orphans, ensure_cluster
from deploy.embedded.process import Launch, Part, Program, User, await_health, spawn, usable_port

DATABASE = "togglemaster"
# One developer's machine: small, few processes, and no replication.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "jit": "off",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_postgres(data_dir: Path, *, port: int | None = None, durable: bool = True) -> Part:
    """Keeps its data in `data_dir/postgres`; unless `durable`, only if stopped. Raises EmbeddedError."""
    return await_health(launch_postgres(data_dir, port=port, durable=durable))


def launch_postgres(data_dir: Path, *, port: int | None = None, durable: bool = True) -> Launch:
    user = _server_user()
    binaries = binaries_for(user)
    place = open_place(data_dir, "postgres")
    _check_reachable(place, user)
    port = usable_port(place.name, port)
    end_orphans(place)
    with place.claim() as lock:
        ensure_cluster(place, binaries, lock, durable=durable)
        program = _server(place, binaries, port, durable=durable)
        part = spawn(place, program, url=_url(port, DATABASE), lock=lock)
    return Launch(part, place, partial(_answers, port))


def _server_user() -> User:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return User()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no user called nobody: run as another user"
        ) from None
    return User(nobody.pw_uid, nobody.pw_gid)


def _check_reachable(place: Place, user: User) -> None:
    if user.uid is None or user.gid is None:
        return
    if closed := first_closed(place.data_dir, user.uid, user.gid):
        raise EmbeddedError(
            f"as root, PostgreSQL runs as nobody, and nobody may not enter {closed}. "
            f"Choose a data directory outside of it, such as /var/lib/togglemaster, not {place.data_dir}."
        )


def _server(place: Place, binaries: Binaries, port: int, *, durable: bool) -> Program:
    settings = SETTINGS | {"port": str(port)} | ({} if durable else FORGETFUL)
    options = [f"--{name}={value}" for name, value in settings.items()]
    return binaries.program("postgres", "-D", place.state, *options)


def _url(port: int, database: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/{database}"


def _answers(port: int) -> bool:
    """Whether the server answers; our database is made on the way."""
    try:
        with psycopg.connect(
            _url(port, "postgres"), autocommit=True, connect_timeout=2, sslmode="disable"
        ) as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.OperationalError:
        return False
    return True
