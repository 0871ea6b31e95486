"""What differs between two moments or two environments, and making them alike again."""

import random
from typing import Any

from tests.faults.random_commands import ENVIRONMENTS, RandomCommands
from tests.integration.management import OFF, Management, refused

PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
RULES = [{"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}]
PATH = "/default/flags/checkout/environments"


def diff(api: Management, **query: Any) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = api.ask("GET", f"/default/diff?{asked}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(found: Any) -> dict[str, list[str]]:
    return {each["key"]: each["sentences"] for each in found["things"]}


def test_two_moments_of_an_environment(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    before = api.store.head()
    api.ask("PUT", f"{PATH}/production", {**OFF, "enabled": True, "rules": RULES})
    api.ask("POST", f"{PATH}/staging/on")
    api.flag("other")
    between = api.store.head()
    api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}})
    assert told(diff(api, environment="production", at=before)) == {
        "checkout": [
            "was turned on in production",
            "new rule *pros*: if plan is pro, serve *on* in production",
        ],
        "other": ["boolean flag *other* was made, with *on* and *off*"],
        "beta": ["now holds whom: always (before: plan is pro)"],
    }
    found = diff(api, environment="production", at=before, to=between, flag="checkout")
    assert list(told(found)) == ["checkout"]
    assert (found["one"]["position"], found["other"]["position"]) == (before, between)
    assert diff(api, environment="production", at=between, to=between)["things"] == []
    back = told(diff(api, environment="production", at=between, to=before))
    assert back["checkout"] == ["was turned off in production", "rule *pros* was removed in production"]


def test_two_environments(api: Management) -> None:
    api.flag()
    api.ask("PUT", f"{PATH}/staging", {**OFF, "enabled": True, "rules": RULES})
    found = diff(api, environment="production", other="staging")
    assert told(found) == {
        "checkout": ["was turned on in staging", "new rule *pros*: if plan is pro, serve *on* in staging"]
    }
    assert diff(api, environment="staging", other="staging")["things"] == []


def test_one_environment_is_made_as_another_was(api: Management) -> None:
    api.flag()
    api.flag("other")
    api.ask("PUT", f"{PATH}/staging", {**OFF, "enabled": True, "rules": RULES})
    then = api.store.head()
    api.ask("PUT", f"{PATH}/staging", OFF)
    promote = "/default/environments/production/promote"
    nothing = api.ask("POST", promote, {"from": "staging"}).json()
    assert nothing == {"things": [], "commands": [], "changed": [], "change": None}
    found = api.ask("POST", promote, {"from": "staging", "at": str(then)}, X_Reason="as last week").json()
    assert [each["key"] for each in found["changed"]] == ["checkout"]
    assert diff(api, environment="staging", other="production", at=then)["things"] == []
    refused(api.ask("POST", promote, {"from": "staging", "flags": ["none"]}), 404, "'none'")
    refused(api.ask("POST", promote, {"from": "qa"}), 404, "'qa'")
    refused(api.ask("POST", "/default/environments/qa/promote", {"from": "staging"}), 404, "'qa'")
    refused(api.ask("POST", promote, {"from": "staging", "at": "soon"}), 422, "not 'soon'")
    refused(api.ask("GET", "/default/diff?environment=production&flag=none"), 404, "'none'")
    refused(api.ask("GET", "/default/diff?environment=qa"), 404, "'qa'")


def test_a_preview_of_a_promotion_says_what_it_would_make_different_and_does_nothing(api: Management) -> None:
    api.flag()
    api.ask("PUT", f"{PATH}/staging", {**OFF, "enabled": True, "rules": RULES})
    before, promote = api.store.head(), "/default/environments/production/promote"
    preview = api.ask("POST", promote, {"from": "staging", "preview": True}).json()
    assert told(preview) == {
        "checkout": [
            "was turned on in production",
            "new rule *pros*: if plan is pro, serve *on* in production",
        ]
    }
    assert (preview["changed"], api.store.head()) == ([], before)
    done = api.ask("POST", promote, {"from": "staging"}).json()
    assert (done["things"], done["commands"]) == (preview["things"], preview["commands"])
    assert api.store.head() > before


def test_a_promotion_can_be_a_change_request(api: Management) -> None:
    api.flag()
    api.ask("PUT", f"{PATH}/staging", {**OFF, "enabled": True, "rules": RULES})
    body = {"from": "staging", "flags": ["checkout"], "propose": {"title": "As in staging"}}
    found = api.ask("POST", "/default/environments/production/promote", body).json()
    assert (found["changed"], found["change"]["title"]) == ([], "As in staging")
    assert diff(api, environment="production", other="staging")["things"] != []
    assert api.ask("POST", f"/default/changes/{found['change']['id']}/apply").status_code == 200
    assert diff(api, environment="production", other="staging")["things"] == []


def test_whatever_happened_promoting_leaves_nothing_that_differs(api: Management) -> None:
    commands = RandomCommands(api.store, random.Random(5), per_second=0)  # noqa: S311 - a test's
    commands.begin()
    for _ in range(100):
        commands.act()
    one, other = ENVIRONMENTS
    answer = api.ask("POST", f"/default/environments/{other}/promote", {"from": one})
    assert answer.status_code == 200, answer.text
    assert diff(api, environment=one, other=other)["things"] == []


def test_more_flags_than_can_be_changed_at_once_are_named(api: Management, monkeypatch: Any) -> None:
    for key in ("checkout", "other"):
        api.flag(key)
        api.ask("POST", f"/default/flags/{key}/environments/staging/on")
    monkeypatch.setattr("domain.limits.COMMANDS", 1)
    answer = api.ask("POST", "/default/environments/production/promote", {"from": "staging"})
    refused(answer, 422, "2 flags differ", "'flags'")
