"""Processes that listen on several ports, and what they say where they may not."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from deploy.embedded import free_port
from tests.waiting import eventually

SECONDS = 30


def command(*arguments: str, **settings: str) -> "subprocess.Popen[str]":
    environment = os.environ | {
        "TOGGLEMASTER_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "TOGGLEMASTER_AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "TOGGLEMASTER_ADMIN_KEY": "an administrator's key",
    }
    environment |= {f"TOGGLEMASTER_{name}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", free_port()))) as other:
        yield other.getsockname()[1]


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_a_process_answers_on_each_of_its_ports_and_stops_on_all_of_them() -> None:
    ports = [free_port() for _ in range(3)]
    also = ",".join(str(port) for port in ports[1:])
    process = command("serve", "evaluation", PORT=str(ports[0]), ALSO_PORTS=also)
    try:
        for port in ports:
            eventually(lambda port=port: is_healthy(port))  # type: ignore[misc]
            question = f"http://127.0.0.1:{port}/evaluate?user_id=u1&flag_name=f"
            assert httpx.get(question).status_code == 502  # there is no Redis
    finally:
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == -signal.SIGTERM  # uvicorn ends by the signal once it has stopped
    assert "Traceback" not in printed
    assert not any(is_healthy(port) for port in ports)


@pytest.mark.parametrize("name", ["management", "evaluation"])
@pytest.mark.parametrize("setting", ["PORT", "ALSO_PORTS"])
def test_a_port_that_is_taken_is_a_sentence(name: str, setting: str) -> None:
    with taken() as port:
        process = command("serve", name, **{"PORT": str(free_port())} | {setting: str(port)})
        printed = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 1
    assert f"port {port} of 127.0.0.1: Address already in use" in printed
    assert f"TOGGLEMASTER_{setting}" in printed
    assert "Traceback" not in printed


def test_dev_does_not_choose_another_where_one_of_the_originals_ports_is_taken(tmp_path: Path) -> None:
    with taken() as port:
        first = str(port - 2)
        arguments = ("--data-dir", str(tmp_path), "--original-ports", "--original-first-port", first)
        process = command("dev", *arguments)
        printed = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 1
    assert f"the original's rules cannot use port {port}" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())
