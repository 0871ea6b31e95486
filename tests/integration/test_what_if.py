"""Whom a change would move: by recorded contexts, and as it then comes to pass."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from commands.handlers import Commands
from commands.models import Command
from commands.wire import ALLOWED, kept
from deploy.embedded import Stack
from domain.evaluation import evaluate
from domain.ruleset import Ruleset
from projections.aws import dynamodb_client
from projections.records_table import Record
from tests.faults.history import PureLog
from tests.faults.random_commands import COMPANIES, COUNTRIES, RandomCommands
from tests.integration.asking import CommandLine
from tests.integration.management import OFF, Management, refused
from tests.integration.usage import Usage

ALL_READ = 1_000_000
ACTS = 80
ENVIRONMENT = "/default/environments/production"
TARGETING = "/default/flags/checkout/environments/production"
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
BETA = [{"id": "beta", "name": "Beta testers", "when": {"segment": "beta"}, "serve": {"variant": "off"}}]
PAGES = 3  # of what is told while it is read
numbers = count(1)


@pytest.fixture
def usage(stack: Stack) -> Iterator[Usage]:
    client = dynamodb_client(stack.aws.url, "us-east-1")
    yield Usage(client, time.time())
    client.close()


@pytest.fixture
def api(api_with_tables: Management) -> Management:
    return api_with_tables


def ask(api: Management, body: Any, **headers: str) -> Any:
    answer = api.ask("POST", f"{ENVIRONMENT}/what-if", body, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def declare(api: Management, *names: str, **more: Any) -> None:
    body = {"recording": {"attributes": names, **more}}
    assert api.ask("PATCH", ENVIRONMENT, body).status_code == 200


def record(
    api: Management,
    usage: Usage,
    contexts: list[dict[str, Any]],
    flag: str = "checkout",
    position: int | None = None,
) -> None:
    """As evaluators do that know all of the log."""
    at, position = int(time.time() * 1_000) - 1, position or api.store.head()
    usage.records.put(
        Record(
            f"e-{next(numbers)}",
            "default",
            "production",
            flag,
            "on",
            "STATIC",
            context.get("targetingKey"),
            position,
            at,
            {name: value for name, value in context.items() if name != "targetingKey"},
        )
        for context in contexts
    )


def beta(api: Management) -> None:
    """A flag that serves "off" to a segment of those with plan "pro"."""
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    assert api.ask("PUT", TARGETING, {**OFF, "enabled": True, "rules": BETA}).status_code == 200


EVERYBODY = {"command": "put_segment", "segment": "beta", "definition": {"condition": {"all": []}}}


class Drafting(RandomCommands):
    """Makes commands as ever, and gives none of them."""

    drafted: list[Command]

    def _give(self, command: Command) -> None:
        self.drafted.append(command)


def contexts(chance: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(60):
        found = {
            "targetingKey": f"user-{chance.randint(1, 30)}",
            "country": chance.choice(COUNTRIES),
            "company": chance.choice(COMPANIES),
            "age": chance.randint(10, 70),
        }
        yield {name: value for name, value in found.items() if chance.random() < 0.8}


def draft_of(api: Management, commands: RandomCommands) -> list[Command]:
    drafting = Drafting(api.store, commands.chance, 0, list(commands.flags))
    drafting.drafted = []
    while len(drafting.drafted) < 4:
        drafting.act()
    possible, _ = Commands(api.store).feasible(drafting.drafted)
    return [each for each in possible if type(each) in ALLOWED]


Answers = Mapping[str, list[tuple[str, str | None, str | None]]]


def answers(rules: Ruleset, flags: list[str], asked: list[dict[str, Any]]) -> Answers:
    found = {key: [evaluate(rules, key, each) for each in asked] for key in flags}
    return {key: [(repr(e.value), e.variant, e.error_code) for e in every] for key, every in found.items()}


def production(api: Management) -> Ruleset:
    return PureLog(api.store.read(after=0, limit=ALL_READ)).states[-1].environments["default/production"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_what_comes_to_pass_for_every_context(api: Management, usage: Usage, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's
    commands = RandomCommands(api.store, chance, per_second=0)
    commands.begin()
    for _ in range(ACTS):
        commands.act()
    declare(api, "country", "company", "age")
    asked = list(contexts(chance))
    with_subject = [each for each in asked if "targetingKey" in each]
    for flag in commands.flags:
        record(api, usage, with_subject, flag)
    moved = 0
    for _ in range(3):
        draft = draft_of(api, commands)
        known = [key for key in commands.flags if key in production(api).flags]
        told = ask(api, {"commands": [kept(each) for each in draft]}) if draft else {"flags": []}
        before = answers(production(api), known, with_subject)
        for each in draft:
            api.ask("POST", "/default/commands", {"commands": [kept(each)]})
        after = answers(production(api), known, with_subject)
        by_flag = {each["flag"]: each for each in told["flags"]}
        for key in known:
            changed = [
                n for n, pair in enumerate(zip(before[key], after[key], strict=True)) if pair[0] != pair[1]
            ]
            moved += len(changed)
            if key not in by_flag:
                assert not changed, key
                continue
            found = by_flag[key]
            assert found["evaluations"] == len(with_subject)
            assert found["before"] == shares(before[key])
            assert found["after"] == shares(after[key])
            assert found["moved"] == {
                "evaluations": len(changed),
                "subjects": len({with_subject[n]["targetingKey"] for n in changed}),
            }
            assert found["undecided"] == {"evaluations": 0, "subjects": 0, "attributes": {}}
    assert moved > 20


def shares(found: list[tuple[str, str | None, str | None]]) -> dict[str, int]:
    return dict(Counter(variant or "" for _, variant, _ in found))


def test_who_moves_is_told_by_rule_and_with_examples(api: Management, usage: Usage) -> None:
    beta(api)
    declare(api, "plan")
    asked = [{"targetingKey": f"u{n % 4}", "plan": "pro" if n % 4 == 0 else "free"} for n in range(20)]
    record(api, usage, asked)
    head = api.store.head()
    (found,) = ask(api, {"commands": [EVERYBODY]})["flags"]
    assert (found["flag"], found["evaluations"], found["subjects"], found["complete"]) == (
        "checkout",
        20,
        4,
        True,
    )
    assert (found["before"], found["after"]) == ({"off": 5, "on": 15}, {"off": 20})
    assert found["moved"] == {"evaluations": 15, "subjects": 3}
    (move,) = found["moves"]
    assert move["before"] == {
        "value": True,
        "variant": "on",
        "reason": "DEFAULT",
        "why": "default",
        "rule": None,
        "errorCode": None,
    }
    assert move["after"]["rule"] == {"id": "beta", "name": "Beta testers"}
    assert (move["evaluations"], move["subjects"]) == (15, 3)
    assert sorted(each["targetingKey"] for each in move["examples"]) == ["u1", "u2", "u3"]
    assert move["examples"][0]["plan"] == "free"
    assert api.store.head() == head


def test_a_change_request_and_an_undo_can_be_looked_at(api: Management, usage: Usage) -> None:
    beta(api)
    declare(api, "plan")
    record(api, usage, [{"targetingKey": "u1", "plan": "free"}, {"targetingKey": "u2", "plan": "pro"}])
    body = {"title": "All of them", "commands": [EVERYBODY]}
    change = api.ask("POST", "/default/changes", body).json()["id"]
    (found,) = ask(api, {"change": change})["flags"]
    assert (found["moved"]["evaluations"], found["after"]) == (1, {"off": 2})
    position = api.ask("POST", "/default/commands", {"commands": [EVERYBODY]}).json()["position"]
    (found,) = ask(api, {"undo": position})["flags"]
    assert (found["before"], found["after"]) == ({"off": 2}, {"on": 1, "off": 1})
    refused(api.ask("POST", f"{ENVIRONMENT}/what-if", {"change": "nope"}), 404, "'nope'")


def test_what_hangs_on_an_attribute_that_was_not_recorded_is_undecided(api: Management, usage: Usage) -> None:
    beta(api)
    undeclared = api.store.head()
    declare(api, "country")
    record(api, usage, [{"targetingKey": "u1"}, {"targetingKey": "u2"}], position=undeclared)
    declare(api, "plan")
    record(api, usage, [{"targetingKey": "u1", "plan": "pro"}, {"targetingKey": "u3"}])
    (found,) = ask(api, {"commands": [EVERYBODY]})["flags"]
    assert found["undecided"] == {"evaluations": 2, "subjects": 2, "attributes": {"plan": 2}}
    assert (found["before"], found["after"]) == ({"off": 1, "on": 1}, {"off": 2})
    assert (found["subjects"], found["moved"]) == (3, {"evaluations": 1, "subjects": 1})


def test_who_has_a_pseudonym_is_not_put_into_a_bucket(api: Management, usage: Usage) -> None:
    api.flag()
    declare(api, "plan", pseudonymise=True)
    record(api, usage, [{"targetingKey": "0f" * 16, "plan": "pro"}])
    split = {"split": {"weights": {"on": 50_000, "off": 50_000}}}
    wish = {"command": "change_targeting", "flag": "checkout", "environment": "production"}
    targeting = {**OFF, "enabled": True, "default": split}
    (found,) = ask(api, {"commands": [{**wish, "targeting": targeting}]})["flags"]
    assert found["undecided"]["attributes"] == {"targetingKey": 1}
    rules = [{"id": "pro", "when": PRO, "serve": {"variant": "on"}}]
    (found,) = ask(api, {"commands": [{**wish, "targeting": {**targeting, "rules": rules}}]})["flags"]
    assert found["after"] == {"on": 1}


def test_the_sample_is_limited_and_says_so(api: Management, usage: Usage) -> None:
    beta(api)
    declare(api, "plan")
    record(api, usage, [{"targetingKey": f"u{n}", "plan": "free"} for n in range(PAGES * 1_000 + 1)])
    body = {"commands": [EVERYBODY], "limit": PAGES * 1_000}
    answer = api.ask("POST", f"{ENVIRONMENT}/what-if", body, Accept="application/x-ndjson")
    *progress, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["progress"]["read"] for each in progress] == [1_000, 2_000, 3_000, 3_000]
    assert progress[0]["progress"] == {
        "flag": "checkout",
        "number": 1,
        "flags": 1,
        "read": 1_000,
        "limit": PAGES * 1_000,
    }
    (found,) = last["answer"]["flags"]
    assert (found["evaluations"], found["complete"], found["moved"]["subjects"]) == (3_000, False, 3_000)
    assert found["oldest"] <= found["newest"] < last["answer"]["end"]
    (found,) = ask(api, {"commands": [EVERYBODY]})["flags"]
    assert (found["evaluations"], found["complete"]) == (3_001, True)
    (found,) = ask(api, {"commands": [EVERYBODY], "to": "2026-01-01T00:00:00Z"})["flags"]
    assert (found["evaluations"], found["oldest"], found["complete"]) == (0, None, True)


def test_flags_beyond_what_is_looked_at_are_named(api: Management, usage: Usage) -> None:
    beta(api)
    rules = {**OFF, "enabled": True, "rules": BETA}
    for n in range(52):
        api.flag(f"flag-{n:02}")
        api.ask("PUT", f"/default/flags/flag-{n:02}/environments/production", rules)
    api.flag("apart")
    found = ask(api, {"commands": [EVERYBODY]})
    assert [len(found["flags"]), found["left_out"]] == [50, ["flag-49", "flag-50", "flag-51"]]
    found = ask(api, {"commands": [EVERYBODY], "flags": ["flag-51", "apart"]})
    assert [each["flag"] for each in found["flags"]] == ["flag-51", "apart"]


def test_what_cannot_be_asked_says_why(api: Management, usage: Usage) -> None:
    beta(api)
    path = f"{ENVIRONMENT}/what-if"
    refused(api.ask("POST", path, {}), 422, "either 'commands', a 'change' or the position to 'undo'")
    refused(api.ask("POST", path, {"undo": 1, "change": "c"}), 422, "either")
    refused(api.ask("POST", path, {"undo": 10_000}), 404, "10000")
    archived = {"command": "archive_segment", "segment": "beta"}
    refused(api.ask("POST", path, {"commands": [archived]}), 409, "'beta'", "checkout")
    refused(api.ask("POST", path, {"commands": [EVERYBODY], "flags": ["none"]}), 404, "'none'")
    refused(api.ask("POST", path, {"commands": [EVERYBODY], "limit": 100_001}), 422, "limit")
    late = {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    refused(api.ask("POST", path, {"commands": [EVERYBODY], **late}), 422, "'from' and 'to'")
    nowhere = "/default/environments/qa/what-if"
    refused(api.ask("POST", nowhere, {"commands": [EVERYBODY]}), 404, "'qa'")


def test_each_part_of_a_targeting_has_its_share_and_what_serves_nobody_is_named(
    api: Management, usage: Usage
) -> None:
    beta(api)
    nobody = {"id": "nobody", "name": "Nobody", "when": {"any": []}, "serve": {"variant": "off"}}
    api.ask("PUT", TARGETING, {**OFF, "enabled": True, "rules": [*BETA, nobody]})
    undeclared = api.store.head()
    declare(api, "plan")
    asked = [{"targetingKey": f"u{n % 5}", "plan": "pro" if n % 5 < 2 else "free"} for n in range(10)]
    record(api, usage, asked)
    record(api, usage, [{"targetingKey": "u99"}], position=undeclared)
    found = api.ask("GET", f"{TARGETING}/reach").json()
    told = [(each["why"], each["variant"], each["evaluations"], each["subjects"]) for each in found["parts"]]
    assert told == [("default", "on", 6, 3), ("rule", "off", 4, 2)]
    assert found["parts"][1]["rule"] == {"id": "beta", "name": "Beta testers"}
    assert found["never"] == [{"id": "nobody", "name": "Nobody"}]
    assert (found["evaluations"], found["undecided"]["attributes"]) == (11, {"plan": 1})
    refused(api.ask("GET", "/default/flags/none/environments/production/reach"), 404, "'none'")


def test_recorded_contexts_can_be_searched(api: Management, usage: Usage) -> None:
    beta(api)
    undeclared = api.store.head()
    declare(api, "plan")
    asked = [{"targetingKey": f"u{n}", "plan": "pro" if n < 3 else "free"} for n in range(10)]
    record(api, usage, [*asked, asked[9], asked[9]])
    record(api, usage, [{"targetingKey": "u99"}], position=undeclared)
    api.ask("PATCH", "/default/flags/checkout", {"description": "of no matter"})
    culprit = api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}}).json()["position"]
    body = {"recorded": {}, "from": str(undeclared)}
    found = api.ask("POST", f"{TARGETING}/bisect", body).json()
    (change,) = found["changes"]
    assert change["entry"]["position"] == culprit
    assert (change["changed"], change["shares_before"], change["shares_after"]) == (
        9,
        {"off": 3, "on": 9},
        {"off": 12},
    )
    assert change["example"]["plan"] == "free"
    assert (found["evaluations"], found["complete"]) == (13, True)
    assert found["undecided"] == {"evaluations": 1, "subjects": 1, "attributes": {"plan": 1}}
    limited = api.ask("POST", f"{TARGETING}/bisect", {**body, "recorded": {"limit": 5}}).json()
    assert (limited["evaluations"], limited["complete"]) == (5, False)
    both: dict[str, Any] = {"recorded": {}, "contexts": [{}]}
    refused(api.ask("POST", f"{TARGETING}/bisect", both), 422, "either 'contexts' or those 'recorded'")


def test_the_command_line_tells_it_too(
    api: Management, usage: Usage, run: CommandLine, tmp_path: Path
) -> None:
    beta(api)
    declare(api, "plan")
    start = api.store.head()
    asked = [{"targetingKey": f"u{n}", "plan": "free" if n else "pro"} for n in range(4)]
    record(api, usage, asked)
    file = tmp_path / "beta.json"
    file.write_text(json.dumps(EVERYBODY["definition"]))
    told = run("what-if", str(file), "--segment", "beta")
    lines = [" ".join(line.split()) for line in told.lines()]
    assert lines[1] == "checkout: 3 of 4 subjects move, 3 of 4 evaluations"
    assert lines[3].startswith('on (default) off (rule Beta testers) 3 3 {"plan": "free", "targetingKey": "u')
    assert lines[4:6] == ["before: off 25 %, on 75 %", "after: off 100 %"]
    answer = json.loads(run("what-if", str(file), "--segment", "beta", "--json").out)
    assert answer["flags"] == ask(api, {"commands": [EVERYBODY], "to": answer["end"]})["flags"]
    api.ask("PUT", "/default/segments/beta", EVERYBODY["definition"], X_Reason="oops")
    told = run("bisect", "checkout", "--recorded", "--from", str(start))
    assert "    3 of 4 answers changed" in told.lines()
    assert "    the first of them: on (default) → off (rule beta)" in told.lines()


def test_tables_that_are_away_are_told_in_the_last_line(api: Management, usage: Usage) -> None:
    beta(api)
    usage.dynamodb.delete_table(TableName=usage.records_table)
    body = {"commands": [EVERYBODY]}
    refused(api.ask("POST", f"{ENVIRONMENT}/what-if", body), 503, "cannot be reached")
    answer = api.ask("POST", f"{ENVIRONMENT}/what-if", body, Accept="application/x-ndjson")
    (line,) = answer.text.splitlines()
    assert json.loads(line)["problem"]["status"] == 503
