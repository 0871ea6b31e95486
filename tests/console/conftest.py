"""A console that runs, and browsers that look at it.

Playwright keeps an event loop in this thread while it runs, so it ends with this directory's tests.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from redis import Redis

from deploy.embedded import Stack
from tests.conftest import open_directory
from tests.console.chromium import ARGUMENTS, chromium
from tests.console.site import Site, running
from tests.console.visitor import Visitor

Visit = Callable[..., Visitor]
"""A browser of its own for somebody: `language`, and whatever else Playwright gives a new context."""

PATIENCE_MS = 15_000  # this machine may be busy with other tests


@pytest.fixture(scope="package")
def site(stack: Stack) -> Iterator[Site]:
    directory = open_directory()
    with Redis.from_url(stack.valkey.url) as redis:
        redis.flushall()  # what other tests left there is of other logs
    try:
        with running(stack, directory) as found:
            yield found
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    tool = chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(tool.program), env={**os.environ, **tool.environment()}, args=list(ARGUMENTS)
        )
        yield found
        found.close()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Visit]:
    """Whoever it made met nothing that a browser complains of, and asked no other host."""
    made: list[Visitor] = []

    def new(language: str = "en-US", **context: Any) -> Visitor:
        opened = browser.new_context(locale=language, **context)
        opened.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(site, opened.new_page())
        made.append(visitor)
        return visitor

    yield new
    for visitor in made:
        visitor.page.context.close()
    assert [each for visitor in made for each in visitor.unexpected()] == []


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """The administrator, signed in."""
    return visit().enter()
