"""One flag, with a browser."""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, ViewportSize, expect

from projections.records_table import Record
from tests.console.conftest import Visit
from tests.console.site import EVALUATION_URL, Site
from tests.console.visitor import HOSTILE, NARROW, RIGHT_TO_LEFT, Visitor

COUNTRY = {"attribute": "country", "operator": "in", "values": ["BR"]}
KEPT = {"any_element": "orders", "where": {"attribute": "total", "operator": "gt", "values": [10]}}
TALL: ViewportSize = {"width": 1280, "height": 2400}


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


def rule(name: str, variant: str = "on", when: Any = None) -> dict[str, Any]:
    return {"id": name[:20], "name": name, "when": when or COUNTRY, "serve": {"variant": variant}}


def targeting(site: Site, project: str, environment: str = "development") -> Any:
    return site.read(project)["environments"][environment]


def record(site: Site, project: str, contexts: Iterable[Mapping[str, Any]]) -> None:
    """What evaluators kept of contexts, one a subject, in development."""
    body = {"recording": {"attributes": ["country"]}}
    declared = site.give("PATCH", f"/projects/{project}/environments/development", body)["position"]
    at, asked = int(time.time() * 1_000) - 1, (project, "development", "checkout", "off", "STATIC")
    site.recorded(
        *(
            Record(f"{project}-{n}", *asked, f"u{n}", declared, at, dict(each))
            for n, each in enumerate(contexts)
        )
    )


