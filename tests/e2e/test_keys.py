"""Keys and tokens in the processes that people run."""

import os
import signal
from typing import Any

import httpx2 as httpx

from tests.e2e.conftest import Platform
from tests.waiting import eventually

KEYS = "default/environments/production/keys"
ALL = "/ofrep/v1/evaluate/flags"


def evaluates(platform: Platform, key: str) -> int:
    with platform.evaluation(key) as evaluation:
        return int(evaluation.post(ALL, json={}).status_code)


def issue(platform: Platform) -> Any:
    issued = platform.give("POST", KEYS, {"name": "test", "kind": "server"}, status=201)
    platform.wait_for(issued["position"])
    assert evaluates(platform, issued["key"]) == 200
    return issued


def test_an_evaluator_refuses_a_key_that_was_revoked(platform: Platform) -> None:
    issued = issue(platform)
    platform.wait_for(platform.give("DELETE", f"{KEYS}/{issued['id']}")["position"])
    assert evaluates(platform, issued["key"]) == 401


def test_an_evaluator_refuses_a_key_that_has_expired_and_takes_its_successor(platform: Platform) -> None:
    old = issue(platform)
    new = platform.give("POST", f"{KEYS}/{old['id']}/rotate", {"overlap_seconds": 0}, status=201)
    platform.wait_for(new["previous"]["position"])
    eventually(lambda: evaluates(platform, old["key"]) == 401)
    assert evaluates(platform, new["key"]) == 200


def test_an_evaluator_that_stops_tells_which_keys_were_used(platform: Platform) -> None:
    issued = issue(platform)
    os.kill(platform.now()["pids"]["evaluation"], signal.SIGTERM)
    eventually(lambda: platform.give("GET", f"{KEYS}/{issued['id']}")["last_used_at"] is not None)
    eventually(lambda: is_back(platform))
    assert evaluates(platform, issued["key"]) == 200


def is_back(platform: Platform) -> bool:
    try:
        return httpx.get(f"{platform.ready['evaluation_url']}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_token_opens_the_management_api_until_it_is_revoked(platform: Platform) -> None:
    grants = [{"role": "viewer", "project": "default"}]
    made = platform.management.post("/api/v1/tokens", json={"name": "CI", "grants": grants}).json()
    flags = f"{platform.ready['management_url']}/api/v1/projects/default/flags"
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(flags, headers=headers).status_code == 200
    assert platform.management.delete(f"/api/v1/tokens/{made['id']}").json()["revoked"] is True
    assert httpx.get(flags, headers=headers).status_code == 401
