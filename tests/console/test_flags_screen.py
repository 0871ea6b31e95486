"""The list of flags, with a browser."""

import re
import time
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, expect

from projections.usage_table import CountRow
from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import HOSTILE, RIGHT_TO_LEFT, Visitor
from tests.waiting import eventually


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


def reason(visitor: Visitor, text: str) -> Locator:
    """The box that asks for one, filled in."""
    box = visitor.page.get_by_role("dialog")
    box.get_by_label("Reason").fill(text)
    return box


def test_a_switch_turns_a_flag_on_and_off(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project)
    switch = visitor.switch("Staging")
    for on in ("true", "false"):
        switch.click()
        expect(switch).to_have_attribute("aria-checked", on)
        assert site.is_on(project, "staging") is (on == "true")
    expect(visitor.switch("Development")).to_have_attribute("aria-checked", "false")


def test_production_asks_for_a_reason_which_is_kept(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project)
    visitor.switch("Production").click()
    box = visitor.page.get_by_role("dialog")
    box.get_by_role("button", name="Turn on").click()
    expect(box.get_by_role("alert")).to_contain_text("Say why")
    assert not site.is_on(project, "production")
    reason(visitor, "lançamento  no\nBrasil 🚀").get_by_role("button", name="Turn on").click()
    expect(visitor.switch("Production")).to_have_attribute("aria-checked", "true")
    entry = site.give("GET", f"/projects/{project}/flags/checkout/history?limit=1")["entries"][0]
    assert (entry["event"], entry["reason"]) == ("FlagTurnedOn", "lançamento no Brasil 🚀")


def test_whoever_thinks_better_of_it_changes_nothing(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project)
    for leave in ("Cancel", "Escape"):
        visitor.switch("Production").click()
        box = reason(visitor, "launch")
        if leave == "Escape":
            visitor.page.keyboard.press("Escape")
        else:
            box.get_by_role("button", name=leave).click()
        expect(box).to_have_count(0)
    assert site.read(project)["version"] == 1


def test_where_changes_are_approved_a_switch_makes_a_change_request(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PATCH", f"/projects/{project}/environments/staging", {"approvals": 1})
    visitor.visit(project)
    visitor.switch("Staging").click()
    reason(visitor, "for the fair").get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    assert not site.is_on(project, "staging")
    eventually(lambda: bool(site.give("GET", f"/projects/{project}/changes")["changes"]))
    change = site.give("GET", f"/projects/{project}/changes")["changes"][0]
    assert (change["title"], change["description"]) == ("Turn checkout on in staging", "for the fair")
    approver = site.token("approver", project)
    site.give("POST", f"/projects/{project}/changes/{change['id']}/approve", key=approver)
    site.give("POST", f"/projects/{project}/changes/{change['id']}/apply")
    expect(visitor.switch("Staging")).to_have_attribute("aria-checked", "true")


def test_two_browsers_see_what_the_other_does(site: Site, project: str, visit: Visit) -> None:
    ana, bo = visit().enter(), visit().enter()
    ana.visit(project)
    bo.visit(project)
    ana.switch("Development").click()
    expect(bo.switch("Development")).to_have_attribute("aria-checked", "true")
    site.flag(project, "another", tags=["new"])
    for each in (ana, bo):
        expect(each.switch("Development", "another")).to_be_visible()
    assert ana.flag_keys() == bo.flag_keys() == ["another", "checkout"]


def test_what_has_the_focus_keeps_it_while_others_change_things(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project)
    visitor.switch("Staging").focus()
    site.give("POST", f"/projects/{project}/flags/checkout/environments/development/on")
    expect(visitor.switch("Development")).to_have_attribute("aria-checked", "true")
    expect(visitor.switch("Staging")).to_be_focused()


def test_an_edit_of_what_somebody_else_changed_overwrites_nothing_and_says_who_did_what(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project)
    visitor.switch("Production").click()
    box = reason(visitor, "mine")
    other = site.token("editor", project)
    path = f"/projects/{project}/flags/checkout/environments/production/on"
    site.give("POST", path, key=other, X_Reason="theirs")
    box.get_by_role("button", name="Turn on").click()
    conflict = visitor.page.get_by_role("dialog", name="Somebody else was faster")
    expect(conflict).to_contain_text("token:")
    expect(conflict).to_contain_text("theirs")
    expect(conflict).to_contain_text("turned on in production")
    conflict.get_by_role("button", name="Close").click()
    expect(visitor.switch("Production")).to_have_attribute("aria-checked", "true")
    assert [
        each["reason"] for each in site.give("GET", f"/projects/{project}/flags/checkout/history")["entries"]
    ] == ["theirs", ""]


def test_a_viewer_has_no_switch_that_works_not_even_by_force(site: Site, project: str, visit: Visit) -> None:
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project)
    switch = viewer.switch("Development")
    expect(switch).to_be_disabled()
    switch.evaluate("(button) => { button.disabled = false; button.click(); }")
    expect(viewer.page.get_by_role("alert")).to_contain_text("it needs 'write' in")
    assert site.read(project)["version"] == 1


