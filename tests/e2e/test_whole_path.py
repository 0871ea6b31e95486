"""From a command over HTTP to a stock client's answer and the count in DynamoDB."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
import redis
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tests.e2e.conftest import Platform
from tests.waiting import eventually

SUBJECTS = 1_000


@pytest.fixture
def client(platform: Platform) -> Any:
    key = platform.key()
    provider = OFREPProvider(
        platform.ready["evaluation_url"], headers_factory=lambda: {"Authorization": f"Bearer {key}"}
    )
    api.set_provider(provider, "togglemaster")
    return api.get_client("togglemaster")


def test_the_stock_client_evaluates_all_five_types(platform: Platform, client: Any) -> None:
    flags: dict[str, tuple[str, Any]] = {
        "e2e-boolean": ("boolean", True),
        "e2e-string": ("string", "olá"),
        "e2e-integer": ("integer", 7),
        "e2e-float": ("float", 1),
        "e2e-object": ("object", {"colour": "blue", "sizes": [1, 2]}),
    }
    for key, (flag_type, value) in flags.items():
        platform.flag(key, flag_type, on=value)
        position = platform.target(key)
    platform.wait_for(position)
    context = EvaluationContext("user-1", {"country": "BR"})
    assert client.get_boolean_value("e2e-boolean", False, context) is True
    assert client.get_string_value("e2e-string", "", context) == "olá"
    assert client.get_integer_value("e2e-integer", 0, context) == 7
    assert client.get_float_value("e2e-float", 0.0, context) == 1.0
    assert client.get_object_value("e2e-object", {}, context) == {"colour": "blue", "sizes": [1, 2]}
    details = client.get_boolean_details("e2e-boolean", False, context)
    assert (details.variant, details.reason, details.error_code) == ("on", Reason.STATIC, None)
    assert details.flag_metadata["flagVersion"] == 2


def test_the_stock_client_is_told_why_there_is_no_value(platform: Platform, client: Any) -> None:
    platform.flag("e2e-default")
    platform.wait_for(platform.target("e2e-default", default={"code_default": True}))
    assert client.get_boolean_value("e2e-default", True) is True
    assert client.get_boolean_value("e2e-default", False) is False
    assert client.get_boolean_details("e2e-no-such-flag", True).error_code == ErrorCode.FLAG_NOT_FOUND
    assert client.get_string_details("e2e-default", "x").value == "x"
    platform.wait_for(
        platform.target("e2e-default", default={"split": {"weights": {"on": 50_000, "off": 50_000}}})
    )
    details = client.get_boolean_details("e2e-default", True)
    assert (details.value, details.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)


def test_a_thousand_evaluations_are_a_thousand_counts(platform: Platform) -> None:
    platform.flag("e2e-counted")
    half = {"split": {"by": "targetingKey", "weights": {"on": 50_000, "off": 50_000}}}
    platform.wait_for(platform.target("e2e-counted", default=half))
    began = datetime.now(UTC) - timedelta(minutes=1)
    served: Counter[str] = Counter()
    with platform.evaluation(platform.key()) as evaluation:
        for number in range(SUBJECTS):
            body = {"context": {"targetingKey": f"subject-{number}"}}
            answer = evaluation.post("/ofrep/v1/evaluate/flags/e2e-counted", json=body)
            served[answer.json()["variant"]] += 1
    path = "/api/v1/projects/default/environments/production/analytics/flags/e2e-counted"

    def usage(**query: Any) -> Any:
        return platform.management.get(path, params=query).json()

    eventually(lambda: usage()["total"] >= SUBJECTS)
    found = usage(**{"from": began.isoformat(), "granularity": "minute"})
    assert found["total"] == SUBJECTS
    assert found["variants"] == dict(served)
    assert found["reasons"] == {"SPLIT": SUBJECTS}
    assert sum(point["total"] for point in found["series"]) == SUBJECTS
    assert len(served) == 2
    assert usage(to=began.isoformat())["total"] == 0


def test_verify_names_an_altered_flag_and_rebuild_mends_it(platform: Platform) -> None:
    platform.flag("e2e-verified")
    platform.wait_for(platform.target("e2e-verified"))
    agreed = platform.run("projections", "verify")
    assert agreed.returncode == 0, agreed.stdout + agreed.stderr
    with redis.Redis.from_url(platform.ready["redis_url"]) as client:
        generation = client.get("{togglemaster}:live")
        assert isinstance(generation, bytes)
        documents = "{togglemaster}:" + generation.decode() + ":documents:default/production"
        document = client.hget(documents, "flag/e2e-verified")
        assert isinstance(document, bytes)
        client.hset(documents, "flag/e2e-verified", document.replace(b'"enabled":true', b'"enabled":false'))
    differing = platform.run("projections", "verify")
    assert differing.returncode == 1
    assert differing.stdout == "flag e2e-verified in default/production differs\n"
    assert platform.run("projections", "rebuild").returncode == 0
    assert platform.run("projections", "verify").returncode == 0
    assert platform.run("projections", "status").returncode == 0


def test_a_projector_killed_while_2000_events_are_written_leaves_nothing_out(platform: Platform) -> None:
    """20 flags are turned on and off 100 times each; the projector is killed over and over meanwhile."""
    for number in range(20):
        head = platform.flag(f"e2e-busy-{number}")["position"]
    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(_switch, platform, range(first, first + 10)) for first in (0, 10)]
        killed = _kill_projectors(platform, until=lambda: all(each.done() for each in writing))
    assert [each.result() for each in writing] == [1_000, 1_000]
    assert len(killed) >= 2
    last = platform.give("POST", "default/flags/e2e-busy-0/environments/staging/on")["position"]
    assert last > head + 2_000
    platform.wait_for(last)
    verified = platform.run("projections", "verify")
    assert verified.returncode == 0, verified.stdout
    assert f"at position {last}" in verified.stdout


def _switch(platform: Platform, flags: range) -> int:
    """Turns each flag on and off, 100 times together; how many of these were done."""
    done = 0
    headers = {"X-API-Key": platform.ready["admin_key"]}
    with httpx.Client(base_url=platform.ready["management_url"], headers=headers) as client:
        for turn in range(100):
            for number in flags:
                path = f"/api/v1/projects/default/flags/e2e-busy-{number}/environments/staging"
                done += client.post(f"{path}/{('on', 'off')[turn % 2]}").status_code == 200
    return done


def _kill_projectors(platform: Platform, until: Callable[[], bool]) -> set[int]:
    killed: set[int] = set()
    while not until():
        pid = platform.now()["pids"]["projector"]
        if pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.5)
    return killed
