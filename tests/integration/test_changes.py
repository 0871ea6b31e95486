"""Change requests over HTTP: proposed by one person, approved by another, applied whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from api.management.access import Authenticator
from domain.change_events import ChangeApplied
from domain.envelope import change_stream
from domain.roles import EVERY, Grant, Principal, Role
from tests.integration.management import ADMIN, BOOLEAN, OFF, Management, refused

ON = {"command": "turn_flag_on", "flag": "checkout", "environment": "production"}
DIRECTLY = "/default/flags/checkout/environments/production"


class Named:
    """Whoever says their name is believed."""

    def __init__(self, **grants: Grant) -> None:
        self._grants = grants

    def principal(self, credential: str) -> Principal | None:
        return Principal(credential, (self._grants[credential],)) if credential in self._grants else None


APPROVER = Grant(role=Role.APPROVER, project=EVERY)
PEOPLE = Named(
    ana=APPROVER,
    bob=APPROVER,
    eva=APPROVER,
    editor=Grant(role=Role.EDITOR, project=EVERY),
    stager=Grant(role=Role.APPROVER, project=EVERY, environment="staging"),
)


@dataclass
class Office:
    """A project in which production takes changes only with one approval."""

    api: Management

    def propose(self, *commands: dict[str, Any], by: str = "ana", **more: Any) -> Response:
        body = {"title": "Launch", "commands": commands or (ON,), **more}
        return self.api.ask("POST", "/default/changes", body, X_API_Key=by)

    def proposed(self, *commands: dict[str, Any], **more: Any) -> str:
        answer = self.propose(*commands, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def do(self, what: str, change: str, by: str, body: Any = None, **headers: str) -> Response:
        return self.api.ask("POST", f"/default/changes/{change}/{what}", body, X_API_Key=by, **headers)

    def get(self, change: str) -> Any:
        return self.api.ask("GET", f"/default/changes/{change}", X_API_Key="ana").json()

    def targeting(self, environment: str = "production") -> Any:
        return self.api.ask("GET", f"/default/flags/checkout/environments/{environment}").json()

    def approvals(self, number: int) -> None:
        self.api.ask("PATCH", "/default/environments/production", {"approvals": number})


@pytest.fixture
def office(api: Management) -> Office:
    people: tuple[Authenticator, ...] = (*api.parts.authenticators, PEOPLE)
    api.client.app.state.parts = replace(api.parts, authenticators=people)  # type: ignore[attr-defined]
    api.flag()
    office = Office(api)
    office.approvals(1)
    return office


def test_four_eyes(office: Office) -> None:
    refused(office.api.ask("POST", f"{DIRECTLY}/on", X_API_Key="ana"), 403, "/changes")
    answer = office.propose()
    change = answer.json()["id"]
    assert (answer.status_code, answer.json()["status"]) == (201, "proposed")
    assert (answer.json()["author"], answer.json()["required"]) == ("ana", 1)
    refused(office.do("apply", change, "ana"), 403, "needs 1 approval", "has 0")
    refused(office.do("approve", change, "ana"), 403, "somebody else")
    refused(office.do("approve", change, "editor"), 403, "'editor'", "approve")
    approved = office.do("approve", change, "bob", {"comment": "go"}).json()
    assert approved["status"] == "approved"
    assert [(each["by"], each["comment"]) for each in approved["approvals"]] == [("bob", "go")]
    assert office.targeting()["enabled"] is False
    applied = office.do("apply", change, "ana", X_Reason="launch day").json()
    assert (applied["status"], applied["outcome"]["by"]) == ("applied", "ana")
    assert office.targeting()["enabled"] is True
    refused(office.do("apply", change, "bob"), 409, "was applied by ana")
    refused(office.do("approve", change, "eva"), 409, "was applied by ana")


def test_where_nobody_has_to_approve_it_is_applied_by_its_author(office: Office) -> None:
    change = office.proposed({**ON, "environment": "staging"})
    assert office.get(change)["status"] == "approved"
    assert office.do("apply", change, "ana").status_code == 200
    assert office.targeting("staging")["enabled"] is True


def test_the_strictest_environment_counts_and_is_asked_again(office: Office) -> None:
    office.approvals(2)
    everywhere = {"command": "put_variant", "flag": "checkout", "name": "maybe", "value": True}
    change = office.proposed(everywhere, {**ON, "environment": "staging"})
    assert office.get(change)["required"] == 2
    for person in ("bob", "bob"):
        assert office.do("approve", change, person).json()["status"] == "proposed"
    refused(office.do("apply", change, "ana"), 403, "needs 2", "has 1")
    assert office.do("approve", change, "eva").json()["status"] == "approved"
    office.approvals(3)
    refused(office.do("apply", change, "ana"), 403, "needs 3", "has 2")
    office.approvals(1)
    assert office.do("apply", change, "ana").status_code == 200


def test_what_does_nothing_today_may_need_approval_tomorrow(office: Office) -> None:
    """A proposal to turn off what is off needs none, but must not be a way to turn it off later."""
    change = office.proposed({**ON, "command": "turn_flag_off"})
    assert office.get(change)["required"] == 0
    other = office.proposed()
    office.do("approve", other, "bob")
    office.do("apply", other, "ana")
    refused(office.do("apply", change, "ana"), 409, "FlagTurnedOn", "rebase")
    assert office.do("rebase", change, "ana").json()["status"] == "proposed"
    refused(office.do("apply", change, "ana"), 403, "needs 1")


def test_the_diff_shows_what_it_would_do(office: Office) -> None:
    segment = {"condition": {"constant": True}, "name": "Beta"}
    made = {"key": "new", "type": "boolean", "variants": BOOLEAN}
    change = office.proposed(
        ON,
        {"command": "put_segment", "segment": "beta", "definition": segment},
        {"command": "create_flag", "definition": made},
        {"command": "turn_flag_on", "flag": "new", "environment": "staging"},
        {"command": "change_flag", "flag": "checkout", "details": {"owner": "ana"}},
    )
    on, beta, new, staged, owner = office.get(change)["effects"]
    assert [(each["event"], each["key"]) for each in on["events"]] == [("FlagTurnedOn", "checkout")]
    assert (on["before"]["enabled"], on["after"]["enabled"]) == (False, True)
    assert (on["sentences"], owner["sentences"]) == (["was turned on in production"], ["owner is now “ana”"])
    assert office.get(change)["about"][1:3] == [
        {"command": "put_segment", "key": "beta", "environment": ""},
        {"command": "create_flag", "key": "new", "environment": ""},
    ]
    assert (beta["before"], beta["after"]["name"], beta["kind"]) == (None, "Beta", "segment")
    assert (new["before"], new["after"]["variants"]) == (None, BOOLEAN)
    assert (staged["before"]["enabled"], staged["after"]["enabled"]) == (False, True)
    assert (owner["before"]["owner"], owner["after"]["owner"]) == ("", "ana")
    assert office.get(change)["commands"][0] == ON
    office.do("withdraw", change, "ana")
    assert (office.get(change)["effects"], office.get(change)["status"]) == ([], "withdrawn")


def test_a_conflict_is_shown_and_refused_until_it_is_accepted(office: Office) -> None:
    office.approvals(0)
    change = office.proposed({"command": "change_targeting", **_wish("staging")})
    office.api.ask("POST", f"{DIRECTLY}/on")
    office.api.ask("PATCH", "/default/flags/checkout", {"owner": "bob"})
    assert office.get(change)["conflicts"] == []
    path = DIRECTLY.replace("production", "staging")
    office.api.ask("POST", f"{path}/on", X_API_Key="bob", X_Reason="mine")
    (conflict,) = office.get(change)["conflicts"]
    assert (conflict["event"], conflict["by"], conflict["reason"]) == ("FlagTurnedOn", "bob", "mine")
    assert conflict["sentences"] == ["was turned on in staging"]
    for what in ("apply", "approve"):
        refused(office.do(what, change, "eva"), 409, "FlagTurnedOn of flag 'checkout' by bob at", "rebase")
    assert office.do("rebase", change, "ana").json()["status"] == "approved"
    assert office.get(change)["conflicts"] == []
    assert office.do("apply", change, "ana").status_code == 200
    assert office.targeting("staging")["enabled"] is False


def _wish(environment: str) -> dict[str, Any]:
    targeting = {**OFF, "default": {"variant": "off"}}
    return {"flag": "checkout", "environment": environment, "targeting": targeting}


def test_a_rebase_takes_approvals_back(office: Office) -> None:
    change, other = office.proposed({"command": "change_targeting", **_wish("production")}), office.proposed()
    for each in (change, other):
        office.do("approve", each, "bob")
    office.do("apply", other, "ana")
    refused(office.do("apply", change, "ana"), 409, "FlagTurnedOn")
    rebased = office.do("rebase", change, "ana").json()
    assert (rebased["status"], rebased["approvals"]) == ("proposed", [])
    refused(office.do("apply", change, "ana"), 403, "has 0")
    office.do("approve", change, "bob")
    assert office.do("apply", change, "ana").status_code == 200


def test_what_is_about_the_whole_flag_conflicts_with_everything_but_details(office: Office) -> None:
    office.approvals(0)
    archive = office.proposed({"command": "archive_flag", "flag": "checkout"})
    owner = office.proposed({"command": "change_flag", "flag": "checkout", "details": {"owner": "ana"}})
    create = office.proposed(
        {"command": "create_flag", "definition": {"key": "new", "type": "boolean", "variants": BOOLEAN}}
    )
    office.api.ask("PATCH", "/default/flags/checkout", {"owner": "bob"})
    office.api.ask("POST", f"{DIRECTLY}/on")
    office.api.flag("new")

    def events(change: str) -> list[str]:
        return [each["event"] for each in office.get(change)["conflicts"]]

    assert events(archive) == ["FlagDetailsChanged", "FlagTurnedOn"]
    assert events(owner) == ["FlagDetailsChanged"]
    assert events(create) == ["FlagCreated"]
    (effect,) = office.get(create)["effects"]
    assert "exists already" in effect["refusal"]


def test_an_applied_change_says_what_it_did_whatever_came_later(office: Office) -> None:
    office.approvals(0)
    segment = {"condition": {"constant": True}, "name": "Beta"}
    change = office.proposed(
        ON,
        {"command": "turn_flag_off", "flag": "checkout", "environment": "production"},
        {"command": "turn_flag_on", "flag": "checkout", "environment": "staging"},
        {"command": "put_segment", "segment": "beta", "definition": segment},
    )
    assert office.get(change)["done"] == []
    office.do("apply", change, "ana")
    office.api.ask("POST", f"{DIRECTLY}/on")
    assert office.get(change)["done"] == [
        {"kind": "flag", "key": "checkout", "sentences": ["was turned on in staging"]},
        {"kind": "segment", "key": "beta", "sentences": ["segment *beta* was made: always"]},
    ]


def test_nothing_is_half_applied(office: Office) -> None:
    office.approvals(0)
    office.api.flag("other")
    change = office.proposed(ON, {**ON, "flag": "other"})
    head = office.api.store.head()
    office.api.ask("DELETE", "/default/flags/other")
    refused(office.do("apply", change, "ana"), 409, "FlagArchived")
    office.do("rebase", change, "ana")
    assert office.api.store.head() == head + 1
    refused(office.do("rebase", change, "ana"), 422, "'other' is archived")
    assert office.targeting()["enabled"] is False
    assert office.get(change)["status"] == "approved"


def test_what_is_not_possible_is_not_proposed(office: Office) -> None:
    refused(office.propose({**ON, "environment": "qa"}), 404, "'qa'")
    refused(office.propose({**ON, "flag": "none"}), 404, "'none'")
    refused(office.propose({"command": "issue_key"}), 422, "create_flag")
    refused(office.api.ask("POST", "/default/changes", {"title": "", "commands": []}), 422, "title")
    refused(office.api.ask("POST", "/none/changes", {"title": "x", "commands": [ON]}), 404, "'none'")


@pytest.mark.parametrize("time", ["2027-01-31T09:00:00", "2027-01-31", 1800000000, "1800000000", "soon"])
def test_times_are_rfc_3339_with_an_offset(office: Office, time: object) -> None:
    refused(office.propose(apply_at=time), 422, "apply_at")


def test_a_time_is_ahead_by_postgresqls_clock(office: Office) -> None:
    past = (office.api.store.now() - timedelta(seconds=1)).isoformat()
    refused(office.propose(apply_at=past), 422, "has passed", "clock of PostgreSQL")
    refused(office.propose(apply_at="9999-12-31T23:59:59-23:59"), 422, "ahead")
    refused(office.propose(apply_at="0001-01-01T00:00:00+23:59"), 422, "passed")


def test_an_approved_change_is_scheduled_put_off_and_stopped(office: Office) -> None:
    at = (office.api.store.now() + timedelta(hours=1)).isoformat()
    change = office.proposed(apply_at=at)
    assert office.do("approve", change, "bob").json()["status"] == "scheduled"
    later = (office.api.store.now() + timedelta(hours=2)).isoformat()
    put_off = office.do("schedule", change, "ana", {"apply_at": later}).json()
    assert put_off["apply_at"] != at
    refused(office.do("withdraw", change, "bob"), 403, "only ana")
    refused(office.do("reject", change, "ana"), 403, "withdraw")
    stopped = office.do("reject", change, "eva", {"comment": "not today"}).json()
    assert (stopped["status"], stopped["outcome"]["comment"]) == ("rejected", "not today")
    refused(office.do("schedule", change, "ana", {"apply_at": later}), 409, "rejected by eva")
    other = office.proposed()
    refused(office.do("schedule", other, "ana", {"apply_at": later}), 403, "needs 1")


def test_who_may_is_asked_for_every_environment(office: Office) -> None:
    refused(office.propose(by="stager"), 403, "production")
    office.approvals(0)
    staged = office.proposed({**ON, "environment": "staging"}, by="stager")
    assert office.do("apply", staged, "stager").status_code == 200
    change = office.proposed()
    for what in ("approve", "reject", "withdraw", "rebase", "apply"):
        refused(office.do(what, change, "stager"), 403, "production")
    refused(office.do("apply", "none", "ana"), 404, "'none'")
    refused(office.do("apply", "no%20ne", "ana"), 422, "change")


def test_requests_are_repeated_and_versions_insisted_on(office: Office) -> None:
    body = {"title": "Launch", "commands": [ON]}
    first, again = (
        office.api.ask("POST", "/default/changes", body, X_API_Key="ana", Idempotency_Key="k") for _ in "12"
    )
    assert first.json() == again.json()
    change, etag = first.json()["id"], first.headers["etag"]
    assert office.do("approve", change, "bob", If_Match=etag, Idempotency_Key="k").status_code == 200
    refused(office.do("apply", change, "ana", If_Match=etag), 412, "version 2 now, not 1")
    applied = [office.do("apply", change, "ana", Idempotency_Key="a") for _ in "12"]
    assert applied[0].json() == applied[1].json()


def test_of_32_at_once_one_applies_it(office: Office) -> None:
    change = office.proposed()
    office.do("approve", change, "bob")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: office.do("apply", change, "ana").status_code, range(32)))
    assert sorted(answers) == [200] + [409] * 31
    events = [each.event for each in office.api.store.load(change_stream("default", change))]
    assert sum(isinstance(event, ChangeApplied) for event in events) == 1


def test_changes_are_listed_by_status(office: Office) -> None:
    one, other = office.proposed(), office.proposed(title="Another")
    office.do("approve", one, "bob")
    office.api.catch_up()

    def listed(query: str) -> set[str]:
        page = office.api.ask("GET", f"/default/changes?{query}").json()
        return {each["id"] for each in page["changes"]}

    assert listed("") == {one, other}
    assert (listed("status=approved"), listed("status=proposed")) == ({one}, {other})
    assert listed("status=approved&status=proposed") == {one, other}
    assert (listed("search=another"), listed("owner=ana")) == ({other}, {one, other})
    page = office.api.ask("GET", "/default/changes?sort=created&limit=1").json()
    assert listed(f"sort=created&after={page['next']}") == {other}
    refused(office.api.ask("GET", "/default/changes?status=done"), 422, "status")
    history = office.api.ask("GET", "/default/history?kind=change").json()["entries"]
    assert {each["event"] for each in history} == {"ChangeProposed", "ChangeApproved"}
    assert office.api.ask("GET", "/default/changes", X_API_Key=ADMIN).status_code == 200
