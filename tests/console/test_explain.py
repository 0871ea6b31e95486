"""Explain, with a browser: an answer now and then, step by step."""

import json
import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from projections.records_table import Record
from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import HOSTILE, NARROW, RIGHT_TO_LEFT, Visitor

PRO = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
TENTH = {"bucket": {"below": 10_000}}
HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


def recorded(site: Site, project: str, subject: str, position: int, **attributes: Any) -> None:
    """As the consumer writes what evaluators recorded."""
    at = int(time.time() * 1_000) - 1_000
    name = os.urandom(8).hex()
    record = Record(
        name, project, "development", "checkout", "on", "TARGETING_MATCH", subject, position, at, attributes
    )
    site.recorded(record)


def ask(visitor: Visitor, context: str) -> None:
    visitor.page.get_by_label("Context (JSON)").fill(context)
    visitor.page.get_by_role("button", name="Explain", exact=True).click()


def verdict(visitor: Visitor) -> Locator:
    return visitor.page.locator(".verdict")


def trace(visitor: Visitor) -> Locator:
    return visitor.page.locator(".trace > li")


def test_an_answer_is_explained_now_and_then_and_its_address_can_be_passed_on(
    site: Site, project: str, visit: Visit, visitor: Visitor
) -> None:
    rule = {"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}
    then = site.target(project, rules=[rule], reason="for pros")
    site.target(project, reason="no more")
    visitor.visit(project, "explain", flag="checkout")
    ask(visitor, '{"targetingKey": "u1", "plan": "pro"}')
    expect(verdict(visitor)).to_contain_text("off")
    expect(verdict(visitor)).to_contain_text("what everybody else gets")
    visitor.page.get_by_label("or event number").fill(str(then))
    visitor.page.get_by_label("or event number").press("Tab")
    visitor.page.get_by_role("button", name="Explain", exact=True).click()
    expect(verdict(visitor)).to_contain_text("The rule “pros” held.")
    expect(visitor.page.locator(".today")).to_contain_text("Now the answer is another: off")
    expect(visitor.page.locator(".happening")).to_contain_text("for pros")
    expect(trace(visitor)).to_contain_text("plan is pro")
    expect(trace(visitor)).to_contain_text('saw "pro"')
    assert set(visitor.asked(at=str(then))) == {"flag", "at", "context"}
    assert "context" not in urlsplit(visitor.page.url).query, "it would be in the logs of requests"
    other = visit()
    other.page.goto(visitor.page.url)
    other.page.get_by_label("Administrator's key or access token").fill(site.token("viewer", project))
    other.page.get_by_role("button", name="Sign in with a key").click()
    expect(verdict(other)).to_contain_text("The rule “pros” held.")
    expect(other.page.get_by_label("or event number")).to_have_value(str(then))
    visitor.page.locator(".happening").get_by_role("link", name=f"Event {then}").click()
    expect(visitor.page.get_by_role("heading", name="Time machine")).to_be_visible()
    assert visitor.asked(at=str(then))


def test_a_context_in_the_address_goes_along_to_another_environment_and_may_be_replaced(
    site: Site, project: str, visitor: Visitor
) -> None:
    rules = [{"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}]
    site.target(project, "staging", rules=rules)
    visitor.visit(project, "explain", flag="checkout", context='{"plan": "pro"}')
    expect(verdict(visitor)).to_contain_text("The flag is off")
    visitor.page.get_by_label("Environment", exact=True).select_option("Staging")
    visitor.page.wait_for_url("**/staging/explain**")
    expect(verdict(visitor)).to_contain_text("The rule “pros” held.")
    visitor.page.evaluate("location.hash = '#context=' + encodeURIComponent('{\"plan\": \"free\"}')")
    expect(verdict(visitor)).to_contain_text("what everybody else gets")


def place(visitor: Visitor, of: str) -> FloatRect:
    found = verdict(visitor).locator(of).bounding_box()
    assert found is not None
    return found


def test_every_condition_tells_whether_it_held_and_what_it_saw(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.give("PUT", f"/projects/{project}/segments/beta", {"condition": PRO})
    gated = {"all": [{"segment": "beta"}, {"bucket": {"below": 0}}]}
    rules = [
        {"id": "gated", "name": "gated", "when": gated, "serve": {"variant": "on"}},
        {"id": "half", "name": "half of the rest", "when": {"all": []}, "serve": HALF},
    ]
    site.target(project, rules=rules)
    visitor.visit(project, "explain", flag="checkout", context='{"targetingKey": "u1", "plan": "pro"}')
    first, second = trace(visitor).first, trace(visitor).last
    expect(first.get_by_role("img", name="did not hold")).to_have_count(3)
    expect(first.get_by_role("img", name="held", exact=True)).to_have_count(2)
    expect(first).to_contain_text(re.compile(r"bucket \d+; those from 0 to under 0 are in"))
    expect(second).to_contain_text("half of the rest")
    expect(verdict(visitor)).to_contain_text(re.compile(r"By targetingKey this is bucket [\d.]+ %; from"))
    whole, covered, mark = (place(visitor, each) for each in (".scale", ".covered", ".bucket-mark"))
    assert (covered["y"], covered["height"]) == (whole["y"], whole["height"])
    assert covered["x"] - 2 <= mark["x"] <= covered["x"] + covered["width"] + 2
    ask(visitor, '{"targetingKey": "u1"}')
    expect(first).to_contain_text("nothing: it was not given")


def test_what_a_prerequisite_asked_is_told(site: Site, project: str, visitor: Visitor) -> None:
    site.flag(project, "api")
    site.give("POST", f"/projects/{project}/flags/api/environments/development/on")
    site.target(project, prerequisites=[{"flag": "api", "variants": ["off"]}])
    visitor.visit(project, "explain", flag="checkout", context="{}")
    expect(verdict(visitor)).to_contain_text("The flag api, which it needs, does not serve what it should.")


def test_all_flags_are_answered_for_one_context(site: Site, project: str, visitor: Visitor) -> None:
    site.flag(project, "another")
    site.target(project, default={"variant": "on"})
    visitor.visit(project, "explain")
    ask(visitor, '{"targetingKey": "u1"}')
    rows = visitor.page.locator(".answers tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("The flag is off")
    expect(rows.last).to_contain_text("Everybody gets the same")
    visitor.page.get_by_role("link", name="checkout").click()
    expect(verdict(visitor)).to_contain_text("on")
    assert visitor.asked(flag="checkout")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"plan": "pro",\n "country": }', "line 2, column 13"),
        ("[1]", "A context is an object"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_a_context_that_is_none_is_told_at_its_place(
    project: str, visitor: Visitor, text: str, told: str
) -> None:
    visitor.visit(project, "explain", flag="checkout")
    ask(visitor, text)
    expect(visitor.page.get_by_role("alert").first).to_contain_text(told)
    field = visitor.page.get_by_label("Context (JSON)")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    if told.startswith("line"):
        assert field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)") == "}"
    ask(visitor, "{}")
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_a_recorded_context_is_picked_and_explained_as_it_was_asked(
    site: Site, project: str, visit: Visit, visitor: Visitor
) -> None:
    then = site.target(
        project, rules=[{"id": "pro", "name": "pros", "when": PRO, "serve": {"variant": "on"}}]
    )
    site.target(project)
    recorded(site, project, "user-77", then, plan="pro")
    visitor.visit(project, "explain", flag="checkout")
    picker = visitor.page.get_by_label("A context that was recorded")
    picker.select_option(index=1)
    expect(verdict(visitor)).to_contain_text("The rule “pros” held.")
    asked = visitor.asked(at=str(then))
    assert json.loads(asked["context"][0]) == {"targetingKey": "user-77", "plan": "pro"}
    expect(visitor.page.get_by_label("Context (JSON)")).to_have_value(re.compile("user-77"))
    viewer = visit().enter(site.token("viewer", project))
    viewer.visit(project, "explain", flag="checkout", context="{}")
    expect(verdict(viewer)).to_be_visible()
    expect(viewer.page.get_by_label("A context that was recorded")).to_have_count(0)
    viewer.visit(project, "history", view="answers", flag="checkout")
    expect(viewer.page.get_by_role("button", name="Use recorded contexts")).to_have_count(0)
    visitor.visit(project, "history", view="answers", flag="checkout")
    visitor.page.get_by_role("button", name="Use recorded contexts").click()
    expect(visitor.page.locator(".timeline .happening").first).to_contain_text("rule pros was removed")


def test_a_flag_that_is_not_there_is_said(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "explain", flag="nowhere", context="{}")
    expect(verdict(visitor)).to_contain_text("there is no flag 'nowhere'")
    visitor.visit(project, "explain", flag="checkout", context="{}", at="someday")
    expect(visitor.page.get_by_role("alert").last).to_contain_text("'someday'")


def test_names_and_values_are_text(site: Site, project: str, visitor: Visitor) -> None:
    rules = [
        {"id": "one", "name": HOSTILE, "when": PRO, "serve": {"variant": "on"}},
        {"id": "two", "name": RIGHT_TO_LEFT, "when": {"all": []}, "serve": {"variant": "on"}},
    ]
    site.target(project, rules=rules)
    visitor.visit(project, "explain", flag="checkout", context=json.dumps({"plan": HOSTILE}))
    expect(trace(visitor).first).to_contain_text(HOSTILE)
    expect(visitor.page.locator("bdi", has_text=RIGHT_TO_LEFT).first).to_be_visible()
    assert visitor.page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_fault_nor_is_wider_than_a_telephone_and_speaks_portuguese(
    site: Site, project: str, visit: Visit, scheme: str
) -> None:
    rules = [{"id": "pro", "name": "pros" * 20, "when": {"any": [PRO, TENTH]}, "serve": HALF}]
    then = site.target(project, rules=rules)
    ana = visit("pt-BR", color_scheme=scheme, reduced_motion="reduce", viewport=NARROW).enter()
    ana.visit(
        project, "explain", flag="checkout", context='{"plan": "pro", "targetingKey": "u"}', at=str(then)
    )
    expect(ana.page.get_by_role("heading", name="Passo a passo")).to_be_visible()
    assert (ana.violations(), ana.width_beyond()) == ([], 0)
    ana.visit(project, "explain", context="{}")
    expect(ana.page.locator(".answers")).to_be_visible()
    assert (ana.violations(), ana.width_beyond()) == ([], 0)
