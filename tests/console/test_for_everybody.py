"""With keys instead of a mouse, on a telephone, in the dark, read aloud, in Portuguese."""

import re

import pytest
from playwright.sync_api import Locator, expect

from api.console.screens import SCREENS
from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import NARROW, Visitor

TWO_FLAGS = 2  # of the fixture

LONG = "a-rather-long-key-of-a-flag-that-nobody-would-like-to-type-" + "x" * 100
DARK, LIGHT = "rgb(17, 20, 24)", "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def project(site: Site) -> str:
    found = site.project("A project with a name that goes on for longer than a telephone is wide")
    site.flag(found, tags=["web"], owner="ana@example.org", description="The checkout in one page")
    site.flag(found, LONG, description=LONG, tags=[LONG[:90]], owner="somebody.with.a.long.name@example.org")
    return found


def options(visitor: Visitor) -> Locator:
    """Of the palette."""
    return visitor.page.get_by_role("dialog").get_by_role("option")


def chosen(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog").get_by_role("option", selected=True)


def background(visitor: Visitor) -> str:
    found: str = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_for_whoever_needs_help_to_use_it(
    site: Site, project: str, visit: Visit, scheme: str
) -> None:
    ana = visit(color_scheme=scheme, reduced_motion="reduce")
    ana.page.goto(f"{site.console}/sign-in")
    assert background(ana) == (DARK if scheme == "dark" else LIGHT)
    assert ana.violations() == []
    ana.enter().visit(project)
    expect(ana.page.locator(".spark").first).to_be_visible()
    assert background(ana) == (DARK if scheme == "dark" else LIGHT)
    assert ana.violations() == []
    ana.page.locator("summary").click()
    assert ana.violations() == []
    ana.page.keyboard.press("Control+k")
    expect(options(ana).first).to_be_visible()
    assert ana.violations() == []
    ana.page.keyboard.press("Escape")
    ana.switch("Production").click()
    expect(ana.page.get_by_label("Reason")).to_be_visible()
    assert ana.violations() == []


def test_a_serious_fault_would_be_found(project: str, visitor: Visitor) -> None:
    visitor.visit(project)
    visitor.page.evaluate("document.querySelector('.switch').removeAttribute('aria-label')")
    assert any("button-name" in each or "toggle-field-name" in each for each in visitor.violations())


def test_the_palette_finds_flags_and_screens_by_the_keyboard_alone(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project)
    visitor.page.keyboard.press("Control+k")
    field = visitor.page.get_by_role("combobox", name="Find a flag or a screen")
    expect(field).to_be_focused()
    screens = [each for each in SCREENS if each.in_menu]
    expect(options(visitor)).to_have_count(TWO_FLAGS + len(screens))
    for _ in screens:  # which come first
        visitor.page.keyboard.press("ArrowDown")
    expect(chosen(visitor)).to_contain_text("a-rather-long")
    visitor.page.keyboard.press("ArrowUp")
    visitor.page.keyboard.type("check")
    expect(options(visitor)).to_have_count(1)
    expect(chosen(visitor)).to_contain_text("checkout")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile("checkout"))
    visitor.connected()
    visitor.page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    visitor.page.keyboard.press("Escape")
    expect(field).to_have_count(0)


def test_a_slash_leads_to_the_search_and_the_first_tab_past_the_header(
    project: str, visitor: Visitor
) -> None:
    visitor.visit(project)
    visitor.page.keyboard.press("Tab")
    skip = visitor.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("#content")).to_be_focused()
    visitor.page.keyboard.press("/")
    search = visitor.page.get_by_label("Search flags")
    expect(search).to_be_focused()
    visitor.page.keyboard.type("a/b")
    expect(search).to_have_value("a/b")


def test_a_switch_is_pressed_with_a_key_and_shows_where_the_focus_is(site: Site, visitor: Visitor) -> None:
    project = site.project()
    site.flag(project)
    visitor.visit(project)
    switch = visitor.switch("Development")
    switch.focus()
    visitor.page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_be_focused()
    assert switch.evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"


