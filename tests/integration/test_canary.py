"""A change of the canary's from the command to the answer, and what it says when that is held up."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from deploy.canary import TARGETING_URL, Canary, Failed
from deploy.embedded import Stack, free_port
from deploy.processes.canary import CanaryMetrics, flip
from deploy.processes.common import NotConfigured
from deploy.settings import Settings
from tests.figures import tell
from tests.integration.exported import ADMIN, COMMANDS, Processes, environment, processes
from tests.waiting import eventually
from workers.pulse import Pulse

NEEDED = {name: COMMANDS[name] for name in ("management", "evaluation", "projector")}
LIMIT_SECONDS = 20.0  # this machine may be busy with other tests


@pytest.fixture
def running(stack: Stack, postgres_url: str, redis: Redis) -> Iterator[Processes]:
    assert not redis.dbsize()
    with processes(environment(stack, postgres_url), NEEDED) as found:
        yield found


def canary_of(running: Processes, **more: object) -> Canary:
    given = {
        "canary_management_url": running.urls["management"],
        "canary_evaluation_url": running.urls["evaluation"],
        "canary_key": ADMIN,
        "canary_limit_seconds": LIMIT_SECONDS,
    }
    return Canary(Settings.model_validate({**given, **more}))


def management(running: Processes, path: str) -> dict[str, object]:
    url = f"{running.urls['management']}{path}"
    found: dict[str, object] = running.client.get(url, headers={"X-API-Key": ADMIN}).json()
    return found


def served(running: Processes) -> object:
    default = management(running, TARGETING_URL)["default"]
    assert isinstance(default, dict)
    return default["variant"]


def test_a_flip_is_timed_until_users_see_it_and_a_held_up_one_is_told(running: Processes) -> None:
    with closing(canary_of(running)) as canary:
        seconds, variants = [], []
        for _ in range(3):
            seconds.append(canary.flip())
            variants.append(served(running))
        assert variants == ["off", "on", "off"]
        assert all(0 < each < LIMIT_SECONDS for each in seconds)
        tell("canary, from a command's answer to what is served", milliseconds=f"{min(seconds) * 1e3:.0f}")
    eventually(lambda: canary._evaluate()[0] == 401)  # it has revoked the key that it had made

    metrics, pulse = CanaryMetrics(), Pulse("canary")
    projector = running.running["projector"].pid
    with closing(canary_of(running)) as canary:
        flip(canary, pulse, metrics)
        assert pulse.problem == ""
        hasty = canary_of(running, canary_evaluation_key=canary._evaluation_key, canary_limit_seconds=0.5)
        os.kill(projector, signal.SIGSTOP)
        try:
            flip(hasty, pulse, metrics)
        finally:
            os.kill(projector, signal.SIGCONT)
        assert "was not served within 0.5 s: the evaluation API is at position" in pulse.problem
        flip(canary, pulse, metrics)
    assert (pulse.problem, dict(metrics.failures)) == ("", {"late": 1})
    assert sum(metrics.served.counts) == 2

    told = once(running, ADMIN)
    assert (told.returncode, told.stdout.split()[0]) == (0, "served"), told.stderr
    told = once(running, "no key")
    assert told.returncode == 1
    assert told.stderr.startswith("togglemaster: the management API answered 401 to the canary")

    with pytest.raises(Failed, match="the evaluation API does not answer") as away:
        canary_of(running, canary_evaluation_url=nobody(), canary_evaluation_key="k").flip()
    assert away.value.stage == "evaluation"


def once(running: Processes, key: str) -> "subprocess.CompletedProcess[str]":
    given = {
        "TOGGLEMASTER_CANARY_KEY": key,
        "TOGGLEMASTER_CANARY_MANAGEMENT_URL": running.urls["management"],
        "TOGGLEMASTER_CANARY_EVALUATION_URL": running.urls["evaluation"],
    }
    command = [sys.executable, "-m", "deploy.cli", "canary", "--once"]
    return subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)


def nobody() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_what_is_away_is_told_by_its_name() -> None:
    with pytest.raises(Failed, match="the management API does not answer") as away:
        Canary(Settings(canary_management_url=nobody(), canary_key="k")).flip()
    assert away.value.stage == "management"


def test_without_a_key_it_says_which_one() -> None:
    with pytest.raises(NotConfigured, match="TOGGLEMASTER_CANARY_KEY"):
        Canary(Settings(admin_key=""))
