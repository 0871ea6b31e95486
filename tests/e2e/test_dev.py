"""`togglemaster dev` as a process: what it says, that it keeps its data and ends its children."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import httpx2 as httpx

from tests.conftest import open_directory
from tests.e2e.conftest import Platform, start, stop
from tests.waiting import eventually


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def announced(platform: Platform) -> str:
    """What it prints when all is there."""
    assert platform.process.stdout is not None
    lines = [platform.process.stdout.readline()]
    while "Ctrl-C" not in lines[-1]:
        lines.append(platform.process.stdout.readline())
    return "".join(lines)


def test_it_keeps_its_data_and_ends_its_children() -> None:
    directory = open_directory()
    try:
        first = start(directory)
        first.flag("kept")
        printed = announced(first)
        link = re.findall(r"http\S+/console/enter\?link=\S+", printed)[0]
        assert httpx.get(link).headers["location"] == "/console/"
        assert httpx.get(link).status_code == 401, "a link is good for one use"
        logs = [path.read_text() for path in (directory / "data" / "logs").iterdir()]
        assert not any(link.rsplit("=", 1)[1] in each for each in logs)
        printed += stop(first)
        assert first.process.returncode == 0
        assert not first.ready_file.exists()
        assert not [name for name, pid in first.ready["pids"].items() if is_alive(pid)]

        curl = shlex.split(printed.split("Try it:")[1].split("Ctrl-C")[0].replace("\\\n", " "))
        second = start(directory)
        try:
            assert second.give("GET", "default/flags/kept")["key"] == "kept"
            assert second.ready["admin_key"] == first.ready["admin_key"]
            assert second.ready["evaluation_key"] == first.ready["evaluation_key"]
            url = curl[2].replace(first.ready["evaluation_url"], second.ready["evaluation_url"])
            pasted = subprocess.run([*curl[:2], url, *curl[3:]], capture_output=True, text=True, check=True)
            assert '"value":true' in pasted.stdout
        finally:
            second.management.close()
            second.process.kill()
            second.process.communicate()
            eventually(lambda: not any(is_alive(pid) for pid in second.ready["pids"].values()))
    finally:
        shutil.rmtree(directory)


def test_a_process_that_ends_is_started_again(platform: Platform) -> None:
    pid = platform.now()["pids"]["consumer"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: platform.now()["pids"]["consumer"] != pid)


def test_every_http_process_says_how_it_is(platform: Platform) -> None:
    for name in ("management_url", "evaluation_url"):
        with httpx.Client(base_url=platform.ready[name]) as client:
            assert client.get("/health/live").json() == {"status": "ok"}
            assert client.get("/health/ready").json()["ready"] is True
            assert "togglemaster_http_request_seconds_count" in client.get("/metrics").text


def test_the_command_line_explains_itself(platform: Platform) -> None:
    for command in ([], ["dev"], ["serve"], ["work"], ["projections"], ["projections", "verify"]):
        answer = platform.run(*command, "--help")
        assert answer.returncode == 0
        assert "Usage" in answer.stdout


def test_a_part_that_is_away_is_named(platform: Platform) -> None:
    away = {"TOGGLEMASTER_REDIS_URL": "redis://127.0.0.1:1/0"}
    kept, platform.environment = platform.environment, platform.environment | away
    try:
        answer = platform.run("projections", "status")
    finally:
        platform.environment = kept
    assert answer.returncode == 1
    assert "TOGGLEMASTER_REDIS_URL" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "TOGGLEMASTER_ADMIN_KEY" in platform.run("serve", "management").stderr


def test_setup_names_what_is_away(platform: Platform) -> None:
    kept = platform.environment
    for name, url in (
        ("TOGGLEMASTER_POSTGRES_URL", "postgresql://postgres@127.0.0.1:1/none"),
        ("TOGGLEMASTER_AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ):
        platform.environment = kept | {name: url}
        answer = platform.run("setup")
        platform.environment = kept
        assert answer.returncode == 1
        assert name in answer.stderr
        assert "Traceback" not in answer.stderr