def test_whoever_may_change_one_environment_has_one_switch_that_works(
    site: Site, project: str, visit: Visit
) -> None:
    grants = [{"role": "editor", "project": project, "environment": "staging"}]
    key = site.give("POST", "/tokens", {"name": "staging", "grants": grants})["token"]
    editor = visit().enter(key)
    editor.visit(project)
    expect(editor.switch("Production")).to_be_disabled()
    editor.switch("Staging").click()
    expect(editor.switch("Staging")).to_have_attribute("aria-checked", "true")


def test_names_are_shown_as_text(site: Site, visit: Visit) -> None:
    project = site.project(HOSTILE)
    key = HOSTILE.replace("/", "")
    site.flag(project, key, description=HOSTILE, tags=[HOSTILE], owner=HOSTILE)
    site.flag(project, RIGHT_TO_LEFT)
    site.give("POST", f"/projects/{project}/environments", {"key": "qa", "name": HOSTILE})
    ana = visit().enter()
    ana.visit(project)
    assert sorted(ana.flag_keys()) == sorted([key, RIGHT_TO_LEFT])
    expect(ana.page.locator(".about p").first).to_have_text(HOSTILE)
    expect(ana.page.get_by_role("columnheader", name=HOSTILE)).to_be_visible()
    assert HOSTILE in ana.page.title()
    ana.switch("Production", key).click()
    expect(ana.page.get_by_role("dialog")).to_contain_text(key)
    ana.page.keyboard.press("Escape")
    ana.page.keyboard.press("Control+k")
    expect(ana.page.get_by_role("dialog").get_by_role("option", name=key)).to_be_visible()
    assert ana.page.evaluate("window.hacked") is None


def test_a_list_is_narrowed_and_the_address_keeps_it(site: Site, project: str, visitor: Visitor) -> None:
    site.flag(project, "dark-mode", tags=["web"], owner="bo@example.org", kind="experiment")
    site.flag(project, "payments", tags=["web"], kind="operational")
    visitor.visit(project)
    visitor.page.get_by_role("button", name="web").first.click()
    expect(visitor.page.locator(".key")).to_have_text(["dark-mode", "payments"])
    visitor.page.get_by_label("Kind").select_option("Experiment")
    expect(visitor.page.locator(".key")).to_have_text(["dark-mode"])
    assert visitor.asked(kind="experiment") == {"tag": ["web"], "kind": ["experiment"]}
    visitor.page.reload()
    visitor.connected()
    expect(visitor.page.get_by_label("Kind")).to_have_value("experiment")
    assert visitor.flag_keys() == ["dark-mode"]
    visitor.page.get_by_role("link", name="No longer only web").click()
    visitor.page.wait_for_url(re.compile(r"\?kind=experiment$"))
    visitor.connected()
    visitor.page.get_by_label("Search flags").fill("no such flag")
    visitor.sees("No flag is like that.")
    visitor.page.get_by_role("link", name="Show all flags").click()
    expect(visitor.page.locator(".key")).to_have_count(3)


