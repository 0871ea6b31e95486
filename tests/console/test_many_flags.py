"""The list of flags of a project that has been used for years."""

import time

from playwright.sync_api import expect

from tests.console.site import Site
from tests.console.visitor import Visitor
from tests.figures import tell

FLAGS, PAGE = 5_000, 50
PROMISED_MS, NOTICED_MS = 300, 3_000  # the first where nothing else runs: docs/console.md


def test_5000_flags_are_paged_and_the_first_page_is_there_at_once(site: Site, visitor: Visitor) -> None:
    project = site.project()
    site.flags(project, FLAGS)
    url = f"{site.console}/{project}/development/flags"
    took = []
    for _ in range(5):
        began = time.perf_counter()
        answer = visitor.page.request.get(url)
        took.append(time.perf_counter() - began)
        assert answer.ok
    tell("the first page of 5,000 flags", milliseconds=round(min(took) * 1_000), promised=PROMISED_MS)
    assert min(took) * 1_000 < NOTICED_MS
    visitor.visit(project)
    assert visitor.flag_keys() == [f"flag-{n:04}" for n in range(PAGE)]
    visitor.page.get_by_role("link", name="Next page").click()
    visitor.connected()
    assert visitor.flag_keys() == [f"flag-{n:04}" for n in range(PAGE, 2 * PAGE)]
    visitor.page.get_by_label("Search flags").fill("flag-499")
    expect(visitor.page.locator(".key")).to_have_count(10)
    assert visitor.asked(search="flag-499") == {"search": ["flag-499"]}
