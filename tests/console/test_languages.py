"""What the API says in sentences, as a viewer reads it who wants Portuguese."""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Visit
from tests.console.site import Site

ON = {"command": "turn_flag_on", "flag": "checkout", "environment": "staging"}
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
RULE = {"id": "br", "name": "Brasil", "when": BRAZIL, "serve": {"variant": "on"}}
TARGETING = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}}


@pytest.fixture
def project(site: Site) -> str:
    found = site.project()
    site.flag(found)
    return found


def give_rules(site: Site, project: str, *rules: Any) -> int:
    path = f"/projects/{project}/flags/checkout/environments/development"
    position = int(site.give("PUT", path, {**TARGETING, "rules": rules})["position"])
    site.seen(project, position)
    return position


def said(page: Locator, text: str) -> None:
    """Names stand in elements of their own, so it is all of the text that is looked at."""
    expect(page).to_contain_text(text)


def test_the_time_machine_tells_in_portuguese_what_happened_what_differs_and_what_undoing_would_do(
    site: Site, project: str, visit: Visit
) -> None:
    position = give_rules(site, project, RULE)
    change = site.give("POST", f"/projects/{project}/changes", {"title": "Subir", "commands": [ON]})
    site.seen(project, change["position"])
    ana = visit("pt-BR").enter()
    ana.visit(project, "history", environment="development", flag="checkout")
    content = ana.page.locator("#content")
    said(content, "nova regra Brasil em development: se country é BR, servir on")
    said(content, "a flag checkout (liga/desliga) foi criada, com on e off")
    ana.page.get_by_role("button", name=f"Desfazer o evento {position}").click()
    said(ana.page.get_by_role("dialog"), "a regra Brasil foi removida em development")
    ana.page.keyboard.press("Escape")
    ana.visit(project, "history", environment="development")
    said(content, "a mudança foi proposta")
    expect(content).not_to_contain_text("Change proposed")
    ana.visit(project, "history", environment="development", view="compare", other="staging")
    said(content, "a regra Brasil foi removida em staging")


def test_a_change_request_says_in_portuguese_what_it_would_do_and_what_it_did(
    site: Site, project: str, visit: Visit
) -> None:
    change = site.give("POST", f"/projects/{project}/changes", {"title": "Subir", "commands": [ON]})
    site.seen(project, change["position"])
    ana = visit("pt-BR").enter()
    ana.visit(project, f"changes/{change['id']}")
    said(ana.page.get_by_role("region", name="O que ela faria"), "foi ligada em staging")
    site.give("POST", f"/projects/{project}/changes/{change['id']}/apply")
    expect(ana.page.locator(".status")).to_have_text("Aplicada")
    said(ana.page.get_by_role("region", name="O que ela faria"), "foi ligada em staging")


def test_a_draft_says_in_portuguese_what_it_would_change(site: Site, project: str, visit: Visit) -> None:
    give_rules(site, project, RULE)
    ana = visit("pt-BR").enter()
    ana.visit(project, "flags/checkout", environment="development")
    ana.page.get_by_role("button", name="Remover: Brasil").click()
    said(ana.page.get_by_role("region", name="Ainda não salvo"), "a regra Brasil foi removida em development")


def test_whoever_chooses_english_reads_english_whatever_the_browser_wants(
    site: Site, project: str, visit: Visit
) -> None:
    give_rules(site, project, RULE)
    ana = visit("pt-BR").enter()
    ana.visit(project, "history", environment="development", flag="checkout")
    ana.page.locator("summary").first.click()
    ana.page.get_by_label("Idioma").select_option("English")
    said(ana.page.locator("#content"), "new rule Brasil: if country is BR, serve on in development")
