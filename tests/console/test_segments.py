"""Segments, with a browser."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from projections.records_table import Record
from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import HOSTILE, NARROW, RIGHT_TO_LEFT, Visitor

PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}

Put = Callable[..., Any]


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


@pytest.fixture
def put(site: Site, project: str) -> Put:
    """A segment, that lists know already."""

    def made(key: str = "beta", by: str = "", reason: str = "", **more: Any) -> Any:
        path, body = f"/projects/{project}/segments/{key}", {"condition": PRO, **more}
        segment = site.give("PUT", path, body, key=by, **({"X_Reason": reason} if reason else {}))
        site.seen(project, segment["position"])
        return segment

    return made


def used_in(site: Site, project: str, environment: str) -> None:
    """The flag serves "on" to the segment there, and "off" to all others."""
    rules = [{"id": "beta", "name": "Beta", "when": {"segment": "beta"}, "serve": {"variant": "on"}}]
    targeting = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}, "rules": rules}
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/{environment}", targeting)


def recorded(site: Site, project: str, environment: str, *contexts: dict[str, Any]) -> None:
    """As the consumer writes what evaluators answered to those."""
    recording = {"recording": {"attributes": ["plan", "country"]}}
    position = site.give("PATCH", f"/projects/{project}/environments/{environment}", recording)["position"]
    site.recorded(
        *(
            Record(
                f"{project}-{number}",
                project,
                environment,
                "checkout",
                "off",
                "DEFAULT",
                f"user-{number}",
                position,
                int(time.time() * 1_000) - 1,
                context,
            )
            for number, context in enumerate(contexts)
        )
    )


def box(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog")


def act(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("button", name=name, exact=True).click()


def archive(visitor: Visitor) -> None:
    act(visitor, "Archive")
    box(visitor).get_by_label("Reason").fill("done with it")
    box(visitor).get_by_role("button", name="Archive").click()
    expect(box(visitor)).to_have_count(0)


def edit(visitor: Visitor, label: str, text: str) -> None:
    """As a person does: it is edited once they go on."""
    field = visitor.page.get_by_label(label).first
    field.fill(text)
    field.press("Tab")


def in_words(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("region", name="In words")


def faults(visitor: Visitor) -> tuple[list[str], int]:
    """What keeps somebody from using the page, and how much wider it is than the window."""
    expect(visitor.page.get_by_role("progressbar")).to_have_count(0)
    return visitor.violations(), visitor.width_beyond()


def test_a_segment_with_a_group_is_made_and_says_in_words_who_belongs(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project, "segments")
    visitor.sees(re.compile("There are no segments yet"))
    visitor.page.get_by_role("link", name="New segment").click()
    visitor.connected()
    act(visitor, "Make the segment")
    expect(visitor.page.get_by_role("alert")).to_have_text("Give the segment a key.")
    edit(visitor, "Key", "beta")
    edit(visitor, "Name", "Beta testers")
    act(visitor, "+ Attribute")
    edit(visitor, "Attribute, as country", "plan")
    edit(visitor, "Values, one a line", "pro\nteam")
    act(visitor, "+ Group")
    groups = visitor.page.get_by_role("group", name="Group of conditions")
    expect(groups).to_have_count(2)
    inner = groups.last
    inner.get_by_label("Attribute, as country").fill("country")
    inner.get_by_label("Values, one a line").fill("BR")
    inner.get_by_label("Values, one a line").press("Tab")
    edit(visitor, "Always in it", "user-1\n\n  user-2 ")
    expect(in_words(visitor)).to_contain_text("plan is pro or team or country is BR")
    expect(in_words(visitor)).to_contain_text("Always in it: user-1 and user-2")
    act(visitor, "Make the segment")
    visitor.page.wait_for_url(f"{site.console}/{project}/development/segments/beta")
    expect(visitor.page.get_by_label("Name")).to_have_value("Beta testers")
    segment = site.give("GET", f"/projects/{project}/segments/beta")
    assert (segment["name"], segment["include"]) == ("Beta testers", ["user-1", "user-2"])
    plan, group = segment["condition"]["any"]
    assert (plan["attribute"], plan["values"]) == ("plan", ["pro", "team"])
    assert group["all"][0]["values"] == ["BR"]


def test_a_new_segment_never_replaces_one_that_is_there(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put(name="Theirs")
    visitor.visit(project, "new-segment")
    edit(visitor, "Key", "beta")
    act(visitor, "Make the segment")
    expect(visitor.page.get_by_role("alert").last).to_have_text(
        "Segment beta is there already; nothing of it was changed."
    )
    assert site.give("GET", f"/projects/{project}/segments/beta")["name"] == "Theirs"


def test_a_draft_tells_whom_it_would_move_and_is_saved_with_a_reason_where_production_asks_for_it(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put()
    used_in(site, project, "production")
    recorded(
        site, project, "production", {"plan": "pro"}, {"plan": "team"}, {"plan": "team"}, {"plan": "free"}
    )
    visitor.visit(project, "segments/beta", "production")
    uses = visitor.page.get_by_role("region", name="Who asks for it")
    expect(uses).to_contain_text("checkout · production")
    edit(visitor, "Values, one a line", "pro\nteam")
    expect(visitor.page.get_by_label("Values, one a line")).to_have_value("pro\nteam")
    act(visitor, "Ask the last day's evaluations in production")
    moves = visitor.page.get_by_role("region", name="Whom it would move")
    expect(moves).to_contain_text("Of 4 evaluations of the last day 2 move (2 subjects).")
    expect(moves.get_by_role("row").last).to_have_text(re.compile(r"off.*on · rule Beta.*2.*2"))
    assert site.give("GET", f"/projects/{project}/segments/beta")["version"] == 1
    act(visitor, "Save")
    box(visitor).get_by_label("Reason").fill("teams asked")
    box(visitor).get_by_role("button", name="Save").click()
    visitor.sees("The segment is saved.")
    (entry, _) = site.give("GET", f"/projects/{project}/segments/beta/history")["entries"]
    assert (entry["reason"], entry["data"]["condition"]["values"]) == ("teams asked", ["pro", "team"])


def test_what_is_not_said_yet_is_asked_for_before_anything_is_saved(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put()
    visitor.visit(project, "segments/beta")
    act(visitor, "Save")
    expect(visitor.page.get_by_role("alert")).to_have_text("Nothing was changed yet.")
    act(visitor, "+ Segment")
    act(visitor, "Save")
    expect(visitor.page.get_by_role("alert")).to_have_text("Choose a segment.")
    assert site.give("GET", f"/projects/{project}/segments/beta")["version"] == 1


def test_a_draft_on_what_somebody_else_changed_overwrites_nothing(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put()
    visitor.visit(project, "segments/beta")
    edit(visitor, "Description", "mine")
    put(by=site.token("editor", project), reason="incident", exclude=["mallory"])
    warned = visitor.page.locator(".warned")
    expect(warned).to_contain_text("While you edited, it was changed by token:")
    expect(warned).to_contain_text("Never in it: mallory")
    act(visitor, "Save")
    expect(box(visitor)).to_contain_text("Nothing was changed by you")
    expect(box(visitor)).to_contain_text("mallory now never in it")
    expect(box(visitor)).to_contain_text("incident")
    act(visitor, "Close")
    expect(visitor.page.get_by_label("Description")).to_have_value("mine")
    act(visitor, "Drop my draft and show it as it is now")
    expect(visitor.page.get_by_label("Never in it, whatever else holds")).to_have_value("mallory")
    assert site.give("GET", f"/projects/{project}/segments/beta")["description"] == ""


def test_where_changes_are_approved_saving_proposes_one(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put()
    site.give("PATCH", f"/projects/{project}/environments/staging", {"approvals": 1})
    visitor.visit(project, "segments/beta")
    edit(visitor, "Name", "Testers")
    act(visitor, "Propose the change")
    box(visitor).get_by_label("Reason").fill("a better name")
    box(visitor).get_by_role("button", name="Propose the change").click()
    visitor.sees(re.compile("is proposed as change"))
    (change,) = site.give("GET", f"/projects/{project}/changes")["changes"]
    assert (change["description"], change["about"][0]["command"]) == ("a better name", "put_segment")


def test_one_that_is_asked_for_is_not_archived_and_the_api_says_why(
    site: Site, project: str, put: Put, visitor: Visitor
) -> None:
    put()
    used_in(site, project, "development")
    visitor.visit(project, "segments/beta")
    archive(visitor)
    refusal = visitor.page.get_by_role("alert").filter(has_text="is still asked for by flag 'checkout'")
    expect(refusal).to_be_visible()
    assert not site.give("GET", f"/projects/{project}/segments/beta")["archived"]
    off = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}}
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/development", off)
    visitor.sees("No flag and no other segment asks for it.")
    archive(visitor)
    expect(visitor.page.locator(".status")).to_have_text("Archived")
    expect(visitor.page.get_by_role("button", name="Save")).to_have_count(0)


def test_others_changes_appear_in_the_list_and_on_the_page(
    site: Site, project: str, put: Put, visit: Visit
) -> None:
    put()
    ana, bo = visit().enter(), visit().enter()
    ana.visit(project, "segments")
    bo.visit(project, "segments/beta")
    put("staff", name="Our own people", condition={"segment": "beta"})
    ana.sees("Our own people")
    expect(bo.page.get_by_role("region", name="Who asks for it")).to_contain_text("staff")
    put(description="as of today")
    expect(bo.page.get_by_label("Description")).to_have_value("as of today")
    ana.page.get_by_role("searchbox").fill("today")
    expect(ana.page.locator(".card .key")).to_have_text(["beta"])
    expect(ana.page).to_have_url(re.compile("search=today"))


def test_a_viewer_reads_who_belongs_and_has_no_control_that_works(
    site: Site, project: str, put: Put, visit: Visit
) -> None:
    put()
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project, "segments")
    expect(viewer.page.get_by_role("link", name="New segment")).to_have_count(0)
    viewer.visit(project, "segments/beta")
    viewer.sees("You may look at segments, but not change them.")
    viewer.sees(re.compile("Belongs if:"))
    expect(viewer.page.locator("#content").get_by_role("button")).to_have_count(0)
    viewer.visit(project, "new-segment")
    expect(viewer.page.locator("#content").get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_are_text_it_fits_a_telephone_and_needs_no_eyes(
    site: Site, project: str, put: Put, visit: Visit, scheme: str
) -> None:
    group = {"any": [PRO, {"all": [PRO, {"segment": "beta"}]}]}
    put()
    put(
        "hostile",
        name=HOSTILE,
        description=f"{RIGHT_TO_LEFT} {'x' * 200}",
        condition=group,
        include=[HOSTILE],
    )
    ana = visit(color_scheme=scheme, viewport=NARROW, reduced_motion="reduce").enter()
    ana.visit(project, "segments")
    ana.sees(HOSTILE)
    assert faults(ana) == ([], 0)
    ana.visit(project, "segments/hostile")
    ana.sees(HOSTILE)
    assert faults(ana) == ([], 0)
    assert ana.page.evaluate("window.hacked") is None


def test_it_is_said_in_portuguese(site: Site, project: str, put: Put, visit: Visit) -> None:
    put()
    ana = visit("pt-BR").enter()
    ana.visit(project, "segments/beta")
    for seen in ("Quem pertence", "Quem o usa", "Nenhuma flag nem outro segmento o usa."):
        ana.sees(seen)
