"""The time machine, with a browser: what happened, what was, what differs, and taking it back."""

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import HOSTILE, NARROW, RIGHT_TO_LEFT, Visitor

OFF = {"enabled": False, "off_variant": "off", "default": {"variant": "off"}}
PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


def turn(site: Site, project: str, to: str, environment: str = "development", key: str = "") -> int:
    path = f"/projects/{project}/flags/checkout/environments/{environment}/{to}"
    return int(site.give("POST", path, key=key)["position"])


def happenings(visitor: Visitor) -> Locator:
    return visitor.page.locator(".timeline > .happening")


def undo(visitor: Visitor, position: int) -> Locator:
    """The box that shows what would become different."""
    visitor.page.get_by_role("button", name=f"Undo event {position}", exact=True).click()
    return visitor.page.get_by_role("dialog")


def part(visitor: Visitor, name: str) -> Locator:
    return visitor.page.locator(f".parts dt:has-text('{name}') + dd")


def side(visitor: Visitor, name: str) -> Locator:
    """Its environment."""
    return visitor.page.get_by_role("region", name=name).get_by_role("combobox")


def test_a_flags_timeline_tells_who_changed_its_answers_when_and_why(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PUT", f"/projects/{project}/segments/beta", {"condition": PRO})
    rule = {"id": "beta", "name": "testers", "when": {"segment": "beta"}, "serve": {"variant": "on"}}
    site.target(project, reason="a pilot", rules=[rule])
    site.give("PUT", f"/projects/{project}/segments/beta", {"condition": {"all": []}}, X_Reason="for all")
    site.give("PATCH", f"/projects/{project}/flags/checkout", {"description": "no answer depends on it"})
    visitor.visit(project, "history", flag="checkout")
    newest = happenings(visitor).first
    expect(newest).to_contain_text("now holds whom: always (before: plan is pro)")
    expect(newest).to_contain_text("administrator")
    expect(newest).to_contain_text("for all")
    expect(newest).to_contain_text("beta")
    expect(visitor.page.locator(".timeline")).to_contain_text("new rule testers")
    expect(visitor.page.locator(".timeline")).not_to_contain_text("no answer depends on it")


def test_a_projects_timeline_is_narrowed_by_person_and_time_in_the_address(
    site: Site, project: str, visitor: Visitor
) -> None:
    other = site.token("editor", project)
    turn(site, project, "on", key=other)
    by = site.give("GET", f"/projects/{project}/flags/checkout/history")["entries"][0]["by"]
    visitor.visit(project, "history")
    expect(visitor.page.locator(".timeline")).to_contain_text("boolean flag checkout was made")
    visitor.page.get_by_label("Done by").fill(by)
    visitor.page.get_by_label("Done by").press("Enter")
    expect(happenings(visitor)).to_have_count(1)
    expect(happenings(visitor)).to_contain_text("was turned on in development")
    assert visitor.asked(by=by) == {"by": [by]}
    visitor.page.reload()
    visitor.connected()
    expect(happenings(visitor)).to_have_count(1)
    visitor.page.get_by_label("Until").fill("2001-01-01T00:00")
    visitor.sees("Nothing like that happened.")
    visitor.page.get_by_role("link", name="Show everything").click()
    expect(visitor.page.locator(".timeline")).to_contain_text("boolean flag checkout was made")


def test_older_events_are_on_later_pages(site: Site, project: str, visitor: Visitor) -> None:
    on_off = [
        {"command": f"turn_flag_{to}", "flag": "checkout", "environment": "staging"} for to in ("on", "off")
    ]
    site.give("POST", f"/projects/{project}/commands", {"commands": on_off * 26})
    visitor.visit(project, "history", "staging", flag="checkout")
    expect(happenings(visitor)).to_have_count(50)
    visitor.page.get_by_role("link", name="Older").click()
    expect(happenings(visitor)).to_have_count(3)
    expect(happenings(visitor).last).to_contain_text("was made")
    visitor.page.get_by_role("link", name="Newest").click()
    expect(happenings(visitor)).to_have_count(50)


def test_what_somebody_else_does_appears_on_the_timeline_and_the_focus_stays(
    site: Site, project: str, visitor: Visitor
) -> None:
    first = turn(site, project, "on")
    visitor.visit(project, "history", flag="checkout")
    button = visitor.page.get_by_role("button", name=f"Undo event {first}", exact=True)
    button.focus()
    turn(site, project, "off")
    expect(happenings(visitor).first).to_contain_text("was turned off in development")
    expect(happenings(visitor)).to_have_count(3)
    expect(button).to_be_focused()


def test_an_event_is_taken_back_after_a_look(site: Site, project: str, visitor: Visitor) -> None:
    position = turn(site, project, "on", "production")
    visitor.visit(project, "history", "production", flag="checkout")
    box = undo(visitor, position)
    expect(box).to_contain_text("was turned off in production")
    assert site.is_on(project, "production")
    box.get_by_role("button", name="Undo", exact=True).click()
    expect(box.get_by_role("alert")).to_contain_text("Say why")
    box.get_by_label("Reason").fill("too early")
    box.get_by_role("button", name="Undo", exact=True).click()
    expect(happenings(visitor).first).to_contain_text("too early")
    assert not site.is_on(project, "production")


def test_what_was_changed_again_is_shown_and_stays_while_the_rest_is_taken_back(
    site: Site, project: str, visitor: Visitor
) -> None:
    both = [
        {"command": "change_targeting", "flag": "checkout", "environment": "staging", "targeting": OFF},
        {"command": "turn_flag_on", "flag": "checkout", "environment": "development"},
    ]
    change = site.give("POST", f"/projects/{project}/changes", {"title": "Launch", "commands": both})
    site.give("POST", f"/projects/{project}/changes/{change['id']}/apply")
    half = {"split": {"weights": {"on": 50_000, "off": 50_000}}}
    later = site.target(project, "staging", default=half, enabled=False)
    site.seen(project, later)
    visitor.visit(project, "history")
    visitor.page.get_by_role("button", name=f"Undo the whole change {change['id']}").click()
    box = visitor.page.get_by_role("dialog")
    expect(box.locator(".conflicts")).to_contain_text("everybody else now gets off (before: on) in staging")
    expect(box.locator(".conflicts")).to_contain_text(f"Event {later}")
    expect(box.locator(".things").first).to_contain_text("was turned off in development")
    box.get_by_role("button", name="Undo the rest anyway").click()
    visitor.sees("It was taken back.")
    assert not site.is_on(project, "development")
    assert "split" in site.read(project)["environments"]["staging"]["default"]


def test_where_changes_are_approved_an_undo_is_proposed(site: Site, project: str, visitor: Visitor) -> None:
    position = turn(site, project, "on", "staging")
    site.give("PATCH", f"/projects/{project}/environments/staging", {"approvals": 1})
    visitor.visit(project, "history", "staging", flag="checkout")
    box = undo(visitor, position)
    expect(box.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
    box.get_by_label("Reason").fill("too early")
    box.get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    assert site.is_on(project, "staging")


def test_the_slider_shows_a_flag_as_it_was_and_the_address_keeps_the_moment(
    site: Site, project: str, visitor: Visitor
) -> None:
    rules = [{"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}]
    before = turn(site, project, "on")
    site.target(project, rules=rules, default={"variant": "off"}, reason="launch")
    visitor.visit(project, "history", view="then", flag="checkout")
    expect(part(visitor, "pros")).to_contain_text("If plan is pro, serve on")
    slider = visitor.page.get_by_role("slider")
    slider.focus()
    for back in (1, 2):  # the default, and the rule
        visitor.page.keyboard.press("ArrowLeft")
        expect(slider).to_have_js_property("value", str(-back))
    visitor.page.wait_for_url(f"**at={before}*")
    expect(visitor.page.get_by_role("heading", name="As it was then in development")).to_be_visible()
    expect(part(visitor, "pros")).to_have_count(0)
    expect(part(visitor, "Switch")).to_contain_text("on")
    expect(slider).to_be_focused()
    visitor.page.reload()
    visitor.connected()
    expect(visitor.page.get_by_role("heading", name="As it was then in development")).to_be_visible()
    expect(part(visitor, "pros")).to_have_count(0)
    visitor.page.get_by_label("or event number").fill("1")
    visitor.page.get_by_label("or event number").press("Enter")
    expect(visitor.page.get_by_role("alert")).to_contain_text("at 1, no project")
    visitor.page.get_by_role("button", name="Now").click()
    expect(part(visitor, "pros")).to_be_visible()


def test_a_time_is_one_of_the_viewers_zone(project: str, visit: Visit) -> None:
    ana = visit(timezone_id="America/Sao_Paulo").enter()
    ana.visit(project, "history", view="then", flag="checkout")
    field = ana.page.get_by_label("As of (empty is now)").locator("input[type=datetime-local]")
    field.fill("2001-06-01T09:30:00")
    ana.page.wait_for_url(re.compile(r"at=2001-06-01T12%3A30%3A00"))
    expect(ana.page.get_by_role("alert")).to_contain_text("no project")
    ana.page.reload()
    ana.connected()
    expect(field).to_have_value("2001-06-01T09:30")


def test_two_environments_are_compared_and_one_made_like_the_other(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.flag(project, "another")
    site.give("POST", f"/projects/{project}/flags/another/environments/staging/on")
    turn(site, project, "on", "staging")
    visitor.visit(project, "history", view="compare")
    side(visitor, "The other side").select_option("production")
    visitor.sees("Nothing is different.")
    side(visitor, "One side").select_option("staging")
    things = visitor.page.locator(".things > li")
    expect(things).to_have_count(2)
    expect(things.last).to_contain_text("was turned off in production")
    assert visitor.asked(other="production")
    visitor.page.get_by_role("button", name="Make production like staging…").click()
    box = visitor.page.get_by_role("dialog")
    expect(box).to_contain_text("was turned on in production")
    box.get_by_label("another").uncheck()
    box.get_by_role("button", name="Do it").click()
    expect(box.get_by_role("alert")).to_contain_text("Say why")
    box.get_by_label("Reason").fill("as tried in staging")
    box.get_by_role("button", name="Do it").click()
    visitor.sees("1 flag was changed in production.")
    expect(things).to_have_count(1)
    assert site.is_on(project, "production")
    assert not site.is_on(project, "production", "another")


def test_where_changes_are_approved_a_promotion_is_proposed(
    site: Site, project: str, visitor: Visitor
) -> None:
    turn(site, project, "on", "staging")
    site.give("PATCH", f"/projects/{project}/environments/production", {"approvals": 1})
    visitor.visit(project, "history", "staging", view="compare", other="production", flag="checkout")
    visitor.page.get_by_role("button", name="Make production like staging…").click()
    box = visitor.page.get_by_role("dialog")
    box.get_by_label("Reason").fill("as tried in staging")
    box.get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    assert not site.is_on(project, "production")


def test_an_environment_is_brought_back_to_a_moment(site: Site, project: str, visitor: Visitor) -> None:
    before = turn(site, project, "on")
    turn(site, project, "off")
    visitor.visit(project, "history", view="compare", at=str(before))
    expect(visitor.page.locator(".things")).to_contain_text("was turned off in development")
    visitor.page.get_by_role("button", name="Bring development back to that moment…").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    visitor.sees("Nothing is different.")
    assert site.is_on(project, "development")


def test_who_changed_an_answer_is_found(site: Site, project: str, visitor: Visitor) -> None:
    site.target(project, rules=[{"id": "pro", "when": PRO, "serve": {"variant": "on"}}], reason="for pros")
    turn(site, project, "off", "staging")
    visitor.visit(project, "history", view="answers", flag="checkout")
    visitor.page.get_by_label("Context (JSON)").fill('{"plan": "pro"}')
    visitor.page.get_by_role("button", name="Find who changed it").click()
    newest = happenings(visitor).first
    expect(newest).to_contain_text("for pros")
    expect(newest.locator(".outcome").first).to_contain_text("off")
    expect(newest.locator(".outcome").last).to_contain_text("on")
    visitor.page.wait_for_url(re.compile("context="))
    assert json.loads(visitor.asked()["context"][0]) == {"plan": "pro"}
    visitor.page.reload()
    visitor.connected()
    expect(newest).to_contain_text("for pros")


def test_a_viewer_sees_what_happened_and_no_way_to_take_it_back(
    site: Site, project: str, visit: Visit
) -> None:
    turn(site, project, "on", "staging")
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project, "history", flag="checkout", environment="staging")
    expect(happenings(viewer).first).to_contain_text("was turned on in staging")
    expect(viewer.page.get_by_role("button", name=re.compile("Undo"))).to_have_count(0)
    viewer.visit(project, "history", "staging", view="compare", other="production")
    expect(viewer.page.locator(".things")).to_contain_text("was turned off in production")
    expect(viewer.page.get_by_role("button", name=re.compile("Make"))).to_have_count(0)
    viewer.visit(project, "history", view="answers", flag="checkout")
    expect(viewer.page.get_by_role("button", name="Find who changed it")).to_be_visible()
    expect(viewer.page.get_by_role("button", name="Use recorded contexts")).to_have_count(0)


def test_names_and_reasons_are_text(site: Site, project: str, visitor: Visitor) -> None:
    rule = {"id": "one", "name": HOSTILE, "when": PRO, "serve": {"variant": "on"}}
    site.target(project, rules=[rule, {**rule, "id": "two", "name": RIGHT_TO_LEFT}], reason=HOSTILE)
    for view in ("timeline", "then"):
        visitor.visit(project, "history", view=view, flag="checkout")
        visitor.sees(HOSTILE)
        expect(visitor.page.locator("bdi", has_text=RIGHT_TO_LEFT).first).to_be_visible()
    assert visitor.page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_serious_fault_nor_is_wider_than_a_telephone(
    site: Site, project: str, visit: Visit, scheme: str
) -> None:
    rules = [{"id": "pro", "name": "pros" * 20, "when": PRO, "serve": {"variant": "on"}}]
    position = site.target(project, rules=rules, reason="launch" * 40)
    ana = visit(color_scheme=scheme, reduced_motion="reduce", viewport=NARROW).enter()
    views = {
        "timeline": {},
        "then": {},
        "compare": {"other": "staging"},
        "answers": {"context": '{"plan": "pro"}'},
    }
    for view, more in views.items():
        ana.visit(project, "history", view=view, flag="checkout", **more)
        expect(ana.page.get_by_text("pros" * 20).first).to_be_visible()
        assert (ana.violations(), ana.width_beyond()) == ([], 0)
    ana.visit(project, "history", flag="checkout")
    expect(undo(ana, position)).to_contain_text("was removed")
    assert ana.violations() == []


def test_it_speaks_portuguese(project: str, visit: Visit) -> None:
    ana = visit("pt-BR").enter()
    ana.visit(project, "history", view="then", flag="checkout")
    expect(ana.page.get_by_role("heading", name="Máquina do tempo")).to_be_visible()
    expect(part(ana, "Todos os demais")).to_be_visible()
    ana.visit(project, "history", view="then")
    ana.sees("Para começar, escolha uma flag acima.")
