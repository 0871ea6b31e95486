"""What commands would change, told before they are given; and giving them at one version of a thing."""

from typing import Any

from tests.integration.management import OFF, Management, refused

PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
RULES = [{"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}]
ON = {"command": "turn_flag_on", "flag": "checkout", "environment": "staging"}


def targeting(flag: str = "checkout", **more: Any) -> dict[str, Any]:
    return {
        "command": "change_targeting",
        "flag": flag,
        "environment": "production",
        "targeting": {**OFF, **more},
    }


def previewed(api: Management, *commands: Any) -> Any:
    answer = api.ask("POST", "/default/commands/preview", {"commands": commands})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_preview_says_what_would_differ_and_changes_nothing(api: Management) -> None:
    api.flag()
    head = api.store.head()
    segment = {"command": "put_segment", "segment": "beta", "definition": {"condition": PRO}}
    details = {"command": "change_flag", "flag": "checkout", "details": {"owner": "ana"}}
    found = previewed(api, targeting(rules=RULES), details, segment)
    assert found["position"] == head
    assert [(each["kind"], each["key"]) for each in found["things"]] == [
        ("flag", "checkout"),
        ("segment", "beta"),
    ]
    assert "new rule *pros*: if plan is pro, serve *on* in production" in found["things"][0]["sentences"]
    assert found["things"][1]["sentences"] == ["segment *beta* was made: plan is pro"]
    assert api.store.head() == head


def test_a_preview_is_what_giving_the_commands_then_does(api: Management) -> None:
    api.flag()
    told = previewed(api, targeting(rules=RULES), ON)["things"][0]["differences"]
    before = api.store.head()
    assert api.ask("POST", "/default/commands", {"commands": [targeting(rules=RULES), ON]}).is_success
    done = []
    for environment in ("production", "staging"):
        path = f"/default/diff?environment={environment}&at={before}&flag=checkout"
        done += api.ask("GET", path).json()["things"][0]["differences"]
    assert told == done


def test_what_nothing_would_differ_by_has_no_sentences(api: Management) -> None:
    api.flag()
    off = {**ON, "command": "turn_flag_off"}
    assert all(each["sentences"] == [] for each in previewed(api, off)["things"])


def test_a_preview_is_refused_as_the_commands_would_be(api: Management) -> None:
    api.flag()
    body = {"commands": [targeting(default={"variant": "blue"})]}
    refused(api.ask("POST", "/default/commands/preview", body), 422, "'blue'")
    refused(api.ask("POST", "/nowhere/commands/preview", {"commands": [ON]}), 404, "'nowhere'")


def test_a_preview_needs_no_approval_and_says_how_many_the_change_would(api: Management) -> None:
    api.flag()
    assert previewed(api, targeting(rules=RULES))["required"] == 0
    api.ask("PATCH", "/default/environments/production", {"approvals": 1})
    refused(api.ask("POST", "/default/commands", {"commands": [targeting(rules=RULES)]}), 403, "approval")
    found = previewed(api, targeting(rules=RULES))
    assert found["things"]
    assert found["required"] == 1
    assert previewed(api, {**targeting(), "environment": "staging"})["required"] == 0
    variant = {"command": "put_variant", "flag": "checkout", "name": "also-on", "value": True}
    assert previewed(api, variant)["required"] == 1, "a variant is of every environment"


def test_many_commands_about_one_flag_are_given_at_one_version(api: Management) -> None:
    version = api.flag().json()["version"]
    body = {"commands": [targeting(rules=RULES), {**ON}]}
    given = api.ask("POST", "/default/commands", body, If_Match=f'"{version}"')
    assert given.is_success, given.text
    head = api.store.head()
    other = {"commands": [targeting(), {**ON, "command": "turn_flag_off"}]}
    refused(api.ask("POST", "/default/commands", other, If_Match=f'"{version}"'), 412, "version")
    assert api.store.head() == head


def test_a_version_of_many_things_is_refused(api: Management) -> None:
    api.flag()
    api.flag("other")
    body = {"commands": [ON, {**ON, "flag": "other"}]}
    refused(api.ask("POST", "/default/commands", body, If_Match='"1"'), 422, "If-Match")
    segment = {"command": "put_segment", "segment": "beta", "definition": {"condition": PRO}}
    assert api.ask("POST", "/default/commands", {"commands": [segment]}, If_Match='"0"').is_success


def test_who_needs_a_flag_is_told_by_environment(api: Management) -> None:
    api.flag()
    api.flag("asks", type="boolean")
    api.flag("needs")
    rules = [
        {"id": "r", "when": {"not": {"flag": "checkout", "variants": ["off"]}}, "serve": {"variant": "on"}}
    ]
    needed = [{"flag": "checkout", "variants": ["on"]}]
    api.ask("PUT", "/default/flags/asks/environments/staging", {**OFF, "rules": rules})
    api.ask("PUT", "/default/flags/needs/environments/production", {**OFF, "prerequisites": needed})
    before = api.store.head()
    found = api.ask("GET", "/default/flags/checkout/used-by").json()
    assert found["flags"] == [
        {"flag": "asks", "environment": "staging", "variants": ["off"]},
        {"flag": "needs", "environment": "production", "variants": ["on"]},
    ]
    api.ask("DELETE", "/default/flags/needs")
    assert [each["flag"] for each in api.ask("GET", "/default/flags/checkout/used-by").json()["flags"]] == [
        "asks"
    ]
    then = api.ask("GET", f"/default/flags/checkout/used-by?at={before}").json()
    assert then == found
    refused(api.ask("GET", "/default/flags/nope/used-by"), 404, "'nope'")


def test_clients_are_told_where_to_ask(api: Management) -> None:
    assert api.ask("GET", "/default/endpoint").json() == {"evaluation_url": ""}
    refused(api.ask("GET", "/nowhere/endpoint"), 404, "'nowhere'")
