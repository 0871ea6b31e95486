"""What is asked for as it was is what the log, folded up to there, says: everywhere in a random history."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from domain.evaluation import evaluate
from domain.ruleset import Ruleset
from tests.faults.history import PureLog
from tests.faults.random_commands import CONTEXTS, ENVIRONMENTS, RandomCommands
from tests.integration.management import OFF, Management, refused

ACTS = 120
ALL_READ = 1_000_000
ANSWERED = ("value", "variant", "reason", "errorCode", "errorDetails", "metadata")


@pytest.fixture
def history(api: Management) -> PureLog:
    """Of commands of every sort, in project `default`."""
    commands = RandomCommands(api.store, random.Random(7), per_second=0)  # noqa: S311 - a test's
    commands.begin()
    for _ in range(ACTS):
        commands.act()
    return PureLog(api.store.read(after=0, limit=ALL_READ))


def expected(ruleset: Ruleset, context: Mapping[str, Any], position: int) -> list[dict[str, Any]]:
    answers = [(key, evaluate(ruleset, key, context)) for key in sorted(ruleset.flags)]
    return [
        {
            "flag": key,
            "value": answer.value,
            "variant": answer.variant,
            "reason": answer.reason,
            "errorCode": answer.error_code,
            "errorDetails": answer.error_details,
            "metadata": dict(answer.metadata(context, position)),
        }
        for key, answer in answers
    ]


def test_every_flag_is_evaluated_as_then_at_every_position(api: Management, history: PureLog) -> None:
    asked = 0
    for index, position in enumerate(history.positions[1:], start=1):
        context = CONTEXTS[index % len(CONTEXTS)]
        for environment in ENVIRONMENTS:
            ruleset = history.states[index].environments.get(f"default/{environment}")
            path = f"/default/environments/{environment}/evaluate?at={position}"
            answer = api.ask("POST", path, {"context": context})
            if ruleset is None:
                refused(answer, 404)
                continue
            found = answer.json()
            assert found["position"] == position
            assert found["flags"] == expected(ruleset, context, position)
            asked += len(found["flags"])
    assert asked > 1_000


def test_an_explanation_of_then_is_that_of_the_answer_then(api: Management, history: PureLog) -> None:
    chance = random.Random(8)  # noqa: S311 - a test's
    for index in chance.sample(range(30, len(history.positions)), 60):
        position, context = history.positions[index], chance.choice(CONTEXTS)
        ruleset = history.states[index].environments["default/production"]
        wanted = {each["flag"]: each for each in expected(ruleset, context, position)}
        flag = chance.choice(sorted(wanted))
        path = f"/default/environments/production/explain?at={position}"
        found = api.ask("POST", path, {"flag": flag, "context": context}).json()
        assert {name: found[name] for name in ("flag", *ANSWERED)} == wanted[flag]
        assert all(rule["position"] <= position for rule in found["rules"])


def test_now_is_the_head_of_the_log(api: Management, history: PureLog) -> None:
    head = history.positions[-1]
    for path in ("/default/environments/production/evaluate", "/default/environments/staging/evaluate"):
        now, then = (api.ask("POST", path + at, {"context": CONTEXTS[0]}) for at in ("", f"?at={head}"))
        assert now.json() == then.json()
    for path in ("/default/flags", "/default/segments"):
        api.catch_up()
        assert api.ask("GET", path).json() == api.ask("GET", f"{path}?at={head}").json()


def test_flags_segments_and_targetings_are_read_as_they_were(api: Management) -> None:
    path = "/default/flags/checkout"
    made = api.flag(description="first").json()
    changed = api.ask("PATCH", path, {"description": "second"}).json()
    targeting = f"{path}/environments/production"
    turned = api.ask("POST", f"{targeting}/on").json()
    segment = api.ask("PUT", "/default/segments/beta", {"name": "Beta", "condition": {"all": []}}).json()
    before = api.ask("GET", f"{path}?at={made['position']}")
    assert before.json() == made
    assert before.headers["etag"] == '"1"'
    assert "immutable" in before.headers["cache-control"]
    assert api.ask("GET", f"{path}?at={turned['position'] - 1}").json() == changed
    assert api.ask("GET", f"{targeting}?at={made['position']}").json()["enabled"] is False
    assert api.ask("GET", f"{targeting}?at={turned['position']}").json()["enabled"] is True
    refused(api.ask("GET", f"{path}?at={made['position'] - 1}"), 404, "there was no flag 'checkout'")
    refused(api.ask("GET", f"/default/segments/beta?at={turned['position']}"), 404, "no segment 'beta'")
    assert api.ask("GET", f"/default/segments/beta?at={segment['position']}").json() == segment


def test_lists_of_then_are_narrowed_sorted_and_paged_as_those_of_now(api: Management) -> None:
    for number in range(7):
        more = {"tags": ["web"] if number % 2 else [], "owner": f"ana-{number % 3}"}
        api.flag(f"flag-{number}", **more)
    api.ask("PATCH", "/default/flags/flag-3", {"description": "Checkout in one page"})
    api.ask("DELETE", "/default/flags/flag-5")
    api.catch_up()
    head = api.store.head()
    for query in (
        "sort=-key&limit=3",
        "sort=changed&limit=3",
        "sort=-changed&limit=2",
        "sort=created&limit=4",
        "sort=-created",
        "tag=web",
        "owner=ana-1",
        "search=CHECKOUT",
        "archived=true",
        "kind=experiment",
    ):
        after = ""
        while after is not None:
            now, then = (
                api.ask("GET", f"/default/flags?{query}&after={after}{at}").json()
                for at in ("", f"&at={head}")
            )
            assert now == then, query
            after = now["next"]


def test_a_time_is_the_position_where_the_project_stood_then(api: Management) -> None:
    first = api.flag().json()
    time.sleep(0.01)
    second = api.ask("PATCH", "/default/flags/checkout", {"description": "second"}).json()
    api.catch_up()
    path, at = "/default/flags/checkout?at=", first["changed_at"]
    assert api.ask("GET", path + at.replace("+", "%2B")).json() == first
    assert api.ask("GET", path + second["changed_at"].replace("+", "%2B")).json() == second
    refused(api.ask("GET", path + "2001-01-01T00:00:00Z"), 404, "at 0")


def test_a_moment_that_is_none_is_refused_with_what_to_do(api: Management) -> None:
    api.flag()
    head, path = api.store.head(), "/default/flags/checkout?at="
    refused(api.ask("GET", f"{path}{head + 1}"), 422, f"the log ends at {head}")
    refused(api.ask("GET", path + "9" * 30), 422, "the log ends at")
    refused(api.ask("GET", path + "yesterday"), 422, "2026-11-23T09:30:00Z", "yesterday")
    refused(api.ask("GET", path + "2999-01-01T00:00:00Z"), 422, "not over yet")
    refused(api.ask("GET", path + "2026-11-23T09:30:00"), 422, "a position of the log or a time")


def test_a_flag_that_is_asked_for_and_not_there_has_an_error(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/flags/checkout/environments/production", OFF)
    body = {"context": {}, "flags": ["checkout", "nothing"]}
    found = api.ask("POST", "/default/environments/production/evaluate", body).json()["flags"]
    assert [(each["flag"], each["errorCode"]) for each in found] == [
        ("checkout", None),
        ("nothing", "FLAG_NOT_FOUND"),
    ]
    refused(api.ask("POST", "/default/environments/qa/evaluate", body), 404, "'qa'")


def cli(api: Management, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TOGGLEMASTER_POSTGRES_URL": api.store.url, "COLUMNS": "300"}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "evaluate", *arguments],
        env=environment,
        input='{"flag": "checkout", "context": {"targetingKey": "u1"}}\n',
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_evaluates_as_then(api: Management) -> None:
    api.flag()
    turned = api.ask("POST", "/default/flags/checkout/environments/production/on").json()
    api.ask("POST", "/default/flags/checkout/environments/production/off")
    api.catch_up()
    now, then = cli(api), cli(api, "--at", str(turned["position"]))
    assert [json.loads(each.stdout)["value"] for each in (now, then)] == [False, True]
    timed = cli(api, "--at", turned["changed_at"])
    assert timed.stdout == then.stdout
    for arguments, words in {
        ("--at", "soon"): "not 'soon'",
        ("--at", "99999"): "the log ends at",
        ("--environment", "qa"): "'qa'",
        ("--project", "none"): "'none'",
        ("flags.json", "--at", "3"): "a file has no history",
    }.items():
        wrong = cli(api, *arguments)
        assert wrong.returncode == 1
        assert words in wrong.stderr
        assert "Traceback" not in wrong.stderr
