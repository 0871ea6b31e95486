"""Changes that are reviewed by others, with browsers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import HOSTILE, NARROW, RIGHT_TO_LEFT, Visitor

ON = {"command": "turn_flag_on", "flag": "checkout", "environment": "production"}


@pytest.fixture
def project(site: Site) -> str:
    """Production takes changes with one approval."""
    found = site.project()
    site.flag(found)
    site.give("PATCH", f"/projects/{found}/environments/production", {"approvals": 1})
    return found


def proposed(site: Site, project: str, *commands: Any, key: str = "", **more: Any) -> Any:
    body = {"title": "Launch in Brazil", "commands": commands or (ON,), **more}
    change = site.give("POST", f"/projects/{project}/changes", body, key=key)
    site.seen(project, change["position"])
    return change


def change_of(site: Site, project: str, change: Any) -> Any:
    return site.give("GET", f"/projects/{project}/changes/{change['id']}")


def act(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("button", name=name, exact=True).click()


def box(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog")


def agree(visitor: Visitor, name: str) -> None:
    """To what the box asks."""
    box(visitor).get_by_role("button", name=name, exact=True).click()
    expect(box(visitor)).to_have_count(0)


def status(visitor: Visitor, text: str) -> None:
    expect(visitor.page.locator(".status")).to_have_text(text)


def open_one(visitor: Visitor, project: str, change: Any) -> None:
    visitor.visit(project, f"changes/{change['id']}")


def faults(visitor: Visitor) -> tuple[list[str], int]:
    """What keeps somebody from using the page, and how much wider it is than the window."""
    expect(visitor.page.get_by_role("progressbar")).to_have_count(0)
    return visitor.violations(), visitor.width_beyond()


def buttons(visitor: Visitor) -> list[str]:
    return visitor.page.locator(".buttons button").all_inner_texts()


def test_one_person_proposes_and_another_approves_in_two_browsers_that_follow_each_other(
    site: Site, project: str, visit: Visit
) -> None:
    ana, bo = visit().enter(site.token("editor", project)), visit().enter(site.token("approver", project))
    bo.visit(project, "changes")
    bo.sees("No change waits for anybody")
    ana.visit(project)
    ana.switch("Production").click()
    box(ana).get_by_label("Reason").fill("for the fair")
    agree(ana, "Propose the change")
    bo.page.get_by_role("link", name="Turn checkout on in production").click()
    bo.connected()
    for seen in ("for the fair", "was turned on in production", "0 of 1 approval given"):
        bo.sees(re.compile(seen))
    ana.page.goto(bo.page.url)
    ana.connected()
    ana.sees(re.compile("It is yours, so somebody else has to approve it"))
    expect(ana.page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    act(bo, "Approve")
    box(bo).get_by_label("Comment").fill("looks right")
    agree(bo, "Approve")
    for each in (ana, bo):
        status(each, "Approved")
        each.sees("“looks right”")
    act(ana, "Apply now")
    agree(ana, "Apply now")
    for each in (ana, bo):
        status(each, "Applied")
        expect(each.page.get_by_role("region", name="What it would do")).to_contain_text(
            "was turned on in production"
        )
    assert site.is_on(project, "production")


def test_a_change_is_rejected_with_a_comment_and_nothing_of_it_is_done(
    site: Site, project: str, visit: Visit
) -> None:
    change = proposed(site, project)
    bo = visit().enter(site.token("approver", project))
    open_one(bo, project, change)
    act(bo, "Reject")
    box(bo).get_by_label("Comment").fill("not before the fair")
    agree(bo, "Reject")
    status(bo, "Rejected")
    bo.sees("“not before the fair”")
    bo.sees(re.compile("nothing of it was done"))
    assert buttons(bo) == []
    assert not site.is_on(project, "production")


def test_a_change_is_withdrawn_by_whoever_proposed_it(site: Site, project: str, visitor: Visitor) -> None:
    open_one(visitor, project, proposed(site, project))
    act(visitor, "Withdraw")
    agree(visitor, "Withdraw")
    status(visitor, "Withdrawn")


def test_a_time_is_one_of_the_viewers_zone_and_the_apis_words_say_what_is_wrong_with_it(
    site: Site, project: str, visit: Visit
) -> None:
    change = proposed(site, project)
    approver = site.token("approver", project)
    site.give("POST", f"/projects/{project}/changes/{change['id']}/approve", key=approver)
    ana = visit(timezone_id="America/Sao_Paulo").enter()
    open_one(ana, project, change)
    act(ana, "Schedule")
    box(ana).get_by_role("button", name="Schedule").click()
    expect(box(ana).get_by_role("alert")).to_have_text("Say when.")
    box(ana).get_by_label("Apply at").fill("2020-01-31T09:00")
    agree(ana, "Schedule")
    expect(ana.page.get_by_role("alert")).to_contain_text("has passed: it is")
    act(ana, "Schedule")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT09:30")
    box(ana).get_by_label("Apply at").fill(tomorrow)
    agree(ana, "Schedule")
    status(ana, "Scheduled")
    assert change_of(site, project, change)["apply_at"] == tomorrow.replace("T09:30", "T12:30:00Z")
    expect(ana.page.locator(f"tm-time[title='{tomorrow[:10]} 12:30:00 UTC']")).to_contain_text("9:30")


def test_what_others_changed_meanwhile_is_shown_and_has_to_be_accepted(
    site: Site, project: str, visitor: Visitor
) -> None:
    change = proposed(site, project)
    rest = f"/projects/{project}/changes"
    open_one(visitor, project, change)
    expect(visitor.page.locator(".warned")).to_have_count(0)
    other = {**ON, "command": "turn_flag_off"}
    late = proposed(site, project, ON, other, {**ON}, title="Theirs", description="incident")
    approver = site.token("approver", project)
    site.give("POST", f"{rest}/{late['id']}/approve", key=approver)
    site.give("POST", f"{rest}/{late['id']}/apply", key=approver, X_Reason="incident 12")
    warned = visitor.page.get_by_role("region", name="What others changed meanwhile")
    expect(warned).to_contain_text("was turned on in production")
    expect(warned).to_contain_text("“incident 12”")
    visitor.sees(re.compile("until somebody accepts that, it cannot be approved"))
    act(visitor, "Accept what others changed")
    agree(visitor, "Accept what others changed")
    expect(warned).to_have_count(0)
    visitor.sees("This changes nothing now.")
    assert change_of(site, project, change)["conflicts"] == []


def test_an_applied_change_is_taken_back_and_what_was_changed_again_stays(
    site: Site, visitor: Visitor
) -> None:
    project = site.project()
    site.flag(project)
    described = {"command": "change_flag", "flag": "checkout", "details": {"description": "In one page"}}
    change = proposed(site, project, described, {**ON, "environment": "development"})
    site.give("POST", f"/projects/{project}/changes/{change['id']}/apply")
    flag, later = f"/projects/{project}/flags/checkout", site.token("editor", project)
    site.give("PATCH", flag, {"description": "In two pages"}, key=later, X_Reason="later")
    open_one(visitor, project, change)
    act(visitor, "Take it back…")
    expect(box(visitor)).to_contain_text("was turned off in development")
    expect(box(visitor)).to_contain_text("“later”")
    box(visitor).get_by_label("Reason").fill("it broke")
    agree(visitor, "Take it back")
    visitor.sees("It was taken back.")
    assert not site.is_on(project, "development")
    entry = site.give("GET", f"/projects/{project}/flags/checkout/history?limit=1")["entries"][0]
    assert entry["reason"] == f"undo of change {change['id']}: it broke"


def test_the_list_has_open_changes_first_and_its_address_says_what_it_shows(
    site: Site, project: str, visitor: Visitor
) -> None:
    gone, waits = proposed(site, project, title="Gone"), proposed(site, project, title="Waits")
    position = site.give("POST", f"/projects/{project}/changes/{gone['id']}/withdraw")["position"]
    site.seen(project, position)
    visitor.visit(project, "changes")
    titles = visitor.page.locator(".card .key")
    expect(titles).to_have_text(["Waits"])
    visitor.sees("Turn checkout on in production")
    visitor.page.get_by_label("Status").select_option("Withdrawn")
    expect(titles).to_have_text(["Gone"])
    expect(visitor.page).to_have_url(re.compile(r"status=withdrawn"))
    visitor.page.reload()
    expect(titles).to_have_text(["Gone"])
    visitor.page.get_by_label("Status").select_option("All")
    expect(titles).to_have_text(["Waits", "Gone"])
    visitor.page.get_by_role("searchbox").fill("wai")
    expect(titles).to_have_text(["Waits"])
    expect(visitor.page.get_by_role("searchbox")).to_have_value("wai")
    visitor.page.get_by_role("searchbox").fill("no such thing")
    visitor.page.get_by_role("link", name="Show the open ones").click()
    expect(titles).to_have_text(["Waits"])
    assert waits["id"] in str(titles.first.get_attribute("href"))


def test_a_viewer_sees_everything_and_can_do_nothing(site: Site, project: str, visit: Visit) -> None:
    change = proposed(site, project)
    viewer = visit().enter(site.token("viewer", project))
    open_one(viewer, project, change)
    viewer.sees("was turned on in production")
    viewer.sees("You may look at this change, but not decide about it.")
    assert buttons(viewer) == []
    viewer.sees("Only those who may read recorded evaluations can ask this.")


def test_what_a_change_would_move_is_asked_for_on_its_own_page(
    site: Site, project: str, visitor: Visitor
) -> None:
    open_one(visitor, project, proposed(site, project))
    act(visitor, "Ask the last day's evaluations in production")
    visitor.sees("Nothing was recorded in the last day, so nobody can tell.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_are_text_it_fits_a_telephone_and_needs_no_eyes(
    site: Site, project: str, visit: Visit, scheme: str
) -> None:
    change = proposed(site, project, title=HOSTILE, description=f"{RIGHT_TO_LEFT} {HOSTILE} {'x' * 200}")
    ana = visit(color_scheme=scheme, viewport=NARROW, reduced_motion="reduce").enter()
    ana.visit(project, "changes")
    ana.sees(HOSTILE)
    assert faults(ana) == ([], 0)
    open_one(ana, project, change)
    ana.sees(HOSTILE)
    ana.page.locator("details").last.locator("summary").click()
    assert faults(ana) == ([], 0)
    act(ana, "Withdraw")
    expect(box(ana)).to_contain_text("This ends it")
    assert faults(ana) == ([], 0)
    assert ana.page.evaluate("window.hacked") is None


def test_it_is_said_in_portuguese(site: Site, project: str, visit: Visit) -> None:
    change = proposed(site, project)
    ana = visit("pt-BR").enter()
    open_one(ana, project, change)
    status(ana, "Proposta")
    for seen in ("Ligar checkout em production", "O que ela faria"):
        ana.sees(seen)
    act(ana, "Retirar")
    agree(ana, "Retirar")
    status(ana, "Retirada")


@pytest.fixture
def plan(site: Site, project: str) -> Any:
    """At its first step, in production."""
    site.give("PATCH", f"/projects/{project}/environments/production", {"approvals": 0})
    site.give("POST", f"/projects/{project}/flags/checkout/environments/production/on")
    targeting = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}}
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/production", targeting)
    steps = [{"weight": 1_000, "wait_seconds": 3_600}, {"weight": 50_000, "wait_seconds": 86_400}]
    wish = {"flag": "checkout", "environment": "production", "variant": "on", "otherwise": "off"}
    made = site.give("POST", f"/projects/{project}/plans", {**wish, "steps": [*steps, {"weight": 100_000}]})
    site.seen(project, made["position"])
    return made


def test_a_plan_is_a_ladder_that_is_paused_and_rolled_back_with_a_reason(
    site: Site, project: str, plan: Any, visit: Visit
) -> None:
    ana, bo = visit().enter(), visit().enter()
    bo.visit(project, f"plans/{plan['id']}")
    ana.visit(project, "changes")
    ana.page.get_by_role("link", name="Rollout plans").click()
    ana.connected()
    steps = ana.page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps).to_have_text([re.compile(r"^1 %now"), re.compile(r"^50 %ahead"), "100 %ahead1 day later"])
    assert faults(ana) == ([], 0)
    for what, then in (("Pause", "Paused"), ("Resume", "Running"), ("Roll back", "Rolled back")):
        act(ana, what)
        box(ana).get_by_label("Reason").fill(f"to {what}")
        agree(ana, what)
        status(bo, then)
    assert buttons(bo) == []
    assert site.read(project)["environments"]["production"]["default"] == {"variant": "off"}
    entries = site.give("GET", f"/projects/{project}/history?kind=plan")["entries"]
    assert entries[0]["reason"] == "to Roll back"


def test_a_viewer_cannot_stop_a_plan(site: Site, project: str, plan: Any, visit: Visit) -> None:
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project, f"plans/{plan['id']}")
    status(viewer, "Running")
    assert buttons(viewer) == []


def test_a_plan_is_started_for_a_flag_and_what_cannot_be_is_refused_in_the_apis_words(
    site: Site, visitor: Visitor
) -> None:
    project = site.project()
    site.flag(project)
    visitor.visit(project, "plans")
    visitor.sees(re.compile("No rollout is under way"))
    visitor.page.get_by_role("link", name="Start a rollout plan").click()
    visitor.connected()
    visitor.page.get_by_label("Key of the flag").fill("checkout")
    act(visitor, "Choose")
    visitor.page.wait_for_url("**/new-plan?flag=checkout")
    visitor.connected()
    first = visitor.page.get_by_role("group", name="Step 1", exact=True)
    first.get_by_label("To percent").fill("5")
    act(visitor, "Start")
    expect(visitor.page.get_by_role("alert").first).to_contain_text("everybody gets 'on' there already")
    targeting = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}}
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/development", targeting)
    assert faults(visitor) == ([], 0)
    act(visitor, "Start")
    status(visitor, "Running")
    steps = visitor.page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps).to_have_text([re.compile(share) for share in ("^5 %now", "^10 %", "^50 %", "^100 %")])
    (plan,) = site.give("GET", f"/projects/{project}/plans")["plans"]
    assert [each["weight"] for each in plan["steps"]] == [5_000, 10_000, 50_000, 100_000]


def test_plans_are_found_by_their_flag_and_the_menu_says_where_one_is(
    project: str, plan: Any, visitor: Visitor
) -> None:
    visitor.visit(project, "plans")
    expect(visitor.page.get_by_role("link", name="Changes", exact=True)).to_have_attribute(
        "aria-current", "true"
    )
    search = visitor.page.get_by_role("searchbox", name="Search by flag")
    search.fill("another")
    visitor.sees("No rollout plan is like that.")
    search.fill(plan["flag"])
    expect(visitor.page.get_by_role("list", name="Steps")).to_be_visible()
    assert visitor.asked(search=plan["flag"])