def test_archived_flags_are_listed_apart_and_have_no_switch_that_works(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.flag(project, "old")
    site.seen(project, site.give("DELETE", f"/projects/{project}/flags/old")["position"])
    visitor.visit(project)
    assert visitor.flag_keys() == ["checkout"]
    visitor.page.get_by_label("Archived").select_option("Archived")
    expect(visitor.page.locator(".key")).to_have_text(["old"])
    expect(visitor.switch("Staging", "old")).to_be_disabled()


def test_a_list_without_flags_says_what_to_do_first(site: Site, visitor: Visitor) -> None:
    project = site.project()
    visitor.visit(project)
    visitor.sees("There are no flags yet")
    told = visitor.page.locator(".empty pre").inner_text()
    assert f"{site.url}/api/v1/projects/{project}/flags" in told
    site.flag(project, "new-checkout")
    expect(visitor.page.locator(".key")).to_have_text(["new-checkout"])


def test_the_last_day_and_what_is_stale_are_told(site: Site, project: str, visitor: Visitor) -> None:
    site.flag(project, "quiet")
    minute = int(time.time()) // 60
    outcomes = {"STATIC/on": 3}
    site.evaluated(
        *(
            CountRow("p1", project, "development", "checkout", minute - ago, 1, outcomes)
            for ago in (0, 60, 120)
        )
    )
    visitor.visit(project)
    row = visitor.page.get_by_role("row", name=re.compile("checkout"))
    expect(row.get_by_role("img")).to_have_attribute("aria-label", "9 evaluations")
    points = row.locator("polyline").get_attribute("points") or ""
    assert len(points.split()) == 24
    assert len({each.split(",")[1] for each in points.split()}) == 2
    expect(visitor.page.get_by_role("row", name=re.compile("quiet"))).to_contain_text("0 evaluations")
    visitor.page.get_by_label("Use", exact=True).select_option("Never asked for")
    expect(visitor.page.locator(".key")).to_have_text(["quiet"])


def test_times_are_in_the_viewers_zone_with_utc_on_hover(site: Site, project: str, visit: Visit) -> None:
    ana = visit(timezone_id="Asia/Kathmandu").enter()  # a quarter to the hour
    ana.visit(project)
    at = datetime.fromisoformat(site.read(project)["changed_at"]).astimezone(UTC)
    shown = ana.page.locator(".changed tm-time")
    expect(shown).to_have_attribute("title", f"{at:%Y-%m-%d %H:%M:%S} UTC")
    there = (at.hour * 60 + at.minute + 5 * 60 + 45) % (24 * 60)
    expect(shown).to_contain_text(f"{(there // 60 - 1) % 12 + 1}:{there % 60:02}")


def test_a_first_flag_is_made_without_a_terminal(site: Site, visitor: Visitor) -> None:
    empty = site.project()
    visitor.visit(empty)
    visitor.page.get_by_role("button", name="New flag").click()
    box = visitor.page.get_by_role("dialog")
    box.get_by_role("button", name="Make it").click()
    expect(box.get_by_role("alert")).to_contain_text("key")
    box.get_by_label("Key").fill("banner-text")
    box.get_by_label("Type").select_option("string")
    expect(box.get_by_label("Variants")).to_have_value(re.compile("blue"))
    box.get_by_label("Variants").fill("{")
    box.get_by_role("button", name="Make it").click()
    expect(box.get_by_role("alert")).to_contain_text("line 1")
    box.get_by_label("Variants").fill('{"short": "Olá", "long": "Olá, tudo bem?"}')
    box.get_by_label("Description").fill(HOSTILE)
    box.get_by_role("button", name="Make it").click()
    expect(visitor.page).to_have_url(re.compile("/development/flags/banner-text$"))
    made = site.read(empty, "banner-text")
    assert (made["type"], made["variants"]) == ("string", {"short": "Olá", "long": "Olá, tudo bem?"})
    assert made["description"] == HOSTILE


def test_who_may_not_make_flags_is_not_offered_it(site: Site, project: str, visit: Visit) -> None:
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project)
    expect(viewer.switch("Staging")).to_be_visible()
    expect(viewer.page.get_by_role("button", name="New flag")).to_have_count(0)
