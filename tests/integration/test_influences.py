"""The history of a flag's answers: every event after which an answer was another is in it, and said."""

import random

import pytest

from domain.envelope import Stream
from domain.evaluation import evaluate
from projections.influences import Influences
from tests.faults.history import PureLog
from tests.faults.random_commands import CONTEXTS, ENVIRONMENTS, RandomCommands
from tests.integration.management import OFF, Management, refused

ACTS = 150
ALL_READ = 1_000_000
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_that_changed_an_answer_is_in_the_history(api: Management, seed: int) -> None:
    commands = RandomCommands(api.store, random.Random(seed), per_second=0)  # noqa: S311 - a test's
    commands.begin()
    for _ in range(ACTS):
        commands.act()
    log = PureLog(api.store.read(after=0, limit=ALL_READ))
    changed = 0
    for flag in commands.flags:
        for environment in (*ENVIRONMENTS, ""):
            found = Influences(api.store, "default", flag, environment).of_all_time()
            told = {each.recorded.position for each in found}
            assert all(each.differences for each in found)
            for where in [environment] if environment else ENVIRONMENTS:
                needed = positions_that_matter(log, flag, f"default/{where}")
                assert needed <= told
                changed += len(needed)
    assert changed > 100


def positions_that_matter(log: PureLog, flag: str, scope: str) -> set[int]:
    """Where an answer is another than before, but for the version that it names."""
    found, before = set[int](), None
    for position, state in zip(log.positions, log.states, strict=True):
        if (ruleset := state.environments.get(scope)) is None:
            continue
        found_now = [evaluate(ruleset, flag, context) for context in CONTEXTS]
        answers = [(each.value, each.variant, each.reason, each.error_code) for each in found_now]
        if before is not None and answers != before:
            found.add(position)
        before = answers
    return found


def test_an_event_of_what_the_flag_does_not_depend_on_is_not_in_it(api: Management) -> None:
    for key in ("checkout", "other"):
        api.flag(key)
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    rules = [{"id": "beta", "when": {"segment": "beta"}, "serve": {"variant": "on"}}]
    path = "/default/flags/checkout/environments/production"
    with_segment = api.ask("PUT", path, {**OFF, "enabled": True, "rules": rules}).json()["position"]
    inside = api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}}).json()["position"]
    api.ask("PATCH", "/default/flags/checkout", {"description": "nobody is answered otherwise"})
    api.ask("POST", "/default/flags/other/environments/production/on")
    without = api.ask("PUT", path, OFF).json()["position"]
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    found = Influences(api.store, "default", "checkout", "production").of_all_time()
    streams = {each.recorded.position: each.recorded.stream for each in found}
    assert streams[inside] == Stream("segment", "default", "beta")
    assert set(streams.values()) == {streams[inside], Stream("flag", "default", "checkout")}
    assert max(streams) == without
    assert with_segment in streams
    staging = Influences(api.store, "default", "checkout", "staging").of_all_time()
    assert len(staging) == 1


def test_the_closure_is_told_over_http_with_who_why_and_in_plain_words(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    rules = [{"id": "beta", "name": "testers", "when": {"segment": "beta"}, "serve": {"variant": "on"}}]
    path = "/default/flags/checkout/environments/production"
    api.ask("PUT", path, {**OFF, "enabled": True, "rules": rules}, X_Reason="go")
    api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}}, X_Reason="everybody")
    history = "/default/flags/checkout/history?closure=true&environment=production"
    found = api.ask("GET", history).json()
    newest = found["entries"][0]
    assert (newest["kind"], newest["key"], newest["reason"], newest["by"]) == (
        "segment", "beta", "everybody", "administrator",
    )  # fmt: skip
    assert newest["sentences"] == ["now holds whom: always (before: plan is pro)"]
    (difference,) = newest["differences"]
    assert (difference["what"], difference["after"]) == ("condition", {"all": []})
    assert difference["before"]["attribute"] == "plan"
    told = [sentence for each in found["entries"] for sentence in each["sentences"]]
    assert "new rule *testers*: if in segment *beta*, serve *on* in production" in told
    assert found["entries"][-1]["sentences"] == ["boolean flag *checkout* was made, with *on* and *off*"]
    first = api.ask("GET", history + "&limit=2").json()
    rest = api.ask("GET", f"{history}&limit=100&before={first['next']}").json()
    assert first["entries"] + rest["entries"] == found["entries"]
    assert rest["next"] is None
    assert api.ask("GET", history + "&by=nobody").json()["entries"] == []
    assert len(
        api.ask("GET", history + "&by=administrator&from=2001-01-01T00:00:00Z").json()["entries"]
    ) == len(found["entries"])
    assert api.ask("GET", history + "&to=2001-01-01T00:00:00Z").json()["entries"] == []
    for path in ("flags/none/history", "flags/none/history?closure=true", "segments/none/history"):
        refused(api.ask("GET", f"/default/{path}"), 404, "'none'")
    refused(api.ask("GET", "/none/flags/checkout/history?closure=true"), 404, "'none'")


def test_the_history_of_a_flag_and_of_a_segment_says_it_in_words_too(api: Management) -> None:
    api.flag()
    api.ask("POST", "/default/flags/checkout/environments/production/on")
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    api.catch_up()
    entries = api.ask("GET", "/default/flags/checkout/history").json()["entries"]
    assert entries[0]["sentences"] == ["was turned on in production"]
    (segment,) = api.ask("GET", "/default/segments/beta/history").json()["entries"]
    assert segment["sentences"] == ["segment *beta* was made: plan is pro"]
    whole = api.ask("GET", "/default/history").json()["entries"]
    assert all(each["sentences"] == [] for each in whole)


def test_the_history_of_a_project_says_what_each_event_made_different_where_it_is_asked_to(
    api: Management,
) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}})
    api.ask("POST", "/default/flags/checkout/environments/production/on")
    api.ask("POST", "/default/environments/production/keys", {"name": "web server", "kind": "server"})
    api.catch_up()
    plain = api.ask("GET", "/default/history").json()["entries"]
    told = api.ask("GET", "/default/history?sentences=true").json()["entries"]
    assert [each["sentences"] for each in plain] == [[]] * len(told)
    assert [(each["kind"], each["sentences"]) for each in told[:4]] == [
        ("key", ["the key was made"]),
        ("flag", ["was turned on in production"]),
        ("segment", ["segment *beta* was made: always"]),
        ("flag", ["boolean flag *checkout* was made, with *on* and *off*"]),
    ]
    page = api.ask("GET", f"/default/history?sentences=true&limit=1&before={told[0]['position']}").json()
    assert page["entries"] == told[1:2]
