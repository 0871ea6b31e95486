"""The screen that tells whether the installation is well."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, expect
from redis import Redis

from deploy.embedded import Stack, free_port
from projections.aws import dynamodb_client
from projections.dropped_table import Dropped, DroppedTable
from projections.item_writes import Items
from tests.conftest import open_directory
from tests.console.conftest import PATIENCE_MS, Visit
from tests.console.site import Site, running
from tests.console.visitor import NARROW, Visitor
from tests.waiting import eventually

AGREES = re.compile(r"Generation g\d+ at position \d+ is what the log says")


def part(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("region", name=title)


def test_all_answers_nothing_lags_and_what_is_served_is_what_the_log_says(
    site: Site, visitor: Visitor
) -> None:
    project = site.project()
    site.flag(project)
    visitor.visit(project, "health")
    for each in ("PostgreSQL", "Redis", "SQS", "DynamoDB"):
        expect(part(visitor, "What answers")).to_contain_text(re.compile(f"{each}.* answers"))
    served = part(visitor, "What evaluators serve")
    expect(served).to_contain_text("Up to date with the log")
    expect(served.get_by_role("definition").nth(3)).to_have_text("0")
    expect(part(visitor, "Lists and history")).to_contain_text("Up to date with the log")
    expect(part(visitor, "Evaluations on their way")).to_contain_text("No message was given up")
    dropped = part(visitor, "Dropped by evaluators")
    expect(dropped).to_contain_text("Nothing was dropped in the last 30 days")
    expect(dropped.get_by_role("definition")).to_have_text(["0", "0"])
    visitor.page.get_by_role("button", name="Verify").click()
    expect(served).to_contain_text(AGREES)


def test_a_document_that_is_not_what_the_log_says_is_named(
    site: Site, stack: Stack, visitor: Visitor
) -> None:
    project = site.project()
    site.flag(project)
    with Redis.from_url(stack.valkey.url) as redis:
        live = redis.get("{togglemaster}:live")
        assert isinstance(live, bytes)
        documents = f"{{togglemaster}}:{live.decode()}:documents:{project}/development"
        eventually(lambda: redis.hexists(documents, "flag/checkout") is True)
        there = redis.hget(documents, "flag/checkout")
        assert isinstance(there, bytes)
        redis.hset(documents, "flag/checkout", "{}")
        try:
            visitor.visit(project, "health")
            visitor.page.get_by_role("button", name="Verify").click()
            expect(part(visitor, "What evaluators serve")).to_contain_text("togglemaster projections rebuild")
            visitor.sees(f"{project}/development flag checkout")
        finally:
            redis.hset(documents, "flag/checkout", there)
    visitor.page.get_by_role("button", name="Verify").click()
    expect(part(visitor, "What evaluators serve")).to_contain_text(AGREES)


def test_what_is_served_of_a_log_that_went_back_is_ahead_of_it(
    site: Site, stack: Stack, visitor: Visitor
) -> None:
    project = site.project()
    site.flag(project)
    with Redis.from_url(stack.valkey.url, decode_responses=True) as redis:
        state = f"{{togglemaster}}:{redis.get('{togglemaster}:live')}:state"
        position = str(redis.hget(state, "position"))
        redis.hset(state, "position", str(int(position) + 1_000))
        try:
            visitor.visit(project, "health")
            expect(part(visitor, "What evaluators serve")).to_contain_text(
                "Ahead of the log, which went back"
            )
        finally:
            redis.hset(state, "position", position)
    visitor.visit(project, "health")
    expect(part(visitor, "What evaluators serve")).to_contain_text("Up to date with the log")


@pytest.fixture
def dropped(site: Site) -> Iterator[list[Dropped]]:
    """As consumers store what twelve evaluators told; other tests find nothing of it."""
    now = int(time.time())
    told = [Dropped(f"eu-{n:02}", 9, 1_000 * n, n, now - 3_600, now - n) for n in range(1, 13)]
    client = dynamodb_client(site.environment["TOGGLEMASTER_AWS_ENDPOINT_URL"], "us-east-1")
    table = site.environment["TOGGLEMASTER_USAGE_TABLE"]
    DroppedTable(client, table).put(told)
    yield told
    keys = [{"part": {"S": "@dropped"}, "place": {"S": each.producer}} for each in told]
    Items(client, table).delete(keys)
    client.close()


def test_what_evaluators_dropped_is_shown_with_who_and_what_to_do(
    site: Site, visitor: Visitor, dropped: list[Dropped]
) -> None:
    visitor.visit(site.project(), "health")
    shown = part(visitor, "Dropped by evaluators")
    expect(shown).to_contain_text("Evaluators had no room for something in the last 30 days")
    expect(shown).to_contain_text("TOGGLEMASTER_SPOOL_COUNTERS lets more of them wait")
    expect(shown.get_by_role("definition")).to_have_text(["78,000", "78"])
    expect(shown.get_by_role("listitem")).to_have_count(10)
    expect(shown.get_by_role("listitem").first).to_contain_text("eu-01")
    expect(shown.get_by_role("listitem").first).to_contain_text("1,000 not counted, 1 not recorded")
    expect(shown).to_contain_text("2 more evaluators dropped something before these")
    assert visitor.violations() == []


@pytest.fixture
def without_redis(stack: Stack) -> Iterator[Site]:
    """An installation of its own, whose Redis nobody started."""
    directory = open_directory()
    nowhere = replace(stack.valkey, url=f"redis://127.0.0.1:{free_port()}")
    try:
        with running(replace(stack, valkey=nowhere), directory) as site:
            yield site
    finally:
        shutil.rmtree(directory)


def test_redis_away_is_told_with_what_to_do_and_the_rest_still_answers(
    without_redis: Site, browser: Browser
) -> None:
    opened = browser.new_context(locale="en-US")
    opened.set_default_timeout(PATIENCE_MS)
    ana = Visitor(without_redis, opened.new_page()).enter()
    ana.visit("default", "health")
    services = part(ana, "What answers")
    expect(services).to_contain_text("Redis (ruleset) does not answer")
    expect(services).to_contain_text("Start Redis, or correct TOGGLEMASTER_REDIS_URL")
    expect(services).to_contain_text("PostgreSQL (log) answers")
    expect(part(ana, "What evaluators serve")).to_contain_text("Nobody can tell")
    ana.page.get_by_role("button", name="Verify").click()
    expect(ana.page.get_by_role("alert").first).to_contain_text("Redis cannot be asked")
    opened.close()
    assert ana.unexpected() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_needs_help_can_use_it_and_it_fits_a_telephone(site: Site, visit: Visit, scheme: str) -> None:
    ana = visit(color_scheme=scheme, reduced_motion="reduce", viewport=NARROW).enter()
    ana.visit(site.project(), "health")
    expect(part(ana, "What answers")).to_contain_text("DynamoDB")
    assert ana.width_beyond() <= 0
    assert ana.violations() == []


def test_it_speaks_portuguese(site: Site, visit: Visit) -> None:
    ana = visit("pt-BR").enter()
    ana.visit(site.project(), "health")
    expect(part(ana, "O que responde")).to_contain_text("PostgreSQL (registro) responde")
    nothing = "Nada foi descartado nos últimos 30 dias"
    expect(part(ana, "Descartado pelos avaliadores")).to_contain_text(nothing)
