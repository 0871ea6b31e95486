"""Taking back what happened: an undo of an undo leaves nothing changed, and nobody's later work is lost."""

import random
from typing import Any

import pytest

from commands.undoing import undo_event
from domain.aggregates import fold_all
from domain.differences import Difference, differences
from domain.envelope import Stamp, Stream
from domain.errors import Refused
from tests.faults.random_commands import RandomCommands
from tests.integration.management import OFF, Management, refused
from tests.integration.shop import STAMP

ALL_READ = 1_000_000
PATH = "/default/flags/checkout/environments/production"
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}


def rule(name: str, variant: str = "on") -> dict[str, Any]:
    return {"id": name, "name": name, "when": PRO, "serve": {"variant": variant}}


def targeting(*names: str, **more: Any) -> dict[str, Any]:
    return {**OFF, "enabled": True, "rules": [rule(name) for name in names], **more}


def state(api: Management, stream: Stream) -> Any:
    folded = fold_all(api.store.load(stream))
    assert folded is not None
    return folded.state


def different(one: Any, other: Any) -> tuple[Difference, ...]:
    return differences(one, other)


def undo(api: Management, position: int, **more: Any) -> Any:
    return api.ask("POST", "/default/undo", {"position": position, **more})


def rules_now(api: Management) -> list[str]:
    return [each["id"] for each in api.ask("GET", PATH).json()["rules"]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_undoing_the_undoing_gives_the_state_back(api: Management, seed: int) -> None:
    commands = RandomCommands(api.store, random.Random(seed), per_second=0)  # noqa: S311 - a test's
    commands.begin()
    done = 0
    for _ in range(60):
        commands.act()
        last = api.store.read(after=api.store.head() - 1, limit=1)[0]
        if last.stream.kind not in {"flag", "segment"}:
            continue
        before = state(api, last.stream)
        earlier = fold_all(api.store.load(last.stream, until=last.position - 1))
        try:
            found = undo_event(api.store, "default", last.position)
            assert found.clashes == ()
            api.parts.commands.execute_all(found.commands, STAMP, standing=found.versions)
        except Refused:  # an archived segment, or what is in use elsewhere by now
            continue
        undone = state(api, last.stream)
        if earlier is not None:
            assert different(earlier.state, undone) == ()
        assert api.store.head() == last.position + 1
        again = undo_event(api.store, "default", last.position + 1)
        api.parts.commands.execute_all(again.commands, STAMP)
        assert different(state(api, last.stream), before) == ()
        done += 1
    assert done > 20


def test_each_part_of_a_targeting_is_taken_back_where_nobody_touched_it_since(api: Management) -> None:
    api.flag()
    api.ask("PUT", PATH, targeting("a", "b", "c"))
    removed = api.ask("PUT", PATH, targeting("a", "c")).json()["position"]
    api.ask("PUT", PATH, targeting("a", "new", "c"))
    answer = undo(api, removed, preview=True).json()
    assert answer["things"][0]["sentences"] == ["new rule *b*: if plan is pro, serve *on* in production"]
    assert answer["changed"] == []
    assert rules_now(api) == ["a", "new", "c"]
    assert undo(api, removed).json()["changed"][0]["key"] == "checkout"
    assert rules_now(api) == ["a", "b", "new", "c"]
    moved = api.ask("PUT", PATH, targeting("c", "a", "b", "new")).json()["position"]
    assert undo(api, moved).status_code == 200
    assert rules_now(api) == ["a", "b", "new", "c"]
    assert undo(api, removed).json()["things"] == []


def test_a_conflict_is_shown_with_the_later_events_and_nothing_is_lost(api: Management) -> None:
    api.flag()
    api.ask("PUT", PATH, targeting("a"))
    first = api.ask("PUT", PATH, targeting("a", default={"variant": "off"})).json()["position"]
    api.ask("PUT", PATH, targeting("a", default={"code_default": True}), X_Reason="better so")
    later = api.store.head()
    shown = undo(api, first, preview=True).json()
    (conflict,) = shown["conflicts"]
    assert [each["position"] for each in conflict["later"]] == [later]
    assert conflict["later"][0]["reason"] == "better so"
    refused(undo(api, first), 409, f"{later} by administrator", "partial")
    assert api.store.head() == later
    assert undo(api, first, partial=True).json()["changed"] == []
    assert undo(api, later).status_code == 200
    assert undo(api, first).status_code == 200
    assert api.ask("GET", PATH).json()["default"] == {"variant": "on"}


def test_flags_details_variants_and_segments_are_taken_back(api: Management) -> None:
    made = api.flag(description="first").json()["position"]
    path = "/default/flags/checkout"
    said = api.ask("PATCH", path, {"description": "second", "tags": ["web"]}).json()["position"]
    api.ask("PATCH", path, {"tags": ["web", "home"]})
    partly = undo(api, said, partial=True).json()
    assert partly["things"][0]["sentences"] == ["description is now “first”"]
    assert api.ask("GET", path).json()["tags"] == ["web", "home"]
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    widened = api.ask("PUT", "/default/segments/beta", {"condition": {"all": []}}).json()["position"]
    undo(api, widened)
    assert api.ask("GET", "/default/segments/beta").json()["condition"]["attribute"] == "plan"
    assert undo(api, made).status_code == 200
    assert api.ask("GET", path).json()["archived"] is True
    archived = api.store.head()
    assert undo(api, archived).status_code == 200
    assert api.ask("GET", path).json()["archived"] is False


def test_a_project_is_taken_back_by_its_administrators_only_as_far_as_there_is_a_way(api: Management) -> None:
    renamed = api.ask("PATCH", "/default", {"name": "Shop"}).json()["position"]
    assert undo(api, renamed).status_code == 200
    assert api.ask("GET", "/default").json()["name"] != "Shop"
    approvals = api.ask("PATCH", "/default/environments/qa", {"approvals": 1})
    assert approvals.status_code == 404
    made = api.ask("POST", "/default/environments", {"key": "qa", "name": "Tests"}).json()["position"]
    refused(undo(api, made), 422, "cannot be taken away again")
    api.ask("PATCH", "/default/environments/qa", {"approvals": 1})
    assert undo(api, api.store.head()).status_code == 200
    body = {"position": renamed, "propose": {"title": "no"}}
    api.ask("PATCH", "/default", {"name": "Other"})
    body["position"] = api.store.head()
    refused(api.ask("POST", "/default/undo", body), 422, "cannot be in a change request")


def test_a_whole_change_request_is_taken_back(api: Management) -> None:
    for key in ("checkout", "other"):
        api.flag(key)
    commands = [
        {"command": "turn_flag_on", "flag": "checkout", "environment": "production"},
        {"command": "turn_flag_on", "flag": "other", "environment": "staging"},
        {"command": "change_flag", "flag": "other", "details": {"owner": "ana"}},
    ]
    change = api.ask("POST", "/default/changes", {"title": "Go", "commands": commands}).json()["id"]
    refused(api.ask("POST", "/default/undo", {"change": change}), 404, "that was applied")
    api.ask("POST", f"/default/changes/{change}/apply")
    before = {each: state(api, Stream("flag", "default", each)) for each in ("checkout", "other")}
    answer = api.ask("POST", "/default/undo", {"change": change}, X_Reason="too early").json()
    assert sorted(each["key"] for each in answer["things"]) == ["checkout", "other"]
    assert api.ask("GET", PATH).json()["enabled"] is False
    assert before["other"].owner == "ana"
    assert api.ask("GET", "/default/flags/other").json()["owner"] == ""


def test_an_undo_can_be_a_change_request(api: Management) -> None:
    api.flag()
    position = api.ask("PUT", PATH, targeting("a")).json()["position"]
    answer = undo(api, position, propose={"title": "Take it back"}).json()
    assert rules_now(api) == ["a"]
    assert api.ask("POST", f"/default/changes/{answer['change']['id']}/apply").status_code == 200
    assert rules_now(api) == []


def test_an_undo_sent_again_is_told_what_it_changed_whatever_came_since(api: Management) -> None:
    api.flag()
    position = api.ask("PUT", PATH, targeting("a")).json()["position"]
    path, body, once = "/default/undo", {"position": position}, {"Idempotency_Key": "k1"}
    first = api.ask("POST", path, body, **once).json()
    assert first["changed"][0]["position"] == api.store.head()
    assert api.ask("POST", path, body, **once).json()["changed"] == first["changed"]
    api.ask("PUT", PATH, targeting("a", default={"variant": "off"}))  # by now it would be a conflict
    head = api.store.head()
    again = api.ask("POST", path, body, **once)
    assert (again.status_code, again.json()["changed"]) == (200, first["changed"])
    refused(api.ask("POST", path, {"position": head}, **once), 422, "another request")
    assert api.ask("POST", path, {"position": head, "preview": True}, **once).json()["changed"] == []
    proposal = {"position": head, "propose": {"title": "Take it back"}}
    made = api.ask("POST", path, proposal, Idempotency_Key="k2").json()["change"]
    assert api.ask("POST", path, proposal, Idempotency_Key="k2").json()["change"] == made
    assert api.store.head() == head + 1


def test_an_undo_that_found_nothing_to_do_does_nothing_when_it_is_sent_again(api: Management) -> None:
    api.flag()
    position = api.ask("PUT", PATH, targeting("a")).json()["position"]
    undo(api, position)
    once = {"Idempotency_Key": "k1"}
    assert api.ask("POST", "/default/undo", {"position": position}, **once).json()["changed"] == []
    api.ask("PUT", PATH, targeting("a"))
    head = api.store.head()
    assert api.ask("POST", "/default/undo", {"position": position}, **once).json()["changed"] == []
    assert api.store.head() == head


def test_what_is_undone_is_what_was_looked_at(api: Management) -> None:
    """Somebody else changes the flag between the look and the undo."""
    api.flag()
    position = api.ask("PUT", PATH, targeting("a")).json()["position"]
    found = undo_event(api.store, "default", position)
    api.ask("PUT", PATH, targeting("a", "b"))
    with pytest.raises(Refused, match="read it again"):
        api.parts.commands.execute_all(found.commands, Stamp("ana", STAMP.at), standing=found.versions)


def test_what_cannot_be_undone_says_why(api: Management) -> None:
    api.flag()
    refused(undo(api, 99_999), 404, "no event at position 99999")
    refused(api.ask("POST", "/default/undo", {}), 422, "either the 'position'")
    refused(api.ask("POST", "/default/undo", {"position": 3, "change": "c"}), 422, "either the 'position'")
    key = api.ask("POST", "/default/environments/production/keys", {"name": "web", "kind": "client"})
    refused(undo(api, key.json()["position"]), 422, "is about a key")
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    archived = api.ask("DELETE", "/default/segments/beta").json()["position"]
    refused(undo(api, archived), 422, "do not come back")
    refused(undo(api, 1), 422, "cannot be taken away")
