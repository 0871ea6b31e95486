"""A change at a time, and a plan, on the platform as a newcomer starts it."""

from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import Platform
from tests.waiting import eventually


def test_what_is_scheduled_happens(platform: Platform) -> None:
    assert "scheduler" in platform.now()["pids"]
    platform.flag("e2e-scheduled")
    command = {"command": "turn_flag_on", "flag": "e2e-scheduled", "environment": "staging"}
    at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    body = {"title": "Launch", "commands": [command], "apply_at": at}
    change = platform.give("POST", "default/changes", body, status=201)
    assert change["status"] == "scheduled"
    eventually(lambda: platform.give("GET", f"default/changes/{change['id']}")["status"] == "applied")
    assert platform.give("GET", "default/flags/e2e-scheduled/environments/staging")["enabled"] is True


def test_a_plan_goes_its_way(platform: Platform) -> None:
    platform.flag("e2e-plan")
    platform.target("e2e-plan", default={"variant": "off"})
    body = {
        "flag": "e2e-plan",
        "environment": "production",
        "variant": "on",
        "otherwise": "off",
        "steps": [
            {"weight": 1_000, "wait_seconds": 1},
            {"weight": 50_000, "wait_seconds": 1},
            {"weight": 100_000},
        ],
    }
    plan = platform.give("POST", "default/plans", body, status=201)
    eventually(lambda: platform.give("GET", f"default/plans/{plan['id']}")["status"] == "finished")
    targeting = platform.give("GET", "default/flags/e2e-plan/environments/production")
    assert targeting["default"] == {"variant": "on"}
