"""An evaluator that starts while everything else is away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
from redis import Redis

from commands.secret_keys import new_key
from deploy.embedded import free_port
from deploy.processes.evaluation import installation_of
from domain.access import digest
from domain.evaluation import FlagDocument
from projections.documents import ENVIRONMENTS, KEYS, KeyDocument
from projections.last_known_good import Copy, LastKnownGood
from tests.faults.conftest import until
from tests.figures import tell

FLAGS = 1_000
CPU_SECONDS = (
    5.0  # the promise is 2 s on an idle machine; two busy cores shared by all take longer for the same
)
START_SECONDS = 60


def flag(number: int) -> str:
    document = {
        "key": f"flag-{number}",
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "gate_salt": "gate",
        "split_salt": "split",
        "client_visible": False,
        "version": 1,
        "targeting": {
            "enabled": True,
            "off_variant": "off",
            "default": {"split": {"weights": {"on": 50_000, "off": 50_000}}},
            "rules": [
                {
                    "id": "brazil",
                    "when": {"attribute": "country", "operator": "in", "values": ["BR"]},
                    "serve": {"variant": "on"},
                }
            ],
        },
    }
    return FlagDocument.model_validate(document).model_dump_json()


def copy(key: str) -> Copy:
    held = KeyDocument(id="k1", kind="server", project="shop", environment="production")
    return Copy(
        "g1",
        4_711,
        {
            ENVIRONMENTS: {"shop/production": "{}"},
            KEYS: {digest(key): held.model_dump_json()},
            "shop/production": {f"flag/flag-{number}": flag(number) for number in range(FLAGS)},
        },
    )


@contextmanager
def evaluation(redis_url: str, directory: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {
        "TOGGLEMASTER_POSTGRES_URL": f"postgresql://postgres@127.0.0.1:{free_port()}/none",
        "TOGGLEMASTER_REDIS_URL": redis_url,
        "TOGGLEMASTER_AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "TOGGLEMASTER_COPY_DIR": str(directory),
        "TOGGLEMASTER_PORT": str(port),
        "TOGGLEMASTER_LOG_LEVEL": "error",
    }
    popen = subprocess.Popen([sys.executable, "-m", "deploy.cli", "serve", "evaluation"], env=environment)
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_with_redis_and_postgresql_away_it_answers_from_its_copy(tmp_path: Path) -> None:
    redis_url, port, key = f"redis://127.0.0.1:{free_port()}/0", free_port(), new_key("server")[1]
    installation = installation_of(Redis.from_url(redis_url))
    LastKnownGood(tmp_path / "copies", installation).write(copy(key), lambda: None)
    answers: list[httpx.Response] = []

    def answered() -> bool:
        try:
            context = {"context": {"targetingKey": "u1", "country": "BR"}}
            path = f"http://127.0.0.1:{port}/ofrep/v1/evaluate/flags/flag-7"
            answers.append(client.post(path, json=context, headers={"X-API-Key": key}))
        except httpx.TransportError:
            return False
        return answers[-1].status_code == 200

    with (
        httpx.Client(trust_env=False) as client,
        evaluation(redis_url, tmp_path / "copies", port) as process,
    ):
        seconds = until(answered, START_SECONDS)
        cpu = cpu_seconds(process.pid)
        assert answers[-1].json()["variant"] == "on"
        assert answers[-1].json()["metadata"]["position"] == 4_711
        ready = client.get(f"http://127.0.0.1:{port}/health/ready").json()
        assert (ready["ready"], ready["stale"]) == (True, True)
    tell("cold start without Redis and PostgreSQL, 1,000 flags", seconds=f"{seconds:.2f}", cpu=f"{cpu:.2f}")
    assert cpu < CPU_SECONDS


def test_a_damaged_copy_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    redis_url, port, key = f"redis://127.0.0.1:{free_port()}/0", free_port(), new_key("server")[1]
    copies = LastKnownGood(tmp_path, installation_of(Redis.from_url(redis_url)))
    older = copy(key)
    copies.write(older, lambda: None)
    copies.write(Copy(older.generation, 5_000, older.documents), lambda: None)
    newest = copies.paths()[0]
    newest.write_bytes(newest.read_bytes()[:-100])

    def served() -> int | None:
        try:
            ready = client.get(f"http://127.0.0.1:{port}/health/ready").json()
        except httpx.TransportError:
            return None
        return int(ready["position"])

    with httpx.Client(trust_env=False) as client, evaluation(redis_url, tmp_path, port):
        until(lambda: served() == older.position, START_SECONDS)
