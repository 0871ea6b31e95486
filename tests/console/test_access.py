"""Keys, access tokens and people: made, shown once, changed and taken away."""

import os
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Visit
from tests.console.site import PASSWORD, Site
from tests.console.visitor import NARROW, Visitor

SECRET = re.compile(r"^tm_[a-z]+_[0-9A-Za-z]{10}_\w+$")
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def project(site: Site) -> str:
    return site.project()


def dialog(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog")


def press(visitor: Visitor, name: str) -> None:
    dialog(visitor).get_by_role("button", name=name, exact=True).click()


def make(visitor: Visitor, button: str, **fields: str) -> str:
    """What is shown once."""
    visitor.page.get_by_role("button", name=button).click()
    for label, value in fields.items():
        dialog(visitor).get_by_label(label).fill(value)
    press(visitor, "Make")
    return shown_once(visitor)


def shown_once(visitor: Visitor) -> str:
    field = dialog(visitor).get_by_label("Secret")
    expect(field).to_have_value(SECRET)
    secret = field.input_value()
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(visitor, "Copy")
    expect(dialog(visitor).get_by_text("Copied.")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == secret
    press(visitor, "I have kept it")
    expect(dialog(visitor)).to_have_count(0)
    assert secret not in visitor.page.content()
    return secret


def rows(visitor: Visitor, name: str) -> Locator:
    return visitor.page.get_by_role("row", name=re.compile(name))


def keys(site: Site, project: str, archived: str = "false") -> Any:
    return site.give("GET", f"/projects/{project}/environments/development/keys?archived={archived}")["keys"]


def test_a_key_is_made_and_shown_once_rotated_and_revoked(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "access")
    visitor.sees("There are no keys here yet")
    first = make(visitor, "Make a key", Name=HOSTILE)
    expect(rows(visitor, "script")).to_contain_text(HOSTILE)
    visitor.page.get_by_role("button", name=f"Rotate {HOSTILE}").click()
    press(visitor, "Rotate")
    second = shown_once(visitor)
    assert second != first
    expect(rows(visitor, "script")).to_have_count(2)
    visitor.sees("Replaced by another")
    old = next(each for each in keys(site, project) if each["id"] in first)
    assert old["expires_at"] is not None
    row = visitor.page.get_by_role("row").filter(has_text=old["id"])
    row.get_by_role("button", name="Revoke").click()
    press(visitor, "Revoke")
    expect(rows(visitor, "script")).to_have_count(1)
    assert [each["id"] for each in keys(site, project, "true")] == [old["id"]]
    visitor.page.get_by_role("link", name="Revoked").click()
    visitor.page.wait_for_url("**/access?show=keys&revoked=true")
    expect(rows(visitor, "script")).to_contain_text("Revoked")
    expect(visitor.page.get_by_role("button", name=re.compile("Rotate|Revoke"))).to_have_count(0)


def test_production_asks_why_a_key_is_made(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "access", "production")
    visitor.page.get_by_role("button", name="Make a key").click()
    dialog(visitor).get_by_label("Name").fill("web")
    press(visitor, "Make")
    expect(dialog(visitor).get_by_role("alert")).to_have_text("Fill in: Reason")
    dialog(visitor).get_by_label("Reason").fill("the shop opens")
    press(visitor, "Make")
    shown_once(visitor)
    found = site.give("GET", f"/projects/{project}/history?kind=key")["entries"]
    assert found[0]["reason"] == "the shop opens"


def test_a_token_that_is_revoked_opens_nothing_any_more(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "access", show="tokens")
    name = f"deploy {os.urandom(4).hex()}"
    visitor.page.get_by_role("button", name="Make an access token").click()
    dialog(visitor).get_by_label("Name").fill(name)
    press(visitor, "Make")
    expect(dialog(visitor).get_by_role("alert")).to_contain_text("grants")
    dialog(visitor).get_by_label(f"In project {project}").select_option("Viewer: reads")
    press(visitor, "Make")
    token, path = shown_once(visitor), f"/projects/{project}/flags"
    assert site.ask("GET", path, key=token).status_code == 200
    expect(rows(visitor, name)).to_contain_text(f"Viewer: reads · In project {project}")
    visitor.page.get_by_role("button", name=f"Revoke {name}").click()
    press(visitor, "Revoke")
    expect(rows(visitor, name)).to_have_count(0)
    assert site.ask("GET", path, key=token).status_code == 401


def person(site: Site, email: str) -> Any:
    return next(
        each for each in site.give("GET", f"/people?search={email}")["people"] if each["email"] == email
    )


def test_a_person_is_added_given_another_role_and_deactivated(
    site: Site, project: str, visitor: Visitor
) -> None:
    email, other = f"ana-{os.urandom(4).hex()}@example.org", site.project("Another shop")
    visitor.visit(project, "access", show="people", search=email)
    visitor.sees("Nobody is called so")
    visitor.page.get_by_role("button", name="Add a person").click()
    dialog(visitor).get_by_label("E-mail address").fill(email)
    dialog(visitor).get_by_label("Name").fill("Ana")
    dialog(visitor).get_by_label("Password").fill("short")
    dialog(visitor).get_by_label(f"In project {project}").select_option("Viewer: reads")
    press(visitor, "Add")
    expect(dialog(visitor).get_by_role("alert")).to_contain_text("password")
    dialog(visitor).get_by_label("Password").fill(PASSWORD)
    press(visitor, "Add")
    visitor.sees("Ana was added.")
    expect(rows(visitor, email)).to_contain_text(f"Viewer: reads · In project {project}")
    elsewhere = {"role": "approver", "project": other, "environment": ""}
    grants = [{"role": "viewer", "project": project}, elsewhere]
    site.give("PATCH", f"/people/{person(site, email)['id']}", {"grants": grants})
    expect(rows(visitor, email)).to_contain_text(other)
    visitor.page.get_by_role("button", name="Roles of Ana").click()
    dialog(visitor).get_by_label(f"In project {project}").select_option("No role")
    dialog(visitor).get_by_label(f"Only in staging of {project}").select_option("Editor: changes flags")
    press(visitor, "Save")
    expect(rows(visitor, email)).to_contain_text("Only in staging")
    staging = {"role": "editor", "project": project, "environment": "staging"}
    assert sorted(person(site, email)["grants"], key=str) == sorted([staging, elsewhere], key=str)
    visitor.page.get_by_role("button", name="Deactivate Ana").click()
    press(visitor, "Deactivate")
    expect(rows(visitor, email)).to_contain_text("Deactivated")
    assert person(site, email)["disabled"] is True
    visitor.page.get_by_role("button", name="Activate Ana").click()
    press(visitor, "Activate")
    expect(rows(visitor, email)).to_contain_text("Active")


def test_roles_that_somebody_else_changed_meanwhile_are_not_overwritten(
    site: Site, project: str, visitor: Visitor
) -> None:
    email = site.person("viewer", project)
    visitor.visit(project, "access", show="people", search=email)
    visitor.page.get_by_role("button", name="Roles of viewer").click()
    dialog(visitor).get_by_label(f"In project {project}").select_option("No role")
    grants = [{"role": "editor", "project": project, "environment": ""}]
    site.give("PATCH", f"/people/{person(site, email)['id']}", {"grants": grants})
    press(visitor, "Save")
    visitor.sees("Somebody else was faster")
    assert person(site, email)["grants"] == grants


def test_a_viewer_sees_which_keys_there_are_and_is_told_who_makes_them(
    site: Site, project: str, visit: Visit
) -> None:
    site.give("POST", f"/projects/{project}/environments/development/keys", {"name": "web", "kind": "server"})
    ana = visit().enter(site.token("viewer", project))
    ana.visit(project, "access")
    ana.sees("are made, rotated and revoked by administrators")
    expect(rows(ana, "web")).to_be_visible()
    for show, words in (("tokens", "Access tokens are for"), ("people", "People and roles are for")):
        ana.visit(project, "access", show=show)
        ana.sees(words)
        expect(ana.page.locator("#content button")).to_have_count(0)
    ana.visit(project, "health")
    ana.sees("for who administers all of it")
    expect(ana.page.locator("#content button")).to_have_count(0)


def test_an_admin_of_one_project_changes_roles_in_it_and_adds_nobody(
    site: Site, project: str, visit: Visit
) -> None:
    email = site.person("viewer", project)
    ana = visit().enter(site.token("admin", project))
    ana.visit(project, "access", show="people", search=email)
    ana.sees("You change roles in what you administer")
    expect(ana.page.get_by_role("button", name="Add a person")).to_have_count(0)
    ana.page.get_by_role("button", name="Roles of viewer").click()
    expect(dialog(ana).get_by_label("Everywhere, in every project")).to_have_count(0)
    dialog(ana).get_by_label(f"In project {project}").select_option("Editor: changes flags")
    press(ana, "Save")
    expect(rows(ana, email)).to_contain_text("Editor")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_needs_help_can_use_it_and_it_fits_a_telephone(
    site: Site, project: str, visit: Visit, scheme: str
) -> None:
    site.person("editor", project)
    site.token("viewer", project)
    key = {"name": "\u05e9\u05dc\u05d5\u05dd " + "web" * 40, "kind": "client"}
    site.give("POST", f"/projects/{project}/environments/development/keys", key)
    ana = visit(color_scheme=scheme, reduced_motion="reduce", viewport=NARROW).enter()
    for show, button in (
        ("keys", "Make a key"),
        ("tokens", "Make an access token"),
        ("people", "Add a person"),
    ):
        ana.visit(project, "access", show=show)
        assert ana.width_beyond() <= 0, show
        assert ana.violations() == []
        ana.page.get_by_role("button", name=button).click()
        expect(dialog(ana)).to_be_visible()
        assert ana.violations() == []
        assert ana.width_beyond() <= 0, show
        ana.page.keyboard.press("Escape")
        expect(dialog(ana)).to_have_count(0)


def test_it_speaks_portuguese(project: str, visit: Visit) -> None:
    ana = visit("pt-BR").enter()
    ana.visit(project, "access")
    ana.page.get_by_role("button", name="Criar uma chave").click()
    expect(dialog(ana).get_by_label("Expira")).to_be_visible()
