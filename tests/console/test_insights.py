"""Insights: what was counted, what was changed meanwhile, and what can be cleaned up."""

import re
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import ChangeTargeting, Command, TurnFlagOn
from deploy.processes.common import PATIENCE_SECONDS
from domain.envelope import Stamp
from domain.targeting import Targeting
from projections.records_table import Record
from projections.usage_table import CountRow
from tests.console.conftest import Visit
from tests.console.site import Site
from tests.console.visitor import NARROW, Visitor

BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
WEIGHTS = {"on": 50_000, "off": 50_000}
HALVES = {"enabled": True, "off_variant": "off", "default": {"split": {"weights": WEIGHTS}}}
LONG = "a-rather-long-name-of-a-flag-that-nobody-would-like-to-type-" + "x" * 80


def minute(ago: int = 0) -> int:
    return int(time.time()) // 60 - ago


def row(project: str, flag: str, ago: int = 0, producer: str = "p1", **counts: int) -> CountRow:
    """`SPLIT__on=3` is three evaluations."""
    outcomes = {name.replace("__", "/"): count for name, count in counts.items()}
    return CountRow(producer, project, "development", flag, minute(ago), 1, outcomes)


def chart(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("figure", name=title)


def counts(figure: Locator) -> dict[str, str]:
    """The sums that its table tells by the name of the column."""
    figure.get_by_text("As a table").click()
    expect(figure.locator("tbody tr").first).to_be_visible()
    head = figure.locator("thead th").all_inner_texts()[1:]
    rows = [each.locator("td").all_inner_texts() for each in figure.locator("tbody tr").all()]
    sums = [sum(int(cells[n].replace(",", "")) for cells in rows) for n in range(len(head))]
    return dict(zip(head, map(str, sums), strict=True))


def part(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("region", name=title)


@pytest.fixture
def project(site: Site) -> str:
    """With a flag."""
    found = site.project()
    site.flag(found)
    return found


def test_a_flags_chart_and_its_table_have_the_counts_that_were_written(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.evaluated(
        row(project, "checkout", SPLIT__on=1_200, SPLIT__off=800),
        row(project, "checkout", 120, DISABLED__=7),
        row(project, "checkout", 60 * 24 * 3, SPLIT__on=5),
    )
    visitor.visit(project, "insights/checkout")
    variants = chart(visitor, "Evaluations by variant")
    expect(variants).to_contain_text("2,007 evaluations in all")
    assert counts(variants) == {"on": "1200", "off": "800", "the code's default": "7"}
    assert counts(chart(visitor, "Evaluations by reason")) == {
        "A percentage decided": "2000",
        "The flag is off": "7",
    }
    expect(variants.locator(".legend li").first).to_have_text(re.compile("on.*1,200.*59.8%", re.DOTALL))
    assert len([each for each in variants.locator(".plot path").all() if each.get_attribute("fill")]) == 3
    visitor.page.get_by_role("link", name="7 days").click()
    visitor.page.wait_for_url("**/insights/checkout?window=7d")
    visitor.connected()
    expect(chart(visitor, "Evaluations by variant")).to_contain_text("2,012 evaluations in all")


def test_what_is_counted_while_somebody_looks_is_shown(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "insights/checkout")
    expect(part(visitor, "Evaluations by variant")).to_contain_text("Nothing was evaluated in this window")
    site.evaluated(row(project, "checkout", STATIC__on=3))
    site.give("POST", f"/projects/{project}/flags/checkout/environments/development/on")
    expect(chart(visitor, "Evaluations by variant")).to_contain_text("3 evaluations in all")


def earlier(site: Site, minutes: int, command: Command) -> None:
    """As if it had been done so many minutes ago, by Ana."""
    with closing(EventStore(site.environment["TOGGLEMASTER_POSTGRES_URL"], PATIENCE_SECONDS)) as store:
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        Commands(store).execute(command, Stamp("ana", at, "<b>launch</b>"))


def test_a_mark_stands_where_something_was_changed_and_tells_what_and_who(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project, "insights/checkout", window="1h")
    figure = chart(visitor, "Evaluations by variant")
    expect(figure.locator(".event-mark")).to_have_count(1)
    earlier(site, 30, TurnFlagOn(project=project, flag="checkout", environment="development"))
    expect(figure.locator(".event-mark")).to_have_count(2)
    mark, tip = figure.locator(".event-mark").first, figure.locator(".tip").first
    expect(tip).to_be_hidden()
    mark.focus()
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("<b>launch</b>")
    expect(mark).to_have_accessible_name(re.compile("ana: .*turned on in development"))
    place = float((mark.get_attribute("style") or "").split(":")[1].strip("%; "))
    assert place == pytest.approx(50, abs=5)  # per cent of an hour
    visitor.page.keyboard.press("Tab")
    expect(mark).not_to_be_focused()
    expect(tip).to_be_hidden()


def test_a_mark_tells_what_its_segments_changed_too(site: Site, project: str, visitor: Visitor) -> None:
    segment = f"/projects/{project}/segments/beta"
    site.give("PUT", segment, {"name": "Beta", "condition": BRAZIL})
    targeting = {
        "enabled": True,
        "off_variant": "off",
        "rules": [{"id": "b", "when": {"segment": "beta"}, "serve": {"variant": "on"}}],
        "default": {"variant": "off"},
    }
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/development", targeting)
    site.give("PUT", segment, {"name": "Beta", "condition": BRAZIL, "include": ["ana"]}, X_Reason="ana too")
    visitor.visit(project, "insights/checkout")
    visitor.page.locator(".event-mark").first.hover()
    expect(visitor.page.locator(".tip").first).to_contain_text("ana too")


def test_shares_are_judged_in_words_by_what_came_after_the_split_was_set(
    site: Site, project: str, visitor: Visitor
) -> None:
    targeting = Targeting.model_validate(HALVES)
    earlier(
        site,
        120,
        ChangeTargeting(project=project, flag="checkout", environment="development", targeting=targeting),
    )
    site.evaluated(row(project, "checkout", 30, SPLIT__on=5_020, SPLIT__off=4_980))
    visitor.visit(project, "insights/checkout")
    shares = part(visitor, "Shares against weights")
    expect(shares).to_contain_text("As configured")
    expect(shares.get_by_role("row", name="on 5,020 50.2% 50.0%")).to_be_visible()
    site.evaluated(row(project, "checkout", 29, SPLIT__on=900))
    visitor.visit(project, "insights/checkout")
    expect(shares).to_contain_text("Not as configured")
    expect(shares).to_contain_text("Do not trust an experiment on it")


def test_a_split_that_has_just_changed_is_not_judged(site: Site, project: str, visitor: Visitor) -> None:
    visitor.visit(project, "insights/checkout")
    expect(part(visitor, "Shares against weights")).to_contain_text("Not checked")
    expect(part(visitor, "Shares against weights")).to_contain_text("split")


def record(project: str, n: int, **attributes: Any) -> Record:
    at = int(time.time() * 1_000) - 60_000 - n
    return Record(
        f"{n:016x}-1",
        project,
        "development",
        "checkout",
        "on",
        "TARGETING_MATCH",
        f"user-{n}",
        1,
        at,
        attributes,
    )


def test_rules_that_reached_nobody_are_named_and_what_cannot_be_told_is_said(
    site: Site, project: str, visitor: Visitor
) -> None:
    rules = [
        {"id": "b", "name": "Brazil", "when": BRAZIL, "serve": {"variant": "on"}},
        {
            "id": "p",
            "name": "<script>Portugal</script>",
            "when": {**BRAZIL, "values": ["PT"]},
            "serve": {"variant": "on"},
        },
    ]
    targeting = {"enabled": True, "off_variant": "off", "rules": rules, "default": {"variant": "off"}}
    site.give(
        "PATCH",
        f"/projects/{project}/environments/development",
        {"recording": {"mode": "all", "attributes": ["country"]}},
    )
    site.give("PUT", f"/projects/{project}/flags/checkout/environments/development", targeting)
    site.recorded(*(record(project, n, country="BR") for n in range(3)), record(project, 9, country="DE"))
    visitor.visit(project, "insights/checkout")
    reach = part(visitor, "Who is reached by which rule")
    expect(reach).to_contain_text("1 rule served nobody")
    expect(reach.get_by_role("listitem")).to_have_text("<script>Portugal</script>")
    expect(reach.get_by_role("row", name=re.compile("Brazil"))).to_contain_text("3")
    expect(reach.get_by_role("row", name=re.compile("Everybody else"))).to_contain_text("1")


def test_a_window_without_records_says_what_makes_some(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "insights/checkout")
    expect(part(visitor, "Who is reached by which rule")).to_contain_text("Set what the environment records")


def test_a_flag_that_is_not_there_is_told_in_the_apis_words(project: str, visitor: Visitor) -> None:
    visitor.visit(project, "insights/nothing")
    visitor.sees(f"there is no flag 'nothing' in project '{project}'")


def test_the_environment_tells_all_evaluations_by_reason_and_names_that_no_flag_has(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.evaluated(
        row(project, "", STATIC__=40, FLAG_NOT_FOUND__=2),
        row(project, "chekout", FLAG_NOT_FOUND__=2),
    )
    visitor.visit(project, "insights")
    assert counts(chart(visitor, "All evaluations, by reason")) == {
        "Everybody gets the same": "40",
        "There is no such flag": "2",
    }
    unknown = part(visitor, "Names that no flag has").get_by_role("row", name=re.compile("chekout"))
    expect(unknown).to_contain_text("Correct the name in the code")
    expect(unknown.locator(".count")).to_have_text("2")


def test_a_stale_flag_is_archived_from_the_list_with_a_reason(
    site: Site, project: str, visitor: Visitor
) -> None:
    site.flag(project, "busy")
    site.evaluated(row(project, "busy", STATIC__on=3, STATIC__off=3))
    visitor.visit(project, "insights")
    flags = part(visitor, "Flags in use, and flags to clean up")
    expect(flags.get_by_role("row", name=re.compile("busy"))).to_contain_text("In use")
    expect(flags.get_by_role("button", name="Archive busy")).to_have_count(0)
    flags.get_by_role("link", name="Never asked for").click()
    visitor.page.wait_for_url("**/insights?*status=never")
    visitor.connected()
    expect(flags.get_by_role("row")).to_have_count(2)
    flags.get_by_role("button", name="Archive checkout").click()
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Archive", exact=True).click()
    visitor.sees("Say why")
    dialog.get_by_label("Reason").fill("nobody asks for it")
    dialog.get_by_role("button", name="Archive", exact=True).click()
    visitor.sees("checkout is archived.")
    expect(flags).to_contain_text("No flag is like that")
    assert site.read(project)["archived"] is True
    history = site.give("GET", f"/projects/{project}/flags/checkout/history")
    assert history["entries"][0]["reason"] == "nobody asks for it"


def test_archiving_is_proposed_where_changes_are_approved(site: Site, project: str, visitor: Visitor) -> None:
    site.give("PATCH", f"/projects/{project}/environments/production", {"approvals": 1})
    visitor.visit(project, "insights")
    visitor.page.get_by_role("button", name="Archive checkout").click()
    visitor.page.get_by_role("dialog").get_by_label("Reason").fill("nobody asks for it")
    visitor.page.get_by_role("button", name="Propose the change").click()
    visitor.sees("is proposed as change")
    assert site.read(project)["archived"] is False
    changes = site.give("GET", f"/projects/{project}/changes")["changes"]
    assert [each["title"] for each in changes] == ["Archive checkout"]


def test_somebody_who_was_faster_is_told_and_nothing_is_archived(
    site: Site, project: str, visitor: Visitor
) -> None:
    visitor.visit(project, "insights")
    visitor.page.get_by_role("button", name="Archive checkout").click()
    visitor.page.get_by_role("dialog").get_by_label("Reason").fill("nobody asks for it")
    site.give("POST", f"/projects/{project}/flags/checkout/environments/development/on")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Archive", exact=True).click()
    visitor.sees("Somebody else was faster")
    assert site.read(project)["archived"] is False


def test_a_viewer_reads_it_all_and_has_nothing_to_archive_with(
    site: Site, project: str, visit: Visit
) -> None:
    ana = visit().enter(site.token("viewer", project))
    ana.visit(project, "insights")
    expect(part(ana, "Flags in use, and flags to clean up")).to_contain_text("checkout")
    expect(ana.page.get_by_role("button", name=re.compile("Archive"))).to_have_count(0)
    ana.visit(project, "insights/checkout")
    expect(part(ana, "Unique subjects")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_needs_help_can_use_it_and_it_fits_a_telephone(site: Site, visit: Visit, scheme: str) -> None:
    project = site.project()
    site.flag(project)
    site.flag(project, LONG)
    site.evaluated(
        *(
            row(project, flag, ago, SPLIT__on=9, SPLIT__off=5, ERROR__=1)
            for flag in ("checkout", "", LONG)
            for ago in (0, 70)
        ),
        row(project, "<script>alert(1)</script>", FLAG_NOT_FOUND__=2),
        row(project, "\u05e9\u05dc\u05d5\u05dd " + LONG, FLAG_NOT_FOUND__=2),
    )
    ana = visit(color_scheme=scheme, reduced_motion="reduce", viewport=NARROW).enter()
    for screen in ("insights", "insights/checkout", f"insights/{LONG}"):
        ana.visit(project, screen)
        expect(ana.page.locator(".legend li").first).to_be_visible()
        ana.page.locator(".chart summary").first.click()
        assert ana.width_beyond() <= 0, screen
        assert ana.violations() == []
    ana.visit(project, "insights")
    ana.sees("<script>alert(1)</script>")


def test_it_speaks_portuguese(site: Site, project: str, visit: Visit) -> None:
    site.evaluated(row(project, "checkout", SPLIT__on=1_200, SPLIT__off=800))
    ana = visit("pt-BR").enter()
    ana.visit(project, "insights/checkout")
    expect(chart(ana, "Avaliações por variante")).to_contain_text("1.200 · 60,0%")
    expect(part(ana, "Proporções contra os pesos")).to_be_visible()