@pytest.mark.parametrize("language", ["en-US", "pt-BR"])
def test_nothing_is_wider_than_a_telephone(site: Site, project: str, visit: Visit, language: str) -> None:
    ana = visit(language, viewport=NARROW)
    ana.page.goto(f"{site.console}/sign-in")
    assert ana.width_beyond() <= 0
    ana.enter().visit(project)
    expect(ana.page.locator(".spark").first).to_be_visible()
    assert ana.width_beyond() <= 0
    ana.page.locator("summary").click()
    assert ana.width_beyond() <= 0
    assert ana.violations() == []
    ana.page.keyboard.press("Control+k")
    expect(options(ana).first).to_be_visible()
    assert ana.width_beyond() <= 0


def test_on_a_telephone_the_menu_makes_room_for_the_page(project: str, visit: Visit) -> None:
    ana = visit(viewport=NARROW).enter()
    ana.visit(project, "flags/checkout")
    menu = ana.page.get_by_role("navigation", name="Screens")
    expect(menu).to_be_in_viewport()
    ana.page.mouse.wheel(0, 1_000)
    expect(menu).not_to_be_in_viewport()


def test_a_browser_that_asks_for_portuguese_gets_it_and_somebody_may_choose_otherwise(
    site: Site, project: str, visit: Visit
) -> None:
    ana = visit("pt-BR")
    ana.page.goto(f"{site.console}/sign-in")
    expect(ana.page).to_have_title("Entrar · ToggleMaster")
    expect(ana.page.locator("html")).to_have_attribute("lang", "pt-BR")
    ana.enter().visit(project)
    expect(ana.page.locator("html")).to_have_attribute("lang", "pt-BR")
    expect(ana.page.get_by_role("columnheader", name="Ciclo de vida")).to_be_visible()
    ana.page.get_by_role("switch", name="checkout em Production").click()
    expect(ana.page.get_by_role("dialog")).to_contain_text("Ligar checkout em production")
    ana.page.keyboard.press("Escape")
    ana.page.locator("summary").click()
    ana.page.get_by_label("Idioma").select_option("English")
    expect(ana.page.get_by_role("columnheader", name="Lifecycle")).to_be_visible()
    expect(ana.page.locator("html")).to_have_attribute("lang", "en-US")
    ana.visit(project, environment="staging")
    expect(ana.page.get_by_role("columnheader", name="Lifecycle")).to_be_visible()


def test_dark_and_light_are_as_the_system_has_it_until_somebody_chooses(project: str, visit: Visit) -> None:
    ana = visit(color_scheme="dark").enter()
    ana.visit(project)
    assert background(ana) == DARK
    ana.page.locator("summary").click()
    ana.page.get_by_label("Appearance").select_option("Light")
    ana.page.wait_for_function(
        f"document.body && getComputedStyle(document.body).backgroundColor === '{LIGHT}'"
    )
    ana.visit(project, environment="staging")
    assert background(ana) == LIGHT


def test_project_and_environment_are_chosen_and_remembered(site: Site, project: str, visit: Visit) -> None:
    other = site.project("A second shop")
    ana = visit().enter()
    ana.visit(project)
    ana.page.get_by_label("Environment").select_option("Staging")
    ana.page.wait_for_url(f"{site.console}/{project}/staging/flags")
    ana.page.get_by_label("Project").select_option("A second shop")
    ana.page.wait_for_url(f"{site.console}/{other}/staging/flags")
    ana.connected()
    ana.page.goto(f"{site.console}/")
    ana.page.wait_for_url(f"{site.console}/{other}/staging/flags")


def test_what_is_not_there_is_told_in_the_apis_words(site: Site, project: str, visitor: Visitor) -> None:
    visitor.expected += ["status of 404"]
    visitor.page.goto(f"{site.console}/{project}/prod/flags")
    visitor.sees(f"project '{project}' has no environment 'prod'; it has development, staging, production")
    visitor.page.goto(f"{site.console}/no-such-project/production/flags")
    visitor.sees("there is no project 'no-such-project'")
    visitor.page.get_by_role("link", name="To the first page").click()
    visitor.page.wait_for_url("**/flags")


def test_whoever_was_granted_nothing_is_told_what_to_do(site: Site, visit: Visit) -> None:
    ana = visit()
    email = f"nobody-{site.project()}@example.org"
    site.give("POST", "/people", {"email": email, "name": "Ana", "password": "correct horse battery"})
    ana.page.goto(site.console)
    ana.page.get_by_label("E-mail address").fill(email)
    ana.page.get_by_label("Password").fill("correct horse battery")
    ana.page.get_by_role("button", name="Sign in", exact=True).click()
    ana.sees("Ask an administrator for a role")
