"""The events behind what is, and behind a change of answers: as a look at every position finds them."""

import random
from typing import Any

import pytest

from domain.envelope import Stream, flag_stream
from domain.evaluation import evaluate
from domain.flag import Flag, evolve
from projections.influences import Influences
from projections.origins import blame, turns
from projections.recorded_contexts import Asked
from tests.faults.history import PureLog
from tests.faults.random_commands import CONTEXTS, ENVIRONMENTS, RandomCommands
from tests.integration.management import OFF, Management, refused

ACTS = 120
ALL_READ = 1_000_000
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
PATH = "/default/flags/checkout/environments/production"


def random_history(api: Management, seed: int) -> RandomCommands:
    commands = RandomCommands(api.store, random.Random(seed), per_second=0)  # noqa: S311 - a test's
    commands.begin()
    for _ in range(ACTS):
        commands.act()
    return commands


def part_of(flag: Flag, environment: str, what: str, name: str) -> Any:
    targeting = flag.targeting(environment)
    match what:
        case "rule":
            return next((rule for rule in targeting.rules if rule.id == name), None)
        case "rule_order":
            return tuple(rule.name or rule.id for rule in targeting.rules)
        case "variant":
            return flag.variants.get(name)
        case "switch":
            return targeting.enabled
        case _:
            return getattr(targeting, what)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_the_event_that_is_blamed_the_part_is_another(api: Management, seed: int) -> None:
    checked = 0
    for key in random_history(api, seed).flags:
        history = api.store.load(flag_stream("default", key))
        for environment in ENVIRONMENTS:
            for part in blame(history, environment):
                state: Any = None
                if part.recorded.version == 1:
                    continue  # without it there is no flag
                try:
                    for recorded in history:
                        if recorded is not part.recorded:
                            state = evolve(state, recorded.event)  # type: ignore[arg-type]
                except StopIteration:
                    continue  # a later rule stands behind the one that this event made
                assert part_of(state, environment, part.what, part.name) != part.value
                checked += 1
    assert checked > 30


def test_every_part_of_a_targeting_has_its_event(api: Management) -> None:
    made = api.flag().json()["position"]
    rules = [{"id": name, "name": name, "when": PRO, "serve": {"variant": "on"}} for name in ("a", "b")]
    added = api.ask("PUT", PATH, {**OFF, "rules": rules}, X_Reason="testers").json()["position"]
    rules[1]["serve"] = {"variant": "off"}
    changed = api.ask("PUT", PATH, {**OFF, "rules": rules}).json()["position"]
    turned = api.ask("POST", f"{PATH}/on").json()["position"]
    found = api.ask("GET", f"{PATH}/blame").json()
    by_part = {(each["what"], each["name"]): each["entry"] for each in found["parts"]}
    assert {part: entry["position"] for part, entry in by_part.items()} == {
        ("switch", ""): turned,
        ("off_variant", ""): made,
        ("default", ""): made,
        ("prerequisites", ""): made,
        ("targets", ""): made,
        ("rule", "a"): added - 1,
        ("rule", "b"): changed,
        ("rule_order", ""): made,
        ("variant", "on"): made,
        ("variant", "off"): made,
    }
    assert by_part["rule", "a"]["reason"] == "testers"
    assert by_part["rule", "b"]["sentences"] == ["rule *b* now serves *off* (before: *on*) in production"]
    then = api.ask("GET", f"{PATH}/blame?at={added}").json()
    assert {each["name"]: each["entry"]["position"] for each in then["parts"]}["b"] == added
    refused(api.ask("GET", "/default/flags/none/environments/production/blame"), 404, "'none'")
    refused(api.ask("GET", "/default/flags/checkout/environments/qa/blame"), 404, "'qa'")


@pytest.mark.parametrize("seed", [4, 5])
def test_answers_turn_where_a_look_at_every_position_says_so(api: Management, seed: int) -> None:
    commands = random_history(api, seed)
    log = PureLog(api.store.read(after=0, limit=ALL_READ))
    window = log.positions[len(log.positions) // 3], log.positions[-20]
    found_any = 0
    for key in commands.flags:
        for environment in ENVIRONMENTS:
            influences = Influences(api.store, "default", key, environment, window[1])
            turned = turns(influences, [Asked(each) for each in CONTEXTS], after=window[0])
            found = {each.influence.recorded.position for each in turned}
            assert found == changes(log, key, f"default/{environment}", window)
            found_any += len(found)
    assert found_any > 20


def changes(log: PureLog, key: str, scope: str, window: tuple[int, int]) -> set[int]:
    found, before = set[int](), None
    for position, state in zip(log.positions, log.states, strict=True):
        ruleset = state.environments.get(scope)
        if ruleset is None or position > window[1]:
            continue
        answers = [evaluate(ruleset, key, context) for context in CONTEXTS]
        told = [(repr(each.value), each.variant, each.reason, each.error_code) for each in answers]
        if before is not None and told != before and position > window[0]:
            found.add(position)
        before = told
    return found


def test_the_event_that_changed_an_answer_is_found_though_nobody_touched_the_flag(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    rules = [{"id": "beta", "when": {"segment": "beta"}, "serve": {"variant": "off"}}]
    before = api.ask("PUT", PATH, {**OFF, "enabled": True, "rules": rules}).json()["position"]
    api.ask("PATCH", "/default/flags/checkout", {"description": "of no matter"})
    culprit = api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}}, X_Reason="oops").json()
    api.ask("PATCH", "/default/flags/checkout", {"owner": "ana"})
    body = {"contexts": [{"plan": "pro"}, {"plan": "free"}, {}], "from": str(before)}
    found = api.ask("POST", f"{PATH}/bisect", body).json()
    (change,) = found["changes"]
    assert (change["entry"]["position"], change["entry"]["reason"]) == (culprit["position"], "oops")
    assert (change["changed"], change["shares_before"], change["shares_after"]) == (
        2,
        {"off": 1, "on": 2},
        {"off": 3},
    )
    assert (change["before"]["variant"], change["after"]["variant"]) == ("on", "off")
    assert change["after"]["reason"] == "TARGETING_MATCH"
    ended = api.ask("POST", f"{PATH}/bisect", {**body, "to": str(culprit["position"] - 1)}).json()
    assert (ended["changes"], ended["end"]) == ([], culprit["position"] - 1)
    whole = api.ask("POST", f"{PATH}/bisect", {"contexts": [{}]}).json()
    assert whole["start"] == 0
    assert [each["entry"]["event"] for each in whole["changes"]][-1] == "FlagCreated"


def test_what_cannot_be_searched_says_why(api: Management) -> None:
    api.flag()
    refused(api.ask("POST", f"{PATH}/bisect", {"contexts": []}), 422, "contexts")
    refused(api.ask("POST", f"{PATH}/bisect", {"contexts": [{}], "from": "soon"}), 422, "not 'soon'")
    refused(
        api.ask("POST", "/default/flags/checkout/environments/qa/bisect", {"contexts": [{}]}), 404, "'qa'"
    )
    nowhere = "/default/flags/none/environments/production/bisect"
    refused(api.ask("POST", nowhere, {"contexts": [{}]}), 404, "'none'")
    assert blame(api.store.load(Stream("flag", "default", "none")), "production") == []