def bar(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("region", name="Not saved yet")


def save(visitor: Visitor) -> None:
    bar(visitor).get_by_role("button", name="Save", exact=True).click()


def row(visitor: Visitor, name: str) -> Locator:
    return visitor.page.locator(".rule", has_text=name)


def names(visitor: Visitor) -> Locator:
    return visitor.page.locator(".rule .strong")


def fill(field: Locator, text: str) -> None:
    """As somebody who goes on to the next field with the tabulator."""
    field.fill(text)
    field.press("Tab")


def test_a_rule_is_built_tried_on_what_was_recorded_and_saved(
    site: Site, project: str, visitor: Visitor
) -> None:
    record(site, project, [{"country": "BR"}] * 12 + [{"country": "PT"}] * 28 + [{}] * 2)
    site.target(project)
    visitor.visit(project, "flags/checkout")
    page = visitor.page
    page.get_by_role("button", name="Add a rule").click()
    expect(bar(visitor)).to_contain_text("Rule 1: Say which attribute is asked for.")
    fill(page.get_by_label("Name of the rule"), "Brazil")
    fill(page.get_by_label("Attribute, as country"), "country")
    fill(page.get_by_label("Values, one a line"), "BR")
    expect(row(visitor, "Brazil")).to_contain_text("If country is BR, serve on")
    expect(bar(visitor)).to_contain_text("new rule Brazil: if country is BR, serve on")
    assert targeting(site, project)["rules"] == []
    bar(visitor).get_by_role("button", name="Whom would this move?").click()
    expect(bar(visitor)).to_contain_text("On the last day's 42 evaluations this moves 12 of 42 subjects")
    expect(bar(visitor)).to_contain_text("12 from off to on, by rule Brazil")
    save(visitor)
    visitor.sees("checkout in development is saved.")
    expect(bar(visitor)).to_be_hidden()
    saved = targeting(site, project)["rules"]
    assert [(each["name"], each["when"]["all"][0]["values"]) for each in saved] == [("Brazil", ["BR"])]
    expect(row(visitor, "Brazil")).to_contain_text("Today: 12 evaluations of 12 subjects")


def test_what_is_not_recorded_is_told_and_rules_that_serve_nobody(
    site: Site, project: str, visitor: Visitor
) -> None:
    record(site, project, [{"country": "BR"}] * 6)
    plan = {"attribute": "plan", "operator": "in", "values": ["pro"]}
    site.target(project, rules=[rule("nobody", when={"constant": False}), rule("pros", when=plan)])
    visitor.visit(project, "flags/checkout")
    visitor.sees("6 evaluations cannot be decided: plan are not recorded.")
    visitor.sees("Rule nobody served nobody of them.")


def test_rules_are_dragged_and_moved_with_keys(site: Site, project: str, visitor: Visitor) -> None:
    site.target(project, rules=[rule("first"), rule("second"), rule("third")])
    visitor.page.set_viewport_size(TALL)  # a page that scrolls under a pressed button is not dragged on
    visitor.visit(project, "flags/checkout")
    expect(names(visitor)).to_have_text(["first", "second", "third"])
    expect(visitor.page.get_by_text("Nobody was recorded here")).to_be_visible()
    row(visitor, "first").locator(".handle").drag_to(row(visitor, "third"), steps=8)
    expect(names(visitor)).to_have_text(["second", "third", "first"])
    up = visitor.page.get_by_role("button", name="Move up: first")
    up.focus()
    for order in (["second", "first", "third"], ["first", "second", "third"]):
        visitor.page.keyboard.press("Enter")
        expect(names(visitor)).to_have_text(order)
        expect(up).to_be_focused()
    expect(bar(visitor)).to_be_hidden()
    visitor.page.get_by_role("button", name="Move down: first").press("Enter")
    expect(bar(visitor)).to_contain_text("rules are now asked in the order second, first and third")
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    assert [each["name"] for each in targeting(site, project)["rules"]] == ["second", "first", "third"]


def test_a_rule_is_edited_without_losing_what_the_console_cannot_edit(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PUT", f"/projects/{project}/segments/staff", {"condition": COUNTRY})
    site.seen(project, site.read(project)["position"])
    site.target(project, rules=[rule("shoppers", when={"all": [COUNTRY, {"not": {"any": [KEPT]}}]})])
    visitor.visit(project, "flags/checkout")
    page = visitor.page
    page.get_by_role("button", name="Edit: shoppers").click()
    editor = row(visitor, "shoppers").locator(".editor")
    expect(editor).to_contain_text("This cannot be edited here; it is kept as it is.")
    editor.get_by_role("button", name="+ Segment").last.click()
    expect(editor.get_by_label("Segment", exact=True).last).to_be_visible()
    editor.locator("select", has_text="Choose a segment").select_option("staff")
    editor.get_by_label("Comparison").select_option("contains 1")
    expect(row(visitor, "shoppers")).to_contain_text("country does not contain BR")
    fill(editor.get_by_label("Values, one a line"), "B\nC")
    expect(row(visitor, "shoppers")).to_contain_text("country does not contain B or C")
    editor.get_by_role("button", name="Move up").last.click()
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    clause, group = targeting(site, project)["rules"][0]["when"]["all"][:2]
    assert (clause["operator"], clause["negate"], clause["values"]) == ("contains", True, ["B", "C"])
    parts = group["not"]["any"]
    assert parts[0]["any_element"] == "orders"
    assert parts[1] == {"segment": "staff"}


def test_production_asks_for_a_reason_which_is_kept(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "flags/checkout", "production")
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    save(visitor)
    box = visitor.page.get_by_role("dialog")
    box.get_by_role("button", name="Save").click()
    expect(box.get_by_role("alert")).to_contain_text("Say why")
    box.get_by_label("Reason").fill("the shop opens")
    box.get_by_role("button", name="Save").click()
    visitor.sees("checkout in production is saved.")
    entry = site.give("GET", f"/projects/{project}/flags/checkout/history?limit=1")["entries"][0]
    assert (entry["event"], entry["reason"]) == ("OffVariantChanged", "the shop opens")
    assert targeting(site, project, "production")["off_variant"] == "on"


def test_where_changes_are_approved_a_draft_becomes_a_change_request(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PATCH", f"/projects/{project}/environments/staging", {"approvals": 1})
    visitor.visit(project, "flags/checkout", "staging")
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    bar(visitor).get_by_role("button", name="Propose the change").click()
    box = visitor.page.get_by_role("dialog")
    box.get_by_label("Reason").fill("for the testers")
    box.get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    expect(bar(visitor)).to_be_hidden()
    assert targeting(site, project, "staging")["off_variant"] != "on"
    change = site.give("GET", f"/projects/{project}/changes")["changes"][0]
    assert (change["title"], change["description"]) == ("Change checkout in staging", "for the testers")


def test_a_variant_is_everybodys_so_it_is_proposed_where_any_environment_wants_approval(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PATCH", f"/projects/{project}/environments/production", {"approvals": 1})
    visitor.visit(project, "flags/checkout")
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    expect(bar(visitor).get_by_role("button", name="Save", exact=True)).to_be_visible()
    fill(visitor.page.get_by_role("region", name="Variants").get_by_label("Value").last, "true")
    bar(visitor).get_by_role("button", name="Propose the change").click()
    box = visitor.page.get_by_role("dialog")
    box.get_by_label("Reason").fill("both are on")
    box.get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    assert site.read(project)["variants"]["off"] is False


def test_what_somebody_else_changed_is_shown_and_not_overwritten(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project, "flags/checkout")
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    expect(bar(visitor)).to_be_visible()
    site.target(project, rules=[rule("theirs")], key=site.token("editor", project))
    expect(bar(visitor)).to_contain_text("Somebody else changed this flag meanwhile.")
    save(visitor)
    box = visitor.page.get_by_role("dialog")
    expect(box).to_contain_text("Somebody else was faster")
    expect(box).to_contain_text("theirs")
    box.get_by_role("button", name="Close").click()
    assert targeting(site, project)["off_variant"] == "off"
    bar(visitor).get_by_role("button", name="Discard").click()
    expect(names(visitor)).to_have_text(["theirs"])
    expect(bar(visitor)).to_be_hidden()


def test_the_switch_works_at_once_and_leaves_a_draft_alone(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project, "flags/checkout")
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    expect(bar(visitor)).to_be_visible()
    visitor.switch("Development").click()
    expect(visitor.switch("Development")).to_have_attribute("aria-checked", "true")
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    found = targeting(site, project)
    assert (found["enabled"], found["off_variant"]) == (True, "on")


def test_a_draft_is_asked_about_before_the_page_is_left(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "flags/checkout")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    visitor.page.once("dialog", stay)
    visitor.page.get_by_label("While it is off, serve").select_option("on")
    expect(bar(visitor)).to_be_visible()
    visitor.page.get_by_role("link", name="Segments").click()
    visitor.page.wait_for_function("document.activeElement.textContent === 'Segments'")
    assert asked == ["beforeunload"]
    expect(bar(visitor)).to_be_visible()
    bar(visitor).get_by_role("button", name="Discard").click()
    expect(bar(visitor)).to_be_hidden()
    visitor.page.get_by_role("link", name="Segments").click()
    visitor.page.wait_for_url("**/segments")
    assert asked == ["beforeunload"]


def test_a_flag_that_nobody_edits_follows_what_others_do(site: Site, project: str, visit: Visit) -> None:
    one = visit().enter()
    one.visit(project, "flags/checkout")
    expect(one.page.get_by_text("There are no rules yet")).to_be_visible()
    site.target(project, rules=[rule("theirs")])
    expect(names(one)).to_have_text(["theirs"])
    expect(one.switch("Development")).to_have_attribute("aria-checked", "true")


def test_targets_prerequisites_shares_variants_and_details_are_saved_together(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.flag(project, "new-api")
    visitor.visit(project, "flags/checkout")
    page = visitor.page
    page.get_by_role("button", name="Add a flag that it needs").click()
    fill(page.get_by_label("Key of the flag"), "new-api")
    expect(page.get_by_label("Has to serve, one a line")).to_have_value("on")
    page.get_by_role("button", name="Add a target").click()
    fill(page.get_by_label("For these, one a line"), "user-1\nuser-2")
    default = page.get_by_role("region", name="Everybody else")
    default.get_by_label("Serve", exact=True).select_option("split")
    fill(default.get_by_label("on, percent"), "30")
    expect(default.get_by_label("off, percent")).to_have_value("70")
    expect(default.get_by_role("img")).to_have_attribute("aria-label", "Served: on 30 %, off 70 %")
    page.get_by_role("button", name="Add a variant").click()
    expect(bar(visitor)).to_contain_text("Give the new variant a name.")
    fill(page.get_by_role("region", name="Variants").get_by_label("Name").last, "also-on")
    page.get_by_text("Edit description, owner and tags").click()
    fill(page.get_by_label("Tags, one a line"), "web\nshop")
    expect(bar(visitor)).to_contain_text("tags")
    expect(bar(visitor)).to_contain_text("also-on")
    expect(bar(visitor)).to_contain_text("now needs new-api")
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    saved = site.read(project)
    found = saved["environments"]["development"]
    assert found["prerequisites"] == [{"flag": "new-api", "variants": ["on"]}]
    assert [(each["variant"], each["values"]) for each in found["targets"]] == [("on", ["user-1", "user-2"])]
    assert found["default"]["split"]["weights"] == {"on": 30_000, "off": 70_000}
    assert (saved["variants"]["also-on"], saved["tags"]) == (True, ["web", "shop"])
    visitor.visit(project, "flags/new-api")
    visitor.sees("checkout")
    expect(page.get_by_role("region", name="Needs other flags")).to_contain_text(
        "checkout asks whether this one serves on"
    )


def test_a_variant_that_is_added_can_be_served_by_the_same_draft(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.target(project, rules=[rule("brazil")])
    visitor.visit(project, "flags/checkout")
    page = visitor.page
    page.get_by_role("button", name="Edit: brazil").click()
    page.get_by_role("button", name="Add a variant").click()
    fill(page.get_by_role("region", name="Variants").get_by_label("Name").last, "also-on")
    page.locator(".rule").get_by_label("Serve", exact=True).select_option("also-on")
    page.get_by_role("region", name="Everybody else").get_by_label("Serve", exact=True).select_option(
        "also-on"
    )
    page.get_by_label("While it is off, serve").select_option("also-on")
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    saved = site.read(project)
    found = saved["environments"]["development"]
    assert saved["variants"] == {"on": True, "off": False, "also-on": True}
    assert (found["default"], found["off_variant"]) == ({"variant": "also-on"}, "also-on")
    assert found["rules"][0]["serve"] == {"variant": "also-on"}


def test_the_last_variant_cannot_be_removed(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "flags/checkout")
    removing = visitor.page.get_by_role("button", name=re.compile("Remove variant"))
    removing.first.click()
    expect(removing).to_have_count(0)


def test_a_value_that_is_no_json_keeps_a_draft_from_being_saved(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.flag(project, "limits", type="object", variants={"few": {"a": 1}, "many": {"a": 2}})
    visitor.visit(project, "flags/limits")
    value = visitor.page.get_by_role("region", name="Variants").get_by_label("Value").first
    fill(value, '{"a": true')
    expect(bar(visitor)).to_contain_text("few: This is not JSON")
    expect(bar(visitor).get_by_role("button", name="Save", exact=True)).to_have_count(0)
    fill(value, '{"a": true}')
    save(visitor)
    expect(bar(visitor)).to_be_hidden()
    assert site.read(project, "limits")["variants"]["few"] == {"a": True}


def test_what_the_api_refuses_is_said_in_its_words_before_it_is_saved(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "flags/checkout")
    visitor.page.get_by_role("button", name="Remove variant off").click()
    expect(bar(visitor)).to_contain_text("'off'")
    expect(bar(visitor).get_by_role("button", name="Save", exact=True)).to_have_count(0)
    bar(visitor).get_by_role("button", name="Discard").click()
    expect(visitor.page.get_by_role("button", name="Remove variant off")).to_be_visible()


def test_a_viewer_sees_everything_and_can_change_nothing(site: Site, project: str, visit: Visit) -> None:
    site.target(project, rules=[rule("brazil")], targets=[{"variant": "on", "values": ["user-1"]}])
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project, "flags/checkout")
    expect(row(viewer, "brazil")).to_contain_text("If country is BR, serve on")
    viewer.sees("While it is off:")
    expect(viewer.switch("Development")).to_be_disabled()
    screen = viewer.page.locator(".flag-screen")
    expect(screen.locator("input, textarea, select, .handle")).to_have_count(0)
    expect(screen.get_by_role("button")).to_have_text(["curl", "Python", "JavaScript", "Go", "Copy"])


def test_examples_have_the_address_and_the_key(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "flags/checkout")
    code = visitor.page.get_by_label("Example", exact=True)
    expect(code).to_contain_text(f"{EVALUATION_URL}/ofrep/v1/evaluate/flags/checkout")
    asked = {
        "Python": 'get_boolean_value("checkout", False, context)',
        "JavaScript": 'getBooleanValue("checkout", false, context)',
        "Go": 'BooleanValue(context.Background(), "checkout", false, subject)',
    }
    for language, call in asked.items():
        visitor.page.get_by_role("button", name=language, exact=True).click()
        expect(code).to_contain_text(call)
        expect(code).to_contain_text(
            f"{EVALUATION_URL}" if language != "JavaScript" else f"'{EVALUATION_URL}'"
        )
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.page.get_by_role("button", name="Copy", exact=True).click()
    visitor.sees("Copied.")
    assert asked["Go"] in visitor.page.evaluate("navigator.clipboard.readText()")
    visitor.page.reload()
    expect(code).to_contain_text(asked["Go"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_can_be_used_by_everybody(site: Site, project: str, visit: Visit, scheme: Any) -> None:
    visitor = visit(color_scheme=scheme, viewport=NARROW).enter()
    long = "x" * 120
    both = {"all": [COUNTRY, {"any": [KEPT, {"attribute": long, "operator": "in", "values": [HOSTILE]}]}]}
    serve = {"split": {"weights": {"on": 25_000, "off": 75_000}}}
    site.target(project, rules=[{**rule(HOSTILE, when=both), "id": "r"}], default=serve)
    visitor.visit(project, "flags/checkout")
    visitor.page.get_by_role("button", name=re.compile("^Edit: ")).click()
    fill(visitor.page.get_by_label("Name of the rule"), RIGHT_TO_LEFT)
    expect(bar(visitor)).to_contain_text("is now called")
    assert visitor.violations() == []
    assert visitor.width_beyond() == 0
    assert visitor.page.evaluate("window.hacked") is None
    expect(visitor.page.locator(".said-rule bdi", has_text=HOSTILE[:20])).to_be_visible()


def test_it_speaks_portuguese(site: Site, project: str, visit: Visit) -> None:
    site.target(project, rules=[rule("brasil")])
    visitor = visit(language="pt-BR").enter()
    visitor.visit(project, "flags/checkout")
    expect(row(visitor, "brasil")).to_contain_text("Se country é BR, servir on")
    visitor.sees("Quem recebe o quê hoje")


def test_the_list_leads_to_the_flag_and_each_environment_has_an_address(
    project: str, visitor: Visitor
) -> None:
    visitor.visit(project)
    visitor.page.get_by_role("link", name="checkout").click()
    visitor.connected()
    visitor.page.get_by_role("link", name="Staging").click()
    expect(visitor.page).to_have_url(re.compile(f"/{project}/staging/flags/checkout$"))
    expect(visitor.switch("Staging")).to_be_visible()
