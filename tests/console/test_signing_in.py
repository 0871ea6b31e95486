"""Coming in and going out, with a browser."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Visit
from tests.console.site import PASSWORD, Site
from tests.console.visitor import Visitor

EMAIL, WORD, KEY = "E-mail address", "Password", "Administrator's key or access token"
UNAUTHORISED = "status of 401"  # what Chromium says of the answer that is wanted here
CUT_OFF = "WebSocket connection to .* failed"  # and of a page that tries to come back before it leaves


def sign_in(visitor: Visitor, email: str, password: str = PASSWORD) -> None:
    visitor.page.get_by_label(EMAIL).fill(email)
    visitor.page.get_by_label(WORD).fill(password)
    visitor.page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in_with_key(visitor: Visitor, key: str) -> None:
    visitor.page.get_by_label(KEY).fill(key)
    visitor.page.get_by_role("button", name="Sign in with a key").click()


def sign_out(visitor: Visitor) -> None:
    visitor.page.locator("summary").click()
    visitor.page.get_by_role("button", name="Sign out").click()


def test_a_person_signs_in_with_a_password_and_is_led_to_the_page_they_asked_for(
    site: Site, visit: Visit
) -> None:
    project = site.project()
    site.flag(project)
    email, ana = site.person("viewer", project), visit()
    ana.page.goto(f"{site.console}/{project}/staging/flags?search=check")
    expect(ana.page).to_have_title("Sign in · ToggleMaster")
    sign_in(ana, email)
    ana.page.wait_for_url(f"{site.console}/{project}/staging/flags?search=check")
    ana.sees(email)
    assert ana.flag_keys() == ["checkout"]


def test_a_wrong_password_lets_nobody_in_and_is_told_in_the_apis_words(site: Site, visit: Visit) -> None:
    email, ana = site.person("viewer", site.project()), visit()
    ana.expected.append(UNAUTHORISED)
    ana.page.goto(site.console)
    sign_in(ana, email, "wrong horse battery")
    expect(ana.page.get_by_role("alert")).to_have_text("the address or the password is wrong")
    expect(ana.page.get_by_label(EMAIL)).to_have_value(email)
    assert ana.page.context.cookies() == []


def test_a_key_signs_in_and_one_that_nobody_knows_does_not(site: Site, visit: Visit) -> None:
    ana = visit()
    ana.expected.append(UNAUTHORISED)
    ana.page.goto(site.console)
    sign_in_with_key(ana, "tm_admin_nobody_knows_this")
    expect(ana.page.get_by_role("alert")).to_contain_text("unknown, has expired or was revoked")
    sign_in_with_key(ana, site.admin_key)
    ana.sees("administrator")


def test_a_link_signs_in_once(site: Site, visit: Visit) -> None:
    link, ana, thief = site.link(), visit(), visit()
    thief.expected.append(UNAUTHORISED)
    ana.page.goto(link)
    ana.sees("administrator")
    assert "link=" not in ana.page.url
    thief.page.goto(link)
    expect(thief.page.get_by_role("alert")).to_contain_text("used before")
    assert thief.page.context.cookies() == []


def test_signing_out_ends_the_other_pages_too(site: Site, visit: Visit) -> None:
    project, ana = site.project(), visit().enter()
    ana.expected += [UNAUTHORISED, CUT_OFF]  # the other page asks whether it is still signed in
    ana.visit(project)
    other = ana.page.context.new_page()
    other.goto(ana.page.url)
    other.wait_for_function("window.did_handshake === true")
    sign_out(ana)
    expect(ana.page).to_have_title("Sign in · ToggleMaster")
    other.wait_for_url(f"{site.console}/sign-in?then=*")
    other.goto(f"{site.console}/{project}/development/flags")
    expect(other).to_have_title("Sign in · ToggleMaster")


def test_whoever_is_disabled_is_signed_out_of_open_pages_at_once(site: Site, visit: Visit) -> None:
    project, ana = site.project(), visit()
    site.flag(project)
    email = site.person("editor", project)
    ana.page.goto(f"{site.console}/{project}/development/flags")
    sign_in(ana, email)
    ana.connected()
    person = next(each for each in site.give("GET", "/people?limit=1000")["people"] if each["email"] == email)
    ana.expected += [UNAUTHORISED, CUT_OFF]  # the page loses its connection with the session, and asks why
    site.give("PATCH", f"/people/{person['id']}", {"disabled": True})
    expect(ana.page).to_have_title("Sign in · ToggleMaster")
    ana.page.goto(f"{site.console}/{project}/development/flags")
    expect(ana.page).to_have_title("Sign in · ToggleMaster")


@pytest.mark.parametrize("then", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_nobody_is_led_elsewhere_after_signing_in(site: Site, visit: Visit, then: str) -> None:
    ana = visit()
    ana.page.goto(f"{site.console}/sign-in?then={then}")
    sign_in_with_key(ana, site.admin_key)
    ana.page.wait_for_url(f"{site.console}/**/flags")


def test_a_link_from_another_site_leads_whoever_is_signed_in_to_the_page(
    site: Site, visitor: Visitor
) -> None:
    project = site.project()
    visitor.expected.append("asked http://other.test/")
    page = f"{site.console}/{project}/development/flags"
    body = f"<a href='{page}'>go</a>"
    visitor.page.route("http://other.test/", lambda route: route.fulfill(content_type="text/html", body=body))
    visitor.page.goto("http://other.test/")
    visitor.page.get_by_text("go").click()
    visitor.page.wait_for_url(page)
    expect(visitor.page).to_have_title("Flags · Shop · ToggleMaster")
